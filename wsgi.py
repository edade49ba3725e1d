"""The WSGI application, nothing else."""

from receiver.server.serving import app

__all__ = ["app"]
