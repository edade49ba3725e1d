"""Everything that stands failed is listed, and ends with whatever mends it; local records are listed by their state."""

from __future__ import annotations

from typing import Any

import pytest
from company import Company
from scenarios.pairs import ACCOUNT, POUND, SECOND_ACCOUNT, couple_customer

from receiver.commands.coupling.create import create_from_dataverse, create_in_dataverse
from receiver.commands.coupling.delete_coupling import uncouple
from receiver.commands.coupling.set_up_coupling import AfterCoupling, couple
from receiver.commands.following import coupled_errors, failed_records
from receiver.commands.following.record_list import Kind, listed
from receiver.commands.synchronizing.synchronize_now import Choice, synchronize_now
from receiver.errors import NotFoundError


def failed_by_notification(company: Company) -> str:
    """A customer whose currency is not here: one failure, and the notification that failed."""
    key = couple_customer(company)
    company.sandbox.update("account", ACCOUNT, {"transactioncurrencyid": POUND, "name": "Nordwind 1"})
    company.work()
    return key


def states(company: Company) -> list[str]:
    return [row["state"] for row in company.notifications()]


def test_a_coupling_whose_last_run_failed_stands_in_the_list_before_it_is_skipped(company: Company) -> None:
    key = failed_by_notification(company)

    (line,) = coupled_errors.listed(company.services)
    assert (line.local_id, line.state) == (key, "Failed")
    assert "is not in the local table Currency" in line.message
    assert failed_records.listed(company.services, "", 10) == [], "the coupling tells it"


def test_skipped_couplings_come_first_and_a_retry_of_all_lists_each_record_once(company: Company) -> None:
    key = failed_by_notification(company)
    company.sandbox.update("account", ACCOUNT, {"name": "Nordwind 2"})
    company.work()
    (line,) = coupled_errors.listed(company.services)
    assert line.state == "Skipped"
    company.insert_currency("GBP")
    assert coupled_errors.count(company.services) == 1

    foretold = coupled_errors.would_retry(company.services, "", None)
    assert foretold.lines[0].sentence.startswith(f"Customer {key} would be updated from account")
    done = coupled_errors.retry_all(company.services, "Ada")

    assert [one.local_id for one in done.lines] == [key]
    assert coupled_errors.listed(company.services) == []


def test_a_notification_that_failed_is_done_once_what_it_failed_for_went_through(company: Company) -> None:
    key = failed_by_notification(company)
    assert "failed" in states(company)
    company.insert_currency("GBP")

    synchronize_now(company.services, "CUSTOMER", [key], Choice.GET, "Ada")

    assert "failed" not in states(company)
    mended = [row for row in company.notifications() if row["note"] == "What had failed went through later."]
    assert [row["state"] for row in mended] == ["done"]


def test_a_notification_that_failed_for_two_mappings_is_not_done_by_one_of_them(company: Company) -> None:
    key = failed_by_notification(company)
    couple_again = company.insert_local("vendor", name="Nordwind Trading GmbH")
    company.set("VENDOR", dataverse_filter_text="", synch_only_coupled_records=True)
    couple(company.services, "VENDOR", couple_again, ACCOUNT, "Ada", AfterCoupling.NO)
    company.sandbox.update("account", ACCOUNT, {"name": "Nordwind 3"})
    company.work()
    company.set("VENDOR", is_enabled=False)
    company.insert_currency("GBP")
    synchronize_now(company.services, "CUSTOMER", [key], Choice.GET, "Ada")

    told = {row["state"] for row in company.notifications() if len(failing_mappings(row)) == 2}
    assert told == {"failed"}


def failing_mappings(row: Any) -> set[str]:
    return {one["mapping"] for one in row["outcome"] or () if one["decision"] == "Fail" or one["reason"] == "SKIPPED"}


def test_what_failed_of_a_pair_ends_with_its_uncoupling(company: Company) -> None:
    key = failed_by_notification(company)

    uncouple(company.services, "CUSTOMER", [key], "Ada")

    assert "failed" not in states(company)
    assert coupled_errors.listed(company.services) == []
    assert failed_records.listed(company.services, "", 10) == []


def test_a_record_that_could_not_be_made_stands_until_it_is_made(company: Company) -> None:
    company.sandbox.put_row("account", SECOND_ACCOUNT, {"transactioncurrencyid": POUND})
    create_from_dataverse(company.services, "CUSTOMER", [SECOND_ACCOUNT], "Ada")

    (record,) = failed_records.listed(company.services, "CUSTOMER", 10)
    assert (record.mapping, record.id) == ("CUSTOMER", SECOND_ACCOUNT)
    assert record.command == f"receiver create from CUSTOMER {SECOND_ACCOUNT}"

    company.insert_currency("GBP")
    create_from_dataverse(company.services, "CUSTOMER", [SECOND_ACCOUNT], "Ada")
    assert failed_records.listed(company.services, "", 10) == []


def test_a_local_record_that_could_not_be_sent_stands_as_long_as_it_is_there(company: Company) -> None:
    key = company.insert_local("customer", name="Firm", currency_code="XXX")
    create_in_dataverse(company.services, "CUSTOMER", [key], "Ada")

    (record,) = failed_records.listed(company.services, "", 10)
    assert record.command == f"receiver create to CUSTOMER {key}"

    company.delete_local("customer", key)
    assert failed_records.listed(company.services, "", 10) == []


def test_records_are_listed_by_state_and_found_by_key_or_name(company: Company) -> None:
    failed = failed_by_notification(company)
    coupled = couple_customer(company, SECOND_ACCOUNT)
    alone = company.insert_local("customer", name="Übersee 100%")

    def found(**asked: Any) -> list[tuple[str, str]]:
        return [(one.id, one.state) for one in listed(company.services, "CUSTOMER", **asked)]

    everyone = [(failed, "Failed"), (coupled, "Coupled"), (alone, "Not coupled")]
    assert found() == everyone
    assert found(kind=Kind.COUPLED) == everyone[:2]
    assert found(kind=Kind.FAILED) == everyone[:1]
    assert found(kind=Kind.UNCOUPLED) == everyone[2:]
    assert found(find="100%") == everyone[2:]
    assert found(find="_00") == []
    assert found(find=coupled.lower()) == everyone[1:2]
    assert found(after=failed, limit=1) == everyone[1:2]
    with pytest.raises(NotFoundError):
        listed(company.services, "NOSUCH")
