"""Made-up notifications of a wanted size."""

from __future__ import annotations

import json

KEY = "benchmark-key"
ORGANIZATION = "0d000000-0000-4000-8000-000000000001"
NAMESPACE = "http://schemas.microsoft.com/xrm/2011/Contracts"


def notification(operation: str, row: str, size: int) -> bytes:
    """An asynchronous Update of an account, filled up to about *size* bytes."""
    attributes = [{"key": "name", "value": f"Firm {row[:8]}"}, {"key": "accountid", "value": row}]
    target = {
        "__type": f"Entity:{NAMESPACE}",
        "Attributes": attributes,
        "EntityState": None,
        "FormattedValues": [],
        "Id": row,
        "KeyAttributes": [],
        "LogicalName": "account",
        "RelatedEntities": [],
        "RowVersion": None,
    }
    context = {
        "Depth": 1,
        "InputParameters": [{"key": "Target", "value": target}],
        "MessageName": "Update",
        "Mode": 1,
        "OperationId": operation,
        "OrganizationId": ORGANIZATION,
        "OwningExtension": {"Id": row, "KeyAttributes": [], "LogicalName": "sdkmessageprocessingstep", "Name": None},
        "PostEntityImages": [],
        "PreEntityImages": [],
        "PrimaryEntityId": row,
        "PrimaryEntityName": "account",
        "Stage": 40,
    }
    missing = size - len(json.dumps(context))
    attributes.append({"key": "description", "value": "x" * max(missing - 40, 0)})
    return json.dumps(context, separators=(",", ":")).encode()
