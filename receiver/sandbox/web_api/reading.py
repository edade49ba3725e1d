"""Answers that only read: one row, a page of rows, changes since a token, and who is asking."""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import Response

from receiver.sandbox.errors import invalid_argument, not_tracked, row_missing, unknown_property
from receiver.sandbox.organization import Organization
from receiver.sandbox.seed import BUSINESS_UNIT
from receiver.sandbox.storage import Row
from receiver.sandbox.table import Table
from receiver.sandbox.web_api import fetch_xml, paging, privileges, secured, sight
from receiver.sandbox.web_api.asked import Asked
from receiver.sandbox.web_api.filtering import filter_of
from receiver.sandbox.web_api.rendering import behind, expansions, selected, shown
from receiver.sandbox.web_api.resource import Resource, id_by_key

_NOT_WITH_TRACKING = ("$filter", "$orderby", "$expand", "$top")
_MORE_RECORDS = "Microsoft.Dynamics.CRM.morerecords"
_MOST_COUNTED = 5000
_OF_ONE_ROW = frozenset({"$select", "$expand"})
_OF_ROWS = _OF_ONE_ROW | {"$filter", "$orderby", "$top", "$count", "$skiptoken", "$deltatoken"}
_OTHER_QUERIES = frozenset({"sql", "fetchXml", "savedQuery", "userQuery"})


def who_am_i(asked: Asked) -> Response:
    return asked.answer(
        {
            "@odata.context": f"{asked.base}/$metadata#Microsoft.Dynamics.CRM.WhoAmIResponse",
            "BusinessUnitId": BUSINESS_UNIT,
            "UserId": asked.call.user_id,
            "OrganizationId": asked.organization.settings.organization_id,
        }
    )


def row(asked: Asked, resource: Resource) -> Response:
    """Raises ApiError."""
    organization = asked.organization
    table = organization.schema.entity_set(resource.name)
    privileges.require(organization, "Read", table)
    _refuse_other_options(asked, _OF_ONE_ROW)
    columns = selected(table, asked.option("$select"))
    expanded = expansions(organization, table, asked.option("$expand"))
    row_id = id_by_key(organization, table, resource.key or "")
    found = organization.store.row(table.name, row_id)
    if found is None:
        raise row_missing(table.name, row_id)
    # Whoever wants every annotation is never told that nothing changed.
    if asked.known_version == found.version and asked.preference("odata.include-annotations") != "*":
        return Response(status=304)
    members = shown(
        organization, found, columns, is_annotated=asked.wants_annotations, unmasked=asked.wants_unmasked_data
    )
    members |= behind(organization, found, expanded, is_annotated=asked.wants_annotations)
    context = f"{asked.base}/$metadata#{_context(asked, table)}/$entity"
    return asked.answer({"@odata.context": context, **members}, headers={"ETag": found.etag})


def _refuse_other_options(asked: Asked, answered: frozenset[str]) -> None:
    """An option passed over in silence would answer another question than the one that was asked."""
    for name in asked.request.args:
        if name in _OTHER_QUERIES or (name.startswith("$") and name not in answered):
            raise invalid_argument(f"The sandbox does not answer the query option {name} here.")


def rows(asked: Asked, resource: Resource) -> Response:
    """Raises ApiError."""
    table = asked.organization.schema.entity_set(resource.name)
    if asked.option(fetch_xml.OPTION):
        return fetch_xml.deleted_rows(asked, table)
    privileges.require(asked.organization, "Read", table)
    _refuse_other_options(asked, _OF_ROWS)
    skipped = asked.option("$skiptoken")
    if skipped is not None:
        return _page(asked, table, paging.resumed(asked.organization, skipped))
    since = asked.option("$deltatoken")
    if since is not None:
        privileges.require_whole_table(asked.organization, table)
        return _page(asked, table, paging.changes(asked.organization, table, since))
    if asked.preference("odata.track-changes") is not None:
        _refuse_with_tracking(asked, table)
        privileges.require_whole_table(asked.organization, table)
        return _page(asked, table, paging.whole_table(asked.organization, table))
    return _page(asked, table, paging.Remaining(tuple(_found(asked, table))))


