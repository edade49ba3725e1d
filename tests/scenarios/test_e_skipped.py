"""Group E, rows 1–8: how a coupling becomes Skipped."""

from __future__ import annotations

from company import Company
from scenarios.pairs import (
    ACCOUNT,
    BIDIRECTIONAL,
    DOLLAR,
    POUND,
    SECOND_ACCOUNT,
    SEND,
    change_both,
    couple,
    couple_customer,
    errors,
    is_skipped,
    try_again,
)

from receiver.core.coupling import Result


def use_currency(company: Company, currency: str, name: str = "Nordwind AG") -> None:
    company.sandbox.update("account", ACCOUNT, {"transactioncurrencyid": currency, "name": name})
    company.work()


def test_e1_a_failure_whose_cause_is_mended_does_not_make_the_coupling_skipped(company: Company) -> None:
    key = couple_customer(company)
    use_currency(company, POUND)
    assert company.last_job("CUSTOMER") == {"failed": 1}

    company.insert_currency("GBP")
    try_again(company)

    assert company.last_job("CUSTOMER") == {"modified": 1}
    assert company.local("customer", key)["currency_code"] == "GBP"
    assert company.coupling("CUSTOMER", ACCOUNT).last_from.result is Result.SUCCESS
    assert not is_skipped(company)


def test_e2_a_different_failure_does_not_make_the_coupling_skipped(company: Company) -> None:
    couple_customer(company)

    use_currency(company, POUND)
    use_currency(company, DOLLAR)

    assert company.last_job("CUSTOMER") == {"failed": 1}
    assert company.coupling("CUSTOMER", ACCOUNT).last_from.result is Result.FAILURE
    assert not is_skipped(company)


def test_e3_the_same_failure_twice_in_a_row_makes_the_coupling_skipped(company: Company) -> None:
    couple_customer(company)

    use_currency(company, POUND, "Nordwind 1")
    assert company.last_job("CUSTOMER") == {"failed": 1}
    use_currency(company, POUND, "Nordwind 2")

    assert company.last_job("CUSTOMER") == {"skipped": 1}
    assert company.coupling("CUSTOMER", ACCOUNT).last_from.result is Result.FAILURE
    assert is_skipped(company)
    assert errors(company, "CUSTOMER")[-1][2] == company.coupling("CUSTOMER", ACCOUNT).last_from.error


def test_e3_a_success_in_between_starts_the_count_again(company: Company) -> None:
    couple_customer(company)

    use_currency(company, POUND, "Nordwind 1")
    use_currency(company, "cc000000-0000-4000-8000-000000000001", "Nordwind 2")
    use_currency(company, POUND, "Nordwind 3")

    assert company.last_job("CUSTOMER") == {"failed": 1}
    assert not is_skipped(company)


def test_e3_a_skipped_coupling_takes_nothing_in_any_more(company: Company) -> None:
    key = couple_customer(company)
    use_currency(company, POUND, "Nordwind 1")
    use_currency(company, POUND, "Nordwind 2")

    use_currency(company, "cc000000-0000-4000-8000-000000000001", "Nordwind 3")

    assert company.last_job("CUSTOMER") == {"skipped": 1}
    assert company.last_outcome("CUSTOMER")["reason"] == "SKIPPED"
    assert company.local("customer", key)["name"] == "Nordwind Trading GmbH"


def test_e5_a_failed_pair_is_picked_up_again_although_nothing_changed_and_its_neighbour_is_not_touched(
    company: Company,
) -> None:
    first, second = couple_customer(company), couple_customer(company, SECOND_ACCOUNT)

    company.sandbox.update("account", SECOND_ACCOUNT, {"name": "Brasserie SA"})
    company.work()
    change_both(company, first)
    assert [one["modified"] for one in company.jobs("CUSTOMER")[-2:]] == [1, 0]
    assert [one["failed"] for one in company.jobs("CUSTOMER")[-2:]] == [0, 1]
    assert not is_skipped(company, ACCOUNT)

    try_again(company)
    assert company.last_job("CUSTOMER") == {"skipped": 1}
    assert is_skipped(company, ACCOUNT)
    assert not is_skipped(company, SECOND_ACCOUNT)
    assert company.local("customer", second)["name"] == "Brasserie SA"


def test_e6_the_two_directions_count_their_failures_apart(company: Company) -> None:
    key = couple_customer(company)
    company.change_local("customer", key, salesperson_code="NOBODY")
    change_both(company, key, there="2222")
    company.set("CUSTOMER", resolve_update_conflicts=SEND)

    change_both(company, key, there="3333")

    coupling = company.coupling("CUSTOMER", ACCOUNT)
    assert (coupling.last_from.result, coupling.last_to.result) == (Result.FAILURE, Result.FAILURE)
    assert "NOBODY" in coupling.last_to.error
    assert not is_skipped(company)

    change_both(company, key, there="4444")
    assert is_skipped(company)


def test_e6_a_skipped_coupling_is_not_brought_back_by_what_would_go_the_other_way(company: Company) -> None:
    key = couple_customer(company)
    change_both(company, key)
    try_again(company)
    assert is_skipped(company)

    company.set("CUSTOMER", resolve_update_conflicts=SEND)
    change_both(company, key, there="3333")

    assert company.last_job("CUSTOMER") == {"skipped": 1}
    assert is_skipped(company)


def test_e7_a_currency_that_fails_twice_with_the_same_text_is_skipped(company: Company) -> None:
    company.set_field("CURRENCY", "description", direction=BIDIRECTIONAL)
    company.set("CURRENCY", direction=BIDIRECTIONAL)
    company.insert_currency("GBP")
    couple(company, "CURRENCY", "GBP", POUND)
    company.change_local("currency", "GBP", description="Pound")

    company.sandbox.update("transactioncurrency", POUND, {"currencyname": "Sterling"})
    company.work()
    assert not is_skipped(company, POUND, "CURRENCY")

    try_again(company)
    assert is_skipped(company, POUND, "CURRENCY")
