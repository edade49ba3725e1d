"""Couplings as rows: find, save, remove, and what is remembered of one that a person removed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from receiver.core.coupling import Coupling, LastRun, Result
from receiver.core.mapping import Direction
from receiver.core.values import from_plain_values, to_plain_values
from receiver.errors import LostRaceError
from receiver.store.models import coupling as table
from receiver.store.models import passed_over, pending_coupling, uncoupling


def find(
    connection: Connection, mapping: str, toward: Direction, source_id: str, *, lock: bool = False
) -> Coupling | None:
    """The coupling of a mapping's source record; *lock* holds it until the transaction ends."""
    column = table.c.dataverse_id if toward is Direction.FROM else table.c.local_id
    query = select(table).where(table.c.mapping == mapping, column == source_id)
    row = connection.execute(query.with_for_update() if lock else query).first()
    if row is None and toward is Direction.FROM:
        return _pending(connection, mapping, source_id)
    return None if row is None else _frozen(row)


def _pending(connection: Connection, mapping: str, dataverse_id: str) -> Coupling | None:
    """A row that we are creating right now, or created before we died: its own notification must not make a twin."""
    is_ours = (pending_coupling.c.mapping == mapping, pending_coupling.c.dataverse_id == dataverse_id)
    query = select(pending_coupling.c.local_id).where(*is_ours, pending_coupling.c.is_open)
    local_id = connection.execute(query).scalar()
    return None if local_id is None else Coupling(mapping, local_id, dataverse_id)


def of_dataverse_row(connection: Connection, dataverse_id: str) -> list[Coupling]:
    """Every coupling of a Dataverse row: an account may be a customer and a vendor."""
    query = select(table).where(table.c.dataverse_id == dataverse_id).order_by(table.c.id)
    return [_frozen(row) for row in connection.execute(query)]


def local_of(connection: Connection, mappings: Iterable[str], dataverse_id: str) -> tuple[str, str] | None:
    """The first of *mappings* that couples the Dataverse row, and the local record's key."""
    query = select(table.c.mapping, table.c.local_id).where(table.c.dataverse_id == dataverse_id)
    found = {row.mapping: row.local_id for row in connection.execute(query)}
    return next(((name, found[name]) for name in mappings if name in found), None)


def dataverse_of(connection: Connection, mapping: str, local_id: str) -> str | None:
    query = select(table.c.dataverse_id).where(table.c.mapping == mapping, table.c.local_id == local_id)
    return connection.execute(query).scalar()


def save(connection: Connection, coupling: Coupling, now: datetime) -> None:
    """Write the coupling, new or known, and forget that it was passed over or uncoupled.

    Raises: LostRaceError when another worker coupled one of the two records meanwhile.
    """
    values = _thawed(coupling, now)
    known = update(table).where(table.c.mapping == coupling.mapping, table.c.local_id == coupling.local_id)
    try:
        with connection.begin_nested():
            if connection.execute(known.values(values)).rowcount == 0:
                connection.execute(insert(table).values({**values, "coupled_at": now}))
    except IntegrityError as error:
        raise LostRaceError from error
    for memory, row_id in ((uncoupling, uncoupling.c.dataverse_id), (passed_over, passed_over.c.row_id)):
        connection.execute(delete(memory).where(memory.c.mapping == coupling.mapping, row_id == coupling.dataverse_id))


def remove(connection: Connection, coupling: Coupling) -> None:
    """Delete the row with all its history; removing what is not there does nothing."""
    where = (table.c.mapping == coupling.mapping, table.c.local_id == coupling.local_id)
    connection.execute(delete(table).where(*where))


def take_back(connection: Connection, dataverse_id: str) -> None:
    """Retry: the row's couplings are no longer Skipped. The last failure stays: the same again makes them so again."""
    skipped = (table.c.dataverse_id == dataverse_id, table.c.is_skipped)
    connection.execute(update(table).where(*skipped).values(is_skipped=False))


def remember_uncoupling(connection: Connection, coupling: Coupling, who: str, now: datetime) -> None:
    """From now on nothing couples this row by itself, until a person does."""
    values = {"mapping": coupling.mapping, "dataverse_id": coupling.dataverse_id, "who": who, "at": now}
    connection.execute(insert(uncoupling).values(values))


def uncoupled_by(connection: Connection, mapping: str, dataverse_id: str) -> str:
    """Who uncoupled the row and when, as a person reads it; empty if nobody did."""
    query = select(uncoupling).where(uncoupling.c.mapping == mapping, uncoupling.c.dataverse_id == dataverse_id)
    row = connection.execute(query).first()
    return "" if row is None else f"{row.who} on {row.at:%Y-%m-%d %H:%M} UTC"


def _frozen(row: Row[Any]) -> Coupling:
    return Coupling(
        mapping=row.mapping,
        local_id=row.local_id,
        dataverse_id=row.dataverse_id,
        local_base=None if row.local_base is None else from_plain_values(row.local_base),
        dataverse_base=None if row.dataverse_base is None else from_plain_values(row.dataverse_base),
        unresolved=frozenset(row.unresolved),
        is_skipped=row.is_skipped,
        last_from=LastRun(Result(row.from_result), row.from_job, row.from_error),
        last_to=LastRun(Result(row.to_result), row.to_job, row.to_error),
    )


def _thawed(coupling: Coupling, now: datetime) -> dict[str, Any]:
    return {
        "mapping": coupling.mapping,
        "local_id": coupling.local_id,
        "dataverse_id": coupling.dataverse_id,
        "local_base": None if coupling.local_base is None else to_plain_values(coupling.local_base),
        "dataverse_base": None if coupling.dataverse_base is None else to_plain_values(coupling.dataverse_base),
        "unresolved": sorted(coupling.unresolved),
        "is_skipped": coupling.is_skipped,
        "from_result": coupling.last_from.result,
        "from_job": coupling.last_from.job,
        "from_error": coupling.last_from.error,
        "to_result": coupling.last_to.result,
        "to_job": coupling.last_to.job,
        "to_error": coupling.last_to.error,
        "synchronized_at": now,
    }
