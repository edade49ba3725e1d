"""Words of the pages: captions as Business Central has them, and values as people read them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Flask
from markupsafe import Markup

from receiver.core.values import Column, Reference, Value, from_plain, shown

CAPTIONS = {
    "direction": "Direction",
    "synch_only_coupled_records": "Synch. Only Coupled Records",
    "is_enabled": "Enabled",
    "resolve_deletion_conflicts": "Resolve Deletion Conflicts",
    "resolve_update_conflicts": "Resolve Update Conflicts",
    "when_a_match_exists": "When a Match Exists",
    "local_table": "Table",
    "dataverse_table": "Integration Table",
    "local_filter": "Table Filter",
    "dataverse_filter": "Integration Table Filter",
    "depends_on": "Depends on",
    "local_template": "Table Config Template",
    "dataverse_template": "Integration Table Config Template",
    "local_column": "Field Name",
    "dataverse_column": "Integration Field Name",
    "constant": "Constant Value",
    "transformation_rule": "Transformation Rule",
    "transformation_direction": "Transformation Direction",
    "clear_value_on_failed_sync": "Clear Value on Failed Sync",
    "not_null": "Not Null",
    "match_on_this_field": "Match on this Field",
    "conversion": "Conversion",
    "related": "Related mappings",
}
BLANK = "(blank)"


def init_app(app: Flask) -> None:
    app.add_template_filter(moment)
    app.add_template_filter(clock)
    app.add_template_filter(counted)
    app.add_template_filter(plain_value)


def said(value: Any) -> str:
    """A setting's value in a sentence."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value) or BLANK


def moment(value: datetime | None) -> str:
    """Date and time in UTC; a dash for never."""
    if value is None:
        return Markup('<span class="none">–</span>')
    utc = value.astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(utc.isoformat(), f"{utc:%Y-%m-%d %H:%M:%S}")


def clock(value: datetime) -> str:
    return f"{value.astimezone(UTC):%H:%M:%S} UTC"


def counted(number: int, one: str, many: str = "") -> str:
    """`1 row`, `3 rows`."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def plain_value(plain: Any) -> str:
    """A value as it is kept in an outcome."""
    try:
        return shown(from_plain(plain))
    except (TypeError, ValueError, KeyError, IndexError):
        return str(plain)


def value_of(column: Column | None, value: Value) -> str:
    """A column's value with its label; empty when there is none."""
    if value is None or value in ("", ()):
        return ""
    if isinstance(value, Reference):
        return value.name or f"{value.table} {value.id}".strip()
    if column is not None and column.labels and isinstance(value, int) and value in column.labels:
        return f"{column.labels[value]} ({value})"
    return shown(value)
