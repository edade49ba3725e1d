"""A mapping whose table this version does not know stands still and says so; the others go on."""

from __future__ import annotations

import pytest
from company import Company
from sqlalchemy import update

from receiver.cli import receiver
from receiver.commands.connection.doctor import Setup, examine
from receiver.commands.following import notifications
from receiver.commands.mappings.mapping_fit import misfits
from receiver.commands.synchronizing import run_mapping
from receiver.errors import RefusedError
from receiver.store.mappings import record_change
from receiver.store.models import mapping as mapping_rows

ACCOUNT, OTHER = "a0000000-0000-4000-8000-000000000001", "a0000000-0000-4000-8000-000000000002"
SAID = "VENDOR stands still: this version of the receiver does not know"
TABLES = {"local_table": "subcontractor", "dataverse_table": "new_partner"}


def renamed(company: Company, **tables: str) -> None:
    """Another version's hand: no command of this one would do it."""
    with company.services.database.writing() as connection:
        number = record_change(connection, "another version", "VENDOR: table", ("", ""), company.now())
        changed = update(mapping_rows).where(mapping_rows.c.name == "VENDOR")
        connection.execute(changed.values(tables | {"version": number}))


@pytest.mark.parametrize("side", TABLES)
def test_the_others_go_on_and_it_says_so_everywhere(company: Company, side: str) -> None:
    company.open_for_all("CUSTOMER", "CONTACT")
    renamed(company, **{side: TABLES[side]})

    company.sandbox.update("account", ACCOUNT, {"fax": "7"})
    company.work()

    assert company.coupled_record("CUSTOMER", ACCOUNT)["fax_no"] == "7"
    assert misfits(company.services)["VENDOR"][0].startswith(f"{SAID} the")
    setup = Setup((), has_administrator=True, public_url="", certificate=None, settings_file=None)
    assert any(step.said.startswith(SAID) for step in examine(company.services, setup))
    assert SAID in company.app.test_cli_runner().invoke(receiver, ["mappings", "list"]).stdout
    with pytest.raises(RefusedError, match=SAID):
        run_mapping.start(company.services, "VENDOR", "Ann")


def test_what_came_for_it_meanwhile_is_kept_as_failed_and_comes_in_later(company: Company) -> None:
    company.open_for_all("CUSTOMER", "VENDOR")
    renamed(company, local_table=TABLES["local_table"])
    vendor = company.sandbox.create("account", {"name": "Zulieferer AG", "customertypecode": 11})
    company.work()
    newest = company.notifications()[-1]
    assert newest["state"] == "failed"
    assert SAID in " ".join(outcome["sentence"] for outcome in newest["outcome"])

    renamed(company, local_table="vendor")
    notifications.process_again(company.services, newest["id"])
    company.work()

    assert company.coupled_record("VENDOR", str(vendor))["name"] == "Zulieferer AG"
    assert {row["state"] for row in company.notifications()} <= {"done", "ignored"}


def test_while_it_is_switched_off_nobody_is_bothered(small_company: Company) -> None:
    small_company.open_for_all("CUSTOMER")
    small_company.set("VENDOR", is_enabled=False)
    renamed(small_company, local_table=TABLES["local_table"])

    small_company.sandbox.update("account", OTHER, {"fax": "7"})
    small_company.work()

    assert small_company.notifications()[-1]["state"] == "done"
