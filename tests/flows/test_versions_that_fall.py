"""Neither an environment that was set back to a backup nor a forged notification makes us blind: each costs one read."""

from __future__ import annotations

import pytest
from company import Company
from flows.images import later, send_again
from scenarios.pairs import ACCOUNT, couple_customer

FAR = 10**15


def changed_unheard(company: Company, name: str) -> None:
    """The row changes, and its notification is lost."""
    company.sandbox.faults.drop = 1
    company.sandbox.update("account", ACCOUNT, {"name": name})
    assert company.sandbox.settle()


def reads_of(company: Company, before: int) -> int:
    return sum(made.method == "GET" for made in company.sandbox.requests[before:])


@pytest.mark.parametrize("was_read", [False, True], ids=["seen in a notification", "seen by a read"])
def test_a_change_after_an_environment_was_restored_arrives(company: Company, was_read: bool) -> None:
    key = couple_customer(company)
    company.sandbox.update("account", ACCOUNT, {"name": "Before the restore"})
    company.work()
    if was_read:
        company.open("account", ACCOUNT)  # a click reads the row
    changed_unheard(company, "After the restore")
    before = len(company.sandbox.requests)

    send_again(company, name="After the restore", versionnumber=lambda number: number - 500, modifiedon=later(1))
    company.work()

    assert company.local("customer", key)["name"] == "After the restore"
    assert reads_of(company, before) == 1


@pytest.mark.parametrize("waits_together", [False, True], ids=["one after the other", "both waiting at once"])
def test_a_forged_notification_of_a_far_version_hides_no_true_one(company: Company, waits_together: bool) -> None:
    key = couple_customer(company)
    company.sandbox.update("account", ACCOUNT, {"name": "True"})
    company.work()
    send_again(company, name="Forged", versionnumber=FAR, modifiedon=later(10_000))
    if not waits_together:
        company.work()
    before = len(company.sandbox.requests)

    company.sandbox.update("account", ACCOUNT, {"name": "True again"})
    company.work()

    assert company.local("customer", key)["name"] == "True again"
    assert reads_of(company, before) == 1

    company.sandbox.update("account", ACCOUNT, {"name": "And again"})
    company.work()
    assert company.local("customer", key)["name"] == "And again"
    assert reads_of(company, before) == 1, "the read has set the version seen, downwards too"


def test_what_is_older_than_what_was_read_costs_nothing(company: Company) -> None:
    key = couple_customer(company)
    company.sandbox.update("account", ACCOUNT, {"name": "Now"})
    company.work()
    company.open("account", ACCOUNT)  # a click reads the row
    before = len(company.sandbox.requests)

    send_again(company, name="Long ago", versionnumber=lambda number: number - 1, modifiedon=later(-1))
    company.work()

    assert company.last_outcome("CUSTOMER")["reason"] == "LATE"
    assert company.local("customer", key)["name"] == "Now"
    assert reads_of(company, before) == 0


def test_rows_of_a_restored_environment_come_in_with_a_run(company: Company) -> None:
    """They are read page by page, and each looks older than what was seen of it."""
    key = couple_customer(company)
    company.sandbox.update("account", ACCOUNT, {"name": "Before the restore"})
    company.work()
    send_again(company, versionnumber=FAR, modifiedon=later(10_000))
    company.work()
    changed_unheard(company, "After the restore")

    answer = company.app.test_cli_runner().invoke(
        args=["receiver", "mappings", "run", "CUSTOMER", "--here", "--direction", "from"]
    )

    assert answer.exit_code == 0, answer.output
    assert company.local("customer", key)["name"] == "After the restore"
