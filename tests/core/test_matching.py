"""Match-based coupling's search: what it finds, what it says where it finds nothing, and that order is of no matter."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.core import matching
from receiver.core.mapping import Conversion, Direction, FieldMapping, TableMapping
from receiver.core.matching import (
    EMPTY,
    UNKNOWN,
    Found,
    Rows,
    Searched,
    Unmatched,
    criteria_of,
    dataverse_digest,
    digest,
    groups_of,
    is_criterion,
    local_digest,
    search,
)
from receiver.core.transformation import RuleError
from receiver.core.values import ColumnType, Reference

NAME = FieldMapping(1, "name", "name", match_on_this_field=True)
PHONE = FieldMapping(2, "phone_no", "telephone1", match_on_this_field=True, match_priority=1)


def mapping(*fields):
    return TableMapping("CUSTOMER", "customer", "account", Direction.BIDIRECTIONAL, fields)


def rows_of(criteria, *rows):
    """A row is its id and its values."""
    found = Rows(criteria)
    for id_, *values in rows:
        found.add(
            id_, f"Firm {id_}", [dataverse_digest(one, value) for one, value in zip(criteria, values, strict=True)]
        )
    return found


def record(criteria, key, *values):
    digests = (local_digest(one, value) if value else None for one, value in zip(criteria, values, strict=True))
    return Searched(key, tuple(digests))


def searched(criteria, rows, records, coupled=()):
    wanted = [record(criteria, *one) for one in records]
    return list(search(rows_of(criteria, *rows), groups_of(criteria), wanted, dict(coupled)))


def test_criteria_are_the_marked_fields_by_priority_whether_enabled_or_not():
    off = replace(NAME, number=7, is_enabled=False)
    unmarked = replace(NAME, number=3, match_on_this_field=False)
    constant, lost = replace(NAME, number=4, local_column=None), replace(NAME, number=5, dataverse_column=None)
    table = replace(NAME, number=6, conversion=Conversion.LOOKUP_TABLE)
    found = criteria_of(mapping(PHONE, off, unmarked, constant, lost, table, NAME))
    assert [one.number for one in found] == [1, 7, 2]
    assert groups_of(found) == ((0, 1), (2,))
    assert groups_of(()) == ()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Straße", "STRASSE"),
        (Decimal("1.50"), Decimal("1.5")),
        (Decimal("100.00"), 100),
        (datetime(2026, 1, 1, 12, tzinfo=UTC), datetime(2026, 1, 1, 14, tzinfo=timezone(timedelta(hours=2)))),
        (Reference("account", "a"), Reference("", "a")),
        ("", None),
        ((), None),
        ((1, 2), (1, 2)),
        (date(2026, 1, 1), date(2026, 1, 1)),
        (True, True),
    ],
    ids=map(str, range(10)),
)
def test_equal_values_have_one_digest(one, other):
    assert digest(one, NAME) == digest(other, NAME)
    assert len(digest(one, NAME)) in {0, 16}


def test_different_values_have_different_digests():
    values = [
        "a", "b", "1", 1, 10, 100, True, False, None, date(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC),
        "2026-01-01", Reference("", "a"), (1,), (1, 2), Decimal("0.1"),
    ]  # fmt: skip
    assert len({digest(one, NAME) for one in values}) == len(values)


def test_case_counts_only_where_the_field_says_so():
    strict = replace(NAME, case_sensitive_matching=True)
    assert digest("Nord", NAME) == digest("NORD", NAME)
    assert digest("Nord", strict) != digest("NORD", strict)


def test_values_are_transformed_on_the_side_where_the_rule_runs():
    out = replace(NAME, transformation_rule="TRIM")
    assert local_digest(out, " Nord ") == dataverse_digest(out, "Nord")
    assert local_digest(out, "Nord") != dataverse_digest(out, " Nord ")
    inward = replace(out, transformation_direction=Direction.FROM)
    assert local_digest(inward, "Nord") == dataverse_digest(inward, " Nord ")


def test_a_row_that_its_rule_cannot_transform_is_equal_to_nothing():
    inward = replace(
        NAME, transformation_rule="DATE_FORMAT(%d.%m.%Y, %Y-%m-%d)", transformation_direction=Direction.FROM
    )
    assert dataverse_digest(inward, "no date") not in {UNKNOWN, EMPTY, digest("no date", NAME)}
    with pytest.raises(RuleError):
        local_digest(replace(inward, transformation_direction=Direction.TO), "no date")


@pytest.mark.parametrize(
    ("value", "type_", "is_one"),
    [
        ("x", ColumnType.TEXT, True),
        ("", ColumnType.TEXT, False),
        (None, ColumnType.MEMO, False),
        (None, ColumnType.DECIMAL, True),
        (False, ColumnType.BOOLEAN, True),
    ],
)
def test_blank_text_is_no_criterion(value, type_, is_one):
    assert is_criterion(value, type_) is is_one


def test_one_equal_row_is_found():
    rows = [("a", "Nord"), ("b", "Süd")]
    assert searched([NAME], rows, [("1", "NORD")]) == [Found("1", row="a", rows=("a",), count=1)]


def test_every_criterion_of_a_group_must_be_equal_and_a_blank_one_is_left_out():
    both = (NAME, replace(PHONE, match_priority=0))
    rows = [("a", "Nord", "1"), ("b", "Nord", "2"), ("c", "Süd", "2")]
    found = searched(both, rows, [("1", "Nord", "2"), ("2", "", "1"), ("3", "Süd", "1"), ("4", "", "")])
    assert [(one.row, one.why) for one in found] == [
        ("b", None),
        ("a", None),
        ("", Unmatched.NONE),
        ("", Unmatched.NOTHING_TO_COMPARE),
    ]


def test_a_later_group_is_tried_where_an_earlier_one_finds_none_several_or_a_coupled_row():
    rows = [("a", "Nord", "1"), ("b", "Nord", "2"), ("c", "Süd", "3"), ("d", "West", "4")]
    records = [("1", "Ost", "4"), ("2", "Nord", "2"), ("3", "Süd", "1")]
    found = searched((NAME, PHONE), rows, records, {"c": "9"})
    assert [one.row for one in found] == ["d", "b", "a"]


def test_the_first_group_that_found_any_says_why_nothing_was_coupled():
    rows = [("a", "Nord", "1"), ("b", "Nord", "2"), ("c", "Süd", "3")]
    records = [("1", "Nord", "3"), ("2", "Ost", "3"), ("3", "Ost", "9"), ("4", "", "3"), ("5", "Ost", "")]
    found = searched((NAME, PHONE), rows, records, {"c": "9"})
    assert found == [
        Found("1", why=Unmatched.SEVERAL, rows=("a", "b"), count=2),
        Found("2", why=Unmatched.COUPLED, rows=("c",), count=1, other="9"),
        Found("3", why=Unmatched.NONE),
        Found("4", why=Unmatched.COUPLED, rows=("c",), count=1, other="9"),
        Found("5", why=Unmatched.NONE),
    ]


def test_the_first_record_takes_the_row_and_the_next_hears_who_has_it():
    found = searched([NAME], [("a", "Nord")], [("1", "Nord"), ("2", "Nord")])
    assert [(one.row, one.other) for one in found] == [("a", ""), ("", "1")]


def test_what_cannot_be_told_matches_nothing_and_says_why():
    rows = rows_of([NAME], ("a", "?"), ("b", None))
    (found,) = search(rows, [(0,)], [Searched("1", (UNKNOWN,), "Customer 7 is not coupled.")], {})
    assert (found.why, found.trouble) == (Unmatched.NONE, "Customer 7 is not coupled.")


def test_a_row_has_its_name_and_many_orders_do_not_pile_up(monkeypatch):
    monkeypatch.setattr(matching, "ORDERS", 1)
    rows = rows_of([NAME, PHONE], ("b", "Süd", "2"), ("a", "Nord", "1"))
    assert len(rows) == 2
    assert [rows.name(one) for one in ("a", "b")] == ["Firm a", "Firm b"]
    for wanted in ({0: digest("Nord", NAME)}, {1: digest("1", PHONE)}, {0: digest("Nord", NAME)}):
        assert rows.equal(wanted) == (1, ("a",))
    assert rows.equal({0: digest("Ost", NAME)}) == (0, ())


VALUES = st.sampled_from(["", "a", "A", "b", "c"])
SIDES = st.lists(st.tuples(VALUES, VALUES, VALUES), max_size=8)
CRITERIA = (NAME, replace(NAME, number=3), PHONE)


@given(rows=SIDES, records=SIDES, coupled=st.sets(st.integers(0, 7)), data=st.data())
def test_the_order_of_rows_does_not_matter_and_no_row_is_coupled_twice(rows, records, coupled, data):
    named = [(f"row {at}", *values) for at, values in enumerate(rows)]
    wanted = [(f"{at}", *values) for at, values in enumerate(records)]
    taken = {f"row {at}": "before" for at in coupled}

    found = searched(CRITERIA, named, wanted, taken)

    assert searched(CRITERIA, data.draw(st.permutations(named)), wanted, taken) == found
    chosen = [one.row for one in found if one.row]
    assert len(chosen) == len(set(chosen))
    assert not set(chosen) & taken.keys()
    assert [one.row for one in found] == [row for row, _ in by_brute_force(named, wanted, taken)]


def by_brute_force(rows, records, coupled):
    taken = set(coupled)
    for key, *values in records:
        answer = ""
        for group in ((0, 1), (2,)):
            used = [at for at in group if values[at]]
            equal = [id_ for id_, *theirs in rows if all(theirs[at].lower() == values[at].lower() for at in used)]
            if used and len(equal) == 1 and equal[0] not in taken:
                answer = equal[0]
                break
        taken.add(answer)
        yield answer, key
