"""The application as a server imports it: made, and refused if the schema is old."""

import os

import click

from receiver import create_app
from receiver.server import logs
from receiver.settings_file import overlaid
from receiver.store.schema import refuse_old
from receiver.web import counters

logs.configure(overlaid(os.environ))
app = create_app()
# the processes of a server share a folder (gunicorn_conf.py), and any of them answers /metrics for all
app.extensions["receiver_sink"] = counters.keep()
# `flask --app wsgi receiver migrate` must get through; a server has no click context
if click.get_current_context(silent=True) is None:
    refuse_old(app.extensions["receiver"].database)
