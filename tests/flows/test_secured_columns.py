"""Columns that the application user may not read, or reads masked, stand still here; the others go on, and it says so."""

from __future__ import annotations

import pytest
from admin.visitor import Visitor
from company import ADMIN_TOKEN, Company
from scenarios.pairs import ACCOUNT, couple_customer

from receiver.cli import receiver
from receiver.commands.connection.test_connection import test_connection as look_at_dataverse
from receiver.commands.coupling.create import create_in_dataverse
from receiver.commands.mappings.mapping_fit import misfits
from receiver.commands.synchronizing.synchronize_now import Choice, synchronize_now

OURS, MASK = "info@nordwind.example", "i***@***"
#: longer than a right takes to come into effect
A_WHILE = 100


def coupled_with_mail(company: Company) -> str:
    """A customer in step with its account, with an e-mail address on both sides."""
    key = couple_customer(company)
    company.sandbox.update("account", ACCOUNT, {"emailaddress1": OURS})
    company.work()
    assert mail(company, key) == OURS
    return key


def mail(company: Company, key: str) -> str:
    customer = company.local("customer", key)
    assert customer is not None
    return str(customer["e_mail"])


def theirs(company: Company) -> object:
    return company.sandbox.row("account", ACCOUNT)["emailaddress1"]


def tested(company: Company) -> None:
    """A worker tests the connection, and once more when what was given is in effect."""
    look_at_dataverse(company.services)
    company.pass_time(A_WHILE)
    look_at_dataverse(company.services)


def told(company: Company) -> str:
    return " ".join(misfits(company.services)["CUSTOMER"])


@pytest.mark.parametrize("is_noticed", [False, True], ids=["by the read alone", "by a test of the connection"])
@pytest.mark.parametrize("rights", [{}, {"update": True}, {"masked": MASK}], ids=["none", "write only", "masked"])
def test_a_value_that_we_may_not_read_is_kept(company: Company, rights: dict[str, object], is_noticed: bool) -> None:
    key = coupled_with_mail(company)
    company.sandbox.secure("account", "emailaddress1", **rights)
    if is_noticed or "masked" in rights:  # a mask looks like a value: nothing but the metadata tells
        look_at_dataverse(company.services)

    company.sandbox.faults.strip = 1  # the row must be read
    company.sandbox.update("account", ACCOUNT, {"name": "Nordwind AG"})
    company.work()

    customer = company.local("customer", key)
    assert customer is not None
    assert (customer["name"], customer["e_mail"]) == ("Nordwind AG", OURS)
    assert theirs(company) == OURS


def test_what_an_image_says_of_a_column_that_we_may_not_read_is_not_used(company: Company) -> None:
    key = coupled_with_mail(company)
    company.sandbox.secure("account", "emailaddress1")
    look_at_dataverse(company.services)
    before = len(company.sandbox.requests)

    company.sandbox.update("account", ACCOUNT, {"emailaddress1": "new@nordwind.example", "name": "Nordwind AG"})
    company.work()

    customer = company.local("customer", key)
    assert customer is not None
    assert (customer["name"], customer["e_mail"]) == ("Nordwind AG", OURS)
    assert len(company.sandbox.requests) == before, "the image is still the registered one: nothing has to be read"


def test_a_local_change_of_it_is_not_sent_and_the_others_are(company: Company) -> None:
    key = coupled_with_mail(company)
    company.sandbox.secure("account", "emailaddress1")
    look_at_dataverse(company.services)

    company.change_local("customer", key, e_mail="here@nordwind.example", city="Bremen")
    synchronize_now(company.services, "CUSTOMER", [key], Choice.SEND, "Ada")

    row = company.sandbox.row("account", ACCOUNT)
    assert (row["emailaddress1"], row["address1_city"]) == (OURS, "Bremen")
    assert mail(company, key) == "here@nordwind.example"


def test_doctor_and_the_mapping_name_the_column_and_what_to_do(small_company: Company) -> None:
    small_company.sandbox.secure("account", "emailaddress1")
    look_at_dataverse(small_company.services)
    said = "account.emailaddress1 may not be read by the application user"
    runner = small_company.app.test_cli_runner()

    for words in (["doctor"], ["mappings", "list"], ["mappings", "show", "CUSTOMER"]):
        output = " ".join(runner.invoke(receiver, words).output.split())
        assert said in output, words
        assert "column security profile" in output, words
    page = Visitor(small_company.app.test_client()).signed_in(ADMIN_TOKEN).get("/admin/mappings/CUSTOMER").text
    assert said in page


