"""The application as a server imports it: made, and refused if the schema is old."""

import click

from receiver import create_app
from receiver.server import logs
from receiver.store.schema import refuse_old

logs.configure()
app = create_app()
# `flask --app wsgi receiver migrate` must get through; a server has no click context
if click.get_current_context(silent=True) is None:
    refuse_old(app.extensions["receiver"].database)
