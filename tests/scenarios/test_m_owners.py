"""Group M: salespeople and owners, and what no hook changes behind a field mapping's back."""

from __future__ import annotations

import pytest
from company import Company
from scenarios.pairs import ACCOUNT, BIDIRECTIONAL, SALES_MANAGER, SALES_PERSON, account, couple, couple_customer

from receiver.commands.coupling.create import create_from_dataverse
from receiver.commands.mappings import change_mapping as mappings
from receiver.commands.result import CommandResult
from receiver.commands.synchronizing.synchronize_now import Choice, synchronize_now

OWNER_COLUMNS = {"CUSTOMER": "salesperson_code", "VENDOR": "purchaser_code", "CONTACT": "salesperson_code"}


def send(company: Company, key: str) -> CommandResult:
    return synchronize_now(company.services, "CUSTOMER", [key], Choice.SEND, "Ada")


def salesperson(company: Company, user: str) -> str:
    """A salesperson coupled to the user; the code."""
    code = company.insert_local("salesperson", name="Somebody")
    couple(company, "SALESPEOPLE", code, user)
    return code


def customer_of(company: Company, code: str) -> str:
    """A customer in step with its account, then given the salesperson here."""
    key = couple_customer(company)
    company.change_local("customer", key, salesperson_code=code, fax_no="1111")
    return key


def test_m14_the_same_salesperson_leaves_the_owner_as_it_is(company: Company) -> None:
    owner = account(company)["ownerid"]
    assert owner == SALES_PERSON
    key = customer_of(company, salesperson(company, SALES_PERSON))

    assert send(company, key).counts == {"modified": 1}
    assert (account(company)["ownerid"], account(company)["fax"]) == (owner, "1111")


def test_m15_another_salesperson_makes_the_coupled_user_the_owner(company: Company) -> None:
    key = customer_of(company, salesperson(company, SALES_PERSON))
    send(company, key)

    company.change_local("customer", key, salesperson_code=salesperson(company, SALES_MANAGER))

    assert send(company, key).counts == {"modified": 1}
    assert (account(company)["ownerid"], account(company)["owninguser"]) == (SALES_MANAGER, SALES_MANAGER)


def test_m17_a_team_is_no_salesperson_and_leaves_the_code_as_it_is(company: Company) -> None:
    key = customer_of(company, salesperson(company, SALES_PERSON))
    send(company, key)
    code = company.local("customer", key)["salesperson_code"]
    company.set("SALESPEOPLE", is_enabled=False)
    company.set_field("CUSTOMER", "salesperson_code", direction=BIDIRECTIONAL)
    team = company.sandbox.create("team", {"name": "The north"})

    company.sandbox.update("account", ACCOUNT, {"ownerid": ("team", team), "name": "Nordwind AG"})
    company.work()

    customer = company.local("customer", key)
    assert (customer["name"], customer["salesperson_code"]) == ("Nordwind AG", code)
    told = "The owner is the team The north, no salesperson: salesperson_code was left alone."
    assert told in company.last_outcome("CUSTOMER")["sentence"]


def test_m18_a_salesperson_who_is_not_coupled_fails_and_is_named(company: Company) -> None:
    owner = account(company)["ownerid"]
    code = company.insert_local("salesperson", name="Nobody's user")
    key = customer_of(company, code)

    done = send(company, key)

    assert done.counts == {"failed": 1}
    assert f"{code} (salesperson_code) is not coupled to Dataverse. Couple it first." in done.lines[0].sentence
    assert (account(company)["ownerid"], account(company)["fax"]) == (owner, None)


def test_m19_without_a_mapping_of_salespeople_no_owner_is_asked_for(company: Company) -> None:
    owner = account(company)["ownerid"]
    for mapping, column in OWNER_COLUMNS.items():
        company.set_field(mapping, column, is_enabled=False)
        needed = mappings.named(company.services, mapping).depends_on
        company.set(mapping, depends_on=tuple(name for name in needed if name != "SALESPEOPLE"))
    mappings.delete(company.services, "SALESPEOPLE", "Ada")
    key = customer_of(company, company.insert_local("salesperson", name="Nobody's user"))

    assert send(company, key).counts == {"modified": 1}
    assert (account(company)["ownerid"], account(company)["fax"]) == (owner, "1111")


def test_m25_only_the_field_mapping_writes_the_owner(company: Company) -> None:
    owner = account(company)["ownerid"]
    company.set_field("CUSTOMER", "salesperson_code", is_enabled=False)
    key = customer_of(company, salesperson(company, SALES_MANAGER))

    assert send(company, key).counts == {"modified": 1}
    assert (account(company)["ownerid"], account(company)["fax"]) == (owner, "1111")


def test_m21_an_account_that_becomes_inactive_leaves_a_blocked_customer_as_it_is(company: Company) -> None:
    key = couple_customer(company)
    company.change_local("customer", key, blocked="All")
    before = company.local("customer", key)

    company.sandbox.update("account", ACCOUNT, {"statecode": 1, "statuscode": 2, "fax": "2222"})
    company.work()

    assert company.last_job("CUSTOMER") == {"skipped": 1}
    assert company.local("customer", key) == before


def test_m22_an_active_account_does_not_unblock_its_customer(company: Company) -> None:
    key = couple_customer(company)
    company.change_local("customer", key, blocked="All")

    company.sandbox.update("account", ACCOUNT, {"fax": "2222"})
    company.work()

    customer = company.local("customer", key)
    assert (customer["fax_no"], customer["blocked"]) == ("2222", "All")


@pytest.mark.parametrize("is_coupled", [True, False])
def test_m23_an_owner_in_dataverse_does_not_become_the_salesperson(company: Company, is_coupled: bool) -> None:
    key = couple_customer(company)
    code = "" if is_coupled else "AH"
    company.change_local("customer", key, salesperson_code=code)
    if is_coupled:
        salesperson(company, SALES_MANAGER)

    company.sandbox.update("account", ACCOUNT, {"ownerid": ("systemuser", SALES_MANAGER), "fax": "2222"})
    company.work()

    customer = company.local("customer", key)
    assert (customer["fax_no"], customer["salesperson_code"]) == ("2222", code)


def test_m26_each_new_salesperson_gets_a_code_of_its_own(company: Company) -> None:
    done = create_from_dataverse(company.services, "SALESPEOPLE", [SALES_MANAGER, SALES_PERSON], "Ada")

    assert done.counts == {"inserted": 2}
    codes = {company.coupled_record("SALESPEOPLE", user)["code"] for user in (SALES_MANAGER, SALES_PERSON)}
    assert len(codes) == 2
    assert all(codes)
