"""The pages of a table: its list, a row's form, and what the command bar does."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from receiver.sandbox.context import Bag
from receiver.sandbox.errors import ApiError, row_missing
from receiver.sandbox.events import Call
from receiver.sandbox.organization import Organization
from receiver.sandbox.pages import forms, lists
from receiver.sandbox.pages.commands import commands_of
from receiver.sandbox.pages.lists import ListPage
from receiver.sandbox.registration import OPEN_IN_BUSINESS_CENTRAL
from receiver.sandbox.seed import SALES_MANAGER
from receiver.sandbox.storage import Row
from receiver.sandbox.table import Table
from receiver.sandbox.values import guid_of

_NOTES = {
    "saved": "Saved.",
    "unchanged": "Nothing was changed.",
    "created": "Created.",
    "deleted": "Deleted.",
    "asked": f"{OPEN_IN_BUSINESS_CENTRAL} was executed for this row.",
}


def row_pages(organization: Organization) -> Blueprint:
    pages = Blueprint("rows", __name__)
    _add_reading(pages, organization)
    _add_writing(pages, organization)
    return pages


def _add_reading(pages: Blueprint, organization: Organization) -> None:

    @pages.get("/<table_name>")
    def listed(table_name: str) -> ResponseReturnValue:
        page = _page(table_name)
        search = request.args.get("search", "")
        return render_template(
            "list.html",
            page=page,
            lines=lists.lines(organization, page, search),
            search=search,
            note=_NOTES.get(request.args.get("note", "")),
        )

    @pages.get("/<table_name>/new")
    def new(table_name: str) -> ResponseReturnValue:
        return _form(organization, _page(table_name, for_writing=True), None)

    @pages.get("/<table_name>/<row_id>")
    def form(table_name: str, row_id: str) -> ResponseReturnValue:
        page = _page(table_name)
        return _form(organization, page, _row(organization, table_name, row_id))


def _add_writing(pages: Blueprint, organization: Organization) -> None:
    @pages.post("/<table_name>/new")
    def create(table_name: str) -> ResponseReturnValue:
        def write(table: Table) -> str:
            row = organization.rows.create(table, forms.changed_columns(table, request.form), Call(SALES_MANAGER))
            return _form_of(table, row.id, "created")

        return _written(organization, table_name, None, write)

    @pages.post("/<table_name>/<row_id>")
    def save(table_name: str, row_id: str) -> ResponseReturnValue:
        row = _row_to_write(organization, table_name, row_id)
        return _written(
            organization, table_name, row, lambda table: _form_of(table, row.id, _save(organization, table, row))
        )

    @pages.post("/<table_name>/<row_id>/delete")
    def delete(table_name: str, row_id: str) -> ResponseReturnValue:
        row = _row_to_write(organization, table_name, row_id)

        def write(table: Table) -> str:
            organization.rows.delete(table, row.id, Call(SALES_MANAGER))
            return url_for(".listed", table_name=table.name, note="deleted")

        return _written(organization, table_name, row, write)

    @pages.post("/<table_name>/<row_id>/open-through-custom-api")
    def open_through_custom_api(table_name: str, row_id: str) -> ResponseReturnValue:
        row = _row_to_write(organization, table_name, row_id)

        def write(table: Table) -> str:
            parameters: Bag = (("Table", table.name), ("Id", row.id))
            organization.rows.call_custom_api(OPEN_IN_BUSINESS_CENTRAL, None, "", parameters, Call(SALES_MANAGER))
            return _form_of(table, row.id, "asked")

        return _written(organization, table_name, row, write)


def _written(
    organization: Organization, table_name: str, row: Row | None, write: Callable[[Table], str]
) -> ResponseReturnValue:
    """Where *write* sends the browser; when Dataverse refuses, the form again with what was posted."""
    page = _page(table_name, for_writing=True)
    try:
        return redirect(write(organization.schema.table(table_name)), 303)
    except ApiError as problem:
        return _form(organization, page, row, problem), problem.status


def _form_of(table: Table, row_id: str, note: str) -> str:
    return url_for(".form", table_name=table.name, row_id=row_id, note=note)


def _page(table_name: str, *, for_writing: bool = False) -> ListPage:
    page = lists.BY_TABLE.get(table_name)
    if page is None or (for_writing and not page.is_editable):
        abort(404)
    return page


def _row_to_write(organization: Organization, table_name: str, row_id: str) -> Row:
    _page(table_name, for_writing=True)
    return _row(organization, table_name, row_id)


def _row(organization: Organization, table_name: str, row_id: str) -> Row:
    row = organization.store.row(table_name, guid_of(row_id))
    if row is None:
        raise row_missing(table_name, row_id)
    return row


def _save(organization: Organization, table: Table, row: Row) -> str:
    """Submits the changed columns only. Which note to show. Raises ApiError."""
    columns = forms.changed_columns(table, request.form)
    if not columns:
        return "unchanged"
    organization.rows.update(table, row.id, columns, Call(SALES_MANAGER))
    return "saved"


def _form(organization: Organization, page: ListPage, row: Row | None, problem: ApiError | None = None) -> str:
    table = organization.schema.table(page.table)
    # After a refusal the inputs show what was posted, and still remember what the form was filled with.
    posted = request.form if problem else None
    name = row.get(table.name_column) if row else f"New {page.one.lower()}"
    return render_template(
        "form.html",
        page=page,
        row=row,
        name=name or "---",
        sections=forms.fields(organization, table, row, posted),
        filled={field.name: field.text for _, section in forms.fields(organization, table, row) for field in section},
        heading=forms.heading(organization, table, row),
        commands=commands_of(organization, page.table),
        note=_NOTES.get(request.args.get("note", "")),
        problem=problem,
    )
