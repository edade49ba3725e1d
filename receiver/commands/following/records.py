"""A record seen from both sides: what is coupled to a Dataverse row, and how the two compare."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from receiver.commands.following.synch_jobs import last_error
from receiver.core.coupling import Coupling, notes_of
from receiver.core.mapping import Direction, TableMapping
from receiver.core.values import Value, Values, same, to_plain_values
from receiver.dataverse.columns import TABLES as DATAVERSE_TABLES
from receiver.engine.look_alikes import name_of
from receiver.errors import NotFoundError, ReceiverError
from receiver.services import Services, mappings_of, read_columns
from receiver.store import couplings
from receiver.store.local_tables import LocalTable, columns_of
from receiver.tables import BY_NAME


@dataclass(frozen=True)
class FieldPair:
    """One mapped field of both sides, with what people call it."""

    caption: str
    local_value: Value
    dataverse_caption: str
    dataverse_value: Value
    direction: str
    #: the value changed on this side since both were last equal
    local_changed: bool
    dataverse_changed: bool
    #: a value that was left alone, or that a side alters by itself; empty otherwise
    note: str = ""


@dataclass(frozen=True)
class RecordView:
    """A local record, its coupling (None if there is none), and the row if it can be read."""

    mapping: TableMapping
    key: str
    name: str
    values: Values
    coupling: Coupling | None
    fields: tuple[FieldPair, ...]
    #: why the Dataverse side is missing: it cannot be read, is gone, or was refused when it was to be made
    trouble: str = ""


def coupled_to(services: Services, table: str, id_: str) -> list[dict[str, Any]]:
    """`[{mapping, key, coupled, record, coupling}]` of a Dataverse row; empty if nothing is coupled to it."""
    with services.database.reading() as connection:
        mappings = services.mappings(connection)
        own = mappings_of(mappings, table)
        if not own:
            known = ", ".join(dict.fromkeys(one.dataverse_table for one in mappings.values()))
            raise NotFoundError(f"No mapping reads the table {table}; mapped are {known}.")
        names = {mapping.name for mapping in own}
        found = [one for one in couplings.of_dataverse_row(connection, id_) if one.mapping in names]
        return [
            _plain(LocalTable(connection, BY_NAME[mappings[one.mapping].local_table]), one.mapping, one.local_id, one)
            for one in found
        ]


def record_of(services: Services, name: str, key: str) -> list[dict[str, Any]]:
    """The same of a local record, named by a mapping or its local table: one for each mapping that it belongs to.

    Raises: NotFoundError.
    """
    with services.database.reading() as connection:
        mappings = services.mappings(connection)
        own = [one for one in mappings.values() if name.upper() == one.name or name.lower() == one.local_table]
        if not own:
            known = ", ".join(mappings)
            raise NotFoundError(f"There is no mapping or local table {name}; the mappings are {known}.")
        found = [(one, couplings.find(connection, one.name, Direction.TO, key)) for one in own]
        plain = [_plain(LocalTable(connection, BY_NAME[one.local_table]), one.name, key, own) for one, own in found]
    if not any(one["record"] or one["coupling"] for one in plain):
        caption = BY_NAME[own[0].local_table].caption
        raise NotFoundError(f"There is no {caption} {key}. `receiver records {own[0].name}` lists them.")
    return plain


def _plain(local: LocalTable, mapping: str, key: str, coupling: Coupling | None) -> dict[str, Any]:
    record = local.get(key)
    return {
        "mapping": mapping,
        "key": key,
        "coupled": coupling is not None,
        "record": None if record is None else to_plain_values(record.values),
        "coupling": None if coupling is None else _plain_coupling(coupling),
    }


def _plain_coupling(coupling: Coupling) -> dict[str, Any]:
    return {
        "local_id": coupling.local_id,
        "dataverse_id": coupling.dataverse_id,
        "skipped": coupling.is_skipped,
        "notes": notes_of(coupling),
        "last_from": {"result": coupling.last_from.result, "error": coupling.last_from.error},
        "last_to": {"result": coupling.last_to.result, "error": coupling.last_to.error},
    }


def view(services: Services, mapping_name: str, key: str, *, reads_dataverse: bool = True) -> RecordView:
    """Both sides of a local record. Raises: NotFoundError."""
    with services.database.reading() as connection:
        mappings = services.mappings(connection)
        mapping = mappings.get(mapping_name.upper())
        if mapping is None:
            raise NotFoundError(f"There is no mapping {mapping_name}.")
        shipped = BY_NAME[mapping.local_table]
        record = LocalTable(connection, shipped).get(key)
        coupling = couplings.find(connection, mapping.name, Direction.TO, key)
    if record is None:
        raise NotFoundError(f"There is no {shipped.caption} {key}. It may have been deleted.")
    row: Values = {}
    trouble = ""
    if coupling is not None and reads_dataverse:
        row, trouble = _row(services, mapping, coupling, read_columns(mappings, mapping.dataverse_table))
    if coupling is None and reads_dataverse:
        failed = last_error(services, mapping.name, key)
        trouble = "" if failed is None else f"The last attempt failed: {failed.message}"
    name = name_of(record, shipped.named_by)
    return RecordView(
        mapping, key, name, record.values, coupling, _pairs(mapping, record.values, row, coupling), trouble
    )


def _row(services: Services, mapping: TableMapping, coupling: Coupling, columns: frozenset[str]) -> tuple[Values, str]:
    try:
        row = services.dataverse.read(mapping.dataverse_table, coupling.dataverse_id, columns)
    except ReceiverError as error:
        return coupling.dataverse_base or {}, f"{error} The values are those of the last synchronization."
    if row is None:
        return {}, "The row was deleted in Dataverse."
    return row.values, ""


def _pairs(mapping: TableMapping, local: Values, row: Values, coupling: Coupling | None) -> tuple[FieldPair, ...]:
    captions = columns_of(BY_NAME[mapping.local_table].table)
    theirs = DATAVERSE_TABLES[mapping.dataverse_table].columns
    shown = (one for one in mapping.fields if one.is_enabled and one.local_column and one.dataverse_column)
    notes = notes_of(coupling) if coupling else {}
    bases = (coupling and coupling.local_base) or {}, (coupling and coupling.dataverse_base) or {}
    return tuple(
        FieldPair(
            captions[one.local_column or ""].caption,
            local.get(one.local_column or ""),
            theirs[one.dataverse_column or ""].caption,
            row.get(one.dataverse_column or ""),
            one.direction,
            _has_changed(one.local_column, local, bases[0]),
            _has_changed(one.dataverse_column, row, bases[1]),
            notes.get(one.local_column or "", ""),
        )
        for one in shown
    )


def _has_changed(column: str | None, values: Values, base: Values) -> bool:
    return column is not None and column in base and column in values and not same(values[column], base[column])