@pytest.mark.parametrize(
    ("there", "here"), [(None, ""), ("new@nordwind.example", "new@nordwind.example"), (OURS, OURS)]
)
def test_with_the_right_back_null_is_a_value_and_the_field_follows(
    company: Company, there: str | None, here: str
) -> None:
    key = coupled_with_mail(company)
    company.sandbox.secure("account", "emailaddress1")
    tested(company)
    company.sandbox.update("account", ACCOUNT, {"emailaddress1": there})
    company.work()
    assert mail(company, key) == OURS
    company.sandbox.secure("account", "emailaddress1", read=True, create=True, update=True)
    tested(company)

    company.sandbox.update("account", ACCOUNT, {"name": "Nordwind AG"})
    company.work()

    assert mail(company, key) == here
    assert told(company) == ""


def test_a_right_that_was_given_this_moment_is_not_relied_on_yet(small_company: Company) -> None:
    key = coupled_with_mail(small_company)
    small_company.sandbox.secure("account", "emailaddress1")
    look_at_dataverse(small_company.services)
    small_company.sandbox.unsecure("account", "emailaddress1")
    small_company.sandbox.update("account", ACCOUNT, {"emailaddress1": None})

    look_at_dataverse(small_company.services)
    small_company.work()
    assert mail(small_company, key) == OURS
    assert "may not be read" in told(small_company)

    small_company.pass_time(A_WHILE)
    look_at_dataverse(small_company.services)
    assert told(small_company) == ""


def test_a_pair_coupled_while_it_could_not_be_read_is_not_emptied_when_it_can(small_company: Company) -> None:
    small_company.sandbox.update("account", ACCOUNT, {"emailaddress1": None})
    small_company.sandbox.secure("account", "emailaddress1")
    look_at_dataverse(small_company.services)
    key = couple_customer(small_company)
    small_company.change_local("customer", key, e_mail="here@nordwind.example")
    small_company.sandbox.unsecure("account", "emailaddress1")
    tested(small_company)

    small_company.sandbox.update("account", ACCOUNT, {"name": "Nordwind AG"})
    small_company.work()
    assert mail(small_company, key) == "here@nordwind.example"

    synchronize_now(small_company.services, "CUSTOMER", [key], Choice.SEND, "Ada")
    assert theirs(small_company) == "here@nordwind.example"


@pytest.mark.parametrize("is_noticed", [False, True], ids=["by the refusal alone", "by a test of the connection"])
def test_a_column_that_may_be_read_and_not_changed_is_not_sent_until_it_may(
    company: Company,
    is_noticed: bool,
) -> None:
    key = coupled_with_mail(company)
    company.sandbox.secure("account", "emailaddress1", read=True, create=True)
    if is_noticed:
        look_at_dataverse(company.services)

    company.change_local("customer", key, e_mail="here@nordwind.example", city="Bremen")
    synchronize_now(company.services, "CUSTOMER", [key], Choice.SEND, "Ada")

    row = company.sandbox.row("account", ACCOUNT)
    assert (row["emailaddress1"], row["address1_city"]) == (OURS, "Bremen")
    assert mail(company, key) == "here@nordwind.example"
    assert "account.emailaddress1 may not be filled in by the application user when it changes a row" in told(company)

    company.sandbox.secure("account", "emailaddress1", read=True, create=True, update=True)
    look_at_dataverse(company.services)
    synchronize_now(company.services, "CUSTOMER", [key], Choice.SEND, "Ada")
    assert theirs(company) == "here@nordwind.example"


def test_a_column_that_may_not_be_filled_in_a_new_row_is_sent_with_the_next_change(company: Company) -> None:
    company.open_for_all("CUSTOMER")
    company.sandbox.secure("account", "emailaddress1", read=True, update=True)
    look_at_dataverse(company.services)
    key = company.insert_local("customer", name="Neu GmbH", e_mail="neu@neu.example")

    create_in_dataverse(company.services, "CUSTOMER", [key], "Ada")
    (made,) = [one for one in company.sandbox.rows("account") if one["name"] == "Neu GmbH"]
    assert made["emailaddress1"] is None

    synchronize_now(company.services, "CUSTOMER", [key], Choice.SEND, "Ada")
    (changed,) = [one for one in company.sandbox.rows("account") if one["name"] == "Neu GmbH"]
    assert (changed["emailaddress1"], mail(company, key)) == ("neu@neu.example", "neu@neu.example")


def test_a_mapping_whose_filter_needs_what_may_not_be_read_stands_still(small_company: Company) -> None:
    couple_customer(small_company)
    small_company.set("CUSTOMER", dataverse_filter_text="customertypecode = 3 and fax is empty")
    small_company.sandbox.secure("account", "fax")
    look_at_dataverse(small_company.services)

    small_company.sandbox.update("account", ACCOUNT, {"address1_city": "Bremen"})
    small_company.open("account", ACCOUNT)

    assert small_company.last_job("CUSTOMER") == {"skipped": 1}
    assert "nothing of CUSTOMER is synchronized" in told(small_company)


def test_without_a_secured_column_nothing_is_asked_of_profiles(small_company: Company) -> None:
    look_at_dataverse(small_company.services)
    asked = [one.path for one in small_company.sandbox.requests]
    assert [path for path in asked if "fieldpermissions" in path or "profiles" in path] == []
