"""Group C: both sides changed."""

from __future__ import annotations

import pytest
from company import Company
from scenarios.pairs import (
    ACCOUNT,
    CONTACT,
    FROM,
    GET,
    SEND,
    account,
    change_both,
    couple_customer,
    errors,
    is_skipped,
)

from receiver.cli import receiver


def test_c2_an_unmapped_field_that_both_sides_changed_is_no_conflict(company: Company) -> None:
    key = couple_customer(company)
    company.set_field("CUSTOMER", "fax_no", is_enabled=False)

    change_both(company, key, here="1111", there="2222")
    company.open("account", ACCOUNT)

    assert company.last_job("CUSTOMER") == {"unchanged": 1}
    assert errors(company, "CUSTOMER") == []
    assert (company.local("customer", key)["fax_no"], account(company)["fax"]) == ("1111", "2222")


def test_c3_a_one_way_field_that_both_sides_changed_is_overwritten(company: Company) -> None:
    key = couple_customer(company)
    company.set_field("CUSTOMER", "fax_no", direction=FROM)

    change_both(company, key, here="1111", there="2222")

    assert company.last_job("CUSTOMER") == {"modified": 1}
    assert errors(company, "CUSTOMER") == []
    assert company.local("customer", key)["fax_no"] == "2222"


def test_c6_different_fields_changed_on_each_side_are_merged(company: Company) -> None:
    key = couple_customer(company)

    company.change_local("customer", key, fax_no="1111")
    company.sandbox.update("account", ACCOUNT, {"websiteurl": "https://nordwind.example"})
    company.work()

    customer = company.local("customer", key)
    assert company.last_job("CUSTOMER") == {"modified": 1}
    assert (customer["fax_no"], customer["home_page"]) == ("1111", "https://nordwind.example")


def test_what_was_changed_here_beside_a_conflict_that_dataverse_wins_is_sent_too(company: Company) -> None:
    key = couple_customer(company)
    company.set("CUSTOMER", resolve_update_conflicts=GET)
    company.sandbox.faults.drop = 1
    company.sandbox.update("account", ACCOUNT, {"fax": "2222"})
    company.change_local("customer", key, fax_no="1111", city="Bremen")

    words = ["mappings", "run", "CUSTOMER", "--here", "--direction", "to"]
    assert company.app.test_cli_runner().invoke(receiver, words).exit_code == 0
    company.work()

    customer, row = company.local("customer", key), account(company)
    assert (customer["fax_no"], row["fax"]) == ("2222", "2222")
    assert (customer["city"], row["address1_city"]) == ("Bremen", "Bremen")


def test_c5_after_a_merge_the_way_back_still_sees_the_field_that_changed_here(company: Company) -> None:
    key = couple_customer(company)
    company.set("CUSTOMER", resolve_update_conflicts=SEND)
    company.change_local("customer", key, fax_no="1111")
    company.sandbox.update("account", ACCOUNT, {"websiteurl": "https://nordwind.example"})
    company.work()

    company.change_local("customer", key, city="Bremen")
    company.sandbox.update("account", ACCOUNT, {"address1_city": "Lübeck"})
    company.work()

    row = account(company)
    assert (row["address1_city"], row["fax"], row["websiteurl"]) == ("Bremen", "1111", "https://nordwind.example")


def test_c7_without_a_strategy_the_same_field_changed_on_both_sides_fails_and_both_values_are_named(
    company: Company,
) -> None:
    key = couple_customer(company)

    change_both(company, key, here="1111", there="2222")

    assert company.last_job("CUSTOMER") == {"failed": 1}
    assert (company.local("customer", key)["fax_no"], account(company)["fax"]) == ("1111", "2222")
    message = errors(company, "CUSTOMER")[-1][2]
    assert "“1111”" in message
    assert "“2222”" in message


