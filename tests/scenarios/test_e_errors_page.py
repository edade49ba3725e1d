"""Group E, row 9 and later: what a person does about Skipped couplings."""

from __future__ import annotations

import pytest
from company import Company
from scenarios.pairs import ACCOUNT, POUND, SECOND_ACCOUNT, account, couple_customer, is_skipped
from sqlalchemy import update

from receiver.commands.following import coupled_errors
from receiver.commands.result import CommandResult
from receiver.core.coupling import Result
from receiver.store.models import coupling

THIRD_ACCOUNT = "a0000000-0000-4000-8000-000000000003"
ACCOUNTS = (ACCOUNT, SECOND_ACCOUNT, THIRD_ACCOUNT)
WHO = "Anna"


def skip(company: Company, *keys: str) -> None:
    """As two equal failures do."""
    with company.services.database.writing() as connection:
        connection.execute(update(coupling).where(coupling.c.local_id.in_(keys)).values(is_skipped=True))


def skipped_customers(company: Company, count: int = 3) -> list[str]:
    keys = [couple_customer(company, row_id) for row_id in ACCOUNTS[:count]]
    skip(company, *keys)
    return keys


def fail_twice(company: Company) -> str:
    """A customer Skipped for a currency that is not here."""
    key = couple_customer(company)
    for name in ("Nordwind 1", "Nordwind 2"):
        company.sandbox.update("account", ACCOUNT, {"transactioncurrencyid": POUND, "name": name})
        company.work()
    assert is_skipped(company)
    return key


def lines(company: Company) -> list[str]:
    return [line.local_id for line in coupled_errors.listed(company.services)]


def decisions(result: CommandResult) -> list[str]:
    return sorted(line.decision for line in result.lines)


def one_of_three_kinds(company: Company) -> list[str]:
    """Both exist, the account is gone, the customer is gone; all Skipped."""
    keys = skipped_customers(company)
    company.sandbox.delete("account", SECOND_ACCOUNT)
    company.delete_local("customer", keys[2])
    return keys


def test_e9_retry_takes_back_the_lines_that_were_selected(company: Company) -> None:
    keys = skipped_customers(company)

    coupled_errors.retry(company.services, "CUSTOMER", keys[:2], WHO)

    assert lines(company) == [keys[2]]


def test_e10_retry_of_the_only_line_empties_the_list(company: Company) -> None:
    keys = skipped_customers(company, 1)

    coupled_errors.retry_all(company.services, WHO)

    assert lines(company) == []
    assert not is_skipped(company)
    assert keys == [company.coupling("CUSTOMER", ACCOUNT).local_id]


def test_e11_a_record_whose_cause_is_mended_is_in_step_after_retry(company: Company) -> None:
    key = fail_twice(company)
    company.insert_currency("GBP")

    result = coupled_errors.retry(company.services, "CUSTOMER", [key], WHO)

    assert result.counts == {"modified": 1}
    assert company.local("customer", key)["currency_code"] == "GBP"
    assert company.coupling("CUSTOMER", ACCOUNT).last_from.result is Result.SUCCESS
    assert lines(company) == []


def test_e11_the_same_failure_again_makes_it_skipped_again_at_once(company: Company) -> None:
    key = fail_twice(company)

    result = coupled_errors.retry(company.services, "CUSTOMER", [key], WHO)

    assert result.counts == {"skipped": 1}
    assert lines(company) == [key]


def test_e29_delete_records_deletes_the_account_whose_customer_was_deleted(company: Company) -> None:
    (key,) = skipped_customers(company, 1)
    company.delete_local("customer", key)
    (line,) = coupled_errors.listed(company.services)
    assert (line.name, line.record_exists, line.row_exists) == ("", False, True)

    result = coupled_errors.delete(company.services, "CUSTOMER", [key], WHO)

    assert result.counts == {"deleted": 1}
    assert company.sandbox.row("account", ACCOUNT) is None
    assert company.coupling("CUSTOMER", ACCOUNT) is None
    assert lines(company) == []
    company.work()
    assert company.locals("customer") == []


