"""Group M: lookups that lead nowhere, primary contacts, currencies, and options as codes."""

from __future__ import annotations

import pytest
from company import Company
from scenarios.pairs import ACCOUNT, CONTACT, POUND, SECOND_ACCOUNT, TO, account, couple, couple_customer

from receiver.cli import receiver
from receiver.commands.coupling.create import create_in_dataverse
from receiver.commands.coupling.pairs import mapping_named
from receiver.commands.coupling.set_up_coupling import AfterCoupling, create_new
from receiver.commands.coupling.set_up_coupling import couple as set_up
from receiver.commands.result import CommandResult
from receiver.commands.synchronizing.synchronize_now import Choice, synchronize_now
from receiver.commands.synchronizing.verify import findings, verify
from receiver.core.coupling import Result
from receiver.errors import InvalidMappingError
from receiver.runs.mapping_run import parts_of, run_part
from receiver.runs.run_pages import Scope

SECOND_CONTACT = "c0000000-0000-4000-8000-000000000002"


def send(company: Company, key: str, mapping: str = "CUSTOMER") -> CommandResult:
    return synchronize_now(company.services, mapping, [key], Choice.SEND, "Ada")


def get(company: Company, key: str) -> CommandResult:
    return synchronize_now(company.services, "CUSTOMER", [key], Choice.GET, "Ada")


def run_to(company: Company) -> dict[str, int]:
    """Run CUSTOMER toward Dataverse; the counters that are not 0."""
    for part in parts_of(mapping_named(company.services, "CUSTOMER"), TO, Scope.MODIFIED, "Ada"):
        list(run_part(company.services, part))
    return company.last_job("CUSTOMER")


def person(company: Company, customer: str, surname: str = "Vogt") -> str:
    """A local contact of a customer; its number."""
    belongs = {"type": "Person", "company_type": "customer", "company_no": customer}
    return company.insert_local("contact", first_name="Nora", surname=surname, **belongs)


def row_named(company: Company, table: str, column: str, name: str) -> dict[str, object]:
    (found,) = [one for one in company.sandbox.rows(table) if one[column] == name]
    return found


# -- Clear Value on Failed Sync ------------------------------------------------------------------------------------


def customer_with_a_contact_that_is_not_coupled(company: Company) -> str:
    key = company.insert_local("customer", name="Alone")
    company.change_local("customer", key, primary_contact_no=person(company, key))
    return key


def test_m1_a_contact_that_is_not_coupled_empties_the_accounts_primary_contact(company: Company) -> None:
    key = customer_with_a_contact_that_is_not_coupled(company)
    assert account(company)["primarycontactid"] == CONTACT

    done = set_up(company.services, "CUSTOMER", key, ACCOUNT, "Ada", AfterCoupling.LOCAL)

    assert done.counts == {"coupled": 1, "modified": 1}
    assert account(company)["primarycontactid"] is None
    assert company.local("customer", key)["primary_contact_no"] != ""


def test_m2_without_clear_value_it_fails_and_says_what_must_be_coupled(company: Company) -> None:
    company.set_field("CUSTOMER", "primary_contact_no", clear_value_on_failed_sync=False)
    key = customer_with_a_contact_that_is_not_coupled(company)

    couple(company, "CUSTOMER", key, ACCOUNT)

    assert run_to(company) == {"failed": 1}
    coupling = company.coupling("CUSTOMER", ACCOUNT)
    assert (coupling.last_to.result, coupling.last_from.result) == (Result.FAILURE, Result.NONE)
    assert coupling.last_to.job == company.jobs("CUSTOMER")[-1]["id"]
    assert "(primary_contact_no) is not coupled to Dataverse. Couple it first." in coupling.last_to.error
    assert account(company)["primarycontactid"] == CONTACT
    assert account(company)["name"] == "Nordwind Trading GmbH"


def customer_and_contact(company: Company, row_id: str = ACCOUNT, contact: str = CONTACT) -> tuple[str, str]:
    """Both in step with Dataverse, and each under *Synch. Only Coupled Records* again."""
    company.open_for_all("CUSTOMER", "CONTACT")
    keys = company.couple_by_click("account", row_id), company.couple_by_click("contact", contact)
    for mapping in ("CUSTOMER", "CONTACT"):
        company.set(mapping, synch_only_coupled_records=True)
    company.work()
    return keys


