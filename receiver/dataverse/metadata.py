"""What Dataverse's metadata says of tables and columns, as plain values that JSON can keep.

One request tells what all kinds of column have, one more a table and kind what only that kind has (a text's length, a
choice's labels). Source: reference/own-tables.md §1; DP/webapi/query-metadata-web-api.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from receiver.core.values import ColumnType
from receiver.dataverse.client import DataverseClient
from receiver.dataverse.columns import TABLES

#: a column's facts by name, the columns by name: what one table's description is stored as
Facts = dict[str, Any]
TableFacts = dict[str, Facts]

_COMMON = (
    "LogicalName,AttributeType,AttributeOf,SourceType,RequiredLevel,IsSecured,IsValidForRead,IsValidForCreate,"
    "IsValidForUpdate"
)
_LOOKUP = "ReferencingAttribute,ReferencedEntity,ReferencingEntityNavigationPropertyName"
_EXPANDED = f"Attributes($select={_COMMON}),ManyToOneRelationships($select={_LOOKUP})"
#: what stands in the metadata of a kind alone, and the name it is kept under
_TYPED: Mapping[ColumnType, Mapping[str, str]] = {
    ColumnType.TEXT: {"MaxLength": "length"},
    ColumnType.MEMO: {"MaxLength": "length"},
    ColumnType.DECIMAL: {"Precision": "precision"},
    ColumnType.DOUBLE: {"Precision": "precision"},
    ColumnType.MONEY: {"Precision": "precision", "PrecisionSource": "precision_source"},
}
_CHOICES = (ColumnType.CHOICE, ColumnType.CHOICES, ColumnType.STATE, ColumnType.STATUS)
#: refusals after which the stored facts may be old: no such property, attribute or member; a secured column named
SPEAKS_OF_COLUMNS = frozenset({"0x80060888", "0x80041103", "0x80048d19", "0x8004f502", "0x8004f504", "0x8004f507"})
#: past the server's cache of metadata
_STRONG = {"Consistency": "Strong"}
_VALID = {"r": "IsValidForRead", "c": "IsValidForCreate", "u": "IsValidForUpdate"}


def facts_of(client: DataverseClient, tables: Collection[str]) -> dict[str, TableFacts]:
    """Every column of these tables, with lengths, precisions and labels of the kinds that mappings may name.

    Raises: DataverseError, SignInError, DataverseUnreachableError.
    """
    found = common_facts(client, tables)
    for table, columns in found.items():
        for kind in sorted({one.type for one in TABLES[table].columns.values()}):
            for name, typed in _typed_facts(client, table, kind).items():
                columns.get(name, {}).update(typed)
    return found


def common_facts(client: DataverseClient, tables: Collection[str]) -> dict[str, TableFacts]:
    """The same without what one kind of column has alone, in one request. Raises: as `facts_of`."""
    if not tables:
        return {}
    asked = {"$select": "LogicalName", "$expand": _EXPANDED, "$filter": _named(tables)}
    found = client.call("GET", "EntityDefinitions", params=asked, headers=_STRONG)["value"]  # metadata has no pages
    return {str(one["LogicalName"]): _table_facts(one) for one in found}


def untracked(client: DataverseClient, tables: list[str]) -> list[str]:
    """Of *tables*, those whose change tracking is off. Raises: as `facts_of`."""
    if not tables:
        return []
    asked = {"$select": "LogicalName,ChangeTrackingEnabled", "$filter": _named(tables)}
    found = client.rows("EntityDefinitions", asked)
    return sorted(str(one["LogicalName"]) for one in found if not one["ChangeTrackingEnabled"])


def _named(tables: Iterable[str]) -> str:
    return " or ".join(f"LogicalName eq '{table}'" for table in sorted(tables))


def _table_facts(raw: Mapping[str, Any]) -> TableFacts:
    columns = {str(one["LogicalName"]): _column_facts(one) for one in raw["Attributes"]}
    for one in raw.get("ManyToOneRelationships") or ():
        targets = columns.get(str(one["ReferencingAttribute"]), {}).setdefault("targets", {})
        targets[str(one["ReferencedEntity"])] = str(one["ReferencingEntityNavigationPropertyName"])
    return columns


def _column_facts(raw: Mapping[str, Any]) -> Facts:
    """What a server does not say is left out: the shipped description then counts."""
    required = (raw.get("RequiredLevel") or {}).get("Value")
    return {
        "type": str(raw.get("AttributeType") or ""),
        "valid": "".join(letter for letter, name in _VALID.items() if raw.get(name) is not False),
        **({"required": str(required)} if required not in {None, "None"} else {}),
        **({"secured": True} if raw.get("IsSecured") else {}),
        **({"source": int(raw["SourceType"])} if raw.get("SourceType") else {}),
        **({"of": str(raw["AttributeOf"])} if raw.get("AttributeOf") else {}),
    }


def _typed_facts(client: DataverseClient, table: str, kind: ColumnType) -> dict[str, Facts]:
    path = f"EntityDefinitions(LogicalName='{table}')/Attributes/Microsoft.Dynamics.CRM.{kind}AttributeMetadata"
    if kind in _CHOICES:
        asked = {"$select": "LogicalName", "$expand": "OptionSet($select=Options),GlobalOptionSet($select=Options)"}
        return {str(one["LogicalName"]): {"labels": _labels(one)} for one in client.rows(path, asked)}
    if kind not in _TYPED:
        return {}
    members = _TYPED[kind]
    found = client.rows(path, {"$select": ",".join(("LogicalName", *members))})
    return {
        str(one["LogicalName"]): {kept: int(one[name]) for name, kept in members.items() if one.get(name) is not None}
        for one in found
    }


def _labels(raw: Mapping[str, Any]) -> dict[str, str]:
    """Labels in the application user's language, by the option's number as text, since JSON has no other names."""
    options = (raw.get("OptionSet") or raw.get("GlobalOptionSet") or {}).get("Options") or ()
    return {str(one["Value"]): _label(one.get("Label") or {}) for one in options}


def _label(raw: Mapping[str, Any]) -> str:
    texts = [raw.get("UserLocalizedLabel") or {}, *(raw.get("LocalizedLabels") or ())]
    return next((str(one["Label"]) for one in texts if one.get("Label")), "")
