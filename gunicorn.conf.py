"""`gunicorn wsgi:app` finds its settings here."""

from receiver.server.gunicorn_conf import *  # noqa: F403  # they are the package's own
