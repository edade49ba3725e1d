"""Texts and amounts that one side cannot keep as they are: kept as far as it can, never sent back, told by verify."""

from __future__ import annotations

from decimal import Decimal

import pytest
from company import Company
from flows.images import send_again
from scenarios.pairs import ACCOUNT, EURO, account, couple_customer

from receiver.cli import receiver
from receiver.commands.synchronizing.verify import Finding, findings, verify

SMILE = "\U0001f600"


def said(company: Company, words: str) -> str:
    return company.app.test_cli_runner().invoke(receiver, words.split()).output


def told(company: Company) -> list[Finding]:
    """What verify says of pairs that are in step."""
    verified = verify(company.services, "CUSTOMER")
    assert verified.is_in_step, list(findings(company.services, verified.id))
    return [one for one in findings(company.services, verified.id) if one.kind != "uncoupled"]


def send_both_ways(company: Company) -> None:
    for direction in ("to", "from", "to"):
        said(company, f"mappings run CUSTOMER --here --direction {direction}")
        company.work()


IN = [
    # what is the case                     what Dataverse says          what is kept here
    ("the first half of an emoji", "Nord\ud83d", "Nord\ufffd"),
    ("the second half", "\ude00wind", "\ufffdwind"),
    ("NUL", "Nord\0wind", "Nord\ufffdwind"),
    ("a moment that is a text", "/Date(1506409448000-0700)/", "/Date(1506409448000-0700)/"),
    ("a moment without its zone", "/Date(1506409448000)/", "/Date(1506409448000)/"),
    ("a moment in Greenwich", "/Date(1506409448000+0000)/", "/Date(1506409448000+0000)/"),
    ("nearly a moment", "/Date(x)/", "/Date(x)/"),
]


@pytest.mark.parametrize(("name", "kept"), [row[1:] for row in IN], ids=[row[0] for row in IN])
def test_an_odd_text_arrives_by_image(company: Company, name: str, kept: str) -> None:
    key = couple_customer(company)
    company.sandbox.update("account", ACCOUNT, {"name": "Before"})
    company.work()

    send_again(company, name=name, versionnumber=lambda number: number + 1000)
    company.work()

    assert company.local("customer", key)["name"] == kept, company.notifications()[-1]["note"]


@pytest.mark.parametrize("name", ["Nord\ud83d", "/Date(1506409448000-0700)/"], ids=["half an emoji", "a moment"])
def test_an_odd_text_arrives_by_a_read_and_is_never_sent_back(company: Company, name: str) -> None:
    key = couple_customer(company)
    company.sandbox.faults.drop = 1
    company.sandbox.update("account", ACCOUNT, {"name": name})
    company.open("account", ACCOUNT)
    company.work()
    assert company.local("customer", key)["name"] == name.replace("\ud83d", "\ufffd")
    company.change_local("customer", key, phone_no="7")

    send_both_ways(company)

    assert (account(company)["name"], account(company)["telephone1"]) == (name, "7")
    reasons = [one.reasons["name"] for one in told(company)]
    assert reasons == ([] if name.startswith("/") else ["a character that cannot be kept stands as U+FFFD"])


OUT = [
    # what is the case                   what is written here     what Dataverse keeps
    ("an emoji over the end", "N" * 159 + SMILE, "N" * 159),
    ("many emoji", SMILE * 100, SMILE * 80),
    ("a skin tone over the end", "N" * 157 + "\U0001f44d\U0001f3fd", "N" * 157),
    ("control characters", "Nord\x01\x1fwind", "Nordwind"),
    ("tab and line end", "Nord\twind\n7", "Nord\twind\n7"),
]


