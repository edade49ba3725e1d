"""A column's value in each of its forms: Python, Web API JSON, the database's JSON.

The logical form is Python's: str, int, bool, Decimal, aware datetime, Reference, or None.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from receiver.sandbox.errors import ApiError, invalid_argument, malformed
from receiver.sandbox.table import Column, Kind, Table

_GUID = re.compile(r"\{?[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\}?")
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_MOST_MONEY = Decimal(922337203685477)
_INTEGERS = frozenset({Kind.INTEGER, Kind.BIG_INTEGER, Kind.CHOICE, Kind.STATE, Kind.STATUS})
_TEXTS = frozenset({Kind.TEXT, Kind.MEMO})
_NUMBERS = frozenset({Kind.DECIMAL, Kind.MONEY})


@dataclass(frozen=True)
class Reference:
    """A row, named by table and id: what a lookup holds."""

    table: str
    id: str


def guid_of(value: object) -> str:
    """A guid in its one spelling: lower case, hyphens. Raises ApiError."""
    text = str(value)
    if not _GUID.fullmatch(text):
        raise invalid_argument(f"Unrecognized Guid format: '{text}'.")
    return str(UUID(text))


def from_python(column: Column, value: Any) -> Any:
    """What tests and pages pass in, as a logical value. Raises ApiError, TypeError."""
    if value is None or (value == "" and column.kind in _TEXTS):
        # Dataverse keeps an empty text as null, and says null in its notifications.
        return None
    if column.is_lookup:
        return _reference(column, value)
    if column.kind is Kind.MOMENT:
        return _moment(value)
    if column.kind in _NUMBERS and not isinstance(value, bool):
        return Decimal(str(value))
    return from_json(column, value)


def _reference(column: Column, value: Any) -> Reference:
    if isinstance(value, Reference):
        return Reference(value.table, guid_of(value.id))
    if isinstance(value, tuple):
        table, row_id = value
        return Reference(str(table), guid_of(row_id))
    if len(column.targets) > 1 and column.kind is not Kind.OWNER:
        raise TypeError(f"{column.name} may point at several tables: give (table, id), not {value!r}")
    return Reference(column.targets[0].table, guid_of(value))


def _moment(value: Any) -> datetime:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise TypeError("a date and time needs its time zone")
        return value.astimezone(UTC).replace(microsecond=0)
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    return moment_of(str(value))


def moment_of(text: str) -> datetime:
    """From `2024-10-15T19:34:06Z` or `2024-10-15`; whole seconds. Raises ApiError."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise malformed(f"Cannot convert the literal '{text}' to the expected type 'Edm.DateTimeOffset'.") from None
    aware = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    return aware.astimezone(UTC).replace(microsecond=0)


def from_json(column: Column, value: Any) -> Any:
    """A Web API property that is no lookup, as a logical value. Raises ApiError when its type is another."""
    if value is None:
        return None
    if column.kind in _TEXTS:
        return _expect(isinstance(value, str), column, value) or None
    if column.kind is Kind.FLAG:
        return _expect(isinstance(value, bool), column, value)
    if column.kind in _INTEGERS:
        return _expect(isinstance(value, int) and not isinstance(value, bool), column, value)
    if column.kind in _NUMBERS:
        is_number = isinstance(value, (int, Decimal)) and not isinstance(value, bool)
        return Decimal(_expect(is_number, column, value))
    if column.kind is Kind.GUID:
        return guid_of(_expect(isinstance(value, str), column, value))
    return moment_of(_expect(isinstance(value, str), column, value))


def _expect(holds: bool, column: Column, value: Any) -> Any:  # noqa: FBT001 - reads as expect(that)
    if not holds:
        raise malformed(
            f"Cannot convert the literal '{value}' to the expected type of '{column.name}' ({column.kind})."
        )
    return value


def check(table: Table, column: Column, value: Any) -> None:
    """Raises ApiError when the column cannot hold the value: too long, out of range, no such choice."""
    if value is None:
        return
    if column.kind in _TEXTS and units(value) > column.length:
        raise ApiError(
            400,
            "0x80044331",
            f"A validation error occurred.  The length of the '{column.name}' attribute of the '{table.name}' "
            f"entity exceeded the maximum allowed length of '{column.length}'.",
        )
    if column.is_choice and value not in dict(column.options):
        accepted = ",".join(str(option) for option, _ in column.options)
        raise ApiError(
            400,
            "0x8004431a",
            f"A validation error occurred.  The value {value} of '{column.name}' on record of type "
            f"'{table.name}' is outside the valid range. Accepted Values: {accepted}",
        )
    if column.kind in _NUMBERS and abs(value) > _MOST_MONEY:
        raise ApiError(
            400,
            "0x80044330",
            f"A validation error occurred.  The value of '{column.name}' on record of type "
            f"'{table.name}' is outside the valid range.",
        )


def units(text: str) -> int:
    """A text's length as .NET and the database count it: in code units of UTF-16, an emoji is two."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def refuse_characters(column: Column, value: Any) -> None:
    """What no client may write: control characters, and half a surrogate pair. Raises ApiError.

    A plug-in that cuts a text may leave such a half behind.
    """
    found = _UNWRITABLE.search(value) if column.kind in _TEXTS and isinstance(value, str) else None
    if found is not None:
        raise ApiError(
            400,
            "0x80040278",
            f"Invalid character in field '{column.name}': hexadecimal value 0x{ord(found[0]):02X}, "
            "is an invalid character.",
        )


def kept(column: Column, value: Any, places: int | None = None) -> Any:
    """The value as the database keeps it: a number rounded to its places and written with its column's scale."""
    if value is None or column.kind not in _NUMBERS:
        return value
    try:
        rounded = value.quantize(Decimal(1).scaleb(-(column.scale if places is None else places)), ROUND_HALF_UP)
        return rounded.quantize(Decimal(1).scaleb(-column.scale))
    except InvalidOperation:
        raise invalid_argument(f"The value of '{column.name}' is no number that can be kept.") from None


def to_json(column: Column, value: Any) -> Any:
    """As the Web API answers it."""
    if isinstance(value, Reference):
        return value.id
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d" if column.date_only else "%Y-%m-%dT%H:%M:%SZ")
    return value


def to_stored(value: Any) -> Any:
    if isinstance(value, Reference):
        return [value.table, value.id]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    return value


def from_stored(column: Column, value: Any) -> Any:
    if value is None:
        return None
    if column.is_lookup:
        return Reference(*value)
    if column.kind is Kind.MOMENT:
        return datetime.fromisoformat(value)
    if column.kind in _NUMBERS:
        return Decimal(value)
    return value
