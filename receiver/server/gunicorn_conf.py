"""gunicorn's settings. The access log has the path and never the query, which may hold a key."""

from __future__ import annotations

import multiprocessing
import os
import shutil
from typing import Any

from gunicorn.glogging import Logger

from receiver.core.visible import visible
from receiver.server.patient_worker import PatientWorker
from receiver.settings_file import overlaid
from receiver.web import counters


class DiscreetLogger(Logger):  # type: ignore[misc]  # it ships no types
    """gunicorn repeats a malformed request in its warning, and with it whatever key stood there."""

    def warning(self, msg: str, *args: object, **kwargs: object) -> None:
        if msg.startswith("Invalid request"):
            super().warning("A request that is not HTTP was refused.")
            return
        super().warning(msg, *args, **kwargs)

    def atoms(self, *answered: object) -> dict[str, object]:
        """A path may hold line ends and a terminal's codes: they are shown in a line, and never obeyed."""
        atoms: dict[str, object] = super().atoms(*answered)
        return {name: visible(value) if isinstance(value, str) else value for name, value in atoms.items()}


_settings = overlaid(os.environ)
_is_embedded = _settings.get("RECEIVER_DATABASE_URL", "sqlite").startswith("sqlite")

# before anything counts: the processes that are forked from here share it
_counts = counters.folder_of(_settings)
counters.begin(_counts)


def child_exit(_server: object, worker: Any) -> None:
    counters.forget_process(worker.pid)


def on_exit(_server: object) -> None:
    if "RECEIVER_METRICS_DIR" not in _settings:
        shutil.rmtree(_counts, ignore_errors=True)


bind = _settings.get("RECEIVER_BIND", f"0.0.0.0:{_settings.get('RECEIVER_PORT', '8000')}")
worker_class = PatientWorker
# a process may have 1024 files open, and needs some for the database
worker_connections = 800
# a file is sent with the patience that everything is sent with
sendfile = False
# SQLite has one writer: a second process only waits for the first
workers = 1 if _is_embedded else int(_settings.get("RECEIVER_WEB_PROCESSES", multiprocessing.cpu_count()))
threads = 16 if _is_embedded else 8
# several processes share keep-alive connections fairly only so
reuse_port = not _is_embedded
# longer than the longest answer to a click, shorter than Dataverse's 60 seconds
timeout = 55
graceful_timeout = 15
keepalive = 75
logger_class = DiscreetLogger
accesslog = "-"
access_log_format = '%(h)s %(t)s "%(m)s %(U)s %(H)s" %(s)s %(b)s %(M)sms'
errorlog = "-"
loglevel = "info"
# gunicorn would open a socket in the home folder, which a read-only image does not have
control_socket_disable = True
