"""Group A: one record, one run. Scenario numbers are Business Central's own; see docs/differences.md."""

from __future__ import annotations

from dataclasses import replace

from company import KEY, Company
from scenarios.pairs import (
    ACCOUNT,
    FROM,
    GET,
    NOBODY,
    POUND_ACCOUNT,
    SALES_MANAGER,
    SALES_PERSON,
    SECOND_ACCOUNT,
    SEND,
    TO,
    account,
    change_both,
    couple,
    couple_customer,
    errors,
    force,
)
from sqlalchemy import text

from receiver.commands.mappings import change_mapping as mapping_commands
from receiver.core.coupling import Result
from receiver.core.mapping import FieldMapping
from receiver.sandbox import ServiceEndpoint, Step


def fields_of(company: Company) -> tuple[FieldMapping, ...]:
    return mapping_commands.named(company.services, "CUSTOMER").fields


def test_a1_a33_without_an_enabled_field_mapping_the_run_fails_and_makes_no_customer(company: Company) -> None:
    disabled = tuple(replace(one, is_enabled=False) for one in fields_of(company))
    company.set("CUSTOMER", fields=disabled, synch_only_coupled_records=False)

    company.open("account", ACCOUNT)

    assert company.last_job("CUSTOMER") == {"failed": 1}
    assert "no enabled field mapping" in errors(company, "CUSTOMER")[0][2]
    assert company.locals("customer") == []


def test_a2_a_run_over_nothing_writes_no_job(company: Company) -> None:
    company.work()

    assert company.jobs("CUSTOMER") == []


def test_a3_a_new_account_is_inserted_where_creating_is_allowed(company: Company) -> None:
    company.open_for_all("CUSTOMER")

    row = company.sandbox.create("account", {"name": "Neu GmbH", "customertypecode": 3})
    company.work()

    assert company.coupled_record("CUSTOMER", row)["name"] == "Neu GmbH"
    assert company.last_job("CUSTOMER") == {"inserted": 1}


def test_a5_a_row_changed_after_its_first_run_is_modified(company: Company) -> None:
    company.open_for_all("CUSTOMER")
    row = company.sandbox.create("account", {"name": "Neu GmbH", "customertypecode": 3})
    company.work()

    company.sandbox.update("account", row, {"name": "Neu AG"})
    company.work()

    assert company.last_job("CUSTOMER") == {"modified": 1}
    assert [one["name"] for one in company.locals("customer")] == ["Neu AG"]


def test_a6_a_coupled_row_changed_later_is_modified(company: Company) -> None:
    couple_customer(company)

    company.sandbox.update("account", ACCOUNT, {"telephone1": "+49 40 1"})
    company.work()

    assert company.last_job("CUSTOMER") == {"modified": 1}
    assert company.coupled_record("CUSTOMER", ACCOUNT)["phone_no"] == "+49 40 1"


def test_a7_a_coupled_row_in_which_nothing_changed_is_unchanged(company: Company) -> None:
    couple_customer(company)
    before = company.coupling("CUSTOMER", ACCOUNT)

    company.open("account", ACCOUNT)

    assert company.last_job("CUSTOMER") == {"unchanged": 1}
    assert company.coupling("CUSTOMER", ACCOUNT) == before


def test_a9_an_uncoupled_account_becomes_a_customer_where_creating_is_allowed(company: Company) -> None:
    company.open_for_all("CUSTOMER")

    company.sandbox.update("account", ACCOUNT, {"name": "Nordwind AG"})
    company.work()

    assert company.last_job("CUSTOMER") == {"inserted": 1}
    assert company.coupled_record("CUSTOMER", ACCOUNT)["name"] == "Nordwind AG"


def test_a11_a_coupled_account_changed_a_day_later_modifies_that_customer(company: Company) -> None:
    key = couple_customer(company)
    company.pass_time(24 * 60 * 60)

    company.sandbox.update("account", ACCOUNT, {"name": "Nordwind AG"})
    company.work()

    assert company.last_job("CUSTOMER") == {"modified": 1}
    assert company.coupled_record("CUSTOMER", ACCOUNT)["no"] == key


def test_a13_a_conflict_writes_nothing_until_it_is_forced(company: Company) -> None:
    key = couple_customer(company)

    change_both(company, key, here="1111", there="2222")
    assert company.coupled_record("CUSTOMER", ACCOUNT)["fax_no"] == "1111"

    force(company, "account", ACCOUNT)
    assert company.coupled_record("CUSTOMER", ACCOUNT)["fax_no"] == "2222"
    assert company.last_job("CUSTOMER") == {"modified": 1}


def test_a13_forcing_a_pair_that_differs_in_nothing_is_unchanged(company: Company) -> None:
    couple_customer(company)

    (outcome,) = [one for one in force(company, "account", ACCOUNT) if one.mapping == "CUSTOMER"]

    assert outcome.decision == "AlreadyEqual"
    assert company.last_job("CUSTOMER") == {"unchanged": 1}


