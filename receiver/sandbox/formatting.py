"""Values as people read them: what FormattedValues and the Web API's annotations hold."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from receiver.sandbox.table import Column, Kind
from receiver.sandbox.values import Reference

NameOf = Callable[[Reference], str | None]
"""The primary name of a row, None when it has none or is gone."""


def formatted(column: Column, value: Any, name_of: NameOf, symbol: str = "€") -> str | None:
    """None for what Dataverse does not format: texts, ids, and empty columns."""
    if value is None:
        return None
    if isinstance(value, Reference):
        return name_of(value)
    if column.is_choice:
        return column.label(value)
    if column.kind is Kind.FLAG:
        return column.label(int(value))
    if column.kind is Kind.MONEY:
        return f"{symbol}{value:,.2f}"
    return _plain(value)


def _plain(value: Any) -> str | None:
    if isinstance(value, datetime):
        return f"{value.month}/{value.day}/{value.year} {value:%I:%M %p}".replace(" 0", " ")
    if isinstance(value, Decimal):
        return format(value, ",f")
    return f"{value:,}" if isinstance(value, int) else None


def formatted_in_target(column: Column, value: Any) -> tuple[bool, str | None]:
    """Whether the Target of a Create has a formatted value for the column, and which.

    Lookups have one that is null, and dates are ISO with an offset (capture 08).
    """
    if value is None:
        return False, None
    if isinstance(value, Reference):
        return True, None
    if isinstance(value, datetime):
        return True, value.isoformat()
    shown = formatted(column, value, lambda _: None)
    return shown is not None, shown
