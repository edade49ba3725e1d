"""Group commit: whoever comes while a commit is under way is written by the next one, together.

A commit waits for the disk; sixteen requests that each wait for their own are sixteen times slower than sixteen that
share one. There is no writer thread to supervise: the request that gets its turn first writes for all who wait.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy import Connection

from receiver.errors import BusyError, StoreUnavailableError
from receiver.store.database import Database

Item = TypeVar("Item")
Result = TypeVar("Result")

#: items in one transaction; more would keep the first of them waiting
LARGEST_GROUP = 64
PATIENCE_SECONDS = 25.0


@dataclass
class _Entry(Generic[Item, Result]):
    item: Item
    result: Result | None = None
    error: Exception | None = None
    is_done: bool = False


class GroupCommit(Generic[Item, Result]):
    """`write` stores several items in one statement and answers a result for each, in their order.

    On SQLite it may be several statements. Writing the same item again must give the same result.
    """

    def __init__(self, database: Database, write: Callable[[Connection, Sequence[Item]], Sequence[Result]]) -> None:
        self._database = database
        self._write = write
        self._turn = threading.Lock()
        self._waiting: deque[_Entry[Item, Result]] = deque()

    def add(self, item: Item) -> Result:
        """The item's result, once it is committed.

        Raises: StoreUnavailableError; BusyError; whatever `write` raises for this item alone.
        """
        entry: _Entry[Item, Result] = _Entry(item)
        self._waiting.append(entry)
        if not self._turn.acquire(timeout=PATIENCE_SECONDS):
            raise StoreUnavailableError("The database is too slow to take everything that comes.")
        try:
            while not entry.is_done:
                self._commit(self._next_group())
        finally:
            self._turn.release()
        if entry.error is not None:
            raise entry.error
        return entry.result  # type: ignore[return-value]  # done without an error

    def _next_group(self) -> list[_Entry[Item, Result]]:
        count = min(len(self._waiting), LARGEST_GROUP)
        return [self._waiting.popleft() for _ in range(count)]

    def _commit(self, group: list[_Entry[Item, Result]]) -> None:
        try:
            self._write_with_a_second_try(group)
        except (StoreUnavailableError, BusyError) as error:
            for entry in group:
                entry.error = error
        except Exception as error:  # noqa: BLE001  # one odd item must not take the others down with it
            if len(group) == 1:
                group[0].error = error
            else:
                for entry in group:
                    self._commit([entry])
        for entry in group:
            entry.is_done = True

    def _write_with_a_second_try(self, group: list[_Entry[Item, Result]]) -> None:
        """A connection that was kept may have gone stale; a locked SQLite is no reason to wait twice."""
        try:
            self._write_together(group)
        except StoreUnavailableError:
            if self._database.is_sqlite:
                raise
            self._write_together(group)

    def _write_together(self, group: list[_Entry[Item, Result]]) -> None:
        with self._database.writing_alone() as connection:
            results = self._write(connection, [entry.item for entry in group])
        for entry, result in zip(group, results, strict=True):
            entry.result = result