def test_a15_a_new_account_is_inserted_once_and_unchanged_ever_after(company: Company) -> None:
    company.open_for_all("CUSTOMER")
    row = company.sandbox.create("account", {"name": "Neu GmbH", "customertypecode": 3})
    company.work()
    assert company.last_job("CUSTOMER") == {"inserted": 1}

    for _ in range(2):
        company.open("account", row)
        assert company.last_job("CUSTOMER") == {"unchanged": 1}
    assert len(company.locals("customer")) == 1


def test_a17_an_uncoupled_row_that_fails_is_counted_and_logged_and_leaves_nothing(company: Company) -> None:
    company.open_for_all("CUSTOMER")

    company.sandbox.update("account", POUND_ACCOUNT, {"name": "Harrow Ltd"})
    company.work()

    assert company.last_job("CUSTOMER") == {"failed": 1}
    assert "GBP" in errors(company, "CUSTOMER")[-1][2]
    assert company.locals("customer") == []
    assert company.coupling("CUSTOMER", POUND_ACCOUNT) is None


def test_a18_a_message_that_names_no_row_is_ignored_and_says_so(company: Company) -> None:
    company.sandbox.call_custom_api(table="account", row_id="")
    company.work()

    assert company.notifications()[-1]["state"] == "ignored"
    assert "names no row" in company.notifications()[-1]["note"]
    assert company.jobs("CUSTOMER") == []


def test_a19_a_row_of_a_table_without_mapping_is_ignored_and_says_so(company: Company) -> None:
    step = {
        "table": "product",
        "message": "Update",
        "stage": 40,
        "mode": 1,
        "filtering_attributes": None,
        "image": None,
    }
    endpoint = ServiceEndpoint(f"{company.url}/dataverse/notifications", value=KEY)
    company.sandbox.step_set([Step.from_json(step)], endpoint)

    company.sandbox.update("product", company.sandbox.rows("product")[0]["productid"], {"name": "Bench"})
    company.work()

    assert company.notifications()[-1]["state"] == "ignored"
    assert "No Integration Table Mapping reads the table product" in company.notifications()[-1]["note"]


def test_a21_a_mapping_toward_dataverse_alone_takes_nothing_in(company: Company) -> None:
    key = couple_customer(company)
    company.set("CUSTOMER", direction=TO)

    company.sandbox.update("account", ACCOUNT, {"name": "Nordwind AG"})
    company.work()

    assert company.local("customer", key)["name"] == "Nordwind Trading GmbH"
    assert company.last_outcome("CUSTOMER")["reason"] == "DIRECTION"
    assert company.last_job("CUSTOMER") == {"skipped": 1}


def test_a22_a_mapping_from_dataverse_alone_never_writes_there(company: Company) -> None:
    key = couple_customer(company)
    company.set("CUSTOMER", direction=FROM, resolve_update_conflicts=SEND)

    change_both(company, key)

    assert "PATCH" not in {one.method for one in company.sandbox.requests}
    assert account(company)["fax"] == "2222"


def test_a23_a_mapping_from_dataverse_alone_overwrites_what_changed_here(company: Company) -> None:
    key = couple_customer(company)
    company.set("CUSTOMER", direction=FROM)

    change_both(company, key, here="1111", there="2222")

    assert company.last_job("CUSTOMER") == {"modified": 1}
    assert company.coupled_record("CUSTOMER", ACCOUNT)["fax_no"] == "2222"


def test_a23_a_mapping_from_dataverse_alone_brings_every_mapped_field_back_in_step(company: Company) -> None:
    key = couple_customer(company)
    company.set("CUSTOMER", direction=FROM)
    company.change_local("customer", key, fax_no="1111")

    company.sandbox.update("account", ACCOUNT, {"name": "Nordwind AG", "fax": None})
    company.work()

    assert company.coupled_record("CUSTOMER", ACCOUNT)["fax_no"] == ""


def test_a26_an_error_of_a_pair_names_both_records(company: Company) -> None:
    key = couple_customer(company)

    change_both(company, key)

    assert company.last_job("CUSTOMER") == {"failed": 1}
    assert errors(company, "CUSTOMER")[-1][:2] == (ACCOUNT, key)


def test_a27_a_row_that_is_gone_and_was_never_coupled_is_no_error(company: Company) -> None:
    company.open("account", NOBODY)

    assert company.last_job("CUSTOMER") == {"skipped": 1}
    assert errors(company, "CUSTOMER") == []


def test_a29_an_error_of_a_pair_whose_customer_is_deleted_still_names_it(company: Company) -> None:
    key = couple_customer(company)
    company.delete_local("customer", key)

    company.sandbox.update("account", ACCOUNT, {"name": "Nordwind AG"})
    company.work()

    assert company.last_job("CUSTOMER") == {"failed": 1}
    assert errors(company, "CUSTOMER")[-1][:2] == (ACCOUNT, key)


def test_a30_a_change_of_an_unmapped_column_is_not_even_notified(company: Company) -> None:
    couple_customer(company)
    jobs = len(company.jobs("CUSTOMER"))

    company.sandbox.update("account", ACCOUNT, {"description": "met at the fair"})
    company.work()

    assert len(company.jobs("CUSTOMER")) == jobs


