"""What reference §18 calls quirks, and what else is decided here: each has its row in docs/differences.md."""

from __future__ import annotations

import pytest
from company import Company
from scenarios import count
from scenarios.pairs import (
    ACCOUNT,
    BIDIRECTIONAL,
    CONTACT,
    DELETE_COUPLING,
    FROM,
    POUND_ACCOUNT,
    SECOND_ACCOUNT,
    SEND,
    TO,
    account,
    change_both,
    couple,
    couple_customer,
    force,
)

from receiver.commands.mappings import change_mapping as mappings
from receiver.core.coupling import Result


def test_every_scenario_is_a_test_by_its_number_or_stands_among_the_differences() -> None:
    rows = {f"{group}{number}" for group, numbers in count.ROWS.items() for number in numbers.split()}

    assert rows - count.tested_rows() - count.explained_rows() == set()


def test_quirk_2_force_does_not_bypass_the_strategy_for_deleted_records(company: Company) -> None:
    company.delete_local("customer", couple_customer(company))
    company.set("CUSTOMER", resolve_deletion_conflicts=DELETE_COUPLING)

    force(company, "account", ACCOUNT)

    assert company.last_job("CUSTOMER") == {"uncoupled": 1}
    assert company.coupling("CUSTOMER", ACCOUNT) is None


def test_quirk_5_a_conflict_that_the_other_side_wins_is_settled_in_the_same_run(company: Company) -> None:
    key = couple_customer(company)
    company.set("CUSTOMER", resolve_update_conflicts=SEND)
    before = len(company.jobs("CUSTOMER"))

    change_both(company, key)

    ended = company.jobs("CUSTOMER")[before:]
    assert [(one["direction"], one["modified"], one["skipped"]) for one in ended] == [(TO, 1, 0), (FROM, 0, 0)]
    assert account(company)["fax"] == "1111"


def test_quirk_6_rows_that_only_coupled_kept_out_are_counted_remembered_and_brought_in_later(company: Company) -> None:
    company.sandbox.update("account", ACCOUNT, {"name": "Nordwind AG"})
    company.work()
    assert company.last_job("CUSTOMER") == {"skipped": 1}

    company.open_for_all("CUSTOMER")
    assert mappings.bring_in(company.services, "CUSTOMER") == 1
    company.work()

    assert company.coupled_record("CUSTOMER", ACCOUNT)["name"] == "Nordwind AG"


def test_quirk_8_a_failure_marks_the_coupling_of_its_own_mapping_alone(company: Company) -> None:
    key = couple_customer(company)
    couple(company, "VENDOR", company.insert_local("vendor"), ACCOUNT)

    change_both(company, key)

    assert company.coupling("CUSTOMER", ACCOUNT).last_from.result is Result.FAILURE
    assert company.coupling("VENDOR", ACCOUNT).last_from.result is Result.NONE


def test_quirk_10_an_insert_that_fails_again_and_again_leaves_nothing_behind(company: Company) -> None:
    company.open_for_all("CUSTOMER")

    for name in ("Harrow 1", "Harrow 2", "Harrow 3"):
        company.sandbox.update("account", POUND_ACCOUNT, {"name": name})
        company.work()
        assert company.last_job("CUSTOMER") == {"failed": 1}

    assert company.locals("customer") == []


@pytest.mark.parametrize("direction", [FROM, TO, BIDIRECTIONAL])
def test_quirk_14_bidirectional_field_mappings_cover_every_direction(company: Company, direction: str) -> None:
    company.set("CUSTOMER", direction=direction)

    assert mappings.named(company.services, "CUSTOMER").direction == direction


def test_quirk_19_a_change_in_a_one_way_field_is_not_lost_beside_a_change_here(company: Company) -> None:
    key = couple_customer(company)
    company.set_field("CUSTOMER", "fax_no", direction=FROM)

    company.change_local("customer", key, mobile_phone_no="+49 171")
    company.sandbox.update("account", ACCOUNT, {"fax": "2222"})
    company.work()

    customer = company.local("customer", key)
    assert (customer["mobile_phone_no"], customer["fax_no"]) == ("+49 171", "2222")


