"""The engine, and the two ways to use it: reading, and writing (one transaction, all or nothing)."""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, DisconnectionError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolIsEmptyError
from sqlalchemy.pool import ConnectionPoolEntry

from receiver.core.away import Away
from receiver.errors import ReceiverError, RefusedError, SchemaError, StoreUnavailableError
from receiver.store.lock_holders import holder_of
from receiver.store.number_blocks import NumberBlocks
from receiver.store.refusals import passing_of, refusal_of, set_up_of

log = logging.getLogger(__name__)

BUSY_TIMEOUT_MS = 5000
#: threads stand in line for the one writer; who waits longer is answered 503 while Dataverse still listens
WRITER_PATIENCE_SECONDS = 10.0
CONNECT_TIMEOUT_SECONDS = 5
#: a connection unused for this long may have gone; one that goes sooner costs one attempt
CHECK_AFTER_SECONDS = 2.0
#: what our connections are called, so that a trigger knows our own writes
APPLICATION_NAME = "receiver"
#: the option of every connection that finds its process's numbers
NUMBER_BLOCKS = "receiver_number_blocks"
#: what a PostgreSQL says that has become a standby
READ_ONLY = "25006"
#: and what it says when a lock is not given up in time
LOCKED = "55P03"


@dataclass(frozen=True)
class TimeOuts:
    """How long a transaction waits for others' locks, and how long one statement may take, in seconds; 0: no limit.

    PostgreSQL alone: SQLite has one lock, and its own patience (`BUSY_TIMEOUT_MS`).
    """

    lock: float = 5.0
    statement: float = 60.0

    def said(self, scope: str = "") -> str:
        """*scope*: LOCAL for one transaction, empty for as long as the connection is kept."""
        lock, statement = (int(1000 * seconds) for seconds in (self.lock, self.statement))
        return f"SET {scope} lock_timeout = {lock}; SET {scope} statement_timeout = {statement}"


#: a migration may take its time, but nobody waits long for what it waits for
OF_MIGRATION = TimeOuts(statement=0)
#: Dataverse waits 60 s; the door's own statement only inserts, and waits for nobody's work
OF_DOOR = TimeOuts(lock=2.0, statement=10.0)
#: what the door notes beside that may fail
OF_NOTE = TimeOuts(lock=0.01, statement=1.0)
#: what it refused, which several processes count in the same rows now and then
OF_REFUSALS = TimeOuts(lock=0.5, statement=2.0)


