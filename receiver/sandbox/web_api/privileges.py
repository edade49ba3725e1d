"""Privileges of the application user: all there are, without those that `Organization.withheld` names.

Asked of every request, those inside a batch too. Source: learn, RetrieveUserPrivileges function;
DP/security-access-coding.md; DP/security-sharing-assigning.md.
"""

from __future__ import annotations

from typing import Any

from flask import Response

from receiver.sandbox.errors import ApiError
from receiver.sandbox.organization import Organization
from receiver.sandbox.schema import metadata_id
from receiver.sandbox.seed import APPLICATION_USER, BUSINESS_UNIT
from receiver.sandbox.table import Kind, Table
from receiver.sandbox.values import Reference
from receiver.sandbox.web_api import secured, sight
from receiver.sandbox.web_api.asked import Asked
from receiver.sandbox.web_api.resource import Resource

_FUNCTION = "Microsoft.Dynamics.CRM.RetrieveUserPrivileges"
_KINDS = ("Create", "Read", "Write", "Delete", "Append", "AppendTo", "Assign", "Share")
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
    """What the roles give: for the whole organisation, but where rows are out of sight for the business unit."""
    organization = asked.organization
    names = [
        (_name(kind, table), _depth(organization, table)) for table in organization.schema.tables for kind in _KINDS
    ]
    names += [(name, "Global") for name in _OTHERS]
    held = [_held(name, depth) for name, depth in names if not _is_withheld(organization, name)]
    context = f"{asked.base}/$metadata#Microsoft.Dynamics.CRM.RetrieveUserPrivilegesResponse"
    return asked.answer({"@odata.context": context, "RolePrivileges": held})


def require(organization: Organization, kind: str, table: Table) -> None:
    """*kind* is Create, Read, Write, Delete, Append, AppendTo or Assign. Raises ApiError when it is withheld."""
    name = _name(kind, table.name)
    if _is_withheld(organization, name):
        raise ApiError(
            403, "0x80040220", f"{_missing(name)} on OTC={table.object_type_code} for entity '{table.name}'."
        )


def require_whole_table(organization: Organization, table: Table) -> None:
    """Change tracking shows rows to nobody who may not read all of them. Raises ApiError."""
    require(organization, "Read", table)
    if sight.has_hidden(organization, table):
        depth = f"with organization depth, which change tracking needs, for entity '{table.name}'."
        raise ApiError(403, "0x80040220", f"{_missing(_name('Read', table.name))} {depth}")


def require_for_values(organization: Organization, table: Table, values: dict[str, Any], *, is_new: bool) -> None:
    """What a create or an update of these columns needs. A new row's owner is named, not assigned. Raises ApiError."""
    require(organization, "Create" if is_new else "Write", table)
    if "ownerid" in values and not is_new:
        require(organization, "Assign", table)
    secured.require_for_values(organization, table, values, is_new=is_new)
    for name, value in values.items():
        if isinstance(value, Reference) and table.by_name[name].kind is not Kind.OWNER:
            require(organization, "Append", table)
            require(organization, "AppendTo", organization.schema.table(value.table))


def _missing(name: str) -> str:
    who = f"Principal user (Id={APPLICATION_USER}, type=8, roleCount=1)"
    return f"{who} is missing {name} privilege (Id={metadata_id(name)})"


def _name(kind: str, table: str) -> str:
    return f"prv{kind}{_SUFFIXES.get(table, table)}"


def _is_withheld(organization: Organization, name: str) -> bool:
    return name.lower() in {one.lower() for one in organization.withheld}


def _depth(organization: Organization, table: str) -> str:
    return "Local" if sight.has_hidden(organization, organization.schema.table(table)) else "Global"


def _held(name: str, depth: str) -> dict[str, object]:
    return {
        "Depth": depth,
        "PrivilegeId": metadata_id(name),
        "BusinessUnitId": BUSINESS_UNIT,
        "PrivilegeName": name,
        "RecordFilterId": "00000000-0000-0000-0000-000000000000",
        "RecordFilterUniqueName": "",
    }