@pytest.mark.parametrize(("name", "kept"), [row[1:] for row in OUT], ids=[row[0] for row in OUT])
def test_a_text_goes_out_as_far_as_dataverse_takes_it(company: Company, name: str, kept: str) -> None:
    key = company.insert_local("customer", name=name)

    done = company.app.test_cli_runner().invoke(receiver, ["create", "to", "CUSTOMER", key])

    assert done.exit_code == 0, done.output
    (row,) = [one for one in company.sandbox.rows("account") if one["name"] == kept]
    company.work()
    send_both_ways(company)
    assert company.local("customer", key)["name"] == name, "what Dataverse cut does not come back"
    assert company.sandbox.row("account", str(row["accountid"]))["name"] == kept
    assert [list(one.reasons) for one in told(company)] == ([] if name == kept else [["name"]])


def test_a_text_that_was_cut_on_its_way_in_is_not_sent_back_even_by_force(small_company: Company) -> None:
    company = small_company
    company.sandbox.change_column("account", "telephone1", length=100)
    company.set_field("CUSTOMER", "phone_no", is_enabled=True)
    key = couple_customer(company)
    long = "7" * 60
    company.sandbox.update("account", ACCOUNT, {"telephone1": long})
    company.work()
    here = company.local("customer", key)["phone_no"]
    assert (long.startswith(here), here == long) == (True, False)

    said(company, f"synchronize CUSTOMER {key} --direction to --force")
    send_both_ways(company)

    assert account(company)["telephone1"] == long
    (one,) = told(company)
    assert one.reasons == {"phone_no": f"the text was cut: phone_no holds {len(here)} characters"}
    assert "the text was cut" in said(company, "verify CUSTOMER --list --here")


def checked(company: Company) -> None:
    """Nothing is left to do, and what is printed is for people."""
    send_both_ways(company)
    said(company, "verify CUSTOMER --repair --here")
    found = said(company, "verify CUSTOMER --list --here")
    assert "in step as of" in found, found
    assert "$" not in found, found


@pytest.mark.parametrize(
    ("amount", "kept"), [("1234.56789", "1234.57"), ("1234.5", "1234.50"), ("0.004", "0"), ("-7.005", "-7.01")]
)
def test_an_amount_that_dataverse_rounds_is_in_step(company: Company, amount: str, kept: str) -> None:
    key = couple_customer(company)
    company.change_local("customer", key, credit_limit_lcy=Decimal(amount))

    checked(company)

    assert abs(Decimal(account(company)["creditlimit"]) - Decimal(kept)) <= Decimal("0.01")
    assert company.local("customer", key)["credit_limit_lcy"] == Decimal(amount)


def test_an_amount_that_differs_is_printed_as_people_read_it(small_company: Company) -> None:
    key = couple_customer(small_company)
    small_company.change_local("customer", key, credit_limit_lcy=Decimal("1234.56"), currency_code="USD")

    found = said(small_company, "verify CUSTOMER --list --here")

    assert "credit_limit_lcy: 1234.56 here" in found
    assert "currency_code: USD here, Euro in Sales" in found


def test_a_row_in_the_local_currency_needs_no_record_of_it(company: Company) -> None:
    key = couple_customer(company)
    assert [row["code"] for row in company.locals("currency")] == []

    company.sandbox.update("account", ACCOUNT, {"name": "Nordwind AG"})
    company.work()

    assert (company.local("customer", key)["name"], company.local("customer", key)["currency_code"]) == (
        "Nordwind AG",
        "",
    )


@pytest.mark.parametrize("before", ["", "EUR"])
def test_the_local_currency_by_its_code_is_the_local_currency(company: Company, before: str) -> None:
    company.insert_currency("EUR")
    key = couple_customer(company)
    company.change_local("customer", key, currency_code=before)
    checked(company)

    company.change_local("customer", key, currency_code="EUR" if before == "" else "")
    checked(company)
    company.sandbox.update("account", ACCOUNT, {"fax": "7"})
    company.work()

    held = company.local("customer", key)
    assert (held["currency_code"], held["fax_no"]) == ("EUR" if before == "" else "", "7")
    assert account(company)["transactioncurrencyid"] == EURO
