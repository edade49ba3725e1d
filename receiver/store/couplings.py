"""Couplings as rows: find, save, remove, and what is remembered of one that a person removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, Connection, Row, bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from receiver.core.coupling import Coupling, LastRun, Result
from receiver.core.mapping import Direction
from receiver.core.values import from_plain_values, to_plain_values
from receiver.errors import LostRaceError
from receiver.store.models import coupling as table
from receiver.store.models import passed_over, pending_coupling, uncoupling

#: a Dataverse row's couplings, by mapping
Couplings = Mapping[str, Coupling]


def find(
    connection: Connection, mapping: str, toward: Direction, source_id: str, *, lock: bool = False
) -> Coupling | None:
    """The coupling of a mapping's source record; *lock* holds it until the transaction ends."""
    if toward is Direction.FROM:
        return of_rows(connection, [source_id], lock=lock).get(source_id, {}).get(mapping)
    query = select(table).where(table.c.mapping == mapping, table.c.local_id == source_id)
    row = connection.execute(query.with_for_update() if lock else query).first()
    return None if row is None else _frozen(row)


def of_rows(connection: Connection, row_ids: Sequence[str], *, lock: bool = False) -> Mapping[str, Couplings]:
    """The couplings of many Dataverse rows; *lock* holds them, in one order, until the transaction ends.

    A row that we are creating right now, or created before we died, counts as coupled: its own notification must not
    make a twin.
    """
    found: dict[str, dict[str, Coupling]] = {}
    pending = select(pending_coupling).where(pending_coupling.c.dataverse_id.in_(row_ids), pending_coupling.c.is_open)
    for row in connection.execute(pending):
        one = Coupling(row.mapping, row.local_id, row.dataverse_id)
        found.setdefault(one.dataverse_id, {})[one.mapping] = one
    query = select(table).where(table.c.dataverse_id.in_(row_ids)).order_by(table.c.id)
    for row in connection.execute(query.with_for_update() if lock else query):
        found.setdefault(row.dataverse_id, {})[row.mapping] = _frozen(row)
    return found


def of_records(
    connection: Connection, mapping: str, keys: Sequence[str], *, lock: bool = False
) -> Mapping[str, Coupling]:
    """The couplings of many local records under a mapping, by key; *lock* as in `of_rows`."""
    query = select(table).where(table.c.mapping == mapping, table.c.local_id.in_(keys)).order_by(table.c.id)
    return {row.local_id: _frozen(row) for row in connection.execute(query.with_for_update() if lock else query)}


def of_dataverse_row(connection: Connection, dataverse_id: str) -> list[Coupling]:
    """Every coupling of a Dataverse row: an account may be a customer and a vendor."""
    query = select(table).where(table.c.dataverse_id == dataverse_id).order_by(table.c.id)
    return [_frozen(row) for row in connection.execute(query)]


def dataverse_of(connection: Connection, mapping: str, local_id: str) -> str | None:
    query = select(table.c.dataverse_id).where(table.c.mapping == mapping, table.c.local_id == local_id)
    return connection.execute(query).scalar()


def save(connection: Connection, coupling: Coupling, now: datetime) -> None:
    """Write the coupling, new or known, and forget that it was passed over or uncoupled. Raises: LostRaceError."""
    save_all(connection, [coupling], now)


def save_all(connection: Connection, changed: Sequence[Coupling], now: datetime) -> None:
    """Write couplings, new or known; a row coupled anew is no longer passed over, uncoupled or being created.

    Raises: LostRaceError when another worker coupled one of the records meanwhile; the transaction is then lost.
    """
    if not changed:
        return
    values = [_thawed(one, now) for one in changed]
    try:
        connection.execute(_SAVING[connection.dialect.name], values)
    except IntegrityError as error:
        raise LostRaceError from error
    for mapping in sorted({one.mapping for one in changed}):
        own = [one for one in changed if one.mapping == mapping]
        named = {
            "is_mapping": mapping,
            "are_rows": [one.dataverse_id for one in own],
            "are_records": [one.local_id for one in own],
        }
        for statement in _FORGETTING:
            connection.execute(statement, named)


