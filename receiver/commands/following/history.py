"""History: what synchronization changed of a record, when, why, and from what to what; and forgetting it again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, select

from receiver.core.mapping import Direction, TableMapping
from receiver.core.values import guid
from receiver.errors import NotFoundError
from receiver.services import Services
from receiver.store.models import history


@dataclass(frozen=True)
class Entry:
    """One change of a coupled record. `fields` is {column of the destination: [before, after]}, as JSON keeps them."""

    id: int
    at: datetime
    mapping: str
    local_id: str
    dataverse_id: str
    direction: Direction
    decision: str
    why: str
    fields: dict[str, Any]
    #: the entry that took this one back
    undone_by: int | None = None

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {**vars(self), "at": self.at.isoformat()}


def listed(services: Services, table: str, id_: str, limit: int = 50) -> list[Entry]:
    """The changes of a record, newest first.

    *table* names a Dataverse table with a guid as *id_*, or a local table or a mapping with a record's key.
    Raises: NotFoundError for a table that no mapping reads.
    """
    mappings, row_id = _meant(services, table, id_), guid(id_)
    is_mine = history.c.dataverse_id == row_id if row_id is not None else history.c.local_id == id_
    query = select(history).where(history.c.mapping.in_([one.name for one in mappings]), is_mine)
    with services.database.reading() as connection:
        rows = connection.execute(query.order_by(history.c.id.desc()).limit(limit)).mappings()
        return [_entry(row) for row in rows]


def last(services: Services, table: str, id_: str) -> Entry:
    """The newest change. Raises: NotFoundError."""
    found: Sequence[Entry] = listed(services, table, id_, 1)
    if not found:
        raise NotFoundError(f"Nothing is remembered of {table} {id_}: it was not synchronized, or too long ago.")
    return found[0]


def _meant(services: Services, table: str, id_: str) -> list[TableMapping]:
    with services.database.reading() as connection:
        mappings = list(services.mappings(connection).values())
    named = table.lower()
    if guid(id_) is not None:
        found = [one for one in mappings if named in {one.dataverse_table, one.name.lower()}]
    else:
        found = [one for one in mappings if named in {one.local_table, one.name.lower()}]
    if not found:
        kind = "a Dataverse table" if guid(id_) is not None else "a local table"
        raise NotFoundError(f"No mapping reads {kind} {table}. `receiver mappings list` names them all.")
    return found


def _entry(row: RowMapping) -> Entry:
    return Entry(**{**row, "direction": Direction(row["direction"])})
