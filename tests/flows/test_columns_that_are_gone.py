"""A mapping that no longer fits Dataverse's table: the fields concerned stand still, the rest goes on, and it says so."""

from __future__ import annotations

from dataclasses import replace

from admin.visitor import Visitor
from company import ADMIN_TOKEN, Company
from scenarios.pairs import ACCOUNT, SEND, couple_customer

from receiver.cli import receiver
from receiver.commands.connection.test_connection import test_connection as look_at_dataverse
from receiver.commands.mappings.mapping_fit import misfits


def drop(company: Company, *columns: str, shorter: dict[str, int] | None = None) -> None:
    """Somebody changes the account's columns in Dataverse; the connection is tested again."""
    tables = company.sandbox.organization.schema.tables
    kept = [one for one in tables["account"].columns if one.name not in columns]
    lengths = shorter or {}
    changed = [replace(one, length=lengths.get(one.name, one.length)) for one in kept]
    tables["account"] = replace(tables["account"], columns=tuple(changed))
    assert look_at_dataverse(company.services).is_good
    company.register_steps()


def test_a_field_whose_column_is_gone_stands_still_and_the_others_go_on(company: Company) -> None:
    key = couple_customer(company)
    fax = company.local("customer", key)["fax_no"]
    drop(company, "fax")

    company.sandbox.update("account", ACCOUNT, {"address1_city": "Bremen"})
    company.work()

    customer = company.local("customer", key)
    assert company.last_job("CUSTOMER") == {"modified": 1}
    assert (customer["city"], customer["fax_no"]) == ("Bremen", fax)
    said = "account has no column fax: field mapping 20 (fax_no) stands still, the other fields go on."
    assert misfits(company.services)["CUSTOMER"][0].startswith(said)


def test_a_mapping_whose_filter_needs_a_column_that_is_gone_stands_still(small_company: Company) -> None:
    couple_customer(small_company)
    small_company.set("CUSTOMER", dataverse_filter_text="customertypecode = 3 and fax is not empty")
    drop(small_company, "fax")

    small_company.sandbox.update("account", ACCOUNT, {"address1_city": "Bremen"})
    small_company.open("account", ACCOUNT)

    assert small_company.last_job("CUSTOMER") == {"skipped": 1}
    assert "nothing of CUSTOMER is synchronized" in misfits(small_company.services)["CUSTOMER"][0]


def test_a_text_is_cut_to_what_a_shortened_column_holds_today(small_company: Company) -> None:
    key = couple_customer(small_company)
    small_company.set("CUSTOMER", resolve_update_conflicts=SEND)
    drop(small_company, shorter={"address1_city": 5})
    small_company.change_local("customer", key, city="Castrop-Rauxel")

    small_company.sandbox.update("account", ACCOUNT, {"address1_city": "Bonn"})
    small_company.work()

    assert small_company.sandbox.row("account", ACCOUNT)["address1_city"] == "Castr"
    assert small_company.local("customer", key)["city"] == "Castrop-Rauxel"
    assert "holds 5 characters, not 80" in misfits(small_company.services)["CUSTOMER"][0]


def test_the_mapping_says_so_in_the_terminal_and_on_its_page(small_company: Company) -> None:
    drop(small_company, "fax")
    runner = small_company.app.test_cli_runner()

    for words in (("list",), ("show", "CUSTOMER")):
        assert "account has no column fax" in runner.invoke(receiver, ["mappings", *words]).stdout
    page = Visitor(small_company.app.test_client()).signed_in(ADMIN_TOKEN).get("/admin/mappings/CUSTOMER").text
    assert "account has no column fax" in page
