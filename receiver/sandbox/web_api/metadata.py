"""EntityDefinitions: what a client may ask about tables, columns and lookups before it writes.

Source: DP/webapi/query-metadata-web-api.md.
"""

from __future__ import annotations

import re
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from flask import Response

from receiver.sandbox.errors import ApiError, unknown_resource
from receiver.sandbox.table import Column, Kind, Table
from receiver.sandbox.web_api.asked import Asked
from receiver.sandbox.web_api.resource import Resource, alternate_key

_LOGICAL_NAME = re.compile(r"LogicalName eq '(\w+)'")
_CAST = re.compile(r"Microsoft\.Dynamics\.CRM\.(\w+)AttributeMetadata")
_OWNED = "UserOwned"


def answer(asked: Asked, resource: Resource) -> Response:
    """Raises ApiError for a table or a part that does not exist."""
    if not resource.is_row:
        wanted = _LOGICAL_NAME.findall(asked.option("$filter") or "")
        tables = [table for name, table in asked.organization.schema.tables.items() if name in wanted or not wanted]
        return _list(asked, [_table(asked, table) for table in tables])
    name = alternate_key(resource.key or "").get("LogicalName", "")
    table = asked.organization.schema.tables.get(name)
    if table is None:
        raise ApiError(404, "0x80060888", f"Could not find an entity with the name '{name}'.")
    if not resource.rest:
        return asked.answer(_table(asked, table))
    return _part(asked, table, resource.rest)


def _part(asked: Asked, table: Table, rest: tuple[str, ...]) -> Response:
    if rest[0].startswith("Attributes"):
        keyed = alternate_key(rest[0].partition("(")[2].rstrip(")"))
        columns = [column for column in table.columns if keyed.get("LogicalName", column.name) == column.name]
        return _columns(asked, columns, rest[1] if len(rest) > 1 else "", is_single=bool(keyed))
    if rest[0] == "ManyToOneRelationships":
        return _list(asked, [_chosen(asked, one) for one in _relationships(table)])
    if rest[0] == "Keys":
        return _list(asked, [_chosen(asked, _key(key)) for key in table.alternate_keys])
    raise unknown_resource(rest[0])


def _columns(asked: Asked, columns: list[Column], cast: str, *, is_single: bool) -> Response:
    found = _CAST.fullmatch(cast)
    if found is not None:
        columns = [column for column in columns if column.kind == found[1]]
    options = bool(asked.option("$expand"))
    condition = _LOGICAL_NAME.findall(asked.option("$filter") or "")
    shown = [
        _chosen(asked, _column(column, with_options=options))
        for column in columns
        if column.name in condition or not condition
    ]
    if not is_single:
        return _list(asked, shown)
    if not shown:
        raise ApiError(404, "0x80060888", "Could not find the attribute.")
    return asked.answer(shown[0])


def _table(asked: Asked, table: Table) -> dict[str, Any]:
    members = {
        "LogicalName": table.name,
        "SchemaName": table.name.capitalize(),
        "EntitySetName": table.set_name,
        "LogicalCollectionName": table.set_name,
        "PrimaryIdAttribute": table.id_column,
        "PrimaryNameAttribute": table.name_column,
        "ObjectTypeCode": table.object_type_code,
        "OwnershipType": _OWNED if table.has("ownerid") else "None",
        "ChangeTrackingEnabled": table.tracks_changes,
        "IsOptimisticConcurrencyEnabled": True,
        "MetadataId": _metadata_id(table.name),
    }
    chosen = _chosen(asked, members)
    expand = asked.option("$expand") or ""
    if "Attributes" in expand:
        inner = re.search(r"Attributes\(\$select=([\w,]+)", expand)
        chosen["Attributes"] = [
            _only(_column(column, with_options=False), inner[1] if inner else None) for column in table.columns
        ]
    if "ManyToOneRelationships" in expand:
        chosen["ManyToOneRelationships"] = _relationships(table)
    return chosen


def _column(column: Column, *, with_options: bool) -> dict[str, Any]:
    members: dict[str, Any] = {
        "@odata.type": f"#Microsoft.Dynamics.CRM.{column.kind}AttributeMetadata",
        "LogicalName": column.name,
        "AttributeType": str(column.kind),
        "IsValidForCreate": "c" in column.access,
        "IsValidForUpdate": "u" in column.access,
        "IsValidForRead": "r" in column.access,
        "MetadataId": _metadata_id(column.name),
    }
    if column.kind in (Kind.TEXT, Kind.MEMO):
        members["MaxLength"] = column.length
    if column.kind in (Kind.DECIMAL, Kind.MONEY):
        members["Precision"] = column.scale
    if column.is_lookup:
        members["Targets"] = [target.table for target in column.targets]
    if with_options and column.options:
        members["OptionSet"] = {"Options": [_option(value, label) for value, label in column.options]}
        members["GlobalOptionSet"] = None
    return members


def _option(value: int, label: str) -> dict[str, Any]:
    texts = [{"Label": label, "LanguageCode": 1033}]
    return {"Value": value, "Label": {"LocalizedLabels": texts, "UserLocalizedLabel": texts[0]}}


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


def _key(name: str) -> dict[str, Any]:
    return {"LogicalName": f"{name}_key", "KeyAttributes": [name], "EntityKeyIndexStatus": "Active"}


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


def _metadata_id(name: str) -> str:
    return str(uuid5(NAMESPACE_URL, name))
