"""The engine, and the two ways to use it: reading, and writing (one transaction, all or nothing)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, DisconnectionError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolIsEmptyError
from sqlalchemy.pool import ConnectionPoolEntry

from receiver.errors import StoreUnavailableError

BUSY_TIMEOUT_MS = 5000
#: threads stand in line for the one writer; who waits longer is answered 503 while Dataverse still listens
WRITER_PATIENCE_SECONDS = 10.0
CONNECT_TIMEOUT_SECONDS = 5
#: a connection unused for this long may have gone; one that goes sooner costs one attempt
CHECK_AFTER_SECONDS = 2.0
#: what our connections are called, so that a trigger knows our own writes
APPLICATION_NAME = "receiver"
#: what a PostgreSQL says that has become a standby
READ_ONLY = "25006"


class Database:
    """One engine a process. SQLite has one writer: a lock in the process keeps its threads from spinning for it."""

    def __init__(self, url: str, pool_size: int = 10) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite and self.url.database:
            Path(self.url.database).resolve().parent.mkdir(parents=True, exist_ok=True)
        self.engine = _engine(url, pool_size)
        #: on PostgreSQL a statement that reads is a transaction by itself: one message instead of three
        self._reader = self.engine if self.is_sqlite else self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._one_writer = threading.Lock()
        self._kept: Connection | None = None
        self._is_disposed = False
        event.listen(self.engine, "checkin", self._close_if_disposed)
        if self.is_sqlite:
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        else:
            event.listen(self.engine, "checkin", _note_use)
            event.listen(self.engine, "checkout", _check_if_long_unused)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that writes nothing; between two statements others may write.

        Raises: StoreUnavailableError.
        """
        with _reachable(), self._reader.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction, committed at the end or rolled back whole.

        Raises: StoreUnavailableError, also for a locked SQLite database.
        """
        with _reachable(), self._in_line(), self.engine.connect() as connection:
            writer = connection.execution_options(receiver_writes=True)
            with writer.begin():
                yield writer

    @contextmanager
    def writing_alone(self) -> Iterator[Connection]:
        """For one statement, and one user at a time: on PostgreSQL it is a transaction by itself.

        So it costs one message instead of five, on a connection that is kept. On SQLite it is `writing`.
        Raises: StoreUnavailableError.
        """
        if self.is_sqlite:
            with self.writing() as connection:
                yield connection
            return
        with _reachable():
            kept = self._kept or self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            self._kept = None
            try:
                yield kept
            except BaseException:
                kept.invalidate()
                kept.close()
                raise
            self._kept = kept
            if self._is_disposed:
                self._close_kept()

    @contextmanager
    def _in_line(self) -> Iterator[None]:
        if not self.is_sqlite:
            yield
            return
        if not self._one_writer.acquire(timeout=WRITER_PATIENCE_SECONDS):
            raise StoreUnavailableError("The database cannot be used now: others are still writing.")
        try:
            yield
        finally:
            self._one_writer.release()

    def dispose(self) -> None:
        """Close every connection; one that a thread still uses, or asks for later, is closed when it is given back."""
        self._is_disposed = True
        self._close_kept()
        self.engine.dispose()

    def _close_kept(self) -> None:
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.close()

    def _close_if_disposed(self, _connection: Any, record: ConnectionPoolEntry) -> None:
        """The pool it would go back to is closed already."""
        if self._is_disposed:
            record.close()


def _engine(url: str, pool_size: int) -> Engine:
    if make_url(url).get_backend_name() == "sqlite":
        return create_engine(url, hide_parameters=True, pool_size=pool_size, connect_args={"check_same_thread": False})
    patience = {"connect_timeout": make_url(url).query.get("connect_timeout", CONNECT_TIMEOUT_SECONDS)}
    return create_engine(
        url,
        hide_parameters=True,
        pool_size=pool_size,
        max_overflow=pool_size,
        connect_args={"application_name": APPLICATION_NAME, **patience},
    )


def _note_use(_connection: Any, record: Any) -> None:
    record.info["used_at"] = time.monotonic()


def _check_if_long_unused(connection: Any, record: Any, _proxy: Any) -> None:
    """Asking each time whether the connection still holds would double the messages of a short transaction."""
    if time.monotonic() - record.info.get("used_at", time.monotonic()) < CHECK_AFTER_SECONDS:
        return
    try:
        connection.autocommit = True
        connection.execute("SELECT 1")
        connection.autocommit = False
    except psycopg.Error as error:
        raise DisconnectionError from error


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    """An acknowledged notification survives a power cut: FULL, not SQLAlchemy's and SQLite's own choices."""
    connection.isolation_level = None  # the begin event says which kind of transaction
    for pragma in ("journal_mode=WAL", "synchronous=FULL", f"busy_timeout={BUSY_TIMEOUT_MS}", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    """A writer takes the lock at once: a reader that later wants to write could only fail."""
    writes = connection.get_execution_options().get("receiver_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def _reachable() -> Iterator[None]:
    try:
        yield
    except PoolIsEmptyError as error:
        raise StoreUnavailableError("The database cannot be used now: every connection is in use.") from error
    except (OperationalError, InterfaceError) as error:
        raise StoreUnavailableError(f"The database cannot be used now: {_first_line(error)}") from error
    except DBAPIError as error:
        if error.connection_invalidated or getattr(error.orig, "sqlstate", "") == READ_ONLY:
            raise StoreUnavailableError(f"The database went away, or only reads: {_first_line(error)}") from error
        raise


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).splitlines()[0] if str(error.orig) else type(error.orig).__name__
