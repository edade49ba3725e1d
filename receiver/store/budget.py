"""How many requests all workers together make for runs in five minutes: our own count, in one row.

Dataverse allows 6 000 a user in five minutes, and its headers speak of one server of several: they are not believed.
Each pause that it asks for halves what runs may do; each window without one gives a quarter back.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, case, select, update

from receiver.store.models import budget
from receiver.store.upsert import upsert

WINDOW = timedelta(minutes=5)
#: never less than this, else nothing would ever be found out
LEAST = 60


def take(connection: Connection, now: datetime, count: int, most: int) -> tuple[int, datetime]:
    """Take so many requests, or what is left of the window; how many, and when the window ends."""
    row = _row(connection, now, most)
    if row.window_at <= now - WINDOW or row.window_at > now:
        allowed = min(most, row.allowed + most // 4)
        values = {"window_at": now, "used": count, "allowed": allowed}
        connection.execute(update(budget).values(values))
        return min(count, allowed), now + WINDOW
    taken = max(min(count, min(most, row.allowed) - row.used), 0)
    if taken:
        connection.execute(update(budget).values(used=budget.c.used + taken))
    return taken, row.window_at + WINDOW


def halve(connection: Connection, now: datetime, most: int) -> None:
    """Dataverse asked for a pause: once in a window, however many were told."""
    _row(connection, now, most)
    fresh = budget.c.halved_at.is_(None) | (budget.c.halved_at <= now - WINDOW)
    half = case((budget.c.allowed // 2 > LEAST, budget.c.allowed // 2), else_=LEAST)
    connection.execute(update(budget).where(fresh).values(allowed=half, halved_at=now))


def stands(connection: Connection) -> tuple[int, int] | None:
    """How many were used of how many, in the newest window; None before the first."""
    row = connection.execute(select(budget.c.used, budget.c.allowed)).first()
    return None if row is None else (row.used, row.allowed)


def _row(connection: Connection, now: datetime, most: int) -> Row[Any]:
    inserting = upsert(connection, budget)
    connection.execute(inserting.values(id=1, window_at=now, used=0, allowed=most).on_conflict_do_nothing())
    return connection.execute(select(budget).with_for_update()).one()
