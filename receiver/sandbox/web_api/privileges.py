"""Privileges of the application user: all there are, without those that `Organization.withheld` names.

Source: learn, RetrieveUserPrivileges function; DP/security-access-coding.md.
"""

from __future__ import annotations

from flask import Response

from receiver.sandbox.errors import ApiError
from receiver.sandbox.schema import metadata_id
from receiver.sandbox.seed import APPLICATION_USER, BUSINESS_UNIT
from receiver.sandbox.web_api.asked import Asked
from receiver.sandbox.web_api.resource import Resource

_FUNCTION = "Microsoft.Dynamics.CRM.RetrieveUserPrivileges"
_KINDS = ("Create", "Read", "Write", "Delete", "Append", "AppendTo", "Assign", "Share")
_OF_METHOD = {"GET": "Read", "POST": "Create", "PATCH": "Write", "DELETE": "Delete"}
#: those that belong to no table of the sandbox
_OTHERS = ("prvReadEntity", "prvReadAttribute", "prvReadRelationship", "prvReadOptionSet", "prvPublishCustomization")
#: Dataverse spells them as the schema does; only this one is named after nothing of its table
_SUFFIXES = {
    "systemuser": "User",
    "account": "Account",
    "contact": "Contact",
    "transactioncurrency": "TransactionCurrency",
}


def is_asked(asked: Asked, resource: Resource) -> bool:
    return asked.method == "GET" and bool(resource.rest) and resource.rest[0].removesuffix("()") == _FUNCTION


def of_user(asked: Asked) -> Response:
    """What the roles give. Every privilege is held for the whole organisation."""
    tables = asked.organization.schema.tables
    names = [*(_name(kind, table) for table in tables for kind in _KINDS), *_OTHERS]
    held = [_held(name) for name in names if not _is_withheld(asked, name)]
    context = f"{asked.base}/$metadata#Microsoft.Dynamics.CRM.RetrieveUserPrivilegesResponse"
    return asked.answer({"@odata.context": context, "RolePrivileges": held})


def check(asked: Asked, resource: Resource) -> None:
    """Raises ApiError for a table's request whose privilege is withheld."""
    if not asked.organization.withheld or asked.method not in _OF_METHOD:
        return
    table = asked.organization.schema.entity_set(resource.name)
    name = _name(_OF_METHOD[asked.method], table.name)
    if not is_asked(asked, resource) and _is_withheld(asked, name):
        text = (
            f"Principal user (Id={APPLICATION_USER}, type=8, roleCount=1) is missing {name} privilege "
            f"(Id={metadata_id(name)}) on OTC={table.object_type_code} for entity '{table.name}'."
        )
        raise ApiError(403, "0x80040220", text)


def _name(kind: str, table: str) -> str:
    return f"prv{kind}{_SUFFIXES.get(table, table)}"


def _is_withheld(asked: Asked, name: str) -> bool:
    return name.lower() in {one.lower() for one in asked.organization.withheld}


def _held(name: str) -> dict[str, object]:
    return {
        "Depth": "Global",
        "PrivilegeId": metadata_id(name),
        "BusinessUnitId": BUSINESS_UNIT,
        "PrivilegeName": name,
        "RecordFilterId": "00000000-0000-0000-0000-000000000000",
        "RecordFilterUniqueName": "",
    }
