"""How a worker in another process learns at once that a lane is ready: NOTIFY on PostgreSQL, a datagram on SQLite.

Neither is relied on: a worker looks each second anyway.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import select
import socket
import tempfile
import threading
import time
from pathlib import Path
from typing import Protocol

import psycopg
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from receiver.store.database import Database

CHANNEL = "receiver_lane"
LOOK_AGAIN_SECONDS = 1.0
#: between two NOTIFYs: under load each would cost as much as a notification, and wake who is awake
PAUSE_SECONDS = 0.01


class Listener(Protocol):
    def wait(self, seconds: float) -> bool:
        """Return when somebody rang, or after *seconds*; whether somebody did."""

    def close(self) -> None: ...


class Waker:
    """The ringing side: one a process. Ring after the commit; a bell that nobody hears is no error."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._bell: _Bell | _Notifier
        self._bell = _Bell(_socket_path(database)) if database.is_sqlite else _Notifier(database)

    def ring(self) -> None:
        self._bell.ring()

    def listener(self) -> Listener:
        if self._database.is_sqlite:
            return _Datagrams(_socket_path(self._database))
        return _Notifications(self._database)

    def close(self) -> None:
        self._bell.close()


class _Bell:
    """SQLite: a datagram, which costs less than asking whether one is needed."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def ring(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.sendto(b"!", self._address)

    def close(self) -> None:
        self._socket.close()


class _Notifier:
    """PostgreSQL: a thread says NOTIFY, once for all that rang meanwhile.

    In the writers' own transactions it would make them wait for each other: NOTIFY takes one lock for the whole
    database until the commit is on disk.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rung = threading.Event()
        self._is_closed = False
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def ring(self) -> None:
        if self._thread is None:
            self._start()
        self._rung.set()

    def _start(self) -> None:
        """At the first ring, not before: a server may fork after the application was made."""
        with self._lock:
            if self._thread is None and not self._is_closed:
                started = threading.Thread(target=self._run, name="bell", daemon=True)
                started.start()
                self._thread = started

    def _run(self) -> None:
        while not self._is_closed:
            self._rung.wait()
            self._rung.clear()
            try:
                with self._database.engine.connect() as connection:
                    connection.execution_options(isolation_level="AUTOCOMMIT").execute(text(f"NOTIFY {CHANNEL}"))
            except (SQLAlchemyError, psycopg.Error):
                pass  # the workers look each second
            time.sleep(PAUSE_SECONDS)

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
        if self._thread is not None:
            self._rung.set()
            self._thread.join()


def _socket_path(database: Database) -> str:
    """One name a database file; short, since a socket's name may not have more than about 100 characters."""
    place = Path(database.url.database or "").resolve()
    digest = hashlib.sha256(str(place).encode()).hexdigest()[:16]
    return os.path.join(tempfile.gettempdir(), f"receiver-{digest}.wake")  # noqa: PTH118  # a socket's address is text


class _Datagrams:
    def __init__(self, address: str) -> None:
        self._address = address
        Path(address).unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        Path(address).chmod(0o600)

    def wait(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._socket], [], [], seconds)
        if ready:
            self._socket.recv(16)
        return bool(ready)

    def close(self) -> None:
        self._socket.close()
        Path(self._address).unlink(missing_ok=True)


class _Notifications:
    """A connection of its own that listens; when it breaks, waiting falls back to looking each second."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection | None = None

    def wait(self, seconds: float) -> bool:
        try:
            connection = self._connection or self._listening()
            driver = connection.connection.driver_connection
            assert driver is not None  # a checked-out connection has one
            return bool(list(driver.notifies(timeout=seconds, stop_after=1)))
        except (SQLAlchemyError, psycopg.Error, OSError):
            self._forget()
            return True

    def _listening(self) -> Connection:
        connection = self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(text(f"LISTEN {CHANNEL}"))
        self._connection = connection
        return connection

    def _forget(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.invalidate()
                connection.close()
        select.select([], [], [], LOOK_AGAIN_SECONDS)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