def test_a30_seen_by_a_click_a_change_of_an_unmapped_column_is_unchanged(company: Company) -> None:
    couple_customer(company)

    company.sandbox.update("account", ACCOUNT, {"description": "met at the fair"})
    company.open("account", ACCOUNT)

    assert company.last_job("CUSTOMER") == {"unchanged": 1}


def test_a31_a_new_owner_becomes_the_salesperson_who_is_coupled_to_that_user(company: Company) -> None:
    company.open_for_all("SALESPEOPLE")
    for user in (SALES_MANAGER, SALES_PERSON):
        company.couple_by_click("systemuser", user)
    key = couple_customer(company)
    company.set_field("CUSTOMER", "salesperson_code", direction=FROM)

    company.sandbox.update("account", ACCOUNT, {"ownerid": ("systemuser", SALES_MANAGER)})
    company.work()

    assert company.last_job("CUSTOMER") == {"modified": 1}
    salesperson = company.coupled_record("SALESPEOPLE", SALES_MANAGER)
    assert company.local("customer", key)["salesperson_code"] == salesperson["code"]


def test_a34_with_one_enabled_field_mapping_only_that_field_arrives(company: Company) -> None:
    only_name = tuple(replace(one, is_enabled=one.local_column == "name") for one in fields_of(company))
    company.set("CUSTOMER", fields=only_name, synch_only_coupled_records=False)

    key = company.couple_by_click("account", ACCOUNT)

    customer = company.local("customer", key)
    assert customer["name"] == "Nordwind Trading GmbH"
    assert {customer[column] for column in ("city", "e_mail", "home_page", "phone_no")} == {""}


def test_a35_the_first_run_of_a_coupled_pair_is_remembered_as_a_success(company: Company) -> None:
    key = company.insert_local("customer", name="")
    couple(company, "CUSTOMER", key, ACCOUNT)
    company.set("CUSTOMER", resolve_update_conflicts=GET)

    company.sandbox.update("account", ACCOUNT, {"name": "Nordwind AG"})
    company.work()

    job = company.jobs("CUSTOMER")[-1]
    last = company.coupling("CUSTOMER", ACCOUNT).last_from
    assert (job["modified"], job["direction"]) == (1, FROM)
    assert (last.result, last.job) == (Result.SUCCESS, job["id"])
    assert company.local("customer", key)["name"] == "Nordwind AG"


def test_a37_an_account_that_dataverse_refuses_fails_and_says_why(company: Company) -> None:
    company.open_for_all("SALESPEOPLE")
    code = company.couple_by_click("systemuser", SALES_PERSON)
    key = couple_customer(company, SECOND_ACCOUNT)
    company.set("CUSTOMER", resolve_update_conflicts=SEND)
    company.sandbox.delete("systemuser", SALES_PERSON)

    company.change_local("customer", key, salesperson_code=code)
    change_both(company, key, SECOND_ACCOUNT, here="1111", there="2222")

    assert company.last_job("CUSTOMER") == {"failed": 1}
    assert company.coupling("CUSTOMER", SECOND_ACCOUNT).last_to.result is Result.FAILURE
    assert "Dataverse answered" in errors(company, "CUSTOMER")[-1][2]
    assert account(company, SECOND_ACCOUNT)["fax"] == "2222"


def test_a38_a_customer_that_the_database_refuses_fails_and_says_why(company: Company) -> None:
    key = couple_customer(company)
    company.insert_local("customer", name="Taken")
    with company.services.database.writing() as connection:
        connection.execute(text("CREATE UNIQUE INDEX one_name ON customer (name)"))

    company.sandbox.update("account", ACCOUNT, {"name": "Taken"})
    company.work()

    coupling = company.coupling("CUSTOMER", ACCOUNT)
    assert company.last_job("CUSTOMER") == {"failed": 1}
    assert coupling.last_from.result is Result.FAILURE
    assert "Customer" in errors(company, "CUSTOMER")[-1][2]
    assert company.local("customer", key)["name"] == "Nordwind Trading GmbH"


def test_a39_a_change_here_alone_is_unchanged_in_a_run_from_dataverse_and_stays(company: Company) -> None:
    key = couple_customer(company)
    before = company.coupling("CUSTOMER", ACCOUNT)

    company.change_local("customer", key, fax_no="1111")
    company.open("account", ACCOUNT)

    assert company.last_job("CUSTOMER") == {"unchanged": 1}
    assert company.local("customer", key)["fax_no"] == "1111"
    assert company.coupling("CUSTOMER", ACCOUNT) == before


def test_a41_a_failure_marks_the_failed_pair_and_no_other(company: Company) -> None:
    key = couple_customer(company)
    other = couple_customer(company, SECOND_ACCOUNT)

    change_both(company, key)

    assert company.coupling("CUSTOMER", ACCOUNT).last_from.result is Result.FAILURE
    assert company.coupling("CUSTOMER", SECOND_ACCOUNT).last_from.result is Result.SUCCESS
    assert company.local("customer", other) is not None
