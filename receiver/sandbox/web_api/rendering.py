"""Rows as the Web API shows them: chosen properties, ETag, annotations."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from receiver.sandbox.errors import invalid_argument, unknown_property
from receiver.sandbox.formatting import formatted
from receiver.sandbox.organization import Organization
from receiver.sandbox.storage import Row
from receiver.sandbox.table import Column, Table
from receiver.sandbox.values import Reference, to_json
from receiver.sandbox.web_api import privileges, secured, sight

_FORMATTED = "@OData.Community.Display.V1.FormattedValue"
_LOOKUP_TABLE = "@Microsoft.Dynamics.CRM.lookuplogicalname"
_PART = re.compile(r"(?:[^,(]|\([^)]*\))+")
_NAVIGATION = "@Microsoft.Dynamics.CRM.associatednavigationproperty"


@dataclass(frozen=True)
class Expansion:
    """One navigation property of a `$expand`, and what to show of the row behind it."""

    navigation: str
    column: Column
    table: str
    columns: list[Column]


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


def shown(
    organization: Organization, row: Row, columns: list[Column], *, is_annotated: bool, unmasked: bool = False
) -> dict[str, Any]:
    """Empty columns are shown as null, and so are those that may not be read. *unmasked*: no masks, where allowed."""
    members: dict[str, Any] = {"@odata.etag": row.etag}
    for column in columns:
        mask = secured.mask_of(organization, row, column.name, unmasked=unmasked)
        value = secured.seen(organization, row, column.name) if mask is None else mask
        if is_annotated and mask is None:
            members |= _annotations(organization, column, value)
        members[column.property_name] = to_json(column, value)
    return members


def expansions(organization: Organization, table: Table, expand: str | None) -> list[Expansion]:
    """Of `$expand=primarycontactid($select=fullname),ownerid`: lookups alone, no collections. Raises ApiError."""
    found = []
    for part in _PART.findall(expand or ""):
        navigation, _, inside = part.strip().partition("(")
        known = table.by_navigation.get(navigation)
        if known is None:
            raise unknown_property(navigation, table.name)
        column, target = known
        option, _, names = inside.removesuffix(")").partition("=")
        if inside and option != "$select":
            raise invalid_argument(f"The sandbox does not answer {option} inside $expand.")
        behind_it = organization.schema.table(target.table)
        privileges.require(organization, "Read", behind_it)
        found.append(Expansion(navigation, column, target.table, selected(behind_it, names or None)))
    return found


def behind(
    organization: Organization, row: Row, expanded: list[Expansion], *, is_annotated: bool
) -> dict[str, dict[str, Any] | None]:
    """The rows that lookups lead to, by navigation property; null for a lookup that is empty or leads elsewhere."""
    members: dict[str, dict[str, Any] | None] = {}
    for one in expanded:
        reference = row.get(one.column.name)
        is_there = isinstance(reference, Reference) and reference.table == one.table
        is_there = is_there and not sight.is_hidden(organization, reference.table, reference.id)
        found = organization.store.row(one.table, reference.id) if is_there else None
        members[one.navigation] = (
            None if found is None else shown(organization, found, one.columns, is_annotated=is_annotated)
        )
    return members


def _annotations(organization: Organization, column: Column, value: Any) -> dict[str, str]:
    label = formatted(column, value, organization.name_of)
    name = column.property_name
    found = {} if label is None else {f"{name}{_FORMATTED}": label}
    if isinstance(value, Reference):
        navigation = next(target.navigation for target in column.targets if target.table == value.table)
        found |= {f"{name}{_LOOKUP_TABLE}": value.table, f"{name}{_NAVIGATION}": navigation}
    return found
