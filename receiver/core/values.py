"""The values that travel between the two sides, and when two of them are the same.

Both edges unwrap to these: a choice is an `int`, money and decimals are `Decimal`, a date-time is aware and in
UTC, a lookup is a `Reference`. A new column type is one member of `ColumnType` and one case in each edge
(`schemas/` for the webhook and the Web API, `store/local_tables.py` for SQL).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, order=True)
class Reference:
    """A lookup's value: which row of which Dataverse table.

    `table` is a logical name; `id` a lower-case guid with hyphens. `table` is empty where the wire did not say.
    `name` is what people call the row, as far as the wire said it; it makes no other value.
    """

    table: str
    id: str
    name: str = field(default="", compare=False)


@dataclass(frozen=True)
class Opaque:
    """A typed value of a kind that no mapping uses, kept as the JSON text it came as."""

    text: str


Value = None | bool | int | Decimal | str | date | datetime | Reference | tuple[int, ...] | Opaque
Values = Mapping[str, Value]
NO_VALUES: Values = MappingProxyType({})


class ColumnType(StrEnum):
    """What a column holds, named as Dataverse names it."""

    TEXT = "String"
    MEMO = "Memo"
    INTEGER = "Integer"
    BIG_INTEGER = "BigInt"
    DECIMAL = "Decimal"
    DOUBLE = "Double"
    MONEY = "Money"
    BOOLEAN = "Boolean"
    CHOICE = "Picklist"
    STATE = "State"
    STATUS = "Status"
    CHOICES = "MultiSelectPicklist"
    DATETIME = "DateTime"
    DATE = "DateOnly"
    LOOKUP = "Lookup"
    GUID = "Uniqueidentifier"


TEXTS = frozenset({ColumnType.TEXT, ColumnType.MEMO})
NUMBERS = frozenset({ColumnType.DECIMAL, ColumnType.DOUBLE, ColumnType.MONEY})
WHOLE_NUMBERS = frozenset(
    {ColumnType.INTEGER, ColumnType.BIG_INTEGER, ColumnType.CHOICE, ColumnType.STATE, ColumnType.STATUS}
)


#: of Column.precision_source: amounts are as precise as the currency of their row
BY_CURRENCY = 2


@dataclass(frozen=True)
class Column:
    """One column of a table on either side."""

    name: str
    type: ColumnType = ColumnType.TEXT
    #: characters, or UTF-16 units where `counts_utf16`; None: no limit
    max_length: int | None = None
    #: a lookup's possible tables and the navigation property that writes each
    navigation: Mapping[str, str] = field(default_factory=dict)
    #: a choice's labels
    labels: Mapping[int, str] = field(default_factory=dict)
    #: what people read instead of the name
    caption: str = ""
    is_read_only: bool = False
    #: decimal places that a number keeps; None: all of them
    precision: int | None = None
    #: of money: 0 its own precision, 1 the organisation's, 2 its currency's, which `precision` is where none is known
    precision_source: int = 0
    counts_utf16: bool = False
    takes_controls: bool = True
    has_whole_seconds: bool = False


def same(one: Value, other: Value) -> bool:
    """Whether two raw values of one column mean the same.

    Empty text and null are both *empty*, as in Business Central; numbers are compared by value, not by scale. Of one
    side with itself: across the two, `keeping.equal_as_kept` knows what each column makes of a value.
    """
    if one is other or one == other:
        return True
    if is_empty(one) or is_empty(other):
        return is_empty(one) and is_empty(other)
    return isinstance(one, Reference) and isinstance(other, Reference) and one.id == other.id


def is_empty(value: Value) -> bool:
    return not value and (value is None or value in ("", ()))


_GUID = re.compile(r"\{?([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})\}?")


def guid(text: object) -> str | None:
    """A guid in any case, with or without braces, as lower-case text with hyphens; None if it is none."""
    match = _GUID.fullmatch(text) if isinstance(text, str) else None
    return match[1].lower() if match else None


def shown(value: Value) -> str:
    """The value as a person reads it in a sentence."""
    if is_empty(value):
        return "(empty)"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Reference):
        return value.name or value.id
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    if isinstance(value, Opaque):
        return value.text
    return str(value)


def to_plain(value: Value) -> Any:
    """The value as JSON can keep it; `from_plain` gives the equal value back."""
    if value is None or isinstance(value, str | int):
        return value
    match value:
        case Reference(table, id_, name):
            return {"$reference": [table, id_, name] if name else [table, id_]}
        case Opaque(text):
            return {"$opaque": text}
        case Decimal():
            return {"$decimal": str(value)}
        case datetime():
            return {"$datetime": value.isoformat()}
        case date():
            return {"$date": value.isoformat()}
    return {"$choices": list(value)}


def from_plain(plain: Any) -> Value:
    if not isinstance(plain, dict):
        scalar: Value = plain  # JSON's own scalars are values already
        return scalar
    ((kind, content),) = plain.items()
    match kind:
        case "$reference":
            return Reference(*content)
        case "$opaque":
            return Opaque(content)
        case "$decimal":
            return Decimal(content)
        case "$datetime":
            return datetime.fromisoformat(content)
        case "$date":
            return date.fromisoformat(content)
    return tuple(content)


def to_plain_values(values: Values) -> dict[str, Any]:
    return {name: to_plain(value) for name, value in values.items()}


def from_plain_values(plain: Mapping[str, Any]) -> Values:
    return {name: from_plain(value) for name, value in plain.items()}
