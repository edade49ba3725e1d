"""The values that travel: when two mean the same, how they are kept, how they read."""

from __future__ import annotations

import json
import time
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.core.values import (
    Opaque,
    Reference,
    from_plain,
    from_plain_values,
    guid,
    is_empty,
    same,
    shown,
    to_plain,
    to_plain_values,
)

ID = "a0000000-0000-4000-8000-000000000001"
ZONES = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45)), timezone(timedelta(hours=-8))])
values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.text(),
    st.dates(),
    st.datetimes(timezones=ZONES),
    st.builds(Reference, st.text(), st.uuids().map(str)),
    st.lists(st.integers()).map(tuple),
    st.builds(Opaque, st.text()),
)


@given(values)
def test_a_value_kept_as_json_comes_back_equal_and_of_its_kind(value):
    kept = from_plain(json.loads(json.dumps(to_plain(value))))
    assert kept == value
    assert type(kept) is type(value)
    assert str(kept) == str(value)  # a Decimal keeps its scale


@given(st.dictionaries(st.text(), values))
def test_a_row_kept_as_json_comes_back_equal(row):
    assert from_plain_values(json.loads(json.dumps(to_plain_values(row)))) == row


KEPT = [
    (None, None),
    (True, True),
    (3, 3),
    ("Nordwind", "Nordwind"),
    (Decimal("10.50"), {"$decimal": "10.50"}),
    (date(2026, 1, 2), {"$date": "2026-01-02"}),
    (datetime(2026, 1, 2, 3, 4, tzinfo=UTC), {"$datetime": "2026-01-02T03:04:00+00:00"}),
    (Reference("account", ID), {"$reference": ["account", ID]}),
    ((1, 2), {"$choices": [1, 2]}),
    (Opaque('{"a": 1}'), {"$opaque": '{"a": 1}'}),
]


@pytest.mark.parametrize(("value", "plain"), KEPT, ids=[repr(row[0])[:30] for row in KEPT])
def test_what_a_database_has_kept_is_read_by_every_later_version(value, plain):
    assert to_plain(value) == plain
    assert from_plain(plain) == value
    assert type(from_plain(plain)) is type(value)


@given(values)
def test_every_value_is_the_same_as_itself(value):
    assert same(value, value)


@given(values, values)
def test_sameness_does_not_depend_on_the_order(one, other):
    assert same(one, other) == same(other, one)


@given(values)
def test_every_value_can_be_shown_to_a_person(value):
    assert isinstance(shown(value), str)


SAME = [
    ("null and empty text", None, "", True),
    ("null and no choices", None, (), True),
    ("empty and zero", None, 0, False),
    ("empty and no", None, False, False),
    ("numbers of different scale", Decimal("10.00"), Decimal(10), True),
    ("a whole number and a decimal", 10, Decimal("10.0000"), True),
    ("different numbers", Decimal("10.01"), Decimal(10), False),
    ("text in another case", "Nordwind", "nordwind", False),
    ("text with a blank", "Nordwind", "Nordwind ", False),
    ("a lookup whose table the wire did not say", Reference("account", ID), Reference("", ID), True),
    ("lookups to different rows", Reference("account", ID), Reference("account", ID[::-1]), False),
    ("a lookup and its own id as text", Reference("account", ID), ID, False),
    ("a moment in two zones", datetime(2026, 1, 1, 12, tzinfo=UTC), datetime(2026, 1, 1, 13, tzinfo=timezone(timedelta(hours=1))), True),
    ("a text and a number", "3", 3, False),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other", "is_same"), [row[1:] for row in SAME], ids=[row[0] for row in SAME])
def test_two_values_mean_the_same_or_they_do_not(one, other, is_same):
    assert same(one, other) is same(other, one) is is_same


@pytest.mark.parametrize("value", [None, "", ()], ids=repr)
def test_these_are_empty(value):
    assert is_empty(value)


@pytest.mark.parametrize("value", [0, False, " ", Decimal(0), (0,), Opaque("")], ids=repr)
def test_these_are_not_empty(value):
    assert not is_empty(value)


GUIDS = [
    ("as Dataverse writes it", ID, ID),
    ("in capitals", ID.upper(), ID),
    ("in braces", f"{{{ID.upper()}}}", ID),
    ("without hyphens", ID.replace("-", ""), None),
    ("too short", ID[:-1], None),
    ("with a line end behind", f"{ID}\n", None),
    ("not hexadecimal", "g" + ID[1:], None),
    ("a number", 5, None),
    ("nothing", None, None),
]


@pytest.mark.parametrize(("text", "found"), [row[1:] for row in GUIDS], ids=[row[0] for row in GUIDS])
def test_a_guid_has_one_spelling(text, found):
    assert guid(text) == found


SHOWN = [
    (None, "(empty)"),
    ("", "(empty)"),
    (True, "yes"),
    (False, "no"),
    (3, "3"),
    (Decimal("10.0100"), "10.0100"),
    ("Nordwind", "Nordwind"),
    (date(2026, 1, 2), "2026-01-02"),
    (datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=1))), "2026-01-02 02:04:05 UTC"),
    (Reference("account", ID), ID),
    ((1, 2), "1, 2"),
    (Opaque('{"a": 1}'), '{"a": 1}'),
]


@pytest.mark.parametrize(("value", "text"), SHOWN, ids=[repr(row[0])[:30] for row in SHOWN])
def test_a_value_reads_as_a_person_would_say_it(value, text):
    assert shown(value) == text


def test_a_moment_reads_in_utc_wherever_the_machine_stands(monkeypatch):
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TZ", "Asia/Kathmandu")
        time.tzset()
        read = shown(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    time.tzset()
    assert read == "2026-01-02 03:04:05 UTC"
