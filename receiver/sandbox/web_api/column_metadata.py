"""A column as the metadata describe it: what every column has, and what only a cast to its own type may select.

Source: learn, AttributeMetadata and the types derived from it; DP/webapi/query-metadata-web-api.md.
"""

from __future__ import annotations

from typing import Any

from receiver.sandbox.column_security import can_be_secured
from receiver.sandbox.errors import unknown_property
from receiver.sandbox.organization import Organization
from receiver.sandbox.schema import metadata_id
from receiver.sandbox.table import Column, Kind, Table

_TYPE_OF = {Kind.CUSTOMER: "Lookup", Kind.OWNER: "Lookup", Kind.GUID: "UniqueIdentifier"}
_NUMBERS_HAVE = ("Precision", "PrecisionSource", "CalculationOf")
_CHOICES_HAVE = ("OptionSet", "GlobalOptionSet")
#: what belongs to some types alone: without a cast Dataverse knows no such property
_OF_SOME_TYPES = frozenset(["MaxLength", "Targets", "DateTimeBehavior", *_NUMBERS_HAVE, *_CHOICES_HAVE])


def type_of(column: Column) -> str:
    """As in `Microsoft.Dynamics.CRM.<type>AttributeMetadata`."""
    return _TYPE_OF.get(column.kind, str(column.kind))


def refuse_uncast(select: str | None) -> None:
    """Raises ApiError when a `$select` on columns of any type names what only some types have."""
    for name in (select or "").split(","):
        if name.strip() in _OF_SOME_TYPES:
            raise unknown_property(name.strip(), "AttributeMetadata")


def columns_of(organization: Organization, table: Table, *, with_options: bool = False) -> list[dict[str, Any]]:
    """Every column, and the names that come along with lookups, choices and flags."""
    described = []
    for column in table.columns:
        described.append(_column(organization, table, column, with_options=with_options))
        if column.is_lookup or column.is_choice or column.kind is Kind.FLAG:
            described.append(_name_of(table, column))
    return described


def _column(organization: Organization, table: Table, column: Column, *, with_options: bool) -> dict[str, Any]:
    rights = organization.secured.get((table.name, column.name))
    securable = can_be_secured(table, column)
    members = _of_any(table, column.name, type_of(column), column.kind)
    members |= {
        "IsPrimaryId": column.name == table.id_column,
        "IsPrimaryName": column.name == table.name_column,
        "IsValidForCreate": "c" in column.access,
        "IsValidForUpdate": "u" in column.access,
        "IsValidForRead": "r" in column.access,
        "IsSecured": rights is not None,
        "CanBeSecuredForRead": securable,
        "CanBeSecuredForCreate": securable and "c" in column.access,
        "CanBeSecuredForUpdate": securable and "u" in column.access,
        "RequiredLevel": _level("SystemRequired" if column.name == table.id_column else column.required),
        "SourceType": column.source_type,
        "AutoNumberFormat": organization.customizations.format_of(table.name, column.name),
    }
    return members | _of_its_type(table, column) | (_options(table, column) if with_options else {})


def _name_of(table: Table, column: Column) -> dict[str, Any]:
    """`<column>name` holds the text that people read; the Web API knows it as an annotation alone."""
    kind = "String" if column.is_lookup else "Virtual"
    members = _of_any(table, f"{column.name}name", kind, kind)
    members |= dict.fromkeys(("IsPrimaryId", "IsPrimaryName", "IsValidForCreate", "IsValidForUpdate"), False)
    members |= {"AttributeOf": column.name, "IsValidForRead": True, "IsSecured": False}
    return members | {"RequiredLevel": _level("None"), "SourceType": None, "AutoNumberFormat": None}


def _of_any(table: Table, name: str, type_name: str, kind: str) -> dict[str, Any]:
    return {
        "@odata.type": f"#Microsoft.Dynamics.CRM.{type_name}AttributeMetadata",
        "LogicalName": name,
        "SchemaName": name,
        "EntityLogicalName": table.name,
        "DisplayName": label(name),
        "AttributeOf": None,
        "AttributeType": str(kind),
        "MetadataId": metadata_id(f"{table.name}.{name}"),
    }


def _of_its_type(table: Table, column: Column) -> dict[str, Any]:
    if column.kind in (Kind.TEXT, Kind.MEMO):
        return {"MaxLength": column.length}
    if column.kind is Kind.DECIMAL:
        return {"Precision": column.scale}
    if column.kind is Kind.MONEY:
        origin = column.name.removesuffix("_base")
        calculated = origin if origin != column.name and table.has(origin) else None
        return {
            "Precision": column.precision,
            "PrecisionSource": column.precision_source,
            "CalculationOf": calculated,
        }
    if column.kind is Kind.MOMENT:
        return {"DateTimeBehavior": {"Value": "DateOnly" if column.date_only else "UserLocal"}}
    return {"Targets": [target.table for target in column.targets]} if column.is_lookup else {}


def _level(value: str) -> dict[str, Any]:
    return {
        "Value": value,
        "CanBeChanged": value != "SystemRequired",
        "ManagedPropertyLogicalName": "canmodifyrequirementlevelsettings",
    }


def _options(table: Table, column: Column) -> dict[str, Any]:
    """What `$expand=OptionSet` adds. Of a status reason: the state that it belongs to."""
    if not column.options:
        return {}
    states = {status.value: status.state for status in table.statuses} if column.kind is Kind.STATUS else {}
    options: list[dict[str, Any]] = [
        {"Value": value, "Label": label(text)} | ({"State": states[value]} if value in states else {})
        for value, text in column.options
    ]
    if column.kind is Kind.FLAG:
        return {"OptionSet": {"FalseOption": options[0], "TrueOption": options[1]}, "GlobalOptionSet": None}
    return {"OptionSet": {"Options": options}, "GlobalOptionSet": None}


def label(text: str) -> dict[str, Any]:
    texts = [{"Label": text, "LanguageCode": 1033}]
    return {"LocalizedLabels": texts, "UserLocalizedLabel": texts[0]}
