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
from pathlib import Path
from typing import Protocol

import psycopg
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from receiver.store.database import Database

CHANNEL = "receiver_lane"
LOOK_AGAIN_SECONDS = 1.0


class Listener(Protocol):
    def wait(self, seconds: float) -> bool:
        """Return when somebody rang, or after *seconds*; whether somebody did."""

    def close(self) -> None: ...


class Waker:
    """The ringing side: one a process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._address = _socket_path(database) if database.is_sqlite else ""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) if database.is_sqlite else None
        if self._socket is not None:
            self._socket.setblocking(False)

    def within(self, connection: Connection) -> None:
        """Ring when *connection*'s transaction commits (PostgreSQL)."""
        if self._socket is None:
            connection.execute(text(f"NOTIFY {CHANNEL}"))

    def after_commit(self) -> None:
        """Ring now (SQLite). Nobody listening is no error."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.sendto(b"!", self._address)

    def listener(self) -> Listener:
        return _Datagrams(self._address) if self._socket is not None else _Notifications(self._database)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()


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
