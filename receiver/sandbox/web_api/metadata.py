"""EntityDefinitions: what a client may ask about tables, columns and lookups before it writes.

Source: DP/webapi/query-metadata-web-api.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any

from flask import Response

from receiver.sandbox.errors import ApiError, invalid_argument, unknown_resource
from receiver.sandbox.schema import metadata_id
from receiver.sandbox.table import Table
from receiver.sandbox.web_api.asked import Asked
from receiver.sandbox.web_api.column_metadata import columns_of, label, refuse_uncast
from receiver.sandbox.web_api.metadata_filter import metadata_filter
from receiver.sandbox.web_api.resource import Resource, alternate_key

_CAST = re.compile(r"Microsoft\.Dynamics\.CRM\.(\w+)AttributeMetadata")
_OWNED = "UserOwned"


def answer(asked: Asked, resource: Resource) -> Response:
    """Raises ApiError for a table or a part that does not exist."""
    if asked.method != "GET":
        raise invalid_argument("The sandbox's tables and columns cannot be changed.")
    tables = asked.organization.schema.tables
    if not resource.is_row:
        wanted = [table for table in tables.values() if _is_wanted(asked, _own(asked, table))]
        return _list(asked, [_table(asked, table) for table in wanted])
    named = alternate_key(resource.key or "").get("LogicalName", resource.key)
    table = next((one for one in tables.values() if named in (one.name, metadata_id(one.name))), None)
    if table is None:
        raise ApiError(404, "0x80060888", f"Could not find an entity with the name '{named}'.")
    if not resource.rest:
        return asked.answer(_table(asked, table))
    return _part(asked, table, resource.rest)


def _is_wanted(asked: Asked, members: dict[str, Any]) -> bool:
    condition = asked.option("$filter")
    return condition is None or metadata_filter(condition)(members)


def _part(asked: Asked, table: Table, rest: tuple[str, ...]) -> Response:
    if rest[0].startswith("Attributes"):
        return _columns(asked, table, rest)
    if rest[0] not in _PARTS:
        raise unknown_resource(rest[0])
    found = _PARTS[rest[0]](asked, table)
    return _list(asked, [_chosen(asked, one) for one in found if _is_wanted(asked, one)])


def _columns(asked: Asked, table: Table, rest: tuple[str, ...]) -> Response:
    """`Attributes`, `Attributes(LogicalName='x')`, and either of them cast to one type."""
    key = rest[0].partition("(")[2].rstrip(")")
    named = alternate_key(key).get("LogicalName", key)
    cast = _CAST.fullmatch(rest[1]) if len(rest) > 1 else None
    if cast is None:
        refuse_uncast(asked.option("$select"))
    described = columns_of(asked.organization, table, with_options=bool(asked.option("$expand")))
    if cast is not None:
        described = [one for one in described if one["@odata.type"].endswith(f".{cast[1]}AttributeMetadata")]
    if not named:
        return _list(asked, [_chosen(asked, one) for one in described if _is_wanted(asked, one)])
    found = next((one for one in described if named in (one["LogicalName"], one["MetadataId"])), None)
    if found is None:
        raise ApiError(404, "0x80060888", "Could not find the attribute.")
    return asked.answer(_chosen(asked, found))


def _own(asked: Asked, table: Table) -> dict[str, Any]:
    return _members(table, asked.organization.untracked)


def _members(table: Table, untracked: Collection[str]) -> dict[str, Any]:
    return {
        "LogicalName": table.name,
        "SchemaName": table.name.capitalize(),
        "EntitySetName": table.set_name,
        "LogicalCollectionName": table.set_name,
        "PrimaryIdAttribute": table.id_column,
        "PrimaryNameAttribute": table.name_column,
        "ObjectTypeCode": table.object_type_code,
        "OwnershipType": _OWNED if table.has("ownerid") else "None",
        "ChangeTrackingEnabled": table.tracks_changes and table.name not in untracked,
        "IsOptimisticConcurrencyEnabled": True,
        "DisplayName": label(table.name.capitalize()),
        "IsPrivate": False,
        "MetadataId": metadata_id(table.name),
    }


def _table(asked: Asked, table: Table) -> dict[str, Any]:
    chosen = _chosen(asked, _own(asked, table))
    expand = asked.option("$expand") or ""
    if "Attributes" in expand:
        inner = re.search(r"Attributes\(\$select=([\w,]+)", expand)
        select = inner[1] if inner else None
        refuse_uncast(select)
        chosen["Attributes"] = [_only(one, select) for one in columns_of(asked.organization, table)]
    if "ManyToOneRelationships" in expand:
        chosen["ManyToOneRelationships"] = _relationships(table)
    return chosen


def _relationships(table: Table) -> list[dict[str, Any]]:
    return [
        {
            "SchemaName": f"{table.name}_{column.name}_{target.table}",
            "ReferencingEntity": table.name,
            "ReferencingAttribute": column.name,
            "ReferencingEntityNavigationPropertyName": target.navigation,
            "ReferencedEntity": target.table,
            "ReferencedAttribute": f"{target.table}id",
        }
        for column in table.columns
        for target in column.targets
    ]


def _relationships_to(asked: Asked, table: Table) -> list[dict[str, Any]]:
    tables = asked.organization.schema.tables.values()
    return [one for other in tables for one in _relationships(other) if one["ReferencedEntity"] == table.name]


_PARTS: dict[str, Callable[[Asked, Table], list[dict[str, Any]]]] = {
    "ManyToOneRelationships": lambda _, table: _relationships(table),
    "OneToManyRelationships": _relationships_to,
    "ManyToManyRelationships": lambda *_: [],
    "Keys": lambda _, table: [_key(key) for key in table.alternate_keys],
}


def _key(name: str) -> dict[str, Any]:
    return {
        "LogicalName": f"{name}_key",
        "SchemaName": f"{name}_key",
        "KeyAttributes": [name],
        "EntityKeyIndexStatus": "Active",
    }


def _chosen(asked: Asked, members: dict[str, Any]) -> dict[str, Any]:
    return _only(members, asked.option("$select"))


def _only(members: dict[str, Any], select: str | None) -> dict[str, Any]:
    """The selected members; type annotations, options and the id come along, as in Dataverse."""
    if select is None:
        return members
    wanted = {name.strip() for name in select.split(",")} | {"OptionSet", "GlobalOptionSet", "MetadataId"}
    return {name: value for name, value in members.items() if name in wanted or "@" in name}


def _list(asked: Asked, items: list[dict[str, Any]]) -> Response:
    return asked.answer({"@odata.context": f"{asked.base}/$metadata#EntityDefinitions", "value": items})
