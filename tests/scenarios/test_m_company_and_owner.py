"""Group M: what rows carry of our company, who owns them, and rows of other companies (reference §13.1, 13.4, 13.6)."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from company import Company
from scenarios.company_ids import OURS, TEAM, THEIRS, environment
from scenarios.pairs import ACCOUNT, CUSTOMER, SALES_MANAGER, SALES_PERSON, SEND, account, couple

from receiver.cli import receiver
from receiver.commands.coupling.create import create_in_dataverse
from receiver.commands.following.history import listed
from receiver.commands.following.undo import undo
from receiver.commands.mappings.multi_company import set_multi_company
from receiver.core.mapping import Direction
from receiver.engine.coalesce import Ask
from receiver.errors import RefusedError, SettingError
from receiver.runs.carry_out import carry_out, wanted_from, wanted_to
from receiver.sandbox import Sandbox


def created(company: Company, **values: Any) -> dict[str, Any]:
    """The account made of a new customer."""
    key = company.insert_local("customer", name="Firm", **values)
    (line,) = create_in_dataverse(company.services, "CUSTOMER", [key], "Ada").lines
    assert line.decision == "Insert", line.sentence
    return account(company, line.dataverse_id)


def sent(company: Company, key: str, **ask: Any) -> tuple[str, str]:
    """Decision and reason of a customer that goes to Dataverse."""
    (done,) = carry_out(company.services, wanted_to(company.services, "CUSTOMER", [key], Ask(**ask)))
    assert done.settled is not None, done.error
    return done.settled.decision, done.settled.reason


def brought_in(company: Company, row: str) -> str:
    asked = wanted_from("CUSTOMER", "account", [row], Ask(is_click=True, may_create=True))
    (done,) = carry_out(company.services, asked)
    assert done.settled is not None, done.error
    return done.settled.reason or done.settled.decision


def coupled(company: Company, **values: Any) -> tuple[str, str]:
    """A customer coupled to an account of these values, never synchronized."""
    row = str(company.sandbox.create("account", {"name": "Firm", "customertypecode": CUSTOMER, **values}))
    key = company.insert_local("customer", name="Firm")
    couple(company, "CUSTOMER", key, row)
    return key, row


def owned_by_team(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    return environment(database_url, monkeypatch, RECEIVER_OWNING_TEAM=TEAM)


# -- the owner -------------------------------------------------------------------------------------------------


def test_m33_in_the_team_model_the_default_team_owns_what_we_create(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with owned_by_team(database_url, monkeypatch) as company:
        assert created(company, salesperson_code="NOBODY")["ownerid"] == TEAM


def test_m33_in_the_team_model_the_owner_of_a_known_row_stays(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with owned_by_team(database_url, monkeypatch) as company:
        couple(company, "SALESPEOPLE", company.insert_local("salesperson", name="Anna"), SALES_MANAGER)
        (salesperson,) = company.locals("salesperson")
        key, row = coupled(company, ownerid=("systemuser", SALES_PERSON))
        company.change_local("customer", key, city="Graz", salesperson_code=salesperson["code"])

        assert sent(company, key, is_forced=True)[0] == "Modify"

        assert (account(company, row)["address1_city"], account(company, row)["ownerid"]) == ("Graz", SALES_PERSON)


def test_m34_in_the_person_model_the_salespersons_user_owns_it(cronus: Company) -> None:
    salesperson = cronus.insert_local("salesperson", name="Jonas")
    couple(cronus, "SALESPEOPLE", salesperson, SALES_PERSON)

    assert created(cronus, salesperson_code=salesperson)["ownerid"] == SALES_PERSON


def test_m34_without_a_salesperson_the_owner_of_a_known_row_stays(cronus: Company) -> None:
    key, row = coupled(cronus, ownerid=("systemuser", SALES_PERSON))
    cronus.change_local("customer", key, city="Graz")

    assert sent(cronus, key, is_forced=True)[0] == "Modify"
    assert account(cronus, row)["ownerid"] == SALES_PERSON


def test_m35_which_company_and_which_team_are_settings_and_must_be_guids(sqlite_url: str, sandbox: Sandbox) -> None:
    for name in ("RECEIVER_COMPANY_ID", "RECEIVER_OWNING_TEAM"):
        with pytest.raises(SettingError, match=f"{name} cannot be understood: a guid was expected"):
            Company(sqlite_url, sandbox, **{name: "CRONUS"})


# -- the company id --------------------------------------------------------------------------------------------


def test_s13_4_a_row_that_we_create_carries_our_company_id(cronus: Company) -> None:
    assert created(cronus)["bcbi_companyid"] == OURS


def test_s13_4_a_preview_of_a_creation_says_so(cronus: Company) -> None:
    key = cronus.insert_local("customer", name="Firm")

    (line,) = create_in_dataverse(cronus.services, "CUSTOMER", [key], "Ada", is_preview=True).lines

    assert line.fields["bcbi_companyid"] == [None, {"$reference": ["bcbi_company", OURS]}]


def test_s13_4_where_the_table_has_no_such_column_nothing_is_stamped(sqlite_url: str, sandbox: Sandbox) -> None:
    with closing(Company(sqlite_url, sandbox, RECEIVER_COMPANY_ID=OURS)) as company:
        assert "bcbi_companyid" not in created(company)


def test_s13_4_a_company_without_a_setting_stamps_nothing(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with environment(sqlite_url, monkeypatch) as company:
        assert created(company)["bcbi_companyid"] is None


def test_s13_4_a_coupled_row_of_no_company_becomes_ours_with_the_next_transfer(cronus: Company) -> None:
    key, row = coupled(cronus)
    cronus.set("CUSTOMER", resolve_update_conflicts=SEND)

    assert sent(cronus, key)[0] == "Modify"
    assert account(cronus, row)["bcbi_companyid"] == OURS
    cronus.work()
    assert sent(cronus, key) == ("IgnoreUnchanged", "NOTHING_MOVED")


def test_s13_4_a_row_that_comes_in_becomes_ours_and_its_own_echo_is_unchanged(cronus: Company) -> None:
    assert brought_in(cronus, ACCOUNT) == "Insert"

    assert account(cronus)["bcbi_companyid"] == OURS
    cronus.work()
    assert cronus.last_job("CUSTOMER") == {"unchanged": 1}


def test_s13_4_rows_that_come_by_notification_become_ours_one_or_many(cronus: Company) -> None:
    cronus.open_for_all("CUSTOMER")
    values = {"customertypecode": CUSTOMER}
    rows = [str(cronus.sandbox.create("account", {**values, "name": f"Firm {number}"})) for number in range(3)]
    cronus.work()

    assert {account(cronus, row)["bcbi_companyid"] for row in rows} == {OURS}
    assert sorted(one["name"] for one in cronus.locals("customer")) == ["Firm 0", "Firm 1", "Firm 2"]


def test_s13_4_a_mapping_that_must_not_write_there_claims_nothing(cronus: Company) -> None:
    cronus.set("CUSTOMER", direction=Direction.FROM)

    assert brought_in(cronus, ACCOUNT) == "Insert"
    assert account(cronus)["bcbi_companyid"] is None


def test_s13_4_a_change_that_also_made_the_row_ours_is_undone_without_the_id(cronus: Company) -> None:
    key, row = coupled(cronus)
    assert brought_in(cronus, row) == "AlreadyEqual"
    cronus.change_local("customer", key, city="Graz")
    assert sent(cronus, key)[0] == "Modify"
    assert "bcbi_companyid" in listed(cronus.services, "account", row)[0].fields

    (line,) = undo(cronus.services, "account", row, "Ada").lines

    assert line.decision == "Modify", line.sentence
    assert (account(cronus, row)["address1_city"], account(cronus, row)["bcbi_companyid"]) == (None, OURS)


# -- other companies -------------------------------------------------------------------------------------------


def test_s13_6_rows_of_another_company_are_left_alone_in_both_directions(cronus: Company) -> None:
    key, row = coupled(cronus, bcbi_companyid=THEIRS)
    cronus.change_local("customer", key, name="Our name")

    assert sent(cronus, key) == ("Skip", "OTHER_COMPANY")
    cronus.sandbox.update("account", row, {"name": "Their name"})
    cronus.work()

    assert cronus.last_outcome("CUSTOMER")["reason"] == "OTHER_COMPANY"
    assert "belongs to another company" in cronus.last_outcome("CUSTOMER")["sentence"]
    assert (account(cronus, row)["name"], cronus.local("customer", key)["name"]) == ("Their name", "Our name")


def test_s13_6_under_multi_company_they_are_synchronized_and_keep_their_company(cronus: Company) -> None:
    set_multi_company(cronus.services, "customer", "Ada", is_on=True)
    cronus.register_steps()
    key, row = coupled(cronus, bcbi_companyid=THEIRS)
    cronus.change_local("customer", key, name="Our name")

    assert sent(cronus, key, is_forced=True)[0] == "Modify"

    assert (account(cronus, row)["name"], account(cronus, row)["bcbi_companyid"]) == ("Our name", THEIRS)
    assert created(cronus)["bcbi_companyid"] == OURS


def test_s13_6_switched_off_again_the_condition_is_as_it_was(cronus: Company) -> None:
    before = set_multi_company(cronus.services, "CUSTOMER", "Ada", is_on=False).dataverse_filter_text

    on = set_multi_company(cronus.services, "CUSTOMER", "Ada", is_on=True).dataverse_filter_text
    off = set_multi_company(cronus.services, "CUSTOMER", "Ada", is_on=False).dataverse_filter_text

    assert (on, off) == ("statecode = 0 and customertypecode = 3", before)
    with pytest.raises(RefusedError, match="systemuser of SALESPEOPLE knows no company"):
        set_multi_company(cronus.services, "SALESPEOPLE", "Ada", is_on=True)
    cronus.set("CUSTOMER", dataverse_filter_text="bcbi_companyid = @company")
    with pytest.raises(RefusedError, match="made by hand"):
        set_multi_company(cronus.services, "CUSTOMER", "Ada", is_on=True)


def test_s13_6_the_terminal_switches_it(small_company: Company) -> None:
    runner = small_company.app.test_cli_runner()

    assert (
        "rows of every company"
        in runner.invoke(receiver, ["mappings", "multi-company", "VENDOR", "on", "--yes"]).stdout
    )
    assert runner.invoke(receiver, ["mappings", "multi-company", "VENDOR", "perhaps"]).exit_code == 2
    assert runner.invoke(receiver, ["mappings", "multi-company", "NOSUCH", "on"]).exit_code == 2


# -- currencies ------------------------------------------------------------------------------------------------


def test_m27_a_local_currency_that_dataverse_lacks_is_named_and_not_made(small_company: Company) -> None:
    options = replace(small_company.services.options, local_currency="CHF")
    key = small_company.insert_local("customer", name="Firm")

    (line,) = create_in_dataverse(replace(small_company.services, options=options), "CUSTOMER", [key], "Ada").lines

    assert (line.decision, "CHF is not in Dataverse. Add it there" in line.sentence) == ("Fail", True)