def test_m3_without_clear_value_a_row_that_is_not_coupled_fails_on_its_way_in(company: Company) -> None:
    company.set_field("CUSTOMER", "primary_contact_no", clear_value_on_failed_sync=False)
    company.set_field("CUSTOMER", "primary_contact_no", is_enabled=False)
    key, contact = customer_and_contact(company)
    company.change_local("customer", key, primary_contact_no=contact)
    company.set_field("CUSTOMER", "primary_contact_no", is_enabled=True)
    assert send(company, key).has_errors is False

    company.sandbox.update("account", ACCOUNT, {"primarycontactid": SECOND_CONTACT})
    company.work()

    coupling = company.coupling("CUSTOMER", ACCOUNT)
    assert (coupling.last_from.result, coupling.last_to.result) == (Result.FAILURE, Result.SUCCESS)
    assert SECOND_CONTACT in coupling.last_from.error
    assert company.local("customer", key)["primary_contact_no"] == contact


# -- primary contacts ----------------------------------------------------------------------------------------------


def test_m5_the_accounts_primary_contact_is_the_customers(company: Company) -> None:
    key, contact = customer_and_contact(company, SECOND_ACCOUNT, SECOND_CONTACT)
    company.sandbox.update("account", SECOND_ACCOUNT, {"primarycontactid": None})
    company.work()
    assert company.local("customer", key)["primary_contact_no"] == ""
    company.sandbox.update("account", SECOND_ACCOUNT, {"primarycontactid": SECOND_CONTACT}, deliver=False)

    assert get(company, key).counts == {"modified": 1}
    assert company.local("customer", key)["primary_contact_no"] == contact


def test_m6_a_new_account_gets_the_contact_that_was_created_before_it(company: Company) -> None:
    contact = person(company, couple_customer(company))
    assert create_new(company.services, "CONTACT", contact, "Ada").counts == {"inserted": 1}
    key = company.insert_local("customer", name="Brand new", primary_contact_no=contact)

    assert create_new(company.services, "CUSTOMER", key, "Ada").counts == {"inserted": 1}

    made = row_named(company, "contact", "lastname", "Vogt")
    assert row_named(company, "account", "name", "Brand new")["primarycontactid"] == made["contactid"]


def customer_before_its_contact(company: Company) -> str:
    """Both created in Dataverse, the customer first: it could not name its contact yet."""
    key = company.insert_local("customer", name="Brand new")
    contact = person(company, key)
    company.change_local("customer", key, primary_contact_no=contact)
    assert create_new(company.services, "CUSTOMER", key, "Ada").counts == {"inserted": 1}
    company.work()
    assert row_named(company, "account", "name", "Brand new")["primarycontactid"] is None
    assert create_new(company.services, "CONTACT", contact, "Ada").counts == {"inserted": 1}
    company.work()
    assert company.local("customer", key)["primary_contact_no"] == contact
    return key


def test_m6_a_contact_that_was_created_later_is_sent_by_synchronize_now(company: Company) -> None:
    key = customer_before_its_contact(company)

    assert send(company, key).counts == {"modified": 1}

    made = row_named(company, "contact", "lastname", "Vogt")
    assert row_named(company, "account", "name", "Brand new")["primarycontactid"] == made["contactid"]
    assert send(company, key).counts == {"unchanged": 1}


def test_m6_a_contact_that_was_created_later_is_sent_by_the_next_run(company: Company) -> None:
    customer_before_its_contact(company)

    assert run_to(company) == {"modified": 1}

    made = row_named(company, "contact", "lastname", "Vogt")
    assert row_named(company, "account", "name", "Brand new")["primarycontactid"] == made["contactid"]
    assert run_to(company) == {}


