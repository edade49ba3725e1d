"""What we sent is not what is there: plug-ins, autonumbers and triggers change what is written, and both come to rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from company import Company
from scenarios.pairs import ACCOUNT, account, couple_customer
from sqlalchemy import text

from receiver.cli import receiver
from receiver.commands.synchronizing.verify import Finding, findings, verify

PlugIn = Callable[[str, dict[str, Any]], dict[str, Any] | None]


def make_of_names(change: Callable[[str], str]) -> PlugIn:
    return lambda _message, values: {"name": change(values["name"])} if values.get("name") else None


def run(company: Company, direction: str) -> None:
    words = f"mappings run CUSTOMER --here --direction {direction}".split()
    done = company.app.test_cli_runner().invoke(receiver, words)
    assert done.exit_code == 0, done.output


def come_to_rest(company: Company) -> None:
    """Runs and notifications in turn, far more often than anything may be sent."""
    for _ in range(3):
        run(company, "to")
        company.work()
        run(company, "from")
        company.work()


def writes_to_dataverse(company: Company) -> int:
    return sum(made.method in {"PATCH", "POST"} for made in company.sandbox.requests)


def found(company: Company) -> list[Finding]:
    verified = verify(company.services, "CUSTOMER")
    assert verified.is_in_step, list(findings(company.services, verified.id))
    return [one for one in findings(company.services, verified.id) if one.kind != "uncoupled"]


def hang_trigger(company: Company, change: str) -> None:
    """The company's own trigger makes something else of each name, once it has been written."""
    database = company.services.database
    own = f"UPDATE customer SET name = {change} WHERE no = NEW.no AND name <> {change}".replace("name)", "NEW.name)")
    with database.writing() as connection:
        if connection.dialect.name == "sqlite":
            for event in ("INSERT", "UPDATE"):
                connection.execute(text(f"CREATE TRIGGER own_{event} AFTER {event} ON customer BEGIN {own}; END"))
            return
        body = f"BEGIN {own}; RETURN NULL; END"
        connection.execute(text(f"CREATE FUNCTION own() RETURNS trigger LANGUAGE plpgsql AS $own$ {body} $own$"))
        events = "AFTER INSERT OR UPDATE"
        connection.execute(
            text(
                f"CREATE TRIGGER own {events} ON customer FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION own()"
            )
        )


MADE_THERE = [
    # what the plug-in does         what is edited here     what both sides say then
    ("uppercases names", str.upper, "Nordwind", "NORDWIND"),
    ("cuts them", lambda name: name[:4], "Nordwind", "Nord"),
    ("appends something", lambda name: name if name.endswith("!") else f"{name}!", "Nordwind", "Nordwind!"),
    ("trims them", str.strip, "  Nordwind", "Nordwind"),
    ("leaves them alone", lambda name: name, "Nordwind", "Nordwind"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "edited", "both"), [row[1:] for row in MADE_THERE], ids=[row[0] for row in MADE_THERE]
)
def test_what_a_plug_in_makes_of_an_edit_comes_back_once(
    small_company: Company, change: Callable[[str], str], edited: str, both: str
) -> None:
    key = couple_customer(small_company)
    small_company.sandbox.plug_in("account", make_of_names(change))
    before = writes_to_dataverse(small_company)
    small_company.change_local("customer", key, name=edited)

    come_to_rest(small_company)

    assert (account(small_company)["name"], small_company.local("customer", key)["name"]) == (both, both)
    assert writes_to_dataverse(small_company) == before + 1, "what came back is not sent again"
    assert found(small_company) == []
    assert small_company.coupling("CUSTOMER", ACCOUNT).altered == {}


def test_what_dataverse_numbers_by_itself_comes_back_with_the_new_row(company: Company) -> None:
    company.open_for_all("CUSTOMER")
    company.sandbox.plug_in("account", lambda message, _: {"telephone1": "ACC-1"} if message == "Create" else None)
    key = company.insert_local("customer", name="Nordwind")

    run(company, "to")
    company.work()

    company.set("CUSTOMER", synch_only_coupled_records=True)
    assert company.local("customer", key)["phone_no"] == "ACC-1"
    assert found(company) == []


def test_two_sides_that_fight_over_a_value_come_to_rest_and_it_is_told(company: Company) -> None:
    key = couple_customer(company)
    hang_trigger(company, "lower(name)")
    company.sandbox.plug_in("account", make_of_names(str.upper))
    before = writes_to_dataverse(company)
    company.sandbox.update("account", ACCOUNT, {"name": "Nordwind"})
    company.work()

    come_to_rest(company)

    assert (account(company)["name"], company.local("customer", key)["name"]) == ("NORDWIND", "nordwind")
    assert writes_to_dataverse(company) <= before + 1
    (told,) = found(company)
    assert (told.kind, told.fields) == ("explained", {"name": ["nordwind", "NORDWIND"]})
    assert "both sides make something else" in told.reasons["name"]

    company.change_local("customer", key, name="südwind")
    come_to_rest(company)
    assert (account(company)["name"], company.local("customer", key)["name"]) == ("SÜDWIND", "südwind")


def test_what_the_companys_own_trigger_makes_of_a_value_goes_out_without_a_run(company: Company) -> None:
    key = couple_customer(company)
    hang_trigger(company, "lower(name)")

    company.sandbox.update("account", ACCOUNT, {"name": "Nordwind", "fax": "7"})
    company.work()

    assert company.local("customer", key)["name"] == "nordwind"
    assert (account(company)["name"], account(company)["fax"]) == ("nordwind", "7")
    assert company.coupling("CUSTOMER", ACCOUNT).altered == {}
    assert found(company) == []


def test_an_edit_here_that_is_younger_than_what_a_plug_in_made_is_no_conflict(company: Company) -> None:
    key = couple_customer(company)
    company.sandbox.plug_in("account", make_of_names(str.upper))
    company.change_local("customer", key, name="Nordwind")
    run(company, "to")
    company.change_local("customer", key, name="Südwind")

    come_to_rest(company)

    assert account(company)["name"] == company.local("customer", key)["name"] == "SÜDWIND"
    assert company.coupling("CUSTOMER", ACCOUNT).last_from.error == ""


def test_a_one_way_amount_that_a_plug_in_limits_is_told_and_not_sent_again(small_company: Company) -> None:
    key = couple_customer(small_company)
    small_company.sandbox.plug_in(
        "account", lambda _, values: {"creditlimit": 100} if values.get("creditlimit") else None
    )
    small_company.change_local("customer", key, credit_limit_lcy=500)
    run(small_company, "to")
    before = writes_to_dataverse(small_company)

    come_to_rest(small_company)
    small_company.app.test_cli_runner().invoke(receiver, ["verify", "CUSTOMER", "--repair", "--here"])

    assert writes_to_dataverse(small_company) == before
    (told,) = found(small_company)
    assert (told.kind, list(told.fields)) == ("explained", ["credit_limit_lcy"])
    assert "the side that it is sent to" in told.reasons["credit_limit_lcy"]
