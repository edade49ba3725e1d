"""Group K: how mappings and field mappings are set up, and what is refused. Group M: lookups and currencies."""

from __future__ import annotations

import pytest
from company import Company
from scenarios.pairs import ACCOUNT, FROM, POUND_ACCOUNT, TO, account, couple_customer

from receiver.commands.mappings import change_mapping as mappings
from receiver.core.mapping import Direction, FieldMapping, TableMapping
from receiver.errors import InvalidMappingError
from receiver.tables import TABLES

SHIPPED = {one.mapping.name: one.mapping for one in TABLES}
BOTH = Direction.BIDIRECTIONAL


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("not_null", "clear_value_on_failed_sync", id="K5"),
        pytest.param("clear_value_on_failed_sync", "not_null", id="K6"),
    ],
)
def test_k5_and_k6_not_null_and_clear_value_exclude_each_other(small_company: Company, one: str, other: str) -> None:
    small_company.set_field("CUSTOMER", "currency_code", **{one: True})

    with pytest.raises(InvalidMappingError, match="exclude each other"):
        small_company.set_field("CUSTOMER", "currency_code", **{other: True})


K13 = [
    pytest.param("SALESPEOPLE", FROM, id="K13.1"),
    pytest.param("CUSTOMER", BOTH, id="K13.2"),
    pytest.param("CONTACT", BOTH, id="K13.3"),
    pytest.param("CURRENCY", TO, id="K13.4"),
]


@pytest.mark.parametrize(("name", "direction"), K13)
def test_k13_a_shipped_mapping_goes_in_its_direction(name: str, direction: Direction) -> None:
    shipped = SHIPPED[name]

    assert shipped.direction is direction
    owners = [row.not_null for row in shipped.fields if row.dataverse_column == "ownerid"]
    assert all(owners)
    assert not any(row.not_null for row in shipped.fields if row.local_column == "county")


def test_k35_the_default_setup_takes_every_change_back(company: Company) -> None:
    company.set("CUSTOMER", synch_only_coupled_records=False, direction=FROM)
    company.set_field("CUSTOMER", "fax_no", is_enabled=False)

    mappings.reset(company.services, "CUSTOMER", "the test")

    assert mappings.named(company.services, "CUSTOMER").fields == SHIPPED["CUSTOMER"].fields
    assert mappings.named(company.services, "CUSTOMER").direction is BOTH


ENABLED = [
    pytest.param(BOTH, BOTH, (True, True), id="K38"),
    pytest.param(FROM, FROM, (False, True), id="K39"),
    pytest.param(TO, BOTH, (True, False), id="K41"),
    pytest.param(TO, FROM, (False, False), id="K42"),
]


@pytest.mark.parametrize(("of_mapping", "of_field", "goes"), ENABLED)
def test_k38_and_k39_and_k41_and_k42_a_field_goes_where_its_mapping_and_it_go(
    of_mapping: Direction, of_field: Direction, goes: tuple[bool, bool]
) -> None:
    mapping = TableMapping("M", "local", "remote", of_mapping, (FieldMapping(1, "a", "b", of_field),))

    runs = [mapping.direction.allows(toward) and bool(mapping.transfers(toward)) for toward in (TO, FROM)]

    assert tuple(runs) == goes


K46 = [
    pytest.param("CURRENCY", "", "", id="K46.1"),
    pytest.param("CUSTOMER", "blocked is empty", "customertypecode = 3", id="K46.2"),
    pytest.param("CONTACT", "type = 'Person'", "parentcustomeridtype = 'account'", id="K46.3"),
    pytest.param("VENDOR", "blocked is empty", "customertypecode = 11", id="K46.4"),
    pytest.param("SALESPEOPLE", "", "isdisabled = no", id="K46.14"),
]


@pytest.mark.parametrize(("name", "local", "dataverse"), K46)
def test_k46_a_shipped_mapping_has_its_filters(name: str, local: str, dataverse: str) -> None:
    shipped = SHIPPED[name]

    assert local in shipped.local_filter_text
    assert dataverse in shipped.dataverse_filter_text
    assert shipped.synch_only_coupled_records


def test_k67_country_goes_both_ways() -> None:
    (row,) = [row for row in SHIPPED["CUSTOMER"].fields if row.local_column == "country_region_code"]

    assert row.direction is BOTH


def test_m9_the_local_currency_is_blank(company: Company) -> None:
    key = couple_customer(company)
    assert account(company)["transactioncurrencyid"]

    assert company.coupled_record("CUSTOMER", ACCOUNT)["currency_code"] == ""
    assert key


def test_m7_a_foreign_currency_is_its_code(company: Company) -> None:
    company.insert_currency("GBP")

    couple_customer(company, POUND_ACCOUNT)

    assert company.coupled_record("CUSTOMER", POUND_ACCOUNT)["currency_code"] == "GBP"
