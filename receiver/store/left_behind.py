"""What this process holds though nobody works on it: the database went away before it could be given back.

A lease would end by itself, a minute or two after the outage. Whoever takes leases gives these back first, so that
work goes on as soon as the database does.
"""

from __future__ import annotations

import threading

from sqlalchemy import ColumnElement, Connection, Update, and_, select, true, update

from receiver.store.database import Database
from receiver.store.models import inbox, lane, task


class LeftBehind:
    """Owners' names and what they held, kept in memory: a process that dies leaves its leases to their end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: set[tuple[str, str]] = set()

    def add(self, owner: str, key: str = "") -> None:
        """A lane that *owner* holds; without *key* all that it may hold, where a lease's own answer was lost."""
        with self._lock:
            self._held.add((owner, key))

    def give_back(self, database: Database) -> None:
        """Give it all back; what another took over meanwhile stays his. Raises: StoreUnavailableError."""
        with self._lock:
            held, self._held = self._held, set()
        if not held:
            return
        try:
            with database.writing() as connection:
                for owner, key in sorted(held):
                    _given_back(connection, owner, key)
        except BaseException:
            with self._lock:
                self._held |= held
            raise


def _given_back(connection: Connection, owner: str, key: str) -> None:
    is_held = and_(lane.c.owner == owner, lane.c.key == key if key else true())
    keys = select(lane.c.key).where(is_held)
    connection.execute(update(inbox).where(inbox.c.state == "working", inbox.c.lane.in_(keys)).values(state="waiting"))
    connection.execute(_freed(update(lane), is_held))
    if not key:
        connection.execute(_freed(update(task), task.c.owner == owner).values(state="waiting"))


def _freed(statement: Update, is_held: ColumnElement[bool]) -> Update:
    return statement.where(is_held).values(owner=None, lease_until=None)
