"""Local edits that a trigger tells of go to Dataverse within a second: PostgreSQL alone, one worker listens.

Each is asked of the engine like any other record. What was edited while nobody listened goes out with a run, which is
started when somebody listens again; so nothing depends on a notification that was lost. What cannot be sent for long is
left to such a run as well: nothing is kept for ever, and nothing is lost.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Collection, Mapping
from itertools import islice

import psycopg
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from receiver.core.mapping import Direction, TableMapping
from receiver.engine.changed_keys import follow_told
from receiver.engine.coalesce import Ask
from receiver.errors import LostRaceError, ParentIsBusyError, RefusedError, StoreUnavailableError
from receiver.runs import run_task
from receiver.runs.carry_out import carry_out
from receiver.runs.run_pages import Part, Scope, wanted_of_records
from receiver.services import Services
from receiver.store import triggers

log = logging.getLogger(__name__)

WHO = "local changes"
TOGETHER = 500
#: how often it is looked which tables tell of their edits, and whether another worker listens already
LOOK_AGAIN_SECONDS = 3.0
#: what could not be decided is asked for again, so often
TRIED_AGAIN_SECONDS, ATTEMPTS = 15.0, 40
#: one of all workers holds it
_LOCK = "SELECT pg_try_advisory_lock(hashtext(:name))"

#: a table and a key
Edit = tuple[str, str]


def mappings_sending(services: Services, table: str) -> list[TableMapping]:
    """The mappings by which a local table's edits go to Dataverse."""
    found = _mappings_of(services, table)
    return [one for one in found if one.is_enabled and one.direction.allows(Direction.TO)]


def _mappings_of(services: Services, table: str) -> list[TableMapping]:
    with services.database.reading() as connection:
        return [one for one in services.mappings(connection).values() if one.local_table == table]


def send(services: Services, edits: Collection[Edit]) -> list[Edit]:
    """Ask the engine for edited records; those that could not be decided now. Raises: StoreUnavailableError."""
    left: list[Edit] = []
    for table in sorted({table for table, _ in edits}):
        keys = iter([key for name, key in edits if name == table])
        mappings = mappings_sending(services, table)
        while some := list(islice(keys, TOGETHER)):
            for mapping in mappings:
                part = Part(
                    mapping, Direction.TO, Scope.MODIFIED, Ask(why="an edit of the local record", is_by_itself=True)
                )
                done = carry_out(services, wanted_of_records(services, part, some))
                left += [(table, one.wanted.ask.key) for one in done if one.error is not None]
    return list(dict.fromkeys(left))


def follow_renamed(services: Services, renamed: Mapping[Edit, str]) -> None:
    """The pairs of records whose key was changed go on; *renamed* has the old keys. Raises: StoreUnavailableError."""
    for (table, key), old in renamed.items():
        for mapping in _mappings_of(services, table):
            # one that cannot be followed now is found by what it says, when it is sent
            with contextlib.suppress(ParentIsBusyError, LostRaceError):
                follow_told(services, mapping, old, key)


class LocalChanges:
    """One worker's ear: `step` listens a moment and sends what it heard."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._connection: Connection | None = None
        self._tables: frozenset[str] = frozenset()
        #: tables whose mappings are owed a run, and the mappings, by name, whose run has not begun yet
        self._tables_owed: set[str] = set()
        self._owed: dict[str, TableMapping] = {}
        self._looked = -LOOK_AGAIN_SECONDS
        #: edits to send, by when they are due and how often they were tried
        self._due: dict[Edit, tuple[float, int]] = {}
        #: the key that an edited record had before
        self._renamed: dict[Edit, str] = {}

    @property
    def is_listening(self) -> bool:
        return self._connection is not None

    def step(self, seconds: float, sleep: Callable[[float], object] = time.sleep) -> None:
        """Listen for *seconds* at most. Raises: StoreUnavailableError; what was heard is kept."""
        if time.monotonic() - self._looked >= LOOK_AGAIN_SECONDS:
            self._look()
            self._looked = time.monotonic()
        if self._connection is None:
            sleep(seconds)
        else:
            self._hear(self._connection, seconds)
        self._send()

    def close(self) -> None:
        self._forget()

    def _look(self) -> None:
        """Which tables tell of their edits now; those that are new to us are run once.

        A run that is under way may have passed by what is owed: another one follows it.
        """
        with self._services.database.reading() as connection:
            tables = triggers.installed(connection)
        if tables and self._connection is None:
            self._listen()
        elif not tables:
            self._forget()
        if self._connection is None:
            return
        self._tables_owed |= tables - self._tables
        self._tables = tables
        for table in sorted(self._tables_owed):
            self._owed |= {one.name: one for one in mappings_sending(self._services, table)}
            self._tables_owed.discard(table)
        for name, mapping in sorted(self._owed.items()):
            with contextlib.suppress(RefusedError):  # it is being run already
                run_task.begin(self._services, mapping, WHO, Direction.TO)
                del self._owed[name]

    def _listen(self) -> None:
        try:
            connection = self._services.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            if not connection.execute(text(_LOCK), {"name": triggers.NAME}).scalar():
                connection.close()
                return
            connection.execute(text(f"LISTEN {triggers.CHANNEL}"))
        except (SQLAlchemyError, psycopg.Error) as error:
            log.warning("Local edits are not heard now: %s", error)
            return
        self._connection = connection

    def _hear(self, connection: Connection, seconds: float) -> None:
        try:
            driver = connection.connection.driver_connection
            assert driver is not None  # a checked-out connection has one
            heard = [triggers.told(one.payload) for one in driver.notifies(timeout=seconds, stop_after=1)]
        except (SQLAlchemyError, psycopg.Error, OSError) as error:
            log.warning("The connection that hears of local edits broke: %s", error)
            self._forget()
            return
        told = [one for one in heard if one is not None]
        self._renamed |= {(one.table, one.key): one.old_key for one in told if one.old_key != one.key}
        self._due |= {(one.table, one.key): (time.monotonic(), 0) for one in told}

    def _send(self) -> None:
        now = time.monotonic()
        due = {edit: attempts for edit, (at, attempts) in self._due.items() if at <= now}
        if not due:
            return
        follow_renamed(self._services, {edit: self._renamed.pop(edit) for edit in due if edit in self._renamed})
        left = self._unsent(due)
        for edit in due:
            del self._due[edit]
        for edit in left:
            if due[edit] + 1 < ATTEMPTS:
                self._due[edit] = (now + TRIED_AGAIN_SECONDS, due[edit] + 1)
            else:
                log.warning("The edit of %s %s could not be sent for long; a run of its table asks for it.", *edit)
                self._tables_owed.add(edit[0])

    def _unsent(self, due: Collection[Edit]) -> list[Edit]:
        """Where one edit is in the way of all, each is sent by itself. Raises: StoreUnavailableError."""
        try:
            return send(self._services, due)
        except StoreUnavailableError:
            raise
        except Exception:
            if len(due) == 1:
                log.exception("The edit of %s %s met something nobody foresaw.", *next(iter(due)))
                return list(due)
            return [edit for one in due for edit in self._unsent([one])]

    def _forget(self) -> None:
        """The lock goes with the connection: another worker may listen."""
        connection, self._connection, self._tables = self._connection, None, frozenset()
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.invalidate()
                connection.close()