class Database:
    """One engine a process. SQLite has one writer: a lock in the process keeps its threads from spinning for it."""

    def __init__(self, url: str, pool_size: int = 10, time_outs: TimeOuts = TimeOuts()) -> None:
        self.url = make_url(url)
        self._time_outs = time_outs.said()
        #: what is kept, and as many again under load
        self.most_connections = 2 * pool_size
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = _engine(url, pool_size)
        self.engine.update_execution_options(**{NUMBER_BLOCKS: NumberBlocks(self.writing)})
        #: on PostgreSQL a statement that reads is a transaction by itself: one message instead of three
        self._reader = self.engine if self.is_sqlite else self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._one_writer = threading.Lock()
        self._kept: Connection | None = None
        self._is_disposed = False
        self._away = Away(log, f"The database ({self.url.database})")
        event.listen(self.engine, "checkin", self._close_if_disposed)
        if self.is_sqlite:
            event.listen(self.engine, "do_connect", self._check_file)
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        else:
            event.listen(self.engine, "connect", self._set_time_outs)
            event.listen(self.engine, "checkin", _note_use)
            event.listen(self.engine, "checkout", _check_if_long_unused)

    @property
    def _file(self) -> Path | None:
        """SQLite's."""
        name = self.url.database
        return Path(name).absolute() if self.is_sqlite and name and name != ":memory:" else None

    @property
    def folder(self) -> Path | None:
        """Of SQLite's file."""
        return self._file.parent if self._file is not None else None

    def make_file(self) -> None:
        """Make SQLite's file where there is none, for its owner alone."""
        if self._file is not None:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file.touch(mode=0o600)

    @contextmanager
    def worked_on_alone(self) -> Iterator[None]:
        """SQLite has one writer, and so one worker; PostgreSQL takes any number. Raises: RefusedError for a second one.

        The lock goes with the process that holds it, however that ends.
        """
        if self._file is None:
            yield
            return
        self._check_file()
        place = self._file.with_name(f"{self._file.name}.worker")
        with os.fdopen(os.open(place, os.O_CREAT | os.O_RDWR, 0o600), "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise RefusedError(
                    f"Another worker works on {self._file} already, and SQLite takes one. "
                    "Stop that one first, or use PostgreSQL, which takes any number."
                ) from None
            yield

    def _check_file(self, *_connecting: object) -> None:
        """A mistyped path is no new database. Raises: SchemaError."""
        if self._file is not None and not self._file.exists():
            raise SchemaError(
                f"There is no database at {self._file}. Correct RECEIVER_DATABASE_URL, or make one there. "
                "Run: receiver migrate"
            )

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that writes nothing; between two statements others may write.

        Raises: StoreUnavailableError; BusyError; LocalSetUpError.
        """
        with self._reachable(), self._reader.connect() as connection:
            yield connection

    @contextmanager
    def writing(self, time_outs: TimeOuts | None = None) -> Iterator[Connection]:
        """One transaction, committed at the end or rolled back whole.

        Constraints that the company's tables defer are made immediate: each record is told what it breaks, not the
        last one. Raises: StoreUnavailableError, also for a locked SQLite database; BusyError where another program's
        lock is not given up in time; LocalSetUpError; RecordError for what only the commit refuses.
        """
        with self._reachable(), self._in_line(), self.engine.connect() as connection:
            writer = connection.execution_options(receiver_writes=True)
            with _committed(writer):
                if not self.is_sqlite:
                    patience = f"{time_outs.said('LOCAL')}; " if time_outs else ""
                    writer.exec_driver_sql(f"{patience}SET CONSTRAINTS ALL IMMEDIATE")
                yield writer

    @contextmanager
    def writing_alone(self) -> Iterator[Connection]:
        """For one statement, and one user at a time: on PostgreSQL it is a transaction by itself.

        So it costs one message instead of five, on a connection that is kept. On SQLite it is `writing`.
        Raises: StoreUnavailableError; BusyError.
        """
        if self.is_sqlite:
            with self.writing() as connection:
                yield connection
            return
        with self._reachable():
            kept = self._kept or self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            try:
                if self._kept is None:
                    kept.exec_driver_sql(OF_DOOR.said())
                self._kept = None
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

    @contextmanager
    def _reachable(self) -> Iterator[None]:
        try:
            yield
        except PoolIsEmptyError as error:
            raise StoreUnavailableError("The database cannot be used now: every connection is in use.") from error
        except DBAPIError as error:
            said = self._said(error)
            if said is None:
                raise
            if isinstance(said, StoreUnavailableError):
                self._away.away(str(said))
            raise said from error
        self._away.back()

    def _said(self, error: DBAPIError) -> ReceiverError | None:
        """What an error of the database means for whoever works with it; None for what is a mistake of our own."""
        passing = passing_of(error)
        if passing is not None:
            return passing_of(error, holder_of(self.engine, error)) if _is_locked(error) else passing
        is_away = error.connection_invalidated or getattr(error.orig, "sqlstate", "") == READ_ONLY
        if is_away:
            return StoreUnavailableError(f"The database went away, or only reads: {_first_line(error)}")
        set_up = set_up_of(error, self.url.username or "of the receiver")
        if set_up is not None:
            return set_up
        if getattr(error.orig, "sqlite_errorname", "") == "SQLITE_BUSY":
            return StoreUnavailableError(
                f"The database cannot be used now: another program has held its lock for {BUSY_TIMEOUT_MS / 1000:g} s."
            )
        if isinstance(error, OperationalError | InterfaceError):
            return StoreUnavailableError(f"The database cannot be used now: {_first_line(error)}")
        return None

    def dispose(self) -> None:
        """Close every connection; one that a thread still uses, or asks for later, is closed when it is given back."""
        self._is_disposed = True
        self._close_kept()
        self.engine.dispose()

    def _close_kept(self) -> None:
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.close()

    def _set_time_outs(self, connection: Any, _record: ConnectionPoolEntry) -> None:
        """Once a connection: reading waits for others' locks too."""
        connection.execute(self._time_outs)
        connection.commit()

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
def _committed(writer: Connection) -> Iterator[None]:
    """Raises: RecordError, LostRaceError for what the commit alone refuses."""
    with writer.begin() as transaction:
        yield
        try:
            transaction.commit()
        except DBAPIError as error:
            if not error.connection_invalidated:  # there is nothing left to roll back
                writer.connection.rollback()  # SQLite keeps a transaction open whose commit it refuses
            refused = refusal_of(error, "record")
            if refused is None:
                raise
            raise refused from error


def _is_locked(error: DBAPIError) -> bool:
    return getattr(error.orig, "sqlstate", "") == LOCKED


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).splitlines()[0] if str(error.orig) else type(error.orig).__name__
