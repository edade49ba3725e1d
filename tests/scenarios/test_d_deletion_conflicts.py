"""Group D: one of the two was deleted."""

from __future__ import annotations

import pytest
from company import Company
from scenarios.pairs import (
    ACCOUNT,
    BIDIRECTIONAL,
    DELETE_COUPLING,
    FROM,
    RESTORE,
    SECOND_ACCOUNT,
    account,
    change_both,
    couple_customer,
    errors,
    is_skipped,
    try_again,
)

from receiver.core.coupling import Result

ONLY_COUPLED, ALL = True, False


def rename(company: Company, name: str, row_id: str = ACCOUNT) -> None:
    company.sandbox.update("account", row_id, {"name": name})
    company.work()


def test_d1_a_deleted_customer_fails_once_and_is_then_skipped(company: Company) -> None:
    company.delete_local("customer", couple_customer(company))

    rename(company, "Nordwind 1")
    assert company.last_job("CUSTOMER") == {"failed": 1}
    assert not is_skipped(company)

    rename(company, "Nordwind 2")
    assert company.last_job("CUSTOMER") == {"skipped": 1}
    assert is_skipped(company)


@pytest.mark.parametrize(
    ("direction", "only_coupled"),
    [
        pytest.param(BIDIRECTIONAL, ONLY_COUPLED, id="D2"),
        pytest.param(BIDIRECTIONAL, ALL, id="D3"),
        pytest.param(FROM, ALL, id="D5"),
    ],
)
def test_d2_d3_d5_without_a_strategy_the_coupling_is_kept_and_nothing_is_created(
    company: Company, direction: str, only_coupled: bool
) -> None:
    key = couple_customer(company)
    company.set("CUSTOMER", direction=direction, synch_only_coupled_records=only_coupled)
    company.delete_local("customer", key)

    rename(company, "Nordwind 1")
    assert company.last_job("CUSTOMER") == {"failed": 1}
    rename(company, "Nordwind 2")
    assert company.last_job("CUSTOMER") == {"skipped": 1}

    assert company.coupling("CUSTOMER", ACCOUNT).local_id == key
    assert company.locals("customer") == []


@pytest.mark.parametrize(
    ("direction", "only_coupled"),
    [
        pytest.param(BIDIRECTIONAL, ONLY_COUPLED, id="D6"),
        pytest.param(BIDIRECTIONAL, ALL, id="D7"),
        pytest.param(FROM, ALL, id="D9"),
    ],
)
def test_d6_d7_d9_delete_coupling_removes_it_and_creates_nothing(
    company: Company, direction: str, only_coupled: bool
) -> None:
    key = couple_customer(company)
    company.set(
        "CUSTOMER",
        direction=direction,
        synch_only_coupled_records=only_coupled,
        resolve_deletion_conflicts=DELETE_COUPLING,
    )
    company.delete_local("customer", key)

    rename(company, "Nordwind AG")

    assert company.last_job("CUSTOMER") == {"uncoupled": 1}
    assert company.coupling("CUSTOMER", ACCOUNT) is None
    assert company.locals("customer") == []


@pytest.mark.parametrize(
    ("direction", "only_coupled"),
    [
        pytest.param(BIDIRECTIONAL, ONLY_COUPLED, id="D10"),
        pytest.param(BIDIRECTIONAL, ALL, id="D11"),
        pytest.param(FROM, ALL, id="D13"),
    ],
)
def test_d10_d11_d13_restore_makes_a_new_customer_also_under_only_coupled(
    company: Company, direction: str, only_coupled: bool
) -> None:
    key = couple_customer(company)
    company.set(
        "CUSTOMER", direction=direction, synch_only_coupled_records=only_coupled, resolve_deletion_conflicts=RESTORE
    )
    company.delete_local("customer", key)

    rename(company, "Nordwind AG")

    customer = company.coupled_record("CUSTOMER", ACCOUNT)
    assert company.last_job("CUSTOMER") == {"inserted": 1}
    assert customer["name"] == account(company)["name"] == "Nordwind AG"
    assert customer["no"] != key
    assert len(company.locals("customer")) == 1


def test_d14_a_deleted_account_and_a_conflict_each_keep_their_coupling_and_are_skipped_the_second_time(
    company: Company,
) -> None:
    couple_customer(company)
    key = couple_customer(company, SECOND_ACCOUNT)
    company.sandbox.delete("account", ACCOUNT)
    change_both(company, key, SECOND_ACCOUNT)

    for row in (ACCOUNT, SECOND_ACCOUNT):
        assert company.coupling("CUSTOMER", row).last_from.result is Result.FAILURE
        assert not is_skipped(company, row)

    try_again(company)

    assert is_skipped(company, ACCOUNT)
    assert is_skipped(company, SECOND_ACCOUNT)