def test_quirk_20_other_values_make_no_other_failure_and_another_field_does(company: Company) -> None:
    key = couple_customer(company)
    change_both(company, key, there="2222")
    company.change_local("customer", key, phone_no="1111")

    company.sandbox.update("account", ACCOUNT, {"telephone1": "2222"})
    company.work()
    assert company.last_job("CUSTOMER") == {"failed": 1}
    assert not company.coupling("CUSTOMER", ACCOUNT).is_skipped

    change_both(company, key, there="3333")
    assert company.last_job("CUSTOMER") == {"skipped": 1}
    assert company.coupling("CUSTOMER", ACCOUNT).is_skipped


def test_a_row_outside_the_filter_is_counted_as_skipped_and_travels_when_it_is_back(company: Company) -> None:
    key = couple_customer(company)

    company.sandbox.update("account", ACCOUNT, {"name": "Nordwind AG", "statecode": 1, "statuscode": 2})
    company.work()
    assert company.last_job("CUSTOMER") == {"skipped": 1}
    assert company.local("customer", key)["name"] == "Nordwind Trading GmbH"

    company.sandbox.update("account", ACCOUNT, {"statecode": 0, "statuscode": 1})
    company.work()
    assert company.last_job("CUSTOMER") == {"modified": 1}
    assert company.local("customer", key)["name"] == "Nordwind AG"


def test_each_mapping_of_a_table_decides_for_itself(company: Company) -> None:
    couple_customer(company)

    company.sandbox.update("account", ACCOUNT, {"name": "Nordwind AG"})
    company.work()

    assert company.last_job("CUSTOMER") == {"modified": 1}
    assert company.last_job("VENDOR") == {"skipped": 1}
    assert company.last_outcome("VENDOR")["reason"] == "OUTSIDE_FILTER"


def test_a_lookup_pulls_the_missing_record_in(company: Company) -> None:
    company.open_for_all("CUSTOMER", "CONTACT")

    company.sandbox.update("contact", CONTACT, {"jobtitle": "Owner", "firstname": "Margarete"})
    company.work()

    customer = company.coupled_record("CUSTOMER", ACCOUNT)
    assert company.coupled_record("CONTACT", CONTACT)["company_no"] == customer["no"]


def test_a_cleared_lookup_is_filled_when_its_record_is_coupled(company: Company) -> None:
    company.open_for_all("CUSTOMER", "CONTACT")
    key = company.couple_by_click("account", ACCOUNT)
    assert company.local("customer", key)["primary_contact_no"] == ""

    contact = company.couple_by_click("contact", CONTACT)
    company.work()

    assert company.local("customer", key)["primary_contact_no"] == contact


def test_a_cleared_lookup_is_never_sent_out_as_empty(company: Company) -> None:
    key = couple_customer(company, SECOND_ACCOUNT)
    company.set("CUSTOMER", resolve_update_conflicts=SEND)
    primary = account(company, SECOND_ACCOUNT)["primarycontactid"]

    change_both(company, key, SECOND_ACCOUNT, here="1111")

    assert account(company, SECOND_ACCOUNT)["fax"] == "1111"
    assert account(company, SECOND_ACCOUNT)["primarycontactid"] == primary


def test_a_row_that_was_uncoupled_by_a_strategy_may_be_created_anew_when_it_changes(company: Company) -> None:
    key = couple_customer(company)
    company.set("CUSTOMER", resolve_deletion_conflicts=DELETE_COUPLING, synch_only_coupled_records=False)
    company.sandbox.update("account", ACCOUNT, {"name": "Nordwind 1"})
    company.delete_local("customer", key)
    company.work()
    assert company.last_job("CUSTOMER") == {"uncoupled": 1}

    company.sandbox.update("account", ACCOUNT, {"name": "Nordwind 2"})
    company.work()

    assert company.last_job("CUSTOMER") == {"inserted": 1}
