"""The `$filter` language: comparisons, and, or, not, parentheses, startswith, endswith, contains, In, NotIn.

Source: DP/webapi/query/filter-rows.md.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from receiver.sandbox.errors import ApiError, unknown_property
from receiver.sandbox.organization import Organization
from receiver.sandbox.storage import Row
from receiver.sandbox.table import Table
from receiver.sandbox.values import Reference, moment_of
from receiver.sandbox.web_api import secured, sight

Test = Callable[[Row], bool]

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<text>'(?:[^']|'')*'|"[^"]*")
  | (?P<guid>[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})
  | (?P<moment>\d{4}-\d{2}-\d{2}(?:T[\d:.]+(?:Z|[+-]\d{2}:\d{2})?)?)
  | (?P<number>-?\d+(?:\.\d+)?)
  | (?P<word>[A-Za-z_][\w./]*)
  | (?P<mark>[(),\[\]=]))""",
    re.VERBOSE,
)
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
#: whether anything may stand before the part, and after it
_TEXT_TESTS = {"contains": (True, True), "startswith": (False, True), "endswith": (True, False)}
_LITERALS: dict[str, Any] = {"null": None, "true": True, "false": False}
_IN, _NOT_IN = "Microsoft.Dynamics.CRM.In", "Microsoft.Dynamics.CRM.NotIn"


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str


def filter_of(organization: Organization, table: Table, text: str) -> Test:
    """Raises ApiError for what the sandbox, or Dataverse, does not understand."""
    reader = _Reader(organization, table, _tokens(text), text)
    test = reader.either()
    if reader.next() is not None:
        raise reader.problem()
    return test


def _tokens(text: str) -> list[_Token]:
    tokens, at, end = [], 0, len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None or found.lastgroup is None:
            raise _problem(text)
        tokens.append(_Token(found.lastgroup, found[found.lastgroup]))
        at = found.end()
    return tokens


def _problem(text: str) -> ApiError:
    return ApiError(400, "0x80060888", f"Syntax error in the filter expression '{text}'.")


@dataclass(frozen=True, eq=False)
class _Equal:
    """One column equal to any of some literals: hundreds of ids joined by `or` are looked up, as by an index."""

    column: str
    key_of: Callable[[Row], Any]
    wanted: frozenset[Any]

    def __call__(self, row: Row) -> bool:
        return self.key_of(row) in self.wanted


