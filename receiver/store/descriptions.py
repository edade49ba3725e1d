"""What Dataverse's metadata said of each table, as it was read, and a number that grows when it said anything else."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, ScalarSelect, func, select, update

from receiver.store.models import dataverse_table as table
from receiver.store.upsert import upsert


def load(connection: Connection) -> dict[str, dict[str, Any]]:
    """The columns' facts by table and name, of the tables that were read so far."""
    return {row.name: row.columns for row in connection.execute(select(table.c.name, table.c.columns))}


def newest_change() -> ScalarSelect[int]:
    """A number that grows with every change of a description."""
    return select(func.coalesce(func.sum(table.c.changes), 0)).scalar_subquery()


def read_at(connection: Connection, name: str) -> datetime | None:
    """When the table was read last; None: never."""
    found: datetime | None = connection.execute(select(table.c.read_at).where(table.c.name == name)).scalar()
    return found


def keep(connection: Connection, found: Mapping[str, Mapping[str, Any]], now: datetime) -> bool:
    """Store what was read of these tables; whether anything is another than before.

    Of two who read a table for the first time at once the later one keeps its answer to itself: the next test asks.
    """
    known = {row.name: row for row in connection.execute(select(table).order_by(table.c.name).with_for_update())}
    is_changed = False
    for name, columns in sorted(found.items()):
        before, values = known.get(name), {"read_at": now, "columns": columns}
        if before is None:
            is_changed = True
            connection.execute(
                upsert(connection, table).values(name=name, changes=1, **values).on_conflict_do_nothing()
            )
        else:
            differs = before.columns != columns
            is_changed |= differs
            counted = {**values, "changes": before.changes + 1} if differs else {"read_at": now}
            connection.execute(update(table).where(table.c.name == name).values(counted))
    return is_changed