def _saving(dialect: Any) -> Any:
    statement = dialect.insert(table)
    kept = {"id", "mapping", "local_id", "coupled_at"}
    changed = {column.name: statement.excluded[column.name] for column in table.columns if column.name not in kept}
    return statement.on_conflict_do_update(index_elements=["mapping", "local_id"], set_=changed)


_SAVING = {"sqlite": _saving(sqlite), "postgresql": _saving(postgresql)}
_ARE_ROWS: BindParameter[list[str]] = bindparam("are_rows", expanding=True)
_ARE_RECORDS: BindParameter[list[str]] = bindparam("are_records", expanding=True)
_FORGETTING = (
    delete(uncoupling).where(uncoupling.c.mapping == bindparam("is_mapping"), uncoupling.c.dataverse_id.in_(_ARE_ROWS)),
    # another row that the record was uncoupled from stays uncoupled; the record does not
    update(uncoupling)
    .where(uncoupling.c.mapping == bindparam("is_mapping"), uncoupling.c.local_id.in_(_ARE_RECORDS))
    .values(local_id=""),
    delete(passed_over).where(passed_over.c.mapping == bindparam("is_mapping"), passed_over.c.row_id.in_(_ARE_ROWS)),
    update(pending_coupling)
    .where(pending_coupling.c.mapping == bindparam("is_mapping"), pending_coupling.c.dataverse_id.in_(_ARE_ROWS))
    .values(is_open=False),
)


def remove(connection: Connection, coupling: Coupling) -> None:
    """Delete the row with all its history; removing what is not there does nothing."""
    where = (table.c.mapping == coupling.mapping, table.c.local_id == coupling.local_id)
    connection.execute(delete(table).where(*where))


def take_back(connection: Connection, dataverse_id: str) -> None:
    """Retry: the row's couplings are no longer Skipped. The last failure stays: the same again makes them so again."""
    skipped = (table.c.dataverse_id == dataverse_id, table.c.is_skipped)
    connection.execute(update(table).where(*skipped).values(is_skipped=False))


def remember_uncoupling(connection: Connection, coupling: Coupling, who: str, now: datetime) -> None:
    """From now on nothing couples this row or this record by itself, until a person does."""
    values = {"dataverse_id": coupling.dataverse_id, "local_id": coupling.local_id, "who": who, "at": now}
    connection.execute(insert(uncoupling).values(mapping=coupling.mapping, **values))


def who_uncoupled(connection: Connection, row_ids: Sequence[str]) -> Mapping[tuple[str, str], str]:
    """Who uncoupled a mapping's row and when, as a person reads it; by mapping and row."""
    found = connection.execute(select(uncoupling).where(uncoupling.c.dataverse_id.in_(row_ids)))
    return {(row.mapping, row.dataverse_id): _said(row) for row in found}


def who_uncoupled_records(connection: Connection, mapping: str, keys: Sequence[str]) -> Mapping[str, str]:
    """Who uncoupled a mapping's local record and when, the last time; by key."""
    query = select(uncoupling).where(uncoupling.c.mapping == mapping, uncoupling.c.local_id.in_(keys))
    return {row.local_id: _said(row) for row in connection.execute(query.order_by(uncoupling.c.at))}


def _said(row: Row[Any]) -> str:
    return f"{row.who} on {row.at:%Y-%m-%d %H:%M} UTC"


def _frozen(row: Row[Any]) -> Coupling:
    return Coupling(
        mapping=row.mapping,
        local_id=row.local_id,
        dataverse_id=row.dataverse_id,
        local_base=None if row.local_base is None else from_plain_values(row.local_base),
        dataverse_base=None if row.dataverse_base is None else from_plain_values(row.dataverse_base),
        unresolved=frozenset(row.unresolved),
        altered={name: Direction(way) if way else None for name, way in row.altered.items()},
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
        "altered": dict(coupling.altered),
        "is_skipped": coupling.is_skipped,
        "from_result": coupling.last_from.result,
        "from_job": coupling.last_from.job,
        "from_error": coupling.last_from.error,
        "to_result": coupling.last_to.result,
        "to_job": coupling.last_to.job,
        "to_error": coupling.last_to.error,
        "coupled_at": now,
        "synchronized_at": now,
    }
