"""The trial of `make outage`, in small; and that a database restored from a backup goes on by itself."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from company import Company
from outage.outage import trial
from scenarios.pairs import couple_customer

from receiver.core.mapping import DeletionConflict
from receiver.sandbox import Sandbox

ACCOUNT = "a0000000-0000-4000-8000-000000000001"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_after_each_outage_both_sides_agree_by_themselves(kind: str) -> None:
    before = {name: os.environ.get(name) for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")}
    try:
        result = trial(kind, couplings=300, changes=90, deletions=2, wave=40)
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
    assert result.is_good, (result.wrong, [(one.name, one.wrong) for one in result.phases])
    assert [one.name for one in result.phases] == ["everything away in turn", "a foreign key", "a wave of deletions"]


def test_a_database_restored_from_a_backup_catches_up_with_all_that_changed_since(
    sqlite_template: Path, tmp_path: Path, sandbox: Sandbox
) -> None:
    """The steps of docs/operations.md, Back up and restore."""
    path, kept = tmp_path / "receiver.sqlite", tmp_path / "backup.sqlite"
    shutil.copy(sqlite_template, path)
    company = Company(f"sqlite:///{path}", sandbox)
    company.set("CUSTOMER", resolve_deletion_conflicts=DeletionConflict.DELETE_COUPLING)
    key = couple_customer(company)
    company.catch_up()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("VACUUM INTO ?", (str(kept),))  # the backup
    sandbox.update("account", ACCOUNT, {"name": "Told before the crash"})
    company.work()
    company.change_local("customer", key, fax_no="4711")
    company.catch_up()
    company.close()
    sandbox.update("account", ACCOUNT, {"telephone1": "0815"})  # nobody is there
    shutil.copy(kept, path)

    restored = Company(f"sqlite:///{path}", sandbox)
    try:
        restored.catch_up()
        found = restored.local("customer", key)
        assert found is not None
        # what was made here since the backup is gone with it, and comes back from Dataverse
        assert (found["name"], found["phone_no"], found["fax_no"]) == ("Told before the crash", "0815", "4711")
        row = sandbox.row("account", ACCOUNT)
        assert row is not None
        assert (row["name"], row["telephone1"], row["fax"]) == ("Told before the crash", "0815", "4711")
    finally:
        restored.close()
