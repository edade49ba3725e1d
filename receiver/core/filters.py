"""Table filters: a small grammar that is stored as text and can be evaluated on a row of either side.

    filter      = all-of ("or" all-of)*
    all-of      = condition ("and" condition)*
    condition   = "(" filter ")" | column comparison
    comparison  = "=" value | "<>" value | ">" value | ">=" value | "<" value | "<=" value
                | "begins with" value | "in" "(" value ("," value)* ")" | "is empty" | "is not empty"
    value       = 'text' (a quote is doubled) | number | yes | no | @company

`@company` is the company id of the settings. Text is compared without regard to case, as both sides' databases
of Business Central do.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from receiver.core.values import Column, Reference, Value, Values, is_empty


class FilterError(ValueError):
    """A filter that cannot be read; the text says where and what was expected."""


@dataclass(frozen=True)
class Condition:
    column: str
    operator: str
    values: tuple[Value, ...] = ()


@dataclass(frozen=True)
class AllOf:
    parts: tuple[Filter, ...]


@dataclass(frozen=True)
class AnyOf:
    parts: tuple[Filter, ...]


Filter = Condition | AllOf | AnyOf
EVERYTHING: Filter = AllOf(())

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?(?![\w-]))|(?P<operator><>|>=|<=|[=<>(),])"
    r"|(?P<word>@?[A-Za-z_][\w]*))"
)


def parse(text: str, company: str | None = None) -> Filter:
    """The filter that *text* says; empty text lets everything through.

    Raises: FilterError.
    """
    tokens = list(_tokens(text))
    if not tokens:
        return EVERYTHING
    reader = _Reader(tokens, company)
    try:
        result = reader.any_of()
    except RecursionError:
        raise FilterError("The filter has more brackets within brackets than can be read.") from None
    if reader.here() is not None:
        raise FilterError(f"“and” or “or” was expected before “{reader.here()}” in the filter: {text}")
    return result


def _tokens(text: str) -> Iterator[str]:
    position = 0
    while text[position:].strip():
        match = _TOKEN.match(text, position)
        if match is None:
            raise FilterError(f"“{text[position:].strip()[:20]}” is not understood in the filter: {text}")
        position = match.end()
        yield match.group().strip()


class _Reader:
    """Recursive descent over the tokens, one method a rule of the grammar."""

    def __init__(self, tokens: list[str], company: str | None) -> None:
        self._tokens = tokens
        self._at = 0
        self._company = company

    def here(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _next(self, expected: str) -> str:
        token = self.here()
        if token is None:
            raise FilterError(f"The filter ends where {expected} was expected: {' '.join(self._tokens)}")
        self._at += 1
        return token

    def _took(self, *words: str) -> bool:
        ahead = [token.lower() for token in self._tokens[self._at : self._at + len(words)]]
        if ahead != list(words):
            return False
        self._at += len(words)
        return True

    def any_of(self) -> Filter:
        parts = [self._all_of()]
        while self._took("or"):
            parts.append(self._all_of())
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def _all_of(self) -> Filter:
        parts = [self._condition()]
        while self._took("and"):
            parts.append(self._condition())
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _condition(self) -> Filter:
        if self._took("("):
            inner = self.any_of()
            self._close()
            return inner
        column = self._next("a column")
        if not re.fullmatch(r"[A-Za-z_]\w*", column):
            raise FilterError(f"“{column}” stands where a column was expected")
        for words in (("is", "empty"), ("is", "not", "empty")):
            if self._took(*words):
                return Condition(column, " ".join(words))
        if self._took("begins", "with"):
            return Condition(column, "begins with", (self._value(),))
        if self._took("in"):
            return Condition(column, "in", self._list())
        operator = self._next("a comparison")
        if operator not in _COMPARISONS:
            raise FilterError(f"“{operator}” is no comparison; one of {', '.join(_COMPARISONS)} was expected")
        return Condition(column, operator, (self._value(),))

    def _close(self) -> None:
        if self._next("“)”") != ")":
            raise FilterError(f"“)” was expected in the filter: {' '.join(self._tokens)}")

    def _list(self) -> tuple[Value, ...]:
        if self._next("“(”") != "(":
            raise FilterError("“(” was expected after “in”")
        values = [self._value()]
        while self._took(","):
            values.append(self._value())
        self._close()
        return tuple(values)

    def _value(self) -> Value:
        token = self._next("a value")
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        if re.fullmatch(r"-?\d+", token):
            return int(token)
        if re.fullmatch(r"-?\d+\.\d+", token):
            return Decimal(token)
        named: dict[str, Value] = {"yes": True, "no": False, "@company": self._company}
        if token.lower() not in named:
            raise FilterError(f"“{token}” is no value; text stands in 'quotes'")
        return named[token.lower()]


def _folded(value: Value) -> Value:
    if isinstance(value, Reference):
        return value.id
    return value.casefold() if isinstance(value, str) else value


def _equal(one: Value, other: Value) -> bool:
    if one == other:
        return True
    if is_empty(one) or is_empty(other):
        return is_empty(one) and is_empty(other)
    return _folded(one) == _folded(other)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Value, tuple[Value, ...]], bool]:
    def compared(one: Value, wanted: tuple[Value, ...]) -> bool:
        other = wanted[0]
        if is_empty(one) or is_empty(other):
            return False
        try:
            return compare(_folded(one), _folded(other))
        except TypeError:
            return False

    return compared


def _as_text(value: Value) -> str:
    """As a person writes it in a filter: 0 and no are no empty values."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if is_empty(value) else str(_folded(value))


