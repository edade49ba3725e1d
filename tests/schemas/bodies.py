"""Bodies as Dataverse writes them, with one thing in them that a test is about."""

from __future__ import annotations

import json
from typing import Any

from receiver.core.message import ExecutionContext
from receiver.schemas.execution_context import read_context, read_envelope

ID = "a0000000-0000-4000-8000-000000000001"
OTHER_ID = "a0000000-0000-4000-8000-000000000002"
ORGANIZATION = "0d000000-0000-4000-8000-000000000001"
OPERATION = "0e000000-0000-4000-8000-000000000001"
CONTRACTS = "http://schemas.microsoft.com/xrm/2011/Contracts"
#: stands in the JSON where a value's own text goes
_HERE = '"*here*"'


def typed(name: str, **members: Any) -> dict[str, Any]:
    return {"__type": f"{name}:{CONTRACTS}", **members}


def bag(**values: Any) -> list[dict[str, Any]]:
    return [{"key": name, "value": value} for name, value in values.items()]


def entity(*, id_: str = ID, table: str = "account", is_bare: bool = False, **attributes: Any) -> dict[str, Any]:
    row = {"Attributes": bag(**attributes), "EntityState": None, "Id": id_, "LogicalName": table, "RowVersion": None}
    return row if is_bare else typed("Entity", **row)


def reference(table: str = "account", id_: str = ID) -> dict[str, Any]:
    return typed("EntityReference", Id=id_, KeyAttributes=[], LogicalName=table, Name=None, RowVersion=None)


def body(**members: Any) -> dict[str, Any]:
    """A whole, valid body."""
    return {
        "BusinessUnitId": ID,
        "CorrelationId": OTHER_ID,
        "Depth": 1,
        "InitiatingUserId": OTHER_ID,
        "InputParameters": [],
        "IsInTransaction": False,
        "MessageName": "Update",
        "Mode": 1,
        "OperationCreatedOn": "/Date(1700000000000+0000)/",
        "OperationId": OPERATION,
        "OrganizationId": ORGANIZATION,
        "OutputParameters": [],
        "OwningExtension": {"Id": ID, "KeyAttributes": [], "LogicalName": "sdkmessageprocessingstep"},
        "ParentContext": None,
        "PostEntityImages": [],
        "PreEntityImages": [],
        "PrimaryEntityId": ID,
        "PrimaryEntityName": "account",
        "RequestId": OPERATION,
        "SharedVariables": [],
        "Stage": 40,
        **members,
    }


def read(raw: dict[str, Any] | bytes) -> ExecutionContext:
    return read_context(read_envelope(raw if isinstance(raw, bytes) else json.dumps(raw).encode()))


def read_attribute(text: str) -> ExecutionContext:
    """A Target whose fourth attribute, `odd`, is this JSON text, with `before` and `after` around it."""
    attributes = bag(one=1, two=2, before="still here", odd="*here*", after="still here")
    target = typed("Entity", Attributes=attributes, Id=ID, LogicalName="account")
    return read(json.dumps(body(InputParameters=bag(Target=target))).replace(_HERE, text).encode())
