"""Rows as the Web API shows them: chosen properties, ETag, annotations."""

from __future__ import annotations

from typing import Any

from receiver.sandbox.errors import unknown_property
from receiver.sandbox.formatting import formatted
from receiver.sandbox.organization import Organization
from receiver.sandbox.storage import Row
from receiver.sandbox.table import Column, Table
from receiver.sandbox.values import Reference, to_json

_FORMATTED = "@OData.Community.Display.V1.FormattedValue"
_LOOKUP_TABLE = "@Microsoft.Dynamics.CRM.lookuplogicalname"
_NAVIGATION = "@Microsoft.Dynamics.CRM.associatednavigationproperty"


def selected(table: Table, select: str | None) -> list[Column]:
    """The columns of a `$select`, all readable ones without. The id is always among them. Raises ApiError."""
    if select is None:
        return [column for column in table.columns if column.is_readable]
    columns: dict[str, Column] = {}
    for name in (part.strip() for part in select.split(",")):
        column = table.by_property.get(name)
        if column is None or not column.is_readable:
            raise unknown_property(name, table.name)
        columns[column.name] = column
    columns.setdefault(table.id_column, table.by_name[table.id_column])
    return list(columns.values())


def shown(organization: Organization, row: Row, columns: list[Column], *, is_annotated: bool) -> dict[str, Any]:
    """Empty columns are shown as null."""
    members: dict[str, Any] = {"@odata.etag": row.etag}
    for column in columns:
        value = row.get(column.name)
        if is_annotated:
            members |= _annotations(organization, column, value)
        members[column.property_name] = to_json(column, value)
    return members


def _annotations(organization: Organization, column: Column, value: Any) -> dict[str, str]:
    label = formatted(column, value, organization.name_of)
    name = column.property_name
    found = {} if label is None else {f"{name}{_FORMATTED}": label}
    if isinstance(value, Reference):
        navigation = next(target.navigation for target in column.targets if target.table == value.table)
        found |= {f"{name}{_LOOKUP_TABLE}": value.table, f"{name}{_NAVIGATION}": navigation}
    return found
