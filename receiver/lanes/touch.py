"""Lanes made ready without a notification: a message named the row too, a person asks again, or brings it in."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection

from receiver.lanes.lane import key_of
from receiver.store.types import sqlite_value


@dataclass(frozen=True)
class Touch:
    """There is work in a lane: it is ready at the earlier of `ready_at` and what it was."""

    table: str
    id: str
    ready_at: datetime
    #: why, since no notification says it
    wish: str = ""
    #: of a lane that is not a row's
    key: str = ""

    @property
    def lane(self) -> str:
        return self.key or key_of(self.table, self.id)


def touch(connection: Connection, touches: Sequence[Touch]) -> None:
    """Make lanes ready."""
    if not touches:
        return
    rows = _merged(touches)
    if connection.dialect.name == "sqlite":
        values = tuple(sqlite_value(row[name]) for row in rows for name in _TOUCHED)
        connection.exec_driver_sql(_touching_sqlite(len(rows)), values)
    else:
        connection.exec_driver_sql(_TOUCHING, (json.dumps(rows, default=str),))


def _merged(touches: Iterable[Touch]) -> list[dict[str, Any]]:
    """One row a lane, in the order of their keys: two who touch the same lanes cannot block each other for ever."""
    found: dict[str, Touch] = {}
    for one in touches:
        found[one.lane] = _both(found[one.lane], one) if one.lane in found else one
    return [
        dict(zip(_TOUCHED, (key, one.table, one.id, one.ready_at, one.wish), strict=True))
        for key, one in sorted(found.items())
    ]


def _both(one: Touch, other: Touch) -> Touch:
    ready_at = min(one.ready_at, other.ready_at)
    return replace(other, ready_at=ready_at, wish=other.wish or one.wish)


# Written out, since a message may name thousands: SQLAlchemy would compile them anew for each count.
_TOUCHED = ("key", "table_name", "row_id", "ready_at", "wish")
_INTO_LANES = f"INSERT INTO receiver_lane ({', '.join(_TOUCHED)}, generation)"
_OR_WAKE = """
    ON CONFLICT (key) DO UPDATE SET
        ready_at = CASE WHEN receiver_lane.ready_at <= excluded.ready_at
                        THEN receiver_lane.ready_at ELSE excluded.ready_at END,
        wish = CASE WHEN excluded.wish <> '' THEN excluded.wish ELSE receiver_lane.wish END,
        generation = receiver_lane.generation + 1
    """
_TOUCHING = f"""
    {_INTO_LANES} SELECT {", ".join(_TOUCHED)}, 1 FROM json_to_recordset(%s::json) AS touched
        (key text, table_name text, row_id text, ready_at timestamptz, wish text)
    ORDER BY key {_OR_WAKE}
    """  # noqa: S608  # only names of our own are put together


@lru_cache
def _touching_sqlite(count: int) -> str:
    row = f"({', '.join('?' * len(_TOUCHED))}, 1)"
    return f"{_INTO_LANES} VALUES {', '.join([row] * count)} {_OR_WAKE}"
