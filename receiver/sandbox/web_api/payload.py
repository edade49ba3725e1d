"""Reads the body of a write: properties into columns, binds into lookups."""

from __future__ import annotations

from typing import Any

from receiver.sandbox.errors import ApiError, malformed
from receiver.sandbox.organization import Organization
from receiver.sandbox.table import Column, Table
from receiver.sandbox.values import Reference, from_json, refuse_characters
from receiver.sandbox.web_api.resource import id_by_key, reference_path

_BIND = "@odata.bind"


def submitted(organization: Organization, table: Table, body: dict[str, Any]) -> dict[str, Any]:
    """Column name -> logical value, in the order of the body. Raises ApiError."""
    columns: dict[str, Any] = {}
    for name, value in body.items():
        if name.endswith(_BIND):
            column, reference = _bound(organization, table, name.removesuffix(_BIND), value)
            columns[column.name] = reference
        elif "@" not in name:
            column = _column(table, name, value)
            refuse_characters(column, value)
            columns[column.name] = None if column.is_lookup else from_json(column, value)
    return columns


def _column(table: Table, name: str, value: Any) -> Column:
    if name in table.by_navigation:
        if value is not None:
            raise malformed(f"A value was found for the navigation property '{name}'; use '{name}@odata.bind'.")
        return table.by_navigation[name][0]
    column = table.by_name.get(name)
    if column is None or column.is_lookup:
        raise malformed(
            f"An undeclared property '{name}' which only has property annotations in the payload but no "
            f"property value was found in the payload of type 'Microsoft.Dynamics.CRM.{table.name}'."
        )
    return column


def _bound(organization: Organization, table: Table, navigation: str, uri: Any) -> tuple[Column, Reference | None]:
    found = table.by_navigation.get(navigation)
    if found is None:
        raise malformed(f"An undeclared property '{navigation}' was found on {table.name}.")
    column, _ = found
    if uri is None:
        return column, None
    return column, reference_to(organization, column, navigation, str(uri))


def reference_to(organization: Organization, column: Column, navigation: str, uri: str) -> Reference:
    """The row that a bind names. Raises ApiError when the navigation property leads elsewhere."""
    resource = reference_path(uri)
    target = organization.schema.entity_set(resource.name)
    if not any(one.table == target.name and one.navigation == navigation for one in column.targets):
        raise ApiError(400, "0x80048d19", f"The property '{navigation}' does not lead to '{resource.name}'.")
    return Reference(target.name, id_by_key(organization, target, resource.key or "", "AppendToAccess"))