class _Reader:
    """One level of precedence in each method, the weakest first."""

    def __init__(self, organization: Organization, table: Table, tokens: list[_Token], text: str) -> None:
        self._organization = organization
        self._collation = organization.collation
        self._table = table
        self._tokens = tokens
        self._text = text
        self._at = 0

    def either(self) -> Test:
        tests = [self._both()]
        while self._accept("or"):
            tests.append(self._both())
        equal = [test for test in tests if isinstance(test, _Equal)]
        if len(equal) == len(tests) and len({test.column for test in equal}) == 1:
            return replace(equal[0], wanted=frozenset[Any]().union(*(test.wanted for test in equal)))
        return lambda row: any(test(row) for test in tests)

    def _both(self) -> Test:
        tests = [self._negated()]
        while self._accept("and"):
            tests.append(self._negated())
        return tests[0] if len(tests) == 1 else lambda row: all(test(row) for test in tests)

    def _negated(self) -> Test:
        if self._accept("not"):
            test = self._negated()
            return lambda row: not test(row)
        if self._accept("("):
            inner = self.either()
            self._expect(")")
            return inner
        return self._single()

    def _single(self) -> Test:
        word = self._take("word").text
        if word in _TEXT_TESTS:
            return self._text_test(*_TEXT_TESTS[word])
        if word == _IN:
            return self._one_of()
        if word == _NOT_IN:
            is_one = self._one_of()
            return lambda row: not is_one(row)
        return self._comparison(word)

    def _text_test(self, before: bool, after: bool) -> Test:  # noqa: FBT001 - from the table above
        self._expect("(")
        value_of = self._value_of(self._take("word").text)
        self._expect(",")
        like = self._collation.pattern(str(self._literal()), before=before, after=after)
        self._expect(")")
        return lambda row: like.fullmatch(self._collation.shown(str(value_of(row) or ""))) is not None

    def _one_of(self) -> Test:
        """`Microsoft.Dynamics.CRM.In(PropertyName='name',PropertyValues=['a','b'])`."""
        for mark in ("(", "PropertyName", "="):
            self._expect(mark)
        value_of = self._value_of(str(self._literal()))
        for mark in (",", "PropertyValues", "=", "["):
            self._expect(mark)
        wanted = {self._collation.of(self._literal())}
        while self._accept(","):
            wanted.add(self._collation.of(self._literal()))
        for mark in ("]", ")"):
            self._expect(mark)
        texts = {str(value) for value in wanted}
        return lambda row: str(self._collation.of(value_of(row))) in texts

    def _comparison(self, name: str) -> Test:
        value_of = self._value_of(name)
        word, literal = self._take("word").text, self._literal()
        if word in {"eq", "ne"}:
            is_equal = _Equal(name, lambda row: self._key(value_of(row)), frozenset({self._key(literal)}))
            # As in Dataverse, an empty column differs from every value.
            return is_equal if word == "eq" else lambda row: not is_equal(row)
        if word not in _COMPARISONS:
            raise self.problem()
        return lambda row: self._ordered(_COMPARISONS[word], value_of(row), literal)

    def _value_of(self, name: str) -> Callable[[Row], Any]:
        """A column of the row, or `navigation/column` of the row a lookup points at."""
        navigation, _, further = name.rpartition("/")
        if not navigation:
            column = self._table.by_property.get(name)
            if column is None:
                raise unknown_property(name, self._table.name)
            return lambda row: _comparable(secured.seen(self._organization, row, column.name))
        return self._value_behind(navigation, further)

    def _value_behind(self, navigation: str, name: str) -> Callable[[Row], Any]:
        found = self._table.by_navigation.get(navigation)
        if found is None:
            raise unknown_property(navigation, self._table.name)
        lookup, target = found
        if not self._organization.schema.table(target.table).has(name):
            raise unknown_property(name, target.table)

        def value(row: Row) -> Any:
            reference = row.get(lookup.name)
            if reference is None or sight.is_hidden(self._organization, reference.table, reference.id):
                return None
            behind = self._organization.store.row(reference.table, reference.id)
            return _comparable(secured.seen(self._organization, behind, name)) if behind else None

        return value

    def _key(self, value: Any) -> Any:
        """Equal for values that are equal to `eq`: true is no 1."""
        return isinstance(value, bool), self._collation.of(value)

    def _ordered(self, holds: Callable[[Any, Any], bool], value: Any, literal: Any) -> bool:
        both = (self._collation.of(value), self._collation.of(literal))
        are_numbers = all(isinstance(one, (int, Decimal)) for one in both)
        if not are_numbers and not any(all(isinstance(one, kind) for one in both) for kind in (str, datetime)):
            return False
        return holds(*both)

    def _literal(self) -> Any:
        token = self.next()
        if token is None:
            raise self.problem()
        self._at += 1
        if token.text.startswith('"'):
            return token.text[1:-1]
        if token.kind == "text":
            return token.text[1:-1].replace("''", "'")
        if token.kind == "moment":
            return moment_of(token.text)
        if token.kind == "number":
            return Decimal(token.text)
        if token.kind == "word" and token.text in _LITERALS:
            return _LITERALS[token.text]
        if token.kind == "guid":
            return token.text.lower()
        raise self.problem()

    def next(self) -> _Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def problem(self) -> ApiError:
        return _problem(self._text)

    def _accept(self, text: str) -> bool:
        token = self.next()
        if token is None or token.kind == "text" or token.text != text:
            return False
        self._at += 1
        return True

    def _expect(self, text: str) -> None:
        if not self._accept(text):
            raise self.problem()

    def _take(self, kind: str) -> _Token:
        token = self.next()
        if token is None or token.kind != kind:
            raise self.problem()
        self._at += 1
        return token


def _comparable(value: Any) -> Any:
    return value.id if isinstance(value, Reference) else value
