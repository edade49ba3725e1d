"""A deleted row that comes back with its id, from the recycle bin or from a backup, continues its pair."""

from __future__ import annotations

from typing import Any

import pytest
from company import Company
from scenarios.pairs import ACCOUNT, couple_customer

from receiver.cli import receiver
from receiver.core.mapping import DeletionConflict as D


def run(company: Company, words: str) -> Any:
    return company.app.test_cli_runner().invoke(receiver, words.split())


def deleted(company: Company, strategy: D) -> str:
    key = couple_customer(company)
    company.set("CUSTOMER", resolve_deletion_conflicts=strategy)
    company.sandbox.keep_deleted_days = 30
    company.sandbox.delete("account", ACCOUNT)
    company.work()
    return key


@pytest.mark.parametrize("strategy", [D.DELETE_COUPLING, D.NONE])
@pytest.mark.parametrize("is_changed_here", [False, True])
def test_a_row_from_the_recycle_bin_continues_its_pair(company: Company, strategy: D, is_changed_here: bool) -> None:
    key = deleted(company, strategy)
    assert (company.coupling("CUSTOMER", ACCOUNT) is None) is (strategy is D.DELETE_COUPLING)
    if is_changed_here:
        company.change_local("customer", key, fax_no="4711")
    company.sandbox.restore("account", ACCOUNT)
    company.work()
    company.sandbox.update("account", ACCOUNT, {"name": "Nordwind AG"})
    company.work()
    record = company.coupled_record("CUSTOMER", ACCOUNT)
    assert (record["no"], record["name"]) == (key, "Nordwind AG")
    run(company, "mappings run CUSTOMER --here --direction to")
    if is_changed_here and strategy is D.DELETE_COUPLING:
        assert company.sandbox.row("account", ACCOUNT)["fax"] == "4711"
    assert len(company.locals("customer")) == 1


def test_a_row_from_a_backup_continues_its_pair_at_the_next_full_run(small_company: Company) -> None:
    key = couple_customer(small_company)
    small_company.set("CUSTOMER", resolve_deletion_conflicts=D.DELETE_COUPLING)
    backup = small_company.sandbox.backup()
    small_company.sandbox.delete("account", ACCOUNT)
    small_company.work()
    assert small_company.coupling("CUSTOMER", ACCOUNT) is None
    small_company.sandbox.restore_backup(backup)
    small_company.open_for_all("CUSTOMER")
    run(small_company, "mappings run CUSTOMER --here --direction from --full")
    assert small_company.coupled_record("CUSTOMER", ACCOUNT)["no"] == key


def test_a_record_that_was_coupled_or_uncoupled_since_is_left_alone(small_company: Company) -> None:
    from scenarios.pairs import SECOND_ACCOUNT, couple

    key = deleted(small_company, D.DELETE_COUPLING)
    couple(small_company, "CUSTOMER", key, SECOND_ACCOUNT)
    small_company.sandbox.restore("account", ACCOUNT)
    small_company.work()
    assert small_company.coupling("CUSTOMER", ACCOUNT) is None
    assert small_company.coupled_record("CUSTOMER", SECOND_ACCOUNT)["no"] == key
