"""Group H: Synchronize Now."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from company import Company
from scenarios.pairs import (
    ACCOUNT,
    CONTACT,
    POUND,
    SALES_MANAGER,
    SALES_PERSON,
    SECOND_ACCOUNT,
    account,
    couple,
    couple_customer,
)

from receiver.commands.coupling.create import create_from_dataverse, create_in_dataverse
from receiver.commands.coupling.set_up_coupling import couple as set_up
from receiver.commands.result import CommandResult
from receiver.commands.synchronizing.synchronize_now import Choice, choices, synchronize_now
from receiver.errors import RefusedError

SEND, GET, MERGE = Choice.SEND, Choice.GET, Choice.MERGE


def synchronize(company: Company, direction: Choice, *keys: str, mapping: str = "CUSTOMER") -> CommandResult:
    return synchronize_now(company.services, mapping, keys, direction, "Ada")


def five_coupled(company: Company) -> Sequence[str]:
    keys = [company.insert_local("customer", name=f"Firm {number}") for number in range(5)]
    assert create_in_dataverse(company.services, "CUSTOMER", keys, "Ada").counts == {"inserted": 5}
    company.work()
    return keys


def coupled_salesperson(company: Company) -> str:
    company.open_for_all("SALESPEOPLE")
    return company.couple_by_click("systemuser", SALES_PERSON)


def test_h1_an_unchanged_pair_has_three_choices_and_sending_it_changes_nothing(company: Company) -> None:
    key = five_coupled(company)[0]

    asked = choices(company.services, "CUSTOMER", key)

    assert (asked.choices, asked.default, asked.warning) == ((SEND, GET, MERGE), MERGE, "")
    assert synchronize(company, SEND, key).counts == {"unchanged": 1}


def test_h2_a_local_change_is_sent(company: Company) -> None:
    """By force a credit limit that only Dataverse has would be blanked: merging is preselected."""
    key = couple_customer(company)
    company.change_local("customer", key, name="Our name")

    assert choices(company.services, "CUSTOMER", key).default is MERGE
    company.sandbox.update("account", ACCOUNT, {"creditlimit": None})
    assert choices(company.services, "CUSTOMER", key).default is SEND
    assert synchronize(company, SEND, key).counts == {"modified": 1}
    assert account(company)["name"] == "Our name"


def test_h3_one_record_is_sent_over_a_newer_row(company: Company) -> None:
    key = couple_customer(company)
    name = company.local("customer", key)["name"]
    company.sandbox.update("account", ACCOUNT, {"name": "Their name"})

    assert choices(company.services, "CUSTOMER", key).default is GET
    assert synchronize(company, SEND, key).counts == {"modified": 1}
    assert account(company)["name"] == name


def test_h5_an_emptied_primary_contact_is_got(company: Company) -> None:
    company.open_for_all("CUSTOMER", "CONTACT")
    key = company.couple_by_click("account", ACCOUNT)
    contact = company.couple_by_click("contact", CONTACT)
    company.sandbox.update("account", ACCOUNT, {"primarycontactid": CONTACT})
    company.work()
    assert company.local("customer", key)["primary_contact_no"] == contact
    company.sandbox.update("account", ACCOUNT, {"primarycontactid": None})

    synchronize(company, GET, key)

    assert company.local("customer", key)["primary_contact_no"] == ""


def test_h6_a_changed_user_is_got_without_a_warning(company: Company) -> None:
    key = coupled_salesperson(company)
    company.sandbox.update("systemuser", SALES_PERSON, {"firstname": "Jo"})

    asked = choices(company.services, "SALESPEOPLE", key)

    assert (asked.choices, asked.default, asked.warning) == ((GET,), GET, "")
    synchronize(company, GET, key, mapping="SALESPEOPLE")
    assert company.local("salesperson", key)["name"] == "Jo Weber"


def test_h7_a_changed_salesperson_is_overwritten_after_a_warning(company: Company) -> None:
    key = coupled_salesperson(company)
    company.change_local("salesperson", key, name="Ours")

    asked = choices(company.services, "SALESPEOPLE", key)

    assert asked.default is None
    assert "local record is newer" in asked.warning
    synchronize(company, GET, key, mapping="SALESPEOPLE")
    assert company.local("salesperson", key)["name"] == "Jonas Weber"


def test_h9_a_salesperson_changed_on_both_sides_is_overwritten_after_a_warning(company: Company) -> None:
    key = coupled_salesperson(company)
    company.change_local("salesperson", key, name="Ours")
    company.sandbox.update("systemuser", SALES_PERSON, {"firstname": "Jo"})

    asked = choices(company.services, "SALESPEOPLE", key)

    assert asked.default is None
    assert "Both records have changed" in asked.warning
    synchronize(company, GET, key, mapping="SALESPEOPLE")
    assert company.local("salesperson", key)["name"] == "Jo Weber"


def test_h10_two_commands_at_once_have_a_job_each_and_do_not_disturb_one_another(company: Company) -> None:
    company.open_for_all("SALESPEOPLE")
    rows = {company.couple_by_click("systemuser", row): row for row in (SALES_MANAGER, SALES_PERSON)}
    company.set("SALESPEOPLE", synch_only_coupled_records=True)
    for row in rows.values():
        company.sandbox.update("systemuser", row, {"firstname": "Jo"}, deliver=False)
    before = len(company.jobs("SALESPEOPLE"))

    with ThreadPoolExecutor(2) as threads:
        done = list(threads.map(lambda key: synchronize(company, GET, key, mapping="SALESPEOPLE"), rows))

    assert [one.counts for one in done] == [{"modified": 1}, {"modified": 1}]
    assert [one["modified"] for one in company.jobs("SALESPEOPLE")[before:]] == [1, 1]
    assert all(company.local("salesperson", key)["name"].startswith("Jo ") for key in rows)


def test_h11_of_several_the_uncoupled_and_those_newer_in_dataverse_are_skipped(company: Company) -> None:
    unchanged = couple_customer(company)
    uncoupled = company.insert_local("customer", name="Uncoupled")
    newer = company.insert_local("customer", name="Never synchronized")
    couple(company, "CUSTOMER", newer, SECOND_ACCOUNT)
    row = str(company.sandbox.create("account", {"name": "Firm", "customertypecode": 3}))
    company.open_for_all("CUSTOMER")
    nobodys = company.couple_by_click("account", row)
    company.change_local("customer", nobodys, salesperson_code="NOBODY")
    before = len(company.jobs("CUSTOMER"))

    done = synchronize(company, SEND, unchanged, uncoupled, newer, nobodys)

    assert done.counts == {"skipped": 2, "unchanged": 1, "failed": 1}
    assert {line.local_id: line.reason for line in done.lines if line.counter == "skipped"} == {
        uncoupled: "NOT_COUPLED",
        newer: "DESTINATION_CHANGED",
    }
    assert len(company.jobs("CUSTOMER")) == before + 1
    assert company.last_job("CUSTOMER") == {"unchanged": 1, "failed": 1}


def test_h13_many_changed_customers_are_sent_in_one_job(company: Company) -> None:
    keys = five_coupled(company)
    for key in keys:
        company.change_local("customer", key, city="Graz")

    assert synchronize(company, SEND, *keys).counts == {"modified": 5}
    assert company.last_job("CUSTOMER") == {"modified": 5}


def test_h14_many_changed_accounts_are_got_by_their_ids(company: Company) -> None:
    five_coupled(company)
    ids = [str(row["accountid"]) for row in company.sandbox.rows("account") if str(row["name"]).startswith("Firm ")]
    for id_ in ids:
        company.sandbox.update("account", id_, {"address1_city": "Graz"})

    assert synchronize(company, GET, *ids).counts == {"modified": 5}
    assert company.last_job("CUSTOMER") == {"modified": 5}


def test_h15_each_table_of_a_selection_has_a_job_of_its_own(company: Company) -> None:
    keys = five_coupled(company)
    for key in keys:
        company.change_local("customer", key, city="Graz")
    company.insert_currency("GBP")
    company.change_local("currency", "GBP", description="Our pound")
    couple(company, "CURRENCY", "GBP", POUND)

    assert synchronize(company, SEND, *keys).counts == {"modified": 5}
    assert synchronize(company, SEND, "GBP", mapping="CURRENCY").counts == {"modified": 1}

    assert company.last_job("CUSTOMER") == {"modified": 5}
    assert company.last_job("CURRENCY") == {"modified": 1}


def test_h17_h18_h19_new_records_are_made_on_the_other_side_once(company: Company) -> None:
    key = company.insert_local("customer", name="Firm")

    assert create_in_dataverse(company.services, "CUSTOMER", [key], "Ada").counts == {"inserted": 1}
    assert create_in_dataverse(company.services, "CUSTOMER", [key], "Ada").counts == {"skipped": 1}
    rows = [ACCOUNT, SECOND_ACCOUNT]
    assert create_from_dataverse(company.services, "CUSTOMER", rows, "Ada").counts == {"inserted": 2}


def test_h21_rows_of_each_table_become_records_in_a_job_of_their_own(company: Company) -> None:
    services = company.services

    assert create_from_dataverse(services, "CUSTOMER", [ACCOUNT, SECOND_ACCOUNT], "Ada").counts == {"inserted": 2}
    users = [SALES_MANAGER, SALES_PERSON]
    assert create_from_dataverse(services, "SALESPEOPLE", users, "Ada").counts == {"inserted": 2}

    assert company.last_job("CUSTOMER") == {"inserted": 2}
    assert company.last_job("SALESPEOPLE") == {"inserted": 2}
    assert (len(company.locals("customer")), len(company.locals("salesperson"))) == (2, 2)


def test_h22_only_the_records_that_are_named_are_created(company: Company) -> None:
    first, second, third = (company.insert_local("customer", name=f"Firm {number}") for number in range(3))

    assert create_in_dataverse(company.services, "CUSTOMER", [second, third], "Ada").counts == {"inserted": 2}

    names = {str(row["name"]) for row in company.sandbox.rows("account")}
    assert company.local("customer", first)["name"] not in names
    assert {"Firm 1", "Firm 2"} <= names


def test_h23_a_contact_that_is_a_company_is_neither_coupled_nor_created(company: Company) -> None:
    company_no = couple_customer(company)
    values = {"type": "Company", "surname": "Firm", "company_type": "customer", "company_no": company_no}
    key = company.insert_local("contact", **values)

    with pytest.raises(RefusedError, match=f"Contact {key} Firm is outside the table filter of CONTACT"):
        set_up(company.services, "CONTACT", key, CONTACT, "Ada")
    (line,) = create_in_dataverse(company.services, "CONTACT", [key], "Ada").lines

    assert (line.decision, line.reason) == ("Skip", "OUTSIDE_FILTER")
    assert company.coupling("CONTACT", CONTACT) is None


@pytest.mark.parametrize(
    ("here", "there", "warning", "offered", "default"),
    [
        pytest.param(
            {"fax_no": "1"}, {"fax": "2"}, "in the same fields too", (SEND, GET), SEND, id="a-bidirectional-field"
        ),
        pytest.param(
            {"credit_limit_lcy": 9},
            {"creditlimit": 7},
            "in different fields",
            (SEND, GET, MERGE),
            MERGE,
            id="only-one-way-fields",
        ),
    ],
)
def test_s5_what_is_asked_when_both_sides_changed(
    company: Company,
    here: dict[str, object],
    there: dict[str, object],
    warning: str,
    offered: tuple[Choice, ...],
    default: Choice,
) -> None:
    """Reference §5.2, the first two rows of its table."""
    key = five_coupled(company)[0]
    row = choices(company.services, "CUSTOMER", key).dataverse_id
    company.change_local("customer", key, **here)
    company.sandbox.update("account", row, there)

    asked = choices(company.services, "CUSTOMER", row)

    assert (asked.local_changed, asked.dataverse_changed) == (True, True)
    assert (asked.choices, asked.default) == (offered, default)
    assert warning in asked.warning


def test_s5_merge_lets_the_changes_of_both_sides_travel(company: Company) -> None:
    key = couple_customer(company)
    company.change_local("customer", key, phone_no="1")
    company.sandbox.update("account", ACCOUNT, {"fax": "2"})

    done = synchronize(company, MERGE, key)

    assert [line.decision for line in done.lines] == ["Modify", "Modify"]
    assert account(company)["telephone1"] == "1"
    assert company.local("customer", key)["fax_no"] == "2"
