"""Couplings as rows: find, save, remove, and what is remembered of one that a person removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from receiver.core.coupling import Coupling, LastRun, Result
from receiver.core.mapping import Direction
from receiver.core.values import from_plain_values, to_plain_values
from receiver.errors import LostRaceError
from receiver.store.among import Among
from receiver.store.models import coupling as table
from receiver.store.models import open_write, passed_over, pending_coupling, question, uncoupled

_BOTH = (Direction.FROM, Direction.TO)
_OF_ROWS = select(table).where(Among(table.c.dataverse_id, "rows")).order_by(table.c.id)
_LOCKED = _OF_ROWS.with_for_update()
_UNCOUPLED_ROWS = select(uncoupled).where(Among(uncoupled.c.source_id, "rows"), uncoupled.c.toward == Direction.FROM)
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
    """The couplings of many Dataverse rows; *lock* holds them, in one order, until the transaction ends."""
    found: dict[str, dict[str, Coupling]] = {}
    for row in connection.execute(_LOCKED if lock else _OF_ROWS, {"rows": list(row_ids)}):
        found.setdefault(row.dataverse_id, {})[row.mapping] = _frozen(row)
    return found


def of_records(
    connection: Connection, mapping: str, keys: Sequence[str], *, lock: bool = False
) -> Mapping[str, Coupling]:
    """The couplings of many local records under a mapping, by key; *lock* as in `of_rows`."""
    query = select(table).where(table.c.mapping == mapping, Among(table.c.local_id, "keys")).order_by(table.c.id)
    found = connection.execute(query.with_for_update() if lock else query, {"keys": list(keys)})
    return {row.local_id: _frozen(row) for row in found}


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

    Raises: LostRaceError when another worker coupled one of the records meanwhile, to whatever; the transaction is
    then lost.
    """
    if not changed:
        return
    values = [_thawed(one, now) for one in changed]
    try:
        written = connection.execute(_SAVING[connection.dialect.name], values).rowcount
    except IntegrityError as error:
        raise LostRaceError from error
    if written != len(values):
        raise LostRaceError  # one of the records is coupled to another row: nobody's coupling is taken
    for mapping in sorted({one.mapping for one in changed}):
        own = [one for one in changed if one.mapping == mapping]
        named = {
            "is_mapping": mapping,
            "rows": [one.dataverse_id for one in own],
            "records": [one.local_id for one in own],
        }
        for statement in _FORGETTING:
            connection.execute(statement, named)


def _saving(dialect: Any) -> Any:
    statement = dialect.insert(table)
    kept = {"id", "mapping", "local_id", "dataverse_id", "coupled_at"}
    changed = {column.name: statement.excluded[column.name] for column in table.columns if column.name not in kept}
    saving = statement.on_conflict_do_update(
        index_elements=["mapping", "local_id"],
        set_=changed,
        where=table.c.dataverse_id == statement.excluded.dataverse_id,
    )
    return saving.inline().execution_options(preserve_rowcount=True)  # without it an INSERT tells no rowcount


_SAVING = {"sqlite": _saving(sqlite), "postgresql": _saving(postgresql)}


def _of_either(sides: Any) -> Any:
    """Of the rows and of the records; what is kept of those that they were coupled to before stays."""
    is_row = (sides.c.toward == Direction.FROM) & Among(sides.c.source_id, "rows")
    is_record = (sides.c.toward == Direction.TO) & Among(sides.c.source_id, "records")
    return delete(sides).where(sides.c.mapping == bindparam("is_mapping"), is_row | is_record)


_FORGETTING = (
    _of_either(uncoupled),
    _of_either(question),
    delete(passed_over).where(passed_over.c.mapping == bindparam("is_mapping"), Among(passed_over.c.row_id, "rows")),
    delete(open_write).where(open_write.c.mapping == bindparam("is_mapping"), Among(open_write.c.dataverse_id, "rows")),
    update(pending_coupling)
    .where(pending_coupling.c.mapping == bindparam("is_mapping"), Among(pending_coupling.c.dataverse_id, "rows"))
    .values(is_open=False),
)


def remove(connection: Connection, coupling: Coupling) -> None:
    """Delete the row with all its history; removing what is not there does nothing."""
    for rows in (table, open_write):
        is_pair = (rows.c.local_id == coupling.local_id, rows.c.dataverse_id == coupling.dataverse_id)
        connection.execute(delete(rows).where(rows.c.mapping == coupling.mapping, *is_pair))


def take_back(connection: Connection, dataverse_id: str) -> None:
    """Retry: the row's couplings are no longer Skipped. The last failure stays: the same again makes them so again."""
    skipped = (table.c.dataverse_id == dataverse_id, table.c.is_skipped)
    connection.execute(update(table).where(*skipped).values(is_skipped=False))


@dataclass(frozen=True)
class Uncoupled:
    """Who uncoupled a record or a row, when, and from which; as a person reads it."""

    who: str
    at: datetime
    other_id: str

    def __str__(self) -> str:
        return f"{self.who} on {self.at:%Y-%m-%d %H:%M} UTC"


def remember_uncoupling(
    connection: Connection, coupling: Coupling, who: str, now: datetime, sides: Sequence[Direction] = _BOTH
) -> None:
    """From now on nothing couples the row or the record by itself, until a person does: each has its own memory.

    *sides* are the runs that the memory stops: From is the row's, To the record's.
    """
    statement = _SAVING_UNCOUPLED[connection.dialect.name]
    for toward in sides:
        source, other = coupling.destination_id(toward.back), coupling.destination_id(toward)
        values = {"mapping": coupling.mapping, "toward": toward, "source_id": source, "other_id": other}
        connection.execute(statement, {**values, "who": who, "at": now})


def _saving_uncoupled(dialect: Any) -> Any:
    statement = dialect.insert(uncoupled)
    changed = {name: statement.excluded[name] for name in ("other_id", "who", "at")}
    return statement.on_conflict_do_update(index_elements=["mapping", "toward", "source_id"], set_=changed)


_SAVING_UNCOUPLED = {"sqlite": _saving_uncoupled(sqlite), "postgresql": _saving_uncoupled(postgresql)}


def uncoupled_rows(connection: Connection, row_ids: Sequence[str]) -> Mapping[tuple[str, str], Uncoupled]:
    """What is remembered of these rows, by mapping and row."""
    found = connection.execute(_UNCOUPLED_ROWS, {"rows": list(row_ids)})
    return {(row.mapping, row.source_id): _remembered(row) for row in found}


def uncoupled_records(connection: Connection, mapping: str, keys: Sequence[str]) -> Mapping[str, Uncoupled]:
    """What is remembered of a mapping's local records, by key."""
    columns = uncoupled.c
    query = select(uncoupled).where(
        columns.mapping == mapping, columns.toward == Direction.TO, Among(columns.source_id, "keys")
    )
    return {row.source_id: _remembered(row) for row in connection.execute(query, {"keys": list(keys)})}


def _remembered(row: Row[Any]) -> Uncoupled:
    return Uncoupled(row.who, row.at, row.other_id)


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
