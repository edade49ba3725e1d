"""Integration Table Mappings as rows: frozen into values when read, validated when saved."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, ScalarSelect, delete, func, insert, select, update

from receiver.core.filters import parse
from receiver.core.mapping import (
    Conversion,
    DeletionConflict,
    Direction,
    FieldMapping,
    MatchExists,
    TableMapping,
    UpdateConflict,
)
from receiver.core.values import from_plain, from_plain_values, to_plain, to_plain_values
from receiver.store.models import change, field_mapping, number_series, passed_over
from receiver.store.models import mapping as table
from receiver.tables import TABLES

Mappings = Mapping[str, TableMapping]


def load(connection: Connection, company: str = "") -> Mappings:
    """Every mapping by name, in their order; *company* is what `@company` in a filter means."""
    rows: dict[str, list[FieldMapping]] = {}
    for row in connection.execute(select(field_mapping).order_by(field_mapping.c.number)):
        rows.setdefault(row.mapping, []).append(_field(row))
    stored = connection.execute(select(table).order_by(table.c.position))
    return {row.name: _mapping(row, tuple(rows.get(row.name, ())), company) for row in stored}


def stamp() -> tuple[ScalarSelect[int], ScalarSelect[int]]:
    """Two numbers of which one changes with every change of a mapping.

    Those who change mappings do so one after another (`hold`), so a version committed later is a higher one.
    """
    newest = select(func.coalesce(func.max(table.c.version), 0)).scalar_subquery()
    return newest, select(func.count()).select_from(table).scalar_subquery()


def hold(connection: Connection) -> None:
    """Until the transaction ends nobody else changes a mapping; SQLite has one writer anyway."""
    if connection.dialect.name != "sqlite":
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(table.name))))


def changes_since(connection: Connection, name: str, version: int, of: Collection[str] | None = None) -> list[str]:
    """What was changed of a mapping after that version, oldest first, each as a person reads it.

    *of*: only these settings, as `differences` calls them.
    """
    is_its = change.c.what.startswith(f"{name}: ", autoescape=True)
    found = connection.execute(select(change).where(is_its, change.c.id > version).order_by(change.c.id))
    wanted = tuple(f"{name}: {one} " for one in of or ())
    return [
        f"{row.what.removeprefix(f'{name}: ')} “{row.before}” → “{row.after}” ({row.who}, {row.at:%Y-%m-%d %H:%M} UTC)"
        for row in found
        if of is None or f"{row.what} ".startswith(wanted)
    ]


def save(connection: Connection, mapping: TableMapping, who: str, now: datetime) -> None:
    """Store *mapping*, found valid before, in place of the one of its name if there is one; record what changed."""
    hold(connection)
    old = load(connection).get(mapping.name)
    if old is None:
        position = connection.execute(select(func.coalesce(func.max(table.c.position), 0))).scalar_one() + 1
        _install(connection, mapping, position)
        number = record_change(connection, who, f"{mapping.name}: created", ("", "by a person"), now)
        _mark(connection, mapping.name, number)
        return
    connection.execute(update(table).where(table.c.name == mapping.name).values(_mapping_row(mapping)))
    connection.execute(delete(field_mapping).where(field_mapping.c.mapping == mapping.name))
    if mapping.fields:
        connection.execute(insert(field_mapping), [_field_row(mapping.name, row) for row in mapping.fields])
    for what, before, after in differences(old, mapping):
        number = record_change(connection, who, f"{mapping.name}: {what}", (before, after), now)
        _mark(connection, mapping.name, number)


def _mark(connection: Connection, name: str, version: int) -> None:
    connection.execute(update(table).where(table.c.name == name).values(version=version))


def remove(connection: Connection, mapping: TableMapping, who: str, now: datetime) -> None:
    """Delete *mapping*, its field mappings, and what it remembers of rows it passed over; record it."""
    hold(connection)
    connection.execute(delete(passed_over).where(passed_over.c.mapping == mapping.name))
    connection.execute(delete(table).where(table.c.name == mapping.name))  # by the database, its field mappings too
    record_change(connection, who, f"{mapping.name}: deleted", ("", "by a person"), now)


def record_change(connection: Connection, who: str, what: str, states: tuple[str, str], now: datetime) -> int:
    """Note who changed what; *states* are from and to. The number of the change."""
    before, after = states
    values = {"at": now, "who": who, "what": what, "before": before, "after": after}
    number: int = connection.execute(insert(change).values(values).returning(change.c.id)).scalar_one()
    return number


def install_defaults(connection: Connection, now: datetime) -> None:
    """Bring in each shipped mapping and number series that is not there yet; what is there stays as it is."""
    known = set(connection.execute(select(table.c.name)).scalars())
    series = set(connection.execute(select(number_series.c.table_name)).scalars())
    for position, shipped in enumerate(TABLES):
        if shipped.mapping.name not in known:
            _install(connection, shipped.mapping, position)
            what = f"{shipped.mapping.name}: installed"
            _mark(
                connection, shipped.mapping.name, record_change(connection, "the receiver", what, ("", "default"), now)
            )
        if shipped.series is not None and shipped.table.name not in series:
            row = shipped.series
            connection.execute(
                insert(number_series).values(
                    table_name=shipped.table.name, prefix=row.prefix, digits=row.digits, increment=row.increment, last=0
                )
            )


def _install(connection: Connection, mapping: TableMapping, position: int) -> None:
    connection.execute(insert(table).values({**_mapping_row(mapping), "position": position}))
    if mapping.fields:
        connection.execute(insert(field_mapping), [_field_row(mapping.name, row) for row in mapping.fields])


def _mapping(row: Row[Any], fields: tuple[FieldMapping, ...], company: str) -> TableMapping:
    return TableMapping(
        name=row.name,
        local_table=row.local_table,
        dataverse_table=row.dataverse_table,
        direction=Direction(row.direction),
        fields=fields,
        synch_only_coupled_records=row.synch_only_coupled_records,
        local_filter=parse(row.local_filter, company),
        dataverse_filter=parse(row.dataverse_filter, company),
        local_filter_text=row.local_filter,
        dataverse_filter_text=row.dataverse_filter,
        resolve_deletion_conflicts=DeletionConflict(row.resolve_deletion_conflicts),
        resolve_update_conflicts=UpdateConflict(row.resolve_update_conflicts),
        is_enabled=row.is_enabled,
        depends_on=tuple(row.depends_on),
        local_template=from_plain_values(row.local_template),
        dataverse_template=from_plain_values(row.dataverse_template),
        synch_after_bulk_coupling=row.synch_after_bulk_coupling,
        create_new_in_case_of_no_match=row.create_new_in_case_of_no_match,
        when_a_match_exists=MatchExists(row.when_a_match_exists),
        version=row.version,
    )


def _mapping_row(mapping: TableMapping) -> dict[str, Any]:
    return {
        "name": mapping.name,
        "local_table": mapping.local_table,
        "dataverse_table": mapping.dataverse_table,
        "direction": mapping.direction,
        "synch_only_coupled_records": mapping.synch_only_coupled_records,
        "local_filter": mapping.local_filter_text,
        "dataverse_filter": mapping.dataverse_filter_text,
        "resolve_deletion_conflicts": mapping.resolve_deletion_conflicts,
        "resolve_update_conflicts": mapping.resolve_update_conflicts,
        "is_enabled": mapping.is_enabled,
        "depends_on": list(mapping.depends_on),
        "local_template": to_plain_values(mapping.local_template),
        "dataverse_template": to_plain_values(mapping.dataverse_template),
        "synch_after_bulk_coupling": mapping.synch_after_bulk_coupling,
        "create_new_in_case_of_no_match": mapping.create_new_in_case_of_no_match,
        "when_a_match_exists": mapping.when_a_match_exists,
    }


def _field(row: Row[Any]) -> FieldMapping:
    return FieldMapping(
        number=row.number,
        local_column=row.local_column,
        dataverse_column=row.dataverse_column,
        direction=Direction(row.direction),
        constant=from_plain(row.constant),
        transformation_rule=row.transformation_rule,
        transformation_direction=Direction(row.transformation_direction),
        clear_value_on_failed_sync=row.clear_value_on_failed_sync,
        not_null=row.not_null,
        match_on_this_field=row.match_on_this_field,
        is_enabled=row.is_enabled,
        conversion=Conversion(row.conversion),
        related=tuple(row.related),
        match_priority=row.match_priority,
        case_sensitive_matching=row.case_sensitive_matching,
    )


def _field_row(mapping: str, row: FieldMapping) -> dict[str, Any]:
    return {
        "mapping": mapping,
        "number": row.number,
        "local_column": row.local_column,
        "dataverse_column": row.dataverse_column,
        "direction": row.direction,
        "constant": to_plain(row.constant),
        "transformation_rule": row.transformation_rule,
        "transformation_direction": row.transformation_direction,
        "clear_value_on_failed_sync": row.clear_value_on_failed_sync,
        "not_null": row.not_null,
        "match_on_this_field": row.match_on_this_field,
        "is_enabled": row.is_enabled,
        "conversion": row.conversion,
        "related": list(row.related),
        "match_priority": row.match_priority,
        "case_sensitive_matching": row.case_sensitive_matching,
    }


def differences(old: TableMapping, new: TableMapping) -> list[tuple[str, str, str]]:
    """What changed, as (what, from, to); field mappings by their number."""
    before, after = _mapping_row(old), _mapping_row(new)
    found = [(name, _text(before[name]), _text(after[name])) for name in before if before[name] != after[name]]
    rows_before = {row.number: _field_row(old.name, row) for row in old.fields}
    rows_after = {row.number: _field_row(new.name, row) for row in new.fields}
    for number in sorted(rows_before.keys() | rows_after.keys()):
        one, other = rows_before.get(number), rows_after.get(number)
        if one is None or other is None:
            found.append((f"field mapping {number}", _text(one), _text(other)))
            continue
        changed = (name for name in one if one[name] != other[name])
        found += [(f"field mapping {number} {name}", _text(one[name]), _text(other[name])) for name in changed]
    return found


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return value if isinstance(value, str) else json.dumps(value, default=str)