def test_c7_the_same_value_on_both_sides_is_no_conflict(company: Company) -> None:
    key = couple_customer(company)

    change_both(company, key, here="1111", there="1111")

    assert company.last_job("CUSTOMER") == {"unchanged": 1}
    assert not is_skipped(company)


def test_c9_send_writes_the_value_of_the_company_to_dataverse(company: Company) -> None:
    key = couple_customer(company)
    company.set("CUSTOMER", resolve_update_conflicts=SEND)

    company.change_local("customer", key, fax_no="1111")
    company.sandbox.update("account", ACCOUNT, {"fax": "2222"})
    company.work()

    sent = [one for one in company.jobs("CUSTOMER") if one["direction"] == "ToIntegrationTable"]
    assert [(one["modified"], one["failed"]) for one in sent] == [(1, 0)]
    assert [one.method for one in company.sandbox.requests].count("PATCH") == 1
    assert (company.local("customer", key)["fax_no"], account(company)["fax"]) == ("1111", "1111")


def test_c9_our_own_write_comes_back_as_a_notification_and_ends_unchanged(company: Company) -> None:
    key = couple_customer(company)
    company.set("CUSTOMER", resolve_update_conflicts=SEND)

    change_both(company, key)

    assert company.last_outcome("CUSTOMER")["decision"] == "IgnoreUnchanged"
    assert company.last_job("CUSTOMER") == {"unchanged": 1}


def test_c9_what_changed_there_in_another_field_arrives_all_the_same(company: Company) -> None:
    key = couple_customer(company)
    company.set("CUSTOMER", resolve_update_conflicts=SEND)

    company.change_local("customer", key, fax_no="1111")
    company.sandbox.update("account", ACCOUNT, {"fax": "2222", "address1_city": "Bremen"})
    company.work()

    assert company.local("customer", key)["city"] == "Bremen"
    assert account(company)["fax"] == "1111"
    assert account(company)["address1_city"] == "Bremen"


def test_c10_get_overwrites_the_value_of_the_company(company: Company) -> None:
    key = couple_customer(company)
    company.set("CUSTOMER", resolve_update_conflicts=GET)

    change_both(company, key, here="1111", there="2222")

    assert company.last_job("CUSTOMER") == {"modified": 1}
    assert (company.local("customer", key)["fax_no"], account(company)["fax"]) == ("2222", "2222")


def test_c11_different_unmapped_fields_changed_on_each_side_are_unchanged(company: Company) -> None:
    key = couple_customer(company)

    company.change_local("customer", key, mobile_phone_no="+49 171")
    company.sandbox.update("account", ACCOUNT, {"emailaddress2": "desk@nordwind.example"})
    company.open("account", ACCOUNT)

    assert company.last_job("CUSTOMER") == {"unchanged": 1}


@pytest.mark.parametrize("seconds", [0, -300, 300], ids=["synced", "behind", "ahead"])
def test_c13_a_conflict_leaves_what_is_remembered_alone_however_the_clocks_differ(
    company: Company, seconds: int
) -> None:
    company.open_for_all("CUSTOMER", "CONTACT")
    person = company.couple_by_click("contact", CONTACT)
    key = company.coupling("CUSTOMER", ACCOUNT).local_id
    company.work()
    company.pass_time(seconds)
    before = {name: company.coupling(name, row) for name, row in (("CUSTOMER", ACCOUNT), ("CONTACT", CONTACT))}

    company.change_local("contact", person, fax_no="1111")
    company.sandbox.update("contact", CONTACT, {"fax": "2222"})
    change_both(company, key)
    company.pass_time(600)
    company.work()

    for name, row in (("CUSTOMER", ACCOUNT), ("CONTACT", CONTACT)):
        after = company.coupling(name, row)
        assert company.last_job(name) == {"failed": 1}
        assert (after.local_base, after.dataverse_base) == (before[name].local_base, before[name].dataverse_base)
        assert company.coupled_record(name, row)["fax_no"] == "1111"