def test_d15_deleting_a_customer_leaves_its_coupling_alone(company: Company) -> None:
    key = couple_customer(company)
    before = company.coupling("CUSTOMER", ACCOUNT)

    company.delete_local("customer", key)
    company.work()

    assert company.coupling("CUSTOMER", ACCOUNT) == before
    assert not is_skipped(company)


def test_d17_a_deleted_account_fails_at_once_and_is_skipped_when_it_is_looked_at_again(company: Company) -> None:
    key = couple_customer(company)

    company.sandbox.delete("account", ACCOUNT)
    company.work()
    assert company.last_job("CUSTOMER") == {"failed": 1}
    assert "deleted" in errors(company, "CUSTOMER")[-1][2]

    try_again(company)
    assert company.last_job("CUSTOMER") == {"skipped": 1}
    assert is_skipped(company)
    assert company.local("customer", key) is not None


def test_d17_a_deleted_account_is_uncoupled_by_the_strategy_delete_coupling(company: Company) -> None:
    key = couple_customer(company)
    company.set("CUSTOMER", resolve_deletion_conflicts=DELETE_COUPLING)

    company.sandbox.delete("account", ACCOUNT)
    company.work()

    assert company.last_job("CUSTOMER") == {"uncoupled": 1}
    assert company.coupling("CUSTOMER", ACCOUNT) is None
    assert company.local("customer", key) is not None


def restored_account(company: Company, key: str) -> str:
    company.set("CUSTOMER", resolve_deletion_conflicts=RESTORE)
    before = {row["accountid"] for row in company.sandbox.rows("account")}
    company.sandbox.delete("account", ACCOUNT)
    company.work()
    (new,) = {row["accountid"] for row in company.sandbox.rows("account")} - before
    assert company.coupling("CUSTOMER", new).local_id == key
    return str(new)


def test_d17_a_deleted_account_is_restored_under_a_new_id_and_coupled_again(company: Company) -> None:
    key = couple_customer(company)

    new = restored_account(company, key)

    assert account(company, new)["name"] == company.local("customer", key)["name"]
    assert account(company, new)["customertypecode"] == 3
    assert company.coupling("CUSTOMER", ACCOUNT) is None
    inserted = [one for one in company.jobs("CUSTOMER") if one["direction"] == "ToIntegrationTable"]
    assert [one["inserted"] for one in inserted] == [1]


def test_d17_the_restored_account_comes_back_as_a_notification_and_ends_unchanged(company: Company) -> None:
    key = couple_customer(company)

    restored_account(company, key)

    assert company.last_job("CUSTOMER") == {"unchanged": 1}
    assert len(company.locals("customer")) == 1


def test_d17_an_account_that_is_restored_and_deleted_again_is_restored_again(company: Company) -> None:
    key = couple_customer(company)
    first = restored_account(company, key)

    company.sandbox.delete("account", first)
    company.work()

    (coupled,) = [one for one in company.sandbox.rows("account") if company.coupling("CUSTOMER", one["accountid"])]
    assert coupled["accountid"] not in {ACCOUNT, first}


def test_d17_a_mapping_from_dataverse_alone_forbids_restoring_there(company: Company) -> None:
    couple_customer(company)
    company.set("CUSTOMER", direction=FROM, resolve_deletion_conflicts=RESTORE)
    before = len(company.sandbox.rows("account"))

    company.sandbox.delete("account", ACCOUNT)
    company.work()

    assert company.last_outcome("CUSTOMER")["reason"] == "RESTORE_IS_FORBIDDEN"
    assert company.last_job("CUSTOMER") == {"failed": 1}
    assert len(company.sandbox.rows("account")) == before - 1


@pytest.mark.parametrize("strategy", ["", RESTORE, DELETE_COUPLING])
def test_d17_when_both_were_deleted_the_pair_is_uncoupled(company: Company, strategy: str) -> None:
    key = couple_customer(company)
    company.set("CUSTOMER", resolve_deletion_conflicts=strategy)

    company.delete_local("customer", key)
    company.sandbox.delete("account", ACCOUNT)
    company.work()

    assert company.last_job("CUSTOMER") == {"uncoupled": 1}
    assert company.coupling("CUSTOMER", ACCOUNT) is None
