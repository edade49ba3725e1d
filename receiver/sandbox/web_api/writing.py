"""Answers that write: create, change, delete, and the references of a lookup."""

from __future__ import annotations

from flask import Response

from receiver.sandbox.errors import duplicate_key, malformed, unknown_property
from receiver.sandbox.solutions import put_in_solution
from receiver.sandbox.storage import Row
from receiver.sandbox.table import Table
from receiver.sandbox.values import Reference
from receiver.sandbox.web_api import privileges, sight
from receiver.sandbox.web_api.asked import Asked
from receiver.sandbox.web_api.payload import reference_to, submitted
from receiver.sandbox.web_api.rendering import selected, shown
from receiver.sandbox.web_api.resource import Resource, alternate_key, find_id, id_by_key, row_with

_CREATED = 201


def create(asked: Asked, resource: Resource) -> Response:
    table = asked.organization.schema.entity_set(resource.name)
    values = submitted(asked.organization, table, asked.body())
    privileges.require_for_values(asked.organization, table, values, is_new=True)
    with asked.organization.rows.transaction() as transaction:
        row = asked.organization.rows.create(table, values, asked.call)
        if named := asked.request.headers.get("MSCRM.SolutionUniqueName"):
            put_in_solution(transaction, named, table.name, row.id)
    return _written(asked, table, row, _CREATED)


def change(asked: Asked, resource: Resource) -> Response:
    """Update, upsert, or with `If-None-Match: *` create only. Raises ApiError."""
    organization = asked.organization
    table = organization.schema.entity_set(resource.name)
    values = submitted(organization, table, asked.body())
    if not asked.must_be_new and not asked.must_exist:
        row, is_new = upserted(asked, table, resource.key or "", values)
        return _written(asked, table, row, _CREATED if is_new else 200)
    row_id = _id_for_upsert(asked, table, resource.key or "", values)
    privileges.require_for_values(organization, table, values, is_new=asked.must_be_new)
    if asked.must_be_new:
        if organization.store.row(table.name, row_id or "") is not None:
            raise duplicate_key(table.name)
        return _written(asked, table, organization.rows.create(table, values, asked.call, row_id), _CREATED)
    sight.require(organization, table, row_id or "", "WriteAccess")
    row = organization.rows.update(table, row_id or "", values, asked.call, asked.expected_version)
    return _written(asked, table, row, 200)


def upserted(asked: Asked, table: Table, key: str, values: dict[str, object]) -> tuple[Row, bool]:
    """The row that the key named or names now, and whether it is new. Raises ApiError."""
    rows = asked.organization.rows
    row_id = _id_for_upsert(asked, table, key, values)
    is_new = row_id is None or asked.organization.store.row(table.name, row_id) is None
    sight.require(asked.organization, table, row_id or "", "WriteAccess")
    privileges.require_for_values(asked.organization, table, values, is_new=is_new)
    if row_id is None:
        return rows.create(table, values, asked.call), True
    return rows.upsert(table, row_id, values, asked.call)


def _id_for_upsert(asked: Asked, table: Table, key: str, values: dict[str, object]) -> str | None:
    """None when an alternate key names no row yet: then its parts become columns of the new one."""
    parts = alternate_key(key)
    if not parts or table.id_column in parts or asked.must_exist:
        return find_id(asked.organization, table, key)
    if not set(parts) <= set(table.alternate_keys):
        return find_id(asked.organization, table, key)  # says which property is no key
    found = row_with(asked.organization, table, parts)
    if found is not None:
        return found.id
    for name, value in parts.items():
        values.setdefault(name, value)
    return None


def delete(asked: Asked, resource: Resource) -> Response:
    organization = asked.organization
    table = organization.schema.entity_set(resource.name)
    privileges.require(organization, "Delete", table)
    row_id = id_by_key(organization, table, resource.key or "", "DeleteAccess")
    organization.rows.delete(table, row_id, asked.call, asked.expected_version)
    return asked.answer_nothing()


def change_reference(asked: Asked, resource: Resource) -> Response:
    """DELETE or PUT of `<row>/<navigation>/$ref`. Raises ApiError."""
    organization = asked.organization
    table = organization.schema.entity_set(resource.name)
    navigation = resource.rest[0]
    if navigation not in table.by_navigation:
        raise unknown_property(navigation, table.name)
    column, _ = table.by_navigation[navigation]
    row_id = id_by_key(organization, table, resource.key or "", "WriteAccess")
    reference: Reference | None = None
    if asked.method == "PUT":
        uri = asked.body().get("@odata.id")
        if not isinstance(uri, str):
            raise malformed("The body must hold '@odata.id'.")
        reference = reference_to(organization, column, navigation, uri)
    privileges.require_for_values(organization, table, {column.name: reference}, is_new=False)
    organization.rows.update(table, row_id, {column.name: reference}, asked.call)
    return asked.answer_nothing()


def _written(asked: Asked, table: Table, row: Row, status: int) -> Response:
    """The row itself where it was asked for, else only where it is."""
    address = {"OData-EntityId": asked.address_of(table, row), "Location": asked.address_of(table, row)}
    if not asked.wants_representation or asked.organization.faults.strikes("no_representation"):
        del address["Location"]
        return asked.answer_nothing(address)
    columns = selected(table, asked.option("$select"))
    members = shown(asked.organization, row, columns, is_annotated=asked.wants_annotations)
    context = f"{asked.base}/$metadata#{table.set_name}/$entity"
    headers = {"Preference-Applied": "return=representation", "ETag": row.etag}
    headers |= address if status == _CREATED else {}
    return asked.answer({"@odata.context": context, **members}, status, headers)
