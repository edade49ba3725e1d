"""A row's form: its fields filled from the row, and how a posted form becomes columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from receiver.sandbox.errors import ApiError
from receiver.sandbox.formatting import formatted
from receiver.sandbox.organization import Organization
from receiver.sandbox.pages.layouts import SECTIONS
from receiver.sandbox.storage import Row
from receiver.sandbox.table import Column, Kind, Table
from receiver.sandbox.values import Reference, from_python, moment_of


@dataclass(frozen=True)
class Field:
    """One input: its value as text, and its options when it is a choice among some."""

    name: str
    label: str
    control: str
    text: str = ""
    max_length: int = 0
    options: tuple[tuple[str, str], ...] = field(default=())
    is_required: bool = False


def fields(
    organization: Organization, table: Table, row: Row | None, posted: Mapping[str, str] | None = None
) -> list[tuple[str, list[Field]]]:
    """Section title -> its fields, filled from the row, or from what was posted and refused."""
    return [
        (title, [_field(organization, table, row, name, label, posted or {}) for name, label in columns])
        for title, columns in SECTIONS[table.name]
    ]


def _field(
    organization: Organization,
    table: Table,
    row: Row | None,
    name: str,
    label: str,
    posted: Mapping[str, str],
) -> Field:
    column = table.by_name[name]
    value = row.get(name) if row else column.default
    return Field(
        name=name,
        label=label,
        control=_control(column),
        text=posted.get(name, as_text(column, value)),
        max_length=column.length,
        options=tuple(_options(organization, column, value)),
        is_required=name in ("name", "lastname"),
    )


def _control(column: Column) -> str:
    if column.is_lookup or column.is_choice or column.kind is Kind.FLAG:
        return "select"
    if column.kind is Kind.MEMO:
        return "memo"
    return "number" if column.kind in (Kind.MONEY, Kind.DECIMAL, Kind.INTEGER) else "text"


def _options(organization: Organization, column: Column, value: Any) -> list[tuple[str, str]]:
    if column.kind is Kind.FLAG:
        return [(str(number), label) for number, label in column.options]
    if column.kind is Kind.STATE:
        return [(str(number), label) for number, label in column.options]
    if column.is_choice:
        return [("", "---"), *((str(number), label) for number, label in column.options)]
    if not column.is_lookup:
        return []
    # A contact's company is offered among accounts; another contact stays on offer only where it is one.
    tables = {column.targets[0].table} | ({value.table} if isinstance(value, Reference) else set())
    choices = [
        (f"{row.table}:{row.id}", organization.name_of(Reference(row.table, row.id)) or row.id)
        for table in tables
        for row in organization.store.rows(table)
    ]
    return [("", "---"), *sorted(choices, key=lambda choice: choice[1].casefold())]


def as_text(column: Column, value: Any) -> str:
    """The value as its input shows it, and posts it back when nobody touches it."""
    if value is None:
        return ""
    if isinstance(value, Reference):
        return f"{value.table}:{value.id}"
    if column.kind is Kind.FLAG:
        return str(int(value))
    if column.kind is Kind.MONEY:
        return f"{value:.2f}"
    return str(value)


def changed_columns(table: Table, posted: Mapping[str, str]) -> dict[str, Any]:
    """Column -> logical value, of those whose text differs from what the form was filled with.

    Raises ApiError for a text that is no value of its column.
    """
    changes: dict[str, Any] = {}
    for _, columns in SECTIONS[table.name]:
        for name, _ in columns:
            text, was = posted.get(name), posted.get(f"was-{name}", "")
            if text is not None and _lines(text) != _lines(was):
                changes[name] = from_text(table.by_name[name], text.strip())
    if "statecode" in changes:
        state = changes["statecode"]
        changes["statuscode"] = next(one.value for one in table.statuses if one.state == state)
    return changes


def _lines(text: str) -> str:
    """Browsers post line ends as CR LF, whatever the page had."""
    return text.replace("\r\n", "\n").strip()


def from_text(column: Column, text: str) -> Any:
    """Raises ApiError."""
    if not text:
        return None
    try:
        if column.is_lookup:
            table, _, row_id = text.partition(":")
            return Reference(table, row_id)
        if column.kind in (Kind.MONEY, Kind.DECIMAL):
            return Decimal(text.replace(" ", "").replace(",", "."))
        if column.is_choice or column.kind is Kind.INTEGER:
            return int(text)
        if column.kind is Kind.FLAG:
            return bool(int(text))
        return moment_of(text) if column.kind is Kind.MOMENT else from_python(column, text)
    except (ValueError, InvalidOperation):
        raise ApiError(400, "0x80040203", f"'{text}' is no value for {column.name}.") from None


def heading(organization: Organization, table: Table, row: Row | None) -> list[tuple[str, str]]:
    """What stands beside the title: label and value."""
    if row is None:
        return []
    names = (("ownerid", "Owner"), ("statuscode", "Status reason"), ("modifiedon", "Modified on"))
    found = []
    for name, label in names:
        if table.has(name):
            value = formatted(table.by_name[name], row.get(name), organization.name_of)
            found.append((label, value or "---"))
    return found


def initials(name: str) -> str:
    words = [word for word in name.split() if word[0].isalnum()]
    return "".join(word[0] for word in words[:2]).upper() or "?"
