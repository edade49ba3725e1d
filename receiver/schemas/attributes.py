"""One value of an execution context, as Microsoft's DataContractJsonSerializer writes it, to a core value.

Values are told apart by shape and `__type`, never by guessing at text: a string that looks like a guid or a date is
a string here, and its column's type decides (`dataverse/columns.py`). What is unknown stays opaque, what is odd
becomes a defect with its place and the value is left out. Source: reference/dataverse.md §2.2–2.4, 2.9.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, TypeGuard

from receiver.core.message import Defect, Parameter, Relationship, Row
from receiver.core.values import Opaque, Reference, Value, guid

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DATE = re.compile(r"/Date\((-?\d+)([+-]\d{4})?\)/")


class Reader:
    """Reads one body; `defects` gathers what was odd, with its JSON pointer."""

    def __init__(self) -> None:
        self.defects: list[Defect] = []

    def note(self, place: str, what: str) -> None:
        self.defects.append(Defect(place, what))

    def bag(self, raw: Any, place: str) -> dict[str, Parameter]:
        """A `[{"key": …, "value": …}]` bag; null, absent and `[]` are all an empty one."""
        found: dict[str, Parameter] = {}
        if raw is None:
            return found
        if not isinstance(raw, list):
            self.note(place, f"a list of key and value was expected, not {_kind(raw)}")
            return found
        for index, pair in enumerate(raw):
            where = f"{place}/{index}"
            if not isinstance(pair, dict) or not isinstance(pair.get("key"), str) or "value" not in pair:
                self.note(where, "an object with key and value was expected")
                continue
            try:
                found[pair["key"]] = self.parameter(pair["value"], f"{where}/value")
            except ValueError as error:
                self.note(f"{where}/value", str(error))
            except RecursionError:
                self.note(f"{where}/value", "the value is nested too deeply")
        return found

    def parameter(self, raw: Any, place: str) -> Parameter:
        """Any value of a bag.

        Raises: ValueError where the value contradicts its own `__type`.
        """
        if isinstance(raw, dict):
            return self._typed(raw, place)
        if isinstance(raw, list):
            return tuple(self.parameter(item, f"{place}/{index}") for index, item in enumerate(raw))
        return date_or_text(raw) if isinstance(raw, str) else raw

    def _typed(self, raw: dict[str, Any], place: str) -> Parameter:
        name = str(raw.get("__type", "")).split(":", 1)[0]
        if name == "Entity" or (not name and "Attributes" in raw):
            return self.row(raw, place)
        if name == "EntityCollection":
            return tuple(self._rows(raw.get("Entities") or [], f"{place}/Entities"))
        if name in SCALARS:
            return SCALARS[name](raw)
        if not name and "LogicalName" in raw and "Id" in raw:
            return _reference(raw)
        return Opaque(json.dumps(raw, default=str))

    def _rows(self, raw: Any, place: str) -> Iterator[Row]:
        if not isinstance(raw, list):
            raise ValueError(f"a list of rows was expected, not {_kind(raw)}")
        for index, row in enumerate(raw):
            try:
                yield self.row(row, f"{place}/{index}")
            except ValueError as error:
                self.note(f"{place}/{index}", str(error))

    def row(self, raw: Any, place: str) -> Row:
        """An entity, typed as a Target or bare as an image.

        Raises: ValueError when it names no table or no id.
        """
        if not isinstance(raw, dict):
            raise ValueError(f"a row was expected, not {_kind(raw)}")
        reference = _reference(raw)
        attributes = self.bag(raw.get("Attributes"), f"{place}/Attributes")
        values = {name: value for name, value in attributes.items() if is_value(value)}
        formatted = raw.get("FormattedValues")
        if isinstance(formatted, list):
            values |= _named(values, formatted)
        return Row(reference.table, reference.id, values)


def _named(values: Mapping[str, Value], formatted: list[Any]) -> dict[str, Value]:
    """The lookups that carry no name, with the one that people read: `[{"key": …, "value": …}]`."""
    found: dict[str, Value] = {}
    for one in formatted:
        if isinstance(one, dict) and isinstance(one.get("value"), str):
            value = values.get(str(one.get("key")))
            if isinstance(value, Reference) and not value.name:
                found[str(one["key"])] = replace(value, name=one["value"])
    return found


def date_or_text(text: str) -> Value:
    """`/Date(ms±hhmm)/` as an aware date-time in UTC; milliseconds are UTC already and the offset says nothing.

    It stays as the zone's name: in a text column the same characters are a text, which must not lose any.
    """
    match = _DATE.fullmatch(text)
    if match is None:
        return text
    try:
        moment = EPOCH + timedelta(milliseconds=int(match[1]))
    except OverflowError:
        raise ValueError(f"{text} lies outside the calendar") from None
    return moment.replace(tzinfo=timezone(timedelta(0), match[2])) if match[2] else moment


def _kind(raw: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return kinds.get(type(raw), "a number")


def is_value(value: Parameter) -> TypeGuard[Value]:
    """Whether a mapping could read it: rows in rows (party lists) are not."""
    if isinstance(value, tuple):
        return all(isinstance(item, int) for item in value)
    return not isinstance(value, Row | Relationship)


def _reference(raw: Mapping[str, Any]) -> Reference:
    table, id_ = raw.get("LogicalName"), guid(raw.get("Id"))
    if not isinstance(table, str) or id_ is None:
        raise ValueError("a LogicalName and a guid as Id were expected")
    if not table.isprintable():
        raise ValueError("the LogicalName holds a character that cannot be printed")
    name = raw.get("Name")
    return Reference(table, id_, name if isinstance(name, str) else "")


def _whole_number(raw: Mapping[str, Any]) -> int:
    value = raw.get("Value")
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"a whole number was expected, not {_kind(value)}")
    return value


def _money(raw: Mapping[str, Any]) -> Decimal:
    value = raw.get("Value")
    if not isinstance(value, int | Decimal) or isinstance(value, bool):
        raise ValueError(f"an amount was expected, not {_kind(value)}")
    return Decimal(value)


def _boolean(raw: Mapping[str, Any]) -> bool:
    value = raw.get("Value")
    if not isinstance(value, bool):
        raise ValueError(f"true or false was expected, not {_kind(value)}")
    return value


def _aliased(raw: Mapping[str, Any]) -> Parameter:
    return Reader().parameter(raw.get("Value"), "")


def _relationship(raw: Mapping[str, Any]) -> Relationship:
    return Relationship(str(raw.get("SchemaName")))


SCALARS: Mapping[str, Callable[[Mapping[str, Any]], Parameter]] = {
    "EntityReference": _reference,
    "OptionSetValue": _whole_number,
    "Money": _money,
    "BooleanManagedProperty": _boolean,
    "AliasedValue": _aliased,
    "Relationship": _relationship,
}
