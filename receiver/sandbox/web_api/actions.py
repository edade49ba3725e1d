"""Actions: bulk messages, Merge, and Custom APIs, bound and unbound."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from flask import Response

from receiver.sandbox.context import Bag
from receiver.sandbox.errors import ApiError, invalid_argument, malformed, unknown_resource
from receiver.sandbox.organization import Organization
from receiver.sandbox.publishing import publish, publish_all
from receiver.sandbox.registration import MESSAGE
from receiver.sandbox.table import Table
from receiver.sandbox.values import guid_of
from receiver.sandbox.web_api import privileges, sight
from receiver.sandbox.web_api.asked import Asked
from receiver.sandbox.web_api.payload import submitted
from receiver.sandbox.web_api.resource import Resource, id_by_key, reference_path
from receiver.sandbox.web_api.writing import upserted

_BULK_DELETE = 13
_NAMESPACE = "Microsoft.Dynamics.CRM."
_PLATFORM_MESSAGES = frozenset(
    [
        "Create",
        "Update",
        "Delete",
        "Restore",
        "Merge",
        "Assign",
        "SetState",
        "SetStateDynamicEntity",
        "Associate",
        "Disassociate",
    ]
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
    """`POST /Merge`, `/Restore`, `/BulkDelete`, `/PublishXml`, `/PublishAllXml` or `/<Custom API>`. Raises ApiError."""
    if name == "Merge":
        return _merge(asked)
    if name == "Restore":
        return _restore(asked)
    if name == "BulkDelete":
        return _bulk_delete(asked)
    if name in ("PublishXml", "PublishAllXml"):
        return _publish(asked, name)
    message = _custom_api(asked.organization, name.removeprefix(_NAMESPACE))
    asked.organization.rows.call_custom_api(message, None, "", _parameters(asked), asked.call)
    return asked.answer_nothing()


def _publish(asked: Asked, name: str) -> Response:
    there = asked.organization
    if name == "PublishAllXml":
        publish_all(there.schema, there.store, there.rows)
    else:
        publish(there.schema, there.store, there.rows, asked.body().get("ParameterXml"))
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
    if name not in ("CreateMultiple", "UpdateMultiple", "UpsertMultiple"):
        raise unknown_resource(name)
    targets = asked.body().get("Targets")
    if not isinstance(targets, list) or not all(isinstance(target, dict) for target in targets):
        raise malformed("'Targets' must be a list of rows.")
    if name == "UpsertMultiple":
        return _upsert_multiple(asked, table, targets)
    many = [submitted(organization, table, target) for target in targets]
    for values in many:
        sight.require(organization, table, values.get(table.id_column, ""), "WriteAccess")
        privileges.require_for_values(organization, table, values, is_new=name == "CreateMultiple")
    if name == "UpdateMultiple":
        organization.rows.update_all(table, many, asked.call)
        return asked.answer_nothing()
    rows = organization.rows.create_all(table, many, asked.call)
    context = f"{asked.base}/$metadata#Microsoft.Dynamics.CRM.CreateMultipleResponse"
    return asked.answer({"@odata.context": context, "Ids": [row.id for row in rows]})


def _upsert_multiple(asked: Asked, table: Table, targets: list[dict[str, Any]]) -> Response:
    """All or none. A target says by `@odata.id`, or by its primary id, which row it means."""
    with asked.organization.rows.transaction():
        for target in targets:
            values = submitted(asked.organization, table, target)
            if "@odata.id" in target:
                key = reference_path(str(target["@odata.id"])).key or ""
            elif table.id_column in target:
                key = str(values.pop(table.id_column))
            else:
                raise malformed("A target of UpsertMultiple needs '@odata.id' or its primary id.")
            upserted(asked, table, key, values)
    return asked.answer_nothing()


def _bulk_delete(asked: Asked) -> Response:
    """Deletes the rows that the queries name by their ids; a row that is gone already is passed over.

    Dataverse does it in a system job, some time later; here it is done before the answer. Raises ApiError.
    Source: learn, BulkDelete action.
    """
    organization, body = asked.organization, asked.body()
    named = [pair for query in body.get("QuerySet") or [] for pair in _rows_of_query(organization, query)]
    for table, row_id in named:
        privileges.require(organization, "Delete", table)
        is_seen = not sight.is_hidden(organization, table.name, row_id)
        if is_seen and organization.store.row(table.name, row_id) is not None:
            organization.rows.delete(table, row_id, asked.call)
    job_id = str(uuid4())
    ended = {"statecode": 3, "statuscode": 30, "operationtype": _BULK_DELETE}
    with organization.rows.transaction() as transaction:
        values = {"asyncoperationid": job_id, "name": body.get("JobName"), "messagename": "BulkDelete", **ended}
        transaction.put("asyncoperation", job_id, values)
    context = f"{asked.base}/$metadata#Microsoft.Dynamics.CRM.BulkDeleteResponse"
    return asked.answer({"@odata.context": context, "JobId": job_id})


def _rows_of_query(organization: Organization, query: Any) -> list[tuple[Table, str]]:
    try:
        table = organization.schema.table(query["EntityName"])
        (condition,) = query["Criteria"]["Conditions"]
        if condition["AttributeName"] != table.id_column or condition["Operator"] not in ("In", "Equal"):
            raise ApiError(400, "0x80040203", "The sandbox deletes in bulk by primary ids alone.")
        return [(table, guid_of(value["Value"])) for value in condition["Values"]]
    except (KeyError, TypeError, ValueError):
        raise malformed("'QuerySet' must hold queries with one condition each.") from None


def _merge(asked: Asked) -> Response:
    organization, body = asked.organization, asked.body()
    table, target_id = _row_named(organization, body.get("Target"))
    _, loser_id = _row_named(organization, body.get("Subordinate"))
    content = submitted(organization, table, body.get("UpdateContent") or {})
    content.pop(table.id_column, None)
    privileges.require_for_values(organization, table, content, is_new=False)
    for row_id in (target_id, loser_id):
        sight.require(organization, table, row_id, "WriteAccess")
    organization.rows.merge(table, target_id, loser_id, content, asked.call)
    return asked.answer_nothing()


def _restore(asked: Asked) -> Response:
    organization = asked.organization
    given = asked.body().get("Target") or {}
    table, row_id = _row_named(organization, given)
    overridden = submitted(organization, table, given)
    overridden.pop(table.id_column, None)
    privileges.require_for_values(organization, table, overridden, is_new=True)
    organization.rows.restore(table, row_id, overridden, asked.call)
    context = f"{asked.base}/$metadata#Microsoft.Dynamics.CRM.RestoreResponse"
    return asked.answer({"@odata.context": context, "id": row_id})


def _row_named(organization: Organization, given: Any) -> tuple[Table, str]:
    """From `{"@odata.type": "Microsoft.Dynamics.CRM.account", "accountid": "<id>"}`."""
    if not isinstance(given, dict):
        raise malformed("The parameters Target and Subordinate must be rows.")
    table = organization.schema.table(str(given.get("@odata.type", "")).rpartition(".")[2])
    if table.id_column not in given:
        raise invalid_argument(f"'{table.id_column}' is missing.")
    return table, guid_of(given[table.id_column])
