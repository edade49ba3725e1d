"""Rows of the tables that mappings read, between the Web API's JSON and core values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from receiver.core.message import Version
from receiver.core.values import Column, Reference, Value, Values
from receiver.dataverse.columns import DERIVED_COLUMNS, TABLES, DataverseTable, from_web_api, to_web_api
from receiver.dataverse.web_api import dumps

#: stands in the SharedVariables of all that our writes cause
TAG = "receiver"


@dataclass(frozen=True)
class DataverseRow:
    """A row as it was read: the asked columns' values, and the version that a read told."""

    id: str
    values: Values
    version: Version


@dataclass(frozen=True)
class Change:
    """A row to create (`version` None) or to change, under the version it was decided on."""

    table: str
    id: str
    values: Values
    #: what is to come back
    columns: frozenset[str]
    version: Version | None

    @property
    def condition(self) -> dict[str, str]:
        """PATCH is upsert: a create must not change what exists, a change must not create anew."""
        if self.version is None:
            return {"If-None-Match": "*"}
        return {"If-Match": if_match(self.version)}


def if_match(version: Version) -> str:
    """The version that a row must still have; any, where it is not known."""
    return "*" if version.number is None else f'W/"{version.number}"'


def path_of(change: Change) -> str:
    described = TABLES[change.table]
    return f"{described.entity_set}({change.id})?tag={TAG}&$select={selected(described, change.columns)}"


def changing(change: Change) -> tuple[dict[str, str], bytes]:
    """Headers and body of the PATCH."""
    columns = TABLES[change.table].columns
    body = dict(to_web_api(columns[name], value) for name, value in change.values.items())
    prefer = 'return=representation,odata.include-annotations="*"'
    return {**change.condition, "Prefer": prefer}, dumps(body)


def selected(table: DataverseTable, columns: frozenset[str]) -> str:
    """Lookups are read as `_x_value`; a derived column is read off its lookup."""
    names = {DERIVED_COLUMNS.get(name, name) for name in columns}
    written = (f"_{name}_value" if table.columns[name].navigation else name for name in sorted(names))
    return ",".join(written)


def row_of(table: DataverseTable, raw: Mapping[str, Any], columns: frozenset[str]) -> DataverseRow:
    values = {name: from_web_api(column, raw) for name, column in _read(table.name, columns)}
    return DataverseRow(str(raw[table.primary_id]), with_derived(values, columns), version_of(values, was_read=True))


@lru_cache
def _read(table: str, columns: frozenset[str]) -> tuple[tuple[str, Column], ...]:
    """The columns that a row is read by; asked for with every row of a page."""
    described = TABLES[table].columns
    return tuple((name, described[name]) for name in sorted({DERIVED_COLUMNS.get(name, name) for name in columns}))


def with_derived(values: Mapping[str, Value], columns: frozenset[str]) -> Values:
    """The values with the columns that are read off a lookup: a customer's table."""
    if columns.isdisjoint(DERIVED_COLUMNS):
        return values
    derived: dict[str, Value] = {}
    for name in columns & set(DERIVED_COLUMNS):
        lookup = values.get(DERIVED_COLUMNS[name])
        derived[name] = lookup.table if isinstance(lookup, Reference) else None
    return {**values, **derived}


def version_of(values: Values, *, was_read: bool = False) -> Version:
    number, modified_on = values.get("versionnumber"), values.get("modifiedon")
    return Version(
        number if isinstance(number, int) else None,
        modified_on if isinstance(modified_on, datetime) else None,
        was_read,
    )
