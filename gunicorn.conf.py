"""`gunicorn wsgi:app` finds its settings here."""

from receiver.server.gunicorn_conf import *  # noqa: F403  # gunicorn takes every name of this file for a setting, and these are all of them