def test_m6_what_somebody_chose_in_sales_meanwhile_is_not_overwritten(company: Company) -> None:
    customer_before_its_contact(company)
    row_id = str(row_named(company, "account", "name", "Brand new")["accountid"])
    company.sandbox.update("account", row_id, {"primarycontactid": CONTACT})

    assert run_to(company) == {"failed": 1}
    assert "primary_contact_no is “" in company.jobs("CUSTOMER")[-1]["errors"][0]
    assert account(company, row_id)["primarycontactid"] == CONTACT


# -- currencies ----------------------------------------------------------------------------------------------------


def test_m10_a_contacts_currency_is_the_row_of_its_code(company: Company) -> None:
    company.insert_currency("GBP")
    couple(company, "CURRENCY", "GBP", POUND)
    _, contact = customer_and_contact(company)
    company.change_local("contact", contact, currency_code="GBP")

    assert send(company, contact, "CONTACT").counts == {"modified": 1}

    row = company.sandbox.row("contact", CONTACT)
    assert row is not None
    assert row["transactioncurrencyid"] == POUND


# -- options -------------------------------------------------------------------------------------------------------

OWN_TABLE = "LOOKUP(OWN=1, DHL=2, 'BY HAND'=7)"


@pytest.mark.parametrize(
    ("rule", "code", "option"),
    [
        pytest.param("", "WILL CALL", 7, id="M11-by-its-label"),
        pytest.param("", "Full Load", 6, id="whatever-its-case"),
        pytest.param("", "POSTAL MAI", 5, id="by-the-labels-first-ten-characters"),
        pytest.param(OWN_TABLE, "BY HAND", 7, id="by-a-table"),
    ],
)
def test_m11_a_code_is_an_option_of_the_account_and_the_option_the_code(
    company: Company, rule: str, code: str, option: int
) -> None:
    company.set_field("CUSTOMER", "shipping_agent_code", is_enabled=True, transformation_rule=rule)
    key = couple_customer(company)
    company.change_local("customer", key, shipping_agent_code=code)

    assert send(company, key).counts == {"modified": 1}
    assert account(company)["address1_shippingmethodcode"] == option
    company.work()
    assert company.local("customer", key)["shipping_agent_code"] == code

    company.sandbox.update("account", ACCOUNT, {"address1_shippingmethodcode": 2})
    company.work()
    assert company.local("customer", key)["shipping_agent_code"] == "DHL"


def test_m11_no_option_is_no_code_and_no_code_no_option(company: Company) -> None:
    company.set_field("CUSTOMER", "shipping_agent_code", is_enabled=True)
    company.sandbox.update("account", ACCOUNT, {"address1_shippingmethodcode": 2})
    key = couple_customer(company)
    assert company.local("customer", key)["shipping_agent_code"] == "DHL"

    company.sandbox.update("account", ACCOUNT, {"address1_shippingmethodcode": None})
    company.work()
    assert company.local("customer", key)["shipping_agent_code"] == ""

    company.change_local("customer", key, shipping_agent_code="UPS")
    send(company, key)
    company.change_local("customer", key, shipping_agent_code="")
    send(company, key)
    assert account(company)["address1_shippingmethodcode"] is None


def test_m11_a_code_without_option_is_left_alone_and_follows_once_the_table_has_it(company: Company) -> None:
    company.set_field("CUSTOMER", "shipping_agent_code", is_enabled=True, transformation_rule=OWN_TABLE)
    key = couple_customer(company)
    before = account(company)["address1_shippingmethodcode"]
    company.change_local("customer", key, shipping_agent_code="PIGEON", fax_no="7")

    done = send(company, key)

    assert "shipping_agent_code PIGEON stands for no option of address1_shippingmethodcode" in done.lines[0].sentence
    assert (account(company)["address1_shippingmethodcode"], account(company)["fax"]) == (before, "7")
    assert company.local("customer", key)["shipping_agent_code"] == "PIGEON"
    assert "Note on shipping_agent_code: a value without counterpart" in shown(company)

    company.set_field("CUSTOMER", "shipping_agent_code", transformation_rule=OWN_TABLE[:-1] + ", PIGEON=3)")
    company.work()
    assert account(company)["address1_shippingmethodcode"] == 3
    assert "_code: a value without" not in shown(company)


