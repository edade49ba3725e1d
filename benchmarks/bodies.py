"""Made-up notifications of a wanted size."""

from __future__ import annotations

import json

KEY = "benchmark-key"
BYTES = 6000
ORGANIZATION = "0d000000-0000-4000-8000-000000000001"
NAMESPACE = "http://schemas.microsoft.com/xrm/2011/Contracts"


def notification(operation: str, row: str, size: int, alias: str = "") -> bytes:
    """An asynchronous Update of an account, filled up to about *size* bytes; with *alias*, our own post image."""
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
    if alias:
        image = {"Attributes": _image(row), "FormattedValues": [], "Id": row, "LogicalName": "account"}
        context["PostEntityImages"] = [{"key": alias, "value": image}]
    missing = size - len(json.dumps(context))
    attributes.append({"key": "description", "value": "x" * max(missing - 40, 0)})
    return json.dumps(context, separators=(",", ":")).encode()


def _image(row: str) -> list[dict[str, object]]:
    """A whole customer: what is absent in our own image is null."""
    values = {
        "name": f"Firm {row}",
        "telephone1": "+49 40 1234",
        "address1_city": "Hamburg",
        "customertypecode": {"__type": f"OptionSetValue:{NAMESPACE}", "Value": 3},
        "statecode": {"__type": f"OptionSetValue:{NAMESPACE}", "Value": 0},
        "modifiedon": "/Date(1758791058000)/",
        "versionnumber": 1000,
    }
    return [{"key": name, "value": value} for name, value in values.items()]