#: a column's value beside what the condition names
_COMPARISONS: Mapping[str, Callable[[Value, tuple[Value, ...]], bool]] = {
    "=": lambda value, wanted: _equal(value, wanted[0]),
    "<>": lambda value, wanted: not _equal(value, wanted[0]),
    ">": _ordered(operator.gt),
    ">=": _ordered(operator.ge),
    "<": _ordered(operator.lt),
    "<=": _ordered(operator.le),
    "begins with": lambda value, wanted: _as_text(value).startswith(_as_text(wanted[0])),
    "in": lambda value, wanted: any(_equal(value, one) for one in wanted),
    "is empty": lambda value, _: is_empty(value),
    "is not empty": lambda value, _: not is_empty(value),
}


def matches(filter_: Filter, values: Values) -> bool:
    """Whether a row with *values* is inside the filter; an absent column is empty."""
    if isinstance(filter_, Condition):
        try:
            return _COMPARISONS[filter_.operator](values.get(filter_.column), filter_.values)
        except LookupError:
            raise FilterError(f"not a filter: {filter_}") from None
    parts = (matches(part, values) for part in filter_.parts)
    return all(parts) if isinstance(filter_, AllOf) else any(parts)


def columns_of(filter_: Filter) -> frozenset[str]:
    if isinstance(filter_, Condition):
        return frozenset({filter_.column})
    return frozenset[str]().union(*(columns_of(part) for part in filter_.parts))


def without_columns(filter_: Filter, lacking: frozenset[str]) -> Filter:
    """The filter without the conditions on columns that an environment lacks."""
    return _pruned(filter_, lacking) or EVERYTHING


def _pruned(filter_: Filter, lacking: frozenset[str]) -> Filter | None:
    if isinstance(filter_, Condition):
        return None if filter_.column in lacking else filter_
    parts = tuple(part for part in (_pruned(part, lacking) for part in filter_.parts) if part is not None)
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else type(filter_)(parts)


def readable(filter_: Filter, columns: Mapping[str, Column]) -> str:
    """The filter in words, with captions and choice labels."""
    match filter_:
        case AllOf(()):
            return "all records"
        case AllOf(parts):
            return " and ".join(_bracketed(part, columns) for part in parts)
        case AnyOf(parts):
            return " or ".join(_bracketed(part, columns) for part in parts)
    column = columns.get(filter_.column, Column(filter_.column))
    name = column.caption or column.name
    if not filter_.values:
        return f"{name} {filter_.operator}"
    said = ", ".join(_said(value, column) for value in filter_.values)
    words = {"=": "is", "<>": "is not", "in": "is one of"}
    return f"{name} {words.get(filter_.operator, filter_.operator)} {said}"


def _bracketed(filter_: Filter, columns: Mapping[str, Column]) -> str:
    said = readable(filter_, columns)
    return f"({said})" if isinstance(filter_, AnyOf) else said


def _said(value: Value, column: Column) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and value in column.labels:
        return column.labels[value]
    return "(empty)" if is_empty(value) else str(value)