def few(asked: Asked, table: Table, found: list[Row]) -> Response:
    """Rows that a relationship leads to; they are selected, not filtered. Raises ApiError."""
    privileges.require(asked.organization, "Read", table)
    _refuse_other_options(asked, frozenset({"$select"}))
    return _page(asked, table, paging.Remaining(tuple(sight.in_sight(asked.organization, found))))


def _refuse_with_tracking(asked: Asked, table: Table) -> None:
    if not table.tracks_changes or table.name in asked.organization.untracked:
        raise not_tracked(table.name)
    for option in _NOT_WITH_TRACKING:
        if asked.option(option):
            raise invalid_argument(f"The query option {option} is not supported with change tracking.")


def _found(asked: Asked, table: Table) -> list[Row]:
    """Filtered, ordered and cut to `$top`."""
    found = sight.in_sight(asked.organization, asked.organization.store.rows(table.name))
    condition = asked.option("$filter")
    if condition is not None:
        holds = filter_of(asked.organization, table, condition)
        found = [one for one in found if holds(one)]
    for name, is_descending in reversed(_order(table, asked.option("$orderby"))):
        found.sort(key=partial(_sort_key, asked.organization, name), reverse=is_descending)
    top = asked.option("$top")
    return found[: int(top)] if top and top.isdigit() else found


def _order(table: Table, orderby: str | None) -> list[tuple[str, bool]]:
    order = []
    for part in (orderby or "").split(","):
        name, _, direction = part.strip().partition(" ")
        if not name:
            continue
        if name not in table.by_property:
            raise unknown_property(name, table.name)
        order.append((table.by_property[name].name, direction.strip().lower() == "desc"))
    return order


def _sort_key(organization: Organization, name: str, one: Row) -> tuple[bool, Any]:
    """Empty columns first."""
    value = secured.seen(organization, one, name)
    if value is None:
        return False, 0
    if isinstance(value, str):
        return True, organization.collation.key(value)
    return True, getattr(value, "id", value)


def _page(asked: Asked, table: Table, remaining: paging.Remaining) -> Response:
    organization = asked.organization
    columns = selected(table, asked.option("$select"))
    expanded = expansions(organization, table, asked.option("$expand"))
    page, rest = remaining.split(paging.page_size(asked))
    is_annotated = asked.wants_annotations
    value = [
        shown(organization, one, columns, is_annotated=is_annotated, unmasked=asked.wants_unmasked_data)
        | behind(organization, one, expanded, is_annotated=is_annotated)
        if isinstance(one, Row)
        else one
        for one in page
    ]
    members: dict[str, Any] = {"@odata.context": f"{asked.base}/$metadata#{_context(asked, table)}"}
    if (asked.option("$count") or "").lower() == "true":
        members["@odata.count"] = min(len(remaining.items), _MOST_COUNTED)
    if asked.wants_annotation(_MORE_RECORDS):
        members[f"@{_MORE_RECORDS}"] = bool(rest.items)
    members["value"] = value
    members |= _links(asked, rest)
    return asked.answer(members)


def _links(asked: Asked, rest: paging.Remaining) -> dict[str, str]:
    faults = asked.organization.faults
    if rest.items:
        if faults.strikes("no_next_link"):
            return {}
        if faults.strikes("link_to_itself"):
            return {"@odata.nextLink": paging.own_link(asked)}
        token = paging.remembered(asked.organization, rest)
        return {"@odata.nextLink": paging.link(asked, "$skiptoken", token)}
    if rest.delta_token is not None and not faults.strikes("no_delta_link"):
        return {"@odata.deltaLink": paging.link(asked, "$deltatoken", rest.delta_token)}
    return {}


def _context(asked: Asked, table: Table) -> str:
    select = asked.option("$select")
    return f"{table.set_name}({select})" if select else table.set_name
