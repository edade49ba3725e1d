"""Group B: what a transfer writes, and what it leaves alone."""

from __future__ import annotations

import pytest
from company import Company
from scenarios.pairs import (
    ACCOUNT,
    BIDIRECTIONAL,
    FROM,
    SALES_PERSON,
    SEND,
    account,
    couple_customer,
)

from receiver.errors import InvalidMappingError


def test_b1_a_new_record_gets_every_mapped_value(company: Company) -> None:
    company.open_for_all("CUSTOMER")

    customer = company.local("customer", company.couple_by_click("account", ACCOUNT))

    row = account(company)
    assert company.last_job("CUSTOMER") == {"inserted": 1}
    assert (customer["name"], customer["city"]) == (row["name"], row["address1_city"])
    assert (customer["e_mail"], customer["home_page"]) == (row["emailaddress1"], row["websiteurl"])


def test_b2_a_transfer_without_a_change_modifies_nothing(company: Company) -> None:
    key = couple_customer(company)
    before = company.local("customer", key)

    company.sandbox.update("account", ACCOUNT, {"name": account(company)["name"]})
    company.work()

    assert company.last_job("CUSTOMER") == {"unchanged": 1}
    assert company.local("customer", key) == before


def test_b3_one_changed_value_is_the_only_one_that_is_written(company: Company) -> None:
    key = couple_customer(company)
    before = company.local("customer", key)

    company.sandbox.update("account", ACCOUNT, {"address1_city": "Bremen"})
    company.work()

    assert company.local("customer", key) == {**before, "city": "Bremen"}
    assert list(company.last_outcome("CUSTOMER")["fields"]) == ["city"]


@pytest.mark.parametrize(
    "column", [pytest.param("nonsense", id="B5-no-such-column"), pytest.param("creditlimit", id="B5-another-type")]
)
def test_b5_a_field_mapping_that_cannot_be_transferred_is_refused_when_it_is_saved(
    company: Company, column: str
) -> None:
    with pytest.raises(InvalidMappingError):
        company.set_field("CUSTOMER", "name", dataverse_column=column)


def test_b6_a_calculated_column_arrives(company: Company) -> None:
    company.open_for_all("SALESPEOPLE")

    key = company.couple_by_click("systemuser", SALES_PERSON)

    assert company.local("salesperson", key)["name"] == "Jonas Weber"


def test_b7_an_unmapped_column_never_counts_as_modified(company: Company) -> None:
    key = couple_customer(company)
    before = company.local("customer", key)

    for said in ("first", "second"):
        company.sandbox.update("account", ACCOUNT, {"description": said})
        company.open("account", ACCOUNT)
        assert company.last_job("CUSTOMER") == {"unchanged": 1}

    assert company.local("customer", key) == before


@pytest.mark.parametrize(
    "direction", [pytest.param(FROM, id="B9-one-way"), pytest.param(BIDIRECTIONAL, id="B11-bidirectional")]
)
def test_b9_b11_a_field_is_modified_once_and_then_unchanged(company: Company, direction: str) -> None:
    couple_customer(company)
    company.set_field("CUSTOMER", "fax_no", direction=direction)

    company.sandbox.update("account", ACCOUNT, {"fax": "2222"})
    company.work()
    assert company.last_job("CUSTOMER") == {"modified": 1}

    company.open("account", ACCOUNT)
    assert company.last_job("CUSTOMER") == {"unchanged": 1}


def test_b10_a_field_that_changes_twice_is_modified_twice(company: Company) -> None:
    key = couple_customer(company)

    for fax in ("1111", "2222"):
        company.sandbox.update("account", ACCOUNT, {"fax": fax})
        company.work()
        assert company.last_job("CUSTOMER") == {"modified": 1}
        assert company.local("customer", key)["fax_no"] == fax


def test_b13_a_blank_salesperson_does_not_empty_the_owner(company: Company) -> None:
    key = couple_customer(company)
    company.set("CUSTOMER", resolve_update_conflicts=SEND)
    owner = account(company)["ownerid"]

    company.change_local("customer", key, county="Texas", salesperson_code="")
    company.sandbox.update("account", ACCOUNT, {"address1_stateorprovince": "Ohio"})
    company.work()

    assert account(company)["address1_stateorprovince"] == "Texas"
    assert account(company)["ownerid"] == owner


def test_b14_the_state_of_the_account_becomes_the_county_of_the_customer(company: Company) -> None:
    key = couple_customer(company)

    company.sandbox.update("account", ACCOUNT, {"address1_stateorprovince": "Texas"})
    company.work()

    assert company.local("customer", key)["county"] == "Texas"


def test_b15_where_the_company_wins_the_county_becomes_the_state_of_the_account(company: Company) -> None:
    key = couple_customer(company)
    company.set("CUSTOMER", resolve_update_conflicts=SEND)

    company.change_local("customer", key, county="Texas")
    company.sandbox.update("account", ACCOUNT, {"address1_stateorprovince": "Ohio"})
    company.work()

    assert account(company)["address1_stateorprovince"] == "Texas"
    assert company.local("customer", key)["county"] == "Texas"
