"""Values in their forms: what Python gives, what JSON gives, what is kept, and what is refused."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.sandbox import ApiError, Reference, exact_json
from receiver.sandbox.schema import make_schema
from receiver.sandbox.values import check, from_json, from_python, from_stored, kept, to_json, to_stored

ACCOUNT = make_schema().table("account")
CONTACT = make_schema().table("contact")
ID = "a0000000-0000-4000-8000-000000000001"
NOON = dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("column", "given", "logical"),
    [
        ("name", "", None),
        ("name", "A", "A"),
        ("creditlimit", "10.50", Decimal("10.50")),
        ("creditlimit", 10.5, Decimal("10.5")),
        ("creditlimit", 7, Decimal(7)),
        ("customertypecode", 3, 3),
        ("creditonhold", True, True),
        ("primarycontactid", ID.upper(), Reference("contact", ID)),
        ("primarycontactid", ("contact", ID), Reference("contact", ID)),
        ("primarycontactid", Reference("contact", f"{{{ID}}}"), Reference("contact", ID)),
        ("ownerid", ID, Reference("systemuser", ID)),
        ("createdon", NOON.replace(microsecond=5), NOON),
        ("createdon", dt.date(2026, 5, 1), NOON.replace(hour=0)),
        ("createdon", "2026-05-01T14:00:00+02:00", NOON),
        ("createdon", None, None),
    ],
)
def test_python_values_become_logical_ones(column, given, logical):
    assert from_python(ACCOUNT.by_name[column], given) == logical


@pytest.mark.parametrize(
    ("column", "given", "problem"),
    [
        ("createdon", dt.datetime(2026, 5, 1), TypeError),  # noqa: DTZ001  # naive is the case
        ("createdon", "noon", ApiError),
        ("primarycontactid", "nobody", ApiError),
        ("customertypecode", "3", ApiError),
        ("name", 5, ApiError),
    ],
)
def test_python_values_that_are_none_are_refused(column, given, problem):
    with pytest.raises(problem):
        from_python(ACCOUNT.by_name[column], given)


@pytest.mark.parametrize("column", ["name", "creditlimit", "createdon", "primarycontactid", "creditonhold"])
def test_what_is_stored_reads_back_as_it_was(column):
    given = {"name": "A", "creditlimit": "10.5000", "createdon": NOON, "primarycontactid": ID, "creditonhold": False}
    logical = from_python(ACCOUNT.by_name[column], given[column])
    stored = exact_json.loads(exact_json.dumps(to_stored(logical)))
    assert from_stored(ACCOUNT.by_name[column], stored) == logical


@given(st.decimals(min_value=-(10**12), max_value=10**12, allow_nan=False, allow_infinity=False, places=6))
def test_money_is_kept_with_four_places_and_survives_json(amount):
    column = ACCOUNT.by_name["creditlimit"]
    rounded = kept(column, amount)
    assert -rounded.as_tuple().exponent == 4
    assert abs(rounded - amount) <= Decimal("0.00005")
    again = exact_json.loads(exact_json.dumps({"x": to_json(column, rounded)}))["x"]
    assert str(from_json(column, again)) == f"{rounded:f}"


def test_a_number_that_cannot_be_kept_is_refused():
    with pytest.raises(ApiError, match="no number"):
        kept(ACCOUNT.by_name["creditlimit"], Decimal(10) ** 40)


def test_a_text_of_exactly_the_allowed_length_is_accepted():
    column = CONTACT.by_name["firstname"]
    check(CONTACT, column, "x" * 50)
    with pytest.raises(ApiError, match="exceeded the maximum allowed length of '50'"):
        check(CONTACT, column, "x" * 51)


def test_every_lookup_leads_to_a_table_that_is_there():
    schema = make_schema(with_company_id=True)
    for table in schema.tables.values():
        assert len(table.by_name) == len(table.columns), table.name
        assert table.id_column in table.by_name
        assert table.name_column in table.by_name
        for column in table.columns:
            assert {target.table for target in column.targets} <= set(schema.tables)
            assert bool(column.targets) == column.is_lookup
