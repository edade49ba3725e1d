"""Restore records may create a row in Dataverse: neither a lost answer nor its own notification makes a twin."""

import pytest
from company import Company
from sqlalchemy import select

from receiver.core.mapping import DeletionConflict
from receiver.server.worker import run_ready
from receiver.store.models import pending_coupling

ACCOUNT = "a0000000-0000-4000-8000-000000000001"


@pytest.fixture
def restoring(company: Company) -> Company:
    """CUSTOMER creates by itself, restores what was deleted, and has one coupled pair."""
    company.set("CUSTOMER", synch_only_coupled_records=False, resolve_deletion_conflicts=DeletionConflict.RESTORE)
    company.couple_by_click("account", ACCOUNT)
    return company


def new_rows(company: Company) -> list[str]:
    """Accounts of the restored name that are not the deleted one."""
    rows = company.sandbox.rows("account")
    return [row["accountid"] for row in rows if row["name"] == "Nordwind Trading GmbH" and row["accountid"] != ACCOUNT]


def test_a_row_deleted_in_dataverse_is_restored_under_a_new_id(restoring: Company) -> None:
    restoring.sandbox.delete("account", ACCOUNT)
    restoring.work()

    (row,) = new_rows(restoring)
    assert restoring.coupled_record("CUSTOMER", row)["no"] == "C00010"
    assert restoring.coupling("CUSTOMER", ACCOUNT) is None
    assert len(restoring.locals("customer")) == 1


def test_a_lost_answer_makes_no_twin(restoring: Company) -> None:
    restoring.sandbox.delete("account", ACCOUNT)
    assert restoring.sandbox.settle()
    restoring.sandbox.faults.lose_answer = 1
    restoring.work()
    assert len(new_rows(restoring)) == 1

    restoring.pass_time(60)
    restoring.work()

    (row,) = new_rows(restoring)
    assert restoring.coupled_record("CUSTOMER", row)["no"] == "C00010"
    assert len(restoring.locals("customer")) == 1


def test_the_notification_of_our_own_create_finds_the_pending_coupling(restoring: Company) -> None:
    restoring.sandbox.delete("account", ACCOUNT)
    assert restoring.sandbox.settle()
    restoring.sandbox.faults.lose_answer = 1
    assert run_ready(restoring.services)
    assert restoring.sandbox.settle()
    assert run_ready(restoring.services)

    (row,) = new_rows(restoring)
    assert restoring.coupled_record("CUSTOMER", row)["no"] == "C00010"
    assert len(restoring.locals("customer")) == 1


def test_a_row_restored_twice_gets_another_id(restoring: Company) -> None:
    restoring.sandbox.delete("account", ACCOUNT)
    restoring.work()
    (first,) = new_rows(restoring)
    restoring.sandbox.delete("account", first)
    restoring.work()

    (second,) = new_rows(restoring)
    assert second != first
    with restoring.services.database.reading() as connection:
        assert connection.execute(select(pending_coupling.c.counter)).scalars().all() == [2]
