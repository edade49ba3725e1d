"""Actions: bulk messages, Merge, and Custom APIs, bound and unbound."""

from __future__ import annotations

from typing import Any

from flask import Response

from receiver.sandbox.context import Bag
from receiver.sandbox.errors import invalid_argument, malformed, unknown_resource
from receiver.sandbox.organization import Organization
from receiver.sandbox.registration import MESSAGE
from receiver.sandbox.table import Table
from receiver.sandbox.values import guid_of
from receiver.sandbox.web_api.asked import Asked
from receiver.sandbox.web_api.payload import submitted
from receiver.sandbox.web_api.resource import Resource, id_by_key

_NAMESPACE = "Microsoft.Dynamics.CRM."
_PLATFORM_MESSAGES = frozenset(
    ["Create", "Update", "Delete", "Merge", "Assign", "SetState", "SetStateDynamicEntity", "Associate", "Disassociate"]
)


def bound(asked: Asked, resource: Resource) -> Response:
    """`accounts/Microsoft.Dynamics.CRM.X` or `accounts(<id>)/Microsoft.Dynamics.CRM.X`. Raises ApiError."""
    organization = asked.organization
    table = organization.schema.entity_set(resource.name)
    name = resource.rest[0].removeprefix(_NAMESPACE)
    if not resource.is_row:
        return _bulk(asked, table, name)
    message = _custom_api(organization, name)
    row_id = id_by_key(organization, table, resource.key or "")
    organization.rows.call_custom_api(message, table, row_id, _parameters(asked), asked.call)
    return asked.answer_nothing()


def unbound(asked: Asked, name: str) -> Response:
    """`POST /Merge` or `POST /<Custom API>`. Raises ApiError."""
    if name == "Merge":
        return _merge(asked)
    message = _custom_api(asked.organization, name.removeprefix(_NAMESPACE))
    asked.organization.rows.call_custom_api(message, None, "", _parameters(asked), asked.call)
    return asked.answer_nothing()


def _custom_api(organization: Organization, name: str) -> str:
    """Every message that is not the platform's own is somebody's Custom API."""
    known = {row.get("name") for row in organization.store.rows(MESSAGE)} - _PLATFORM_MESSAGES
    if name not in known:
        raise unknown_resource(name)
    return name


def _parameters(asked: Asked) -> Bag:
    if not asked.request.get_data():
        return ()
    return tuple((name, value) for name, value in asked.body().items() if "@" not in name)


def _bulk(asked: Asked, table: Table, name: str) -> Response:
    organization = asked.organization
    if name not in ("CreateMultiple", "UpdateMultiple"):
        raise unknown_resource(name)
    targets = asked.body().get("Targets")
    if not isinstance(targets, list) or not all(isinstance(target, dict) for target in targets):
        raise malformed("'Targets' must be a list of rows.")
    many = [submitted(organization, table, target) for target in targets]
    if name == "UpdateMultiple":
        organization.rows.update_all(table, many, asked.call)
        return asked.answer_nothing()
    rows = organization.rows.create_all(table, many, asked.call)
    context = f"{asked.base}/$metadata#Microsoft.Dynamics.CRM.CreateMultipleResponse"
    return asked.answer({"@odata.context": context, "Ids": [row.id for row in rows]})


def _merge(asked: Asked) -> Response:
    organization, body = asked.organization, asked.body()
    table, target_id = _row_named(organization, body.get("Target"))
    _, loser_id = _row_named(organization, body.get("Subordinate"))
    content = submitted(organization, table, body.get("UpdateContent") or {})
    content.pop(table.id_column, None)
    organization.rows.merge(table, target_id, loser_id, content, asked.call)
    return asked.answer_nothing()


def _row_named(organization: Organization, given: Any) -> tuple[Table, str]:
    """From `{"@odata.type": "Microsoft.Dynamics.CRM.account", "accountid": "<id>"}`."""
    if not isinstance(given, dict):
        raise malformed("Target and Subordinate must be rows.")
    table = organization.schema.table(str(given.get("@odata.type", "")).rpartition(".")[2])
    if table.id_column not in given:
        raise invalid_argument(f"'{table.id_column}' is missing.")
    return table, guid_of(given[table.id_column])
