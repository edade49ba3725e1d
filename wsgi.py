"""The WSGI application, nothing else."""

from receiver.serving import app

__all__ = ["app"]