def test_m11_an_option_without_code_is_left_alone_and_follows_once_the_table_has_it(company: Company) -> None:
    company.set_field("CUSTOMER", "shipping_agent_code", is_enabled=True, transformation_rule=OWN_TABLE)
    key = couple_customer(company)
    held = company.local("customer", key)["shipping_agent_code"]
    company.sandbox.update("account", ACCOUNT, {"address1_shippingmethodcode": 4, "fax": "7"})
    company.work()

    assert "Option 4 of address1_shippingmethodcode has no code" in company.last_outcome("CUSTOMER")["sentence"]
    now = company.local("customer", key)
    assert (now["shipping_agent_code"], now["fax_no"]) == (held, "7")
    assert "Note on shipping_agent_code: a value without counterpart" in shown(company)
    company.change_local("customer", key, phone_no="8")
    run_to(company)
    assert (account(company)["address1_shippingmethodcode"], account(company)["telephone1"]) == (4, "8")

    company.set_field("CUSTOMER", "shipping_agent_code", transformation_rule=OWN_TABLE[:-1] + ", OWL=4)")
    company.work()
    assert company.local("customer", key)["shipping_agent_code"] == "OWL"
    assert "_code: a value without" not in shown(company)


def test_m11_an_option_added_in_the_environment_holds_up_nothing_and_is_told(small_company: Company) -> None:
    company = small_company
    company.set_field("CUSTOMER", "payment_terms_code", is_enabled=True)
    key = couple_customer(company)
    company.sandbox.add_option("account", "paymenttermscode", 100000000, "Net 90")
    company.sandbox.update("account", ACCOUNT, {"paymenttermscode": 100000000, "name": "After"})
    company.work()

    assert company.local("customer", key)["name"] == "After"
    verified = verify(company.services, "CUSTOMER")
    (told,) = [one for one in findings(company.services, verified.id) if one.dataverse_id == ACCOUNT]
    assert (verified.is_in_step, told.kind) == (True, "explained")
    assert "Option 100000000 of paymenttermscode has no code" in told.reasons["payment_terms_code"]

    company.sandbox.update("account", ACCOUNT, {"paymenttermscode": 1})
    company.work()
    assert company.local("customer", key)["payment_terms_code"] == "NET 30"
    assert "_code: a value without" not in shown(company)


def shown(company: Company) -> str:
    return str(company.app.test_cli_runner().invoke(receiver, ["show", "account", ACCOUNT]).output)


@pytest.mark.parametrize("rule", ["UPPERCASE", "LOOKUP(A=one)", "LOOKUP(A=1, B=1)", "LOOKUP(A=1, a=2)", "LOOKUP(1)"])
def test_m11_a_rule_that_is_no_table_of_codes_is_refused(small_company: Company, rule: str) -> None:
    with pytest.raises(InvalidMappingError, match="Transformation rule"):
        small_company.set_field("CUSTOMER", "shipping_agent_code", transformation_rule=rule)


def test_m11_an_option_wants_a_choice_in_dataverse(small_company: Company) -> None:
    with pytest.raises(InvalidMappingError, match="a code here and a choice in Dataverse"):
        small_company.set_field("CUSTOMER", "shipping_agent_code", dataverse_column="fax")


def test_m13_a_row_that_is_created_has_the_options_of_its_codes(company: Company) -> None:
    for column in ("payment_terms_code", "shipping_agent_code", "shipment_method_code"):
        company.set_field("CUSTOMER", column, is_enabled=True)
    codes = {"payment_terms_code": "NET 30", "shipping_agent_code": "AIRBORNE", "shipment_method_code": "FOB"}
    key = company.insert_local("customer", name="Brand new", **codes)

    assert create_in_dataverse(company.services, "CUSTOMER", [key], "Ada").counts == {"inserted": 1}

    made = row_named(company, "account", "name", "Brand new")
    options = ("paymenttermscode", "address1_shippingmethodcode", "address1_freighttermscode")
    assert [made[column] for column in options] == [1, 1, 1]
    assert company.last_job("CUSTOMER") == {"inserted": 1}