def test_e30_delete_records_deletes_the_customer_whose_account_was_deleted(company: Company) -> None:
    (key,) = skipped_customers(company, 1)
    company.sandbox.delete("account", ACCOUNT)

    coupled_errors.delete(company.services, "CUSTOMER", [key], WHO)

    assert company.local("customer", key) is None
    assert company.coupling("CUSTOMER", ACCOUNT) is None
    assert lines(company) == []
    assert company.last_job("CUSTOMER") == {"deleted": 1}


def test_e31_delete_records_leaves_a_pair_of_which_both_exist(company: Company) -> None:
    keys = one_of_three_kinds(company)

    result = coupled_errors.delete(company.services, "CUSTOMER", keys, WHO)

    assert decisions(result) == ["Delete", "Delete", "Skip"]
    assert lines(company) == keys[:1]
    assert company.local("customer", keys[1]) is None
    assert company.sandbox.row("account", THIRD_ACCOUNT) is None
    assert company.local("customer", keys[0]) is not None


def test_e33_a_deleted_customer_is_restored_with_a_new_number(company: Company) -> None:
    (key,) = skipped_customers(company, 1)
    company.delete_local("customer", key)

    result = coupled_errors.restore(company.services, "CUSTOMER", [key], WHO)

    assert result.counts == {"inserted": 1}
    restored = company.coupled_record("CUSTOMER", ACCOUNT)
    assert restored["no"] != key
    assert restored["name"] == account(company)["name"]
    assert lines(company) == []


def test_e34_a_deleted_account_is_restored_with_a_new_id(company: Company) -> None:
    (key,) = skipped_customers(company, 1)
    company.sandbox.delete("account", ACCOUNT)
    company.work()

    (line,) = coupled_errors.restore(company.services, "CUSTOMER", [key], WHO).lines

    assert line.decision == "Insert"
    (coupled,) = [row for row in company.sandbox.rows("account") if company.coupling("CUSTOMER", row["accountid"])]
    assert coupled["accountid"] != ACCOUNT
    assert coupled["name"] == company.local("customer", key)["name"]
    assert lines(company) == []


def test_e35_both_kinds_are_restored_and_a_pair_of_which_both_exist_stays(company: Company) -> None:
    keys = one_of_three_kinds(company)

    result = coupled_errors.restore(company.services, "CUSTOMER", keys, WHO)

    assert decisions(result) == ["Insert", "Insert", "Skip"]
    assert lines(company) == keys[:1]
    assert len(company.locals("customer")) == 3


def test_e37_a_pair_whose_account_was_deleted_is_not_retried(company: Company) -> None:
    (key,) = skipped_customers(company, 1)
    company.sandbox.delete("account", ACCOUNT)

    (line,) = coupled_errors.retry(company.services, "CUSTOMER", [key], WHO).lines

    assert (line.decision, line.remedy) == (
        "Skip",
        f"Restore it: receiver errors restore CUSTOMER {key}. Or part the two: receiver uncouple CUSTOMER {key}",
    )
    assert is_skipped(company)


def test_e38_the_list_says_that_both_exist(company: Company) -> None:
    skipped_customers(company, 1)

    (line,) = coupled_errors.listed(company.services)

    assert (line.record_exists, line.row_exists, line.name) == (True, True, "Nordwind Trading GmbH")


def test_e41_a_pair_of_which_both_were_deleted_is_uncoupled_when_the_list_is_looked_at(company: Company) -> None:
    (key,) = skipped_customers(company, 1)
    company.delete_local("customer", key)
    company.sandbox.delete("account", ACCOUNT)

    assert lines(company) == []
    assert company.coupling("CUSTOMER", ACCOUNT) is None


@pytest.mark.parametrize(
    ("failures", "shown"),
    [(("from", "to"), "to"), (("", "to"), "to"), (("from", ""), "from")],
    ids=["e45", "e46", "e47"],
)
def test_e45_e46_e47_the_last_failure_is_shown_the_one_toward_dataverse_first(
    company: Company, failures: tuple[str, str], shown: str
) -> None:
    (key,) = skipped_customers(company, 1)
    results = {f"{side}_error": said for side, said in zip(("from", "to"), failures, strict=True)}
    results |= {f"{side}_result": "Failure" if results[f"{side}_error"] else "Success" for side in ("from", "to")}
    with company.services.database.writing() as connection:
        connection.execute(update(coupling).where(coupling.c.local_id == key).values(results))

    assert coupled_errors.listed(company.services)[0].message == shown
