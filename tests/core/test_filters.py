"""Table filters: what they let through, how they read, and what is said of one that cannot be read."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.core.filters import (
    EVERYTHING,
    AllOf,
    AnyOf,
    Condition,
    Filter,
    FilterError,
    columns_of,
    matches,
    parse,
    readable,
    without_columns,
)
from receiver.core.values import Column, ColumnType, Reference, Value

COMPANY = "c0000000-0000-4000-8000-000000000001"
ROW = {
    "name": "Nordwind",
    "fax": "",
    "state": 0,
    "type": 3,
    "limit": Decimal("10.50"),
    "blocked": False,
    "company": Reference("bcbi_company", COMPANY),
    "made": datetime(2026, 1, 1, tzinfo=UTC),
}

EVALUATED = [
    ("", True),
    ("name = 'Nordwind'", True),
    ("name = 'NORDWIND'", True),
    ("name <> 'nordwind'", False),
    ("name = 'Nord'", False),
    ("name = ''", False),
    ("name <> ''", True),
    ("name begins with 'NORD'", True),
    ("name begins with 'wind'", False),
    ("missing begins with 'x'", False),
    ("name begins with ''", True),
    ("missing begins with ''", True),
    ("state begins with '0'", True),
    ("state begins with '1'", False),
    ("state begins with 0", True),
    ("type begins with '3'", True),
    ("limit begins with '10'", True),
    ("blocked begins with 'n'", True),
    ("blocked begins with 'y'", False),
    ("fax begins with '0'", False),
    ("name > 'm'", True),
    ("name >= 'Nordwind' and name <= 'Nordwind'", True),
    ("name < 'a'", False),
    ("name < 'z'", True),
    ("limit < 11 and limit <= 11", True),
    ("name > ''", False),
    ("fax < 'a'", False),
    ("name is empty", False),
    ("name is not empty", True),
    ("fax is empty", True),
    ("fax is not empty", False),
    ("missing is empty", True),
    ("missing = ''", True),
    ("missing <> 'x'", True),
    ("missing < 5", False),
    ("state = 0", True),
    ("state is empty", False),
    ("type in (1, 3, 11)", True),
    ("type in (1, 11)", False),
    ("name in ('nordwind')", True),
    ("limit = 10.5", True),
    ("limit > 10", True),
    ("limit >= 10.51", False),
    ("limit > -1", True),
    ("blocked = no", True),
    ("blocked = YES", False),
    ("company = @company", True),
    ("company = 'C0000000-0000-4000-8000-000000000001'", True),
    ("company <> @company", False),
    ("name > 5", False),
    ("made > 'a'", False),
    ("company < 5", False),
    ("state = 0 and type = 4", False),
    ("state = 1 or type = 3", True),
    ("state = 1 or type = 4", False),
    ("state = 1 and type = 3 or name = 'Nordwind'", True),
    ("state = 1 and (type = 3 or name = 'Nordwind')", False),
    ("STATE = 0", False),
    ("state = 0 AND type IN (3) OR name IS EMPTY", True),
    ("name = 'O''Neill'", False),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), EVALUATED, ids=[row[0] or "no filter" for row in EVALUATED])
def test_a_row_is_inside_a_filter_or_outside(text, expected):
    assert matches(parse(text, COMPANY), ROW) is expected


def test_a_doubled_quote_is_a_quote():
    assert matches(parse("name = 'O''Neill'"), {"name": "o'neill"})


def test_without_a_company_id_the_filter_asks_for_none():
    assert matches(parse("company = @company"), {"company": None})


BROKEN = [
    ("name", "The filter ends where a comparison was expected: name"),
    ("name =", "The filter ends where a value was expected: name ="),
    ("name = 'Nord", "“'Nord” is not understood in the filter: name = 'Nord"),
    ("name = 'Nordwind Handelsgesellschaft", "“'Nordwind Handelsges” is not understood in the filter: name = 'Nordwind Handelsgesellschaft"),
    ("name = Nordwind", "“Nordwind” is no value; text stands in 'quotes'"),
    ("name is 5", "“is” is no comparison; one of =, <>, >, >=, <, <=, begins with, in, is empty, is not empty was expected"),
    ("name ~ 5", "“~ 5” is not understood in the filter: name ~ 5"),
    ("name = 5 type = 3", "“and” or “or” was expected before “type” in the filter: name = 5 type = 3"),
    ("name = 5 and", "The filter ends where a column was expected: name = 5 and"),
    ("(name = 5", "The filter ends where “)” was expected: ( name = 5"),
    ("(name = 5 type = 3)", "“)” was expected in the filter: ( name = 5 type = 3 )"),
    ("name = 5)", "“and” or “or” was expected before “)” in the filter: name = 5)"),
    ("= 5", "“=” stands where a column was expected"),
    ("5 = name", "“5” stands where a column was expected"),
    ("@company = 5", "“@company” stands where a column was expected"),
    ("type in 3", "“(” was expected after “in”"),
    ("type in", "The filter ends where “(” was expected: type in"),
    ("type in ()", "“)” is no value; text stands in 'quotes'"),
    ("type in (1, 2", "The filter ends where “)” was expected: type in ( 1 , 2"),
    ("type in (1 2)", "“)” was expected in the filter: type in ( 1 2 )"),
    ("limit = 1.5.2", "“.2” is not understood in the filter: limit = 1.5.2"),
    ("limit = 12abc", "“12abc” is not understood in the filter: limit = 12abc"),
    ("(" * 5000 + "name = 5" + ")" * 5000, "The filter has more brackets within brackets than can be read."),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), BROKEN, ids=[row[0][:30] for row in BROKEN])
def test_a_filter_that_cannot_be_read_says_why(text, said):
    with pytest.raises(FilterError) as refused:
        parse(text)
    assert str(refused.value) == said


@pytest.mark.parametrize("text", ["", " ", "\n\t "], ids=["empty", "a blank", "other blanks"])
def test_no_filter_lets_everything_through(text):
    assert parse(text) == EVERYTHING


def test_what_no_parser_made_is_refused_rather_than_guessed():
    with pytest.raises(FilterError, match="not a filter"):
        matches(Condition("name", "=", ()), {})


def test_a_filter_knows_its_columns():
    assert columns_of(parse("a = 1 and (b = 2 or c is empty)")) == {"a", "b", "c"}
    assert columns_of(EVERYTHING) == frozenset()


PRUNED = [
    ("a = 1", "", "everything was about the column"),
    ("a = 1 and b = 2", "b = 2", "the rest stays"),
    ("a = 1 or a is empty", "", "an or of it alone"),
    ("b = 2 and (a = 1 or a is empty)", "b = 2", "brackets of it alone"),
    ("b = 2 and (a = 1 or c = 3)", "b = 2 and c = 3", "one part of a bracket"),
    ("b = 2 and c = 3 and a = 1", "b = 2 and c = 3", "the last of three"),
    ("b = 2 or c = 3", "b = 2 or c = 3", "nothing is about the column"),
    ("", "", "no filter"),
]


@pytest.mark.parametrize(("text", "left"), [row[:2] for row in PRUNED], ids=[row[2] for row in PRUNED])
def test_conditions_on_a_column_that_an_environment_lacks_fall_away(text, left):
    assert without_columns(parse(text), frozenset({"a"})) == parse(left)


COLUMNS = {
    "state": Column("state", ColumnType.STATE, labels={0: "Active", 1: "Inactive"}, caption="Status"),
    "name": Column("name", caption="Account Name"),
}
READABLE = [
    ("", "all records"),
    ("state = 0", "Status is Active"),
    ("state <> 1", "Status is not Inactive"),
    ("state in (0, 1, 2)", "Status is one of Active, Inactive, 2"),
    ("name is empty", "Account Name is empty"),
    ("name is not empty", "Account Name is not empty"),
    ("name begins with 'Nord'", "Account Name begins with Nord"),
    ("name = ''", "Account Name is (empty)"),
    ("other >= 1.50", "other >= 1.50"),
    ("other = yes or other = no", "other is yes or other is no"),
    ("state = 0 and (name = 'a' or name = 'b')", "Status is Active and (Account Name is a or Account Name is b)"),
    ("state = 0 and name = 'a' or name = 'b'", "Status is Active and Account Name is a or Account Name is b"),
]


@pytest.mark.parametrize(("text", "said"), READABLE, ids=[row[0] or "no filter" for row in READABLE])
def test_a_filter_reads_as_a_sentence_with_captions_and_labels(text, said):
    assert readable(parse(text), COLUMNS) == said


# -- every filter, printed and parsed again --------------------------------------------------------------------

keywords = {"in", "is", "and", "or", "begins", "not", "empty", "with", "yes", "no"}
columns = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True).filter(lambda name: name.lower() not in keywords)
scalars: st.SearchStrategy[Value] = st.one_of(
    st.text(),
    st.booleans(),
    st.integers(),
    st.decimals(min_value=-(10**6), max_value=10**6, places=2),
)
conditions = st.one_of(
    st.builds(
        lambda column, operator, value: Condition(column, operator, (value,)),
        columns,
        st.sampled_from(["=", "<>", ">", ">=", "<", "<=", "begins with"]),
        scalars,
    ),
    st.builds(Condition, columns, st.sampled_from(["is empty", "is not empty"])),
    st.builds(
        lambda column, values: Condition(column, "in", tuple(values)),
        columns,
        st.lists(scalars, min_size=1, max_size=4),
    ),
)


def combined(parts: st.SearchStrategy[Filter]) -> st.SearchStrategy[Filter]:
    several = st.lists(parts, min_size=2, max_size=3).map(tuple)
    return st.one_of(several.map(AllOf), several.map(AnyOf))


def printed(filter_: Filter) -> str:
    """The filter as a person types it, every part that is itself composed in brackets."""
    if isinstance(filter_, Condition):
        words = [_typed(value) for value in filter_.values]
        if filter_.operator == "in":
            return f"{filter_.column} in ({', '.join(words)})"
        return " ".join([filter_.column, filter_.operator, *words])
    word = " and " if isinstance(filter_, AllOf) else " or "
    return word.join(printed(part) if isinstance(part, Condition) else f"({printed(part)})" for part in filter_.parts)


def _typed(value: Value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)


@given(st.recursive(conditions, combined, max_leaves=6))
def test_every_filter_that_is_typed_is_read_as_it_was_meant(filter_):
    assert parse(printed(filter_)) == filter_


@given(st.recursive(conditions, combined, max_leaves=6), st.dictionaries(columns, scalars))
def test_every_filter_has_an_answer_for_every_row(filter_, row):
    assert matches(filter_, row) in {True, False}
    assert readable(filter_, {})


def reading(text: str) -> Filter | str:
    """The filter, or the sentence that refuses it."""
    try:
        return parse(text)
    except FilterError as refused:
        return str(refused)


@given(st.text(alphabet="ab=<>()', \n05.-@_is empty", max_size=30))
def test_whatever_is_typed_is_a_filter_or_is_refused_with_a_sentence(text):
    read = reading(text)
    assert read if isinstance(read, str) else matches(read, {}) in {True, False}
