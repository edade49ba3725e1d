"""`gunicorn wsgi:app` finds its settings here."""

from receiver.gunicorn_conf import *  # noqa: F403  # they are the package's own
