"""Writes to Dataverse whose outcome is not known, and pending couplings: the rows that we are creating.

Both are committed before the request is sent, and end when its outcome is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from receiver.core.intended import Intended
from receiver.core.values import from_plain_values, to_plain_values
from receiver.store.among import Among
from receiver.store.models import open_write, pending_coupling


@dataclass(frozen=True)
class OpenWrite:
    """One attempt; `version` is the one that the row had to have, None for a create."""

    mapping: str
    local_id: str
    dataverse_id: str
    intended: Intended
    version: int | None
    at: datetime


@dataclass(frozen=True)
class Pending:
    """A record whose row is being created, and the deleted row that the new one restores; empty: none."""

    mapping: str
    local_id: str
    replaced_id: str


def of_rows(connection: Connection, row_ids: Sequence[str]) -> Mapping[str, list[OpenWrite]]:
    """The attempts of which the outcome is not known, by Dataverse row, oldest first."""
    found: dict[str, list[OpenWrite]] = {}
    for row in connection.execute(_OF_ROWS, {"rows": list(row_ids)}):
        found.setdefault(row.dataverse_id, []).append(_frozen(row))
    return found


_OF_ROWS = select(open_write).where(Among(open_write.c.dataverse_id, "rows")).order_by(open_write.c.id)


def remember(connection: Connection, writes: Sequence[OpenWrite]) -> None:
    connection.execute(insert(open_write), [_thawed(one) for one in writes])


def forget(connection: Connection, mapping: str, row_id: str) -> None:
    """The outcome is known: none of them can arrive any more."""
    is_it = (open_write.c.mapping == mapping, open_write.c.dataverse_id == row_id)
    connection.execute(delete(open_write).where(*is_it))


def pending_of_row(connection: Connection, mapping: str, row_id: str) -> Pending | None:
    """Whose row it is, while it is being created under that id."""
    pending = pending_coupling.c
    query = select(pending_coupling).where(pending.dataverse_id == row_id, pending.mapping == mapping, pending.is_open)
    row = connection.execute(query).first()
    return None if row is None else Pending(row.mapping, row.local_id, row.replaced_id)


def end_pending(connection: Connection, mapping: str, row_id: str) -> None:
    """The record's row is not this one any more: the record's next row gets another id."""
    pending = pending_coupling.c
    is_it = (pending.mapping == mapping, pending.dataverse_id == row_id)
    connection.execute(update(pending_coupling).where(*is_it).values(is_open=False))
    forget(connection, mapping, row_id)


def refused(connection: Connection, mapping: str, local_id: str, replaced_id: str) -> None:
    """The record's create was refused: no row will be of it, and the next attempt gets another id."""
    pending = pending_coupling.c
    is_it = (pending.mapping == mapping, pending.local_id == local_id, pending.replaced_id == replaced_id)
    for row_id in connection.execute(select(pending.dataverse_id).where(*is_it, pending.is_open)).scalars().all():
        end_pending(connection, mapping, row_id)


def _frozen(row: Row[Any]) -> OpenWrite:
    intended = Intended(
        from_plain_values(row.local_values), from_plain_values(row.dataverse_values), frozenset(row.unresolved)
    )
    return OpenWrite(row.mapping, row.local_id, row.dataverse_id, intended, row.version_number, row.at)


def _thawed(one: OpenWrite) -> dict[str, Any]:
    return {
        "mapping": one.mapping,
        "local_id": one.local_id,
        "dataverse_id": one.dataverse_id,
        "local_values": to_plain_values(one.intended.local),
        "dataverse_values": to_plain_values(one.intended.dataverse),
        "unresolved": sorted(one.intended.unresolved),
        "version_number": one.version,
        "at": one.at,
    }
