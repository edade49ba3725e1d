"""What was changed of a record is told, forgotten after its time, and taken back where nobody worked on it since."""

from __future__ import annotations

import json

import pytest
from company import Company
from scenarios.pairs import ACCOUNT, DOLLAR, FROM, SECOND_ACCOUNT, account, couple_customer

from receiver.cli import receiver
from receiver.commands.coupling.create import create_in_dataverse
from receiver.commands.following import history
from receiver.commands.following.undo import undo
from receiver.commands.synchronizing.verify import verify
from receiver.errors import NotFoundError, RefusedError
from receiver.runs import schedule

WHO = "Anna"


def run(company: Company, *words: str) -> tuple[int, str]:
    result = company.app.test_cli_runner().invoke(receiver, list(words))
    return result.exit_code, result.output


def fax_from_dataverse(company: Company, fax: str = "7") -> tuple[str, str]:
    """A customer whose fax number came from Dataverse; its key, and what the number was before."""
    key = couple_customer(company)
    before = company.local("customer", key)["fax_no"]
    company.sandbox.update("account", ACCOUNT, {"fax": fax})
    company.work()
    return key, before


def send(company: Company, key: str) -> None:
    from receiver.engine.coalesce import Ask
    from receiver.runs.carry_out import carry_out, wanted_to

    list(carry_out(company.services, wanted_to(company.services, "CUSTOMER", [key], Ask(why="a run"))))


def test_changes_are_told_newest_first_by_record_and_by_row(company: Company) -> None:
    key, before = fax_from_dataverse(company)

    newest, first = history.listed(company.services, "account", ACCOUNT)

    assert (newest.decision, newest.direction, newest.fields) == ("Modify", FROM, {"fax_no": [before, "7"]})
    assert newest.why.startswith("notification ")
    assert first.decision == "Insert"
    assert history.listed(company.services, "customer", key) == [newest, first]
    assert history.listed(company.services, "CUSTOMER", key, limit=1) == [newest]
    assert history.listed(company.services, "account", SECOND_ACCOUNT) == []
    with pytest.raises(NotFoundError, match="No mapping reads a local table nosuch"):
        history.listed(company.services, "nosuch", key)


def test_a_change_from_dataverse_is_taken_back_on_both_sides(company: Company) -> None:
    key, before = fax_from_dataverse(company)

    (line,) = undo(company.services, "account", ACCOUNT, WHO).lines

    assert line.decision == "Modify"
    assert company.local("customer", key)["fax_no"] == before
    assert (account(company)["fax"] or "") == before
    newest, taken_back, _ = history.listed(company.services, "customer", key)
    assert taken_back.undone_by == newest.id
    assert newest.why == f"undo of change {taken_back.id} by {WHO}"
    company.work()
    assert verify(company.services, "CUSTOMER").is_in_step


def test_a_change_toward_dataverse_is_taken_back_on_both_sides(company: Company) -> None:
    key = couple_customer(company)
    before = company.local("customer", key)["city"]
    company.change_local("customer", key, city="Wien", credit_limit_lcy=700)
    send(company, key)

    undo(company.services, "customer", key, WHO)

    assert company.local("customer", key)["city"] == before == account(company)["address1_city"]
    assert verify(company.services, "CUSTOMER").is_in_step


def test_a_lookup_is_taken_back_as_its_local_key(company: Company) -> None:
    key = couple_customer(company)
    company.insert_currency("USD")
    company.change_local("customer", key, currency_code="USD")
    send(company, key)
    assert account(company)["transactioncurrencyid"] == DOLLAR

    undo(company.services, "account", ACCOUNT, WHO)

    assert company.local("customer", key)["currency_code"] == ""
    assert verify(company.services, "CUSTOMER").is_in_step


def test_an_undo_can_be_undone(company: Company) -> None:
    key, _ = fax_from_dataverse(company)
    undo(company.services, "customer", key, WHO)

    undo(company.services, "customer", key, WHO)

    assert company.local("customer", key)["fax_no"] == account(company)["fax"] == "7"


def test_a_preview_says_what_would_be_written_and_writes_nothing(company: Company) -> None:
    key, before = fax_from_dataverse(company)

    result = undo(company.services, "customer", key, WHO, is_preview=True)

    assert (result.is_preview, result.lines[0].fields) == (True, {"fax_no": ["7", before]})
    assert company.local("customer", key)["fax_no"] == "7"


def test_later_work_here_is_not_lost(company: Company) -> None:
    key, _ = fax_from_dataverse(company)
    company.change_local("customer", key, fax_no="8")

    with pytest.raises(RefusedError, match=f"fax_no of Customer {key} is “8”, no longer “7”"):
        undo(company.services, "customer", key, WHO)

    assert account(company)["fax"] == "7"


def test_later_work_in_dataverse_is_not_lost(company: Company) -> None:
    key, _ = fax_from_dataverse(company)
    company.sandbox.update("account", ACCOUNT, {"fax": "9"})

    with pytest.raises(RefusedError, match=f"fax_no of Customer {key} is “7” here and “9” in Dataverse"):
        undo(company.services, "customer", key, WHO)

    assert company.local("customer", key)["fax_no"] == "7"


def test_where_dataverse_refuses_the_local_record_stays_as_it_was(company: Company) -> None:
    key, before = fax_from_dataverse(company)
    company.set_field("CUSTOMER", "salesperson_code", is_enabled=True)
    company.change_local("customer", key, salesperson_code="NOBODY")

    (line,) = undo(company.services, "customer", key, WHO).lines

    assert line.decision == "Fail"
    assert company.local("customer", key)["fax_no"] == "7" != before
    assert history.last(company.services, "customer", key).undone_by is None


def test_what_cannot_be_undone_says_why(company: Company) -> None:
    key = couple_customer(company)
    with pytest.raises(RefusedError, match="made the record"):
        undo(company.services, "customer", key, WHO)
    company.sandbox.update("account", ACCOUNT, {"fax": "7"})
    company.work()
    company.set("CUSTOMER", direction=FROM)
    with pytest.raises(RefusedError, match="goes FromIntegrationTable alone"):
        undo(company.services, "customer", key, WHO)
    with pytest.raises(NotFoundError, match="Nothing is remembered of customer X"):
        undo(company.services, "customer", "X", WHO)


def test_a_change_of_a_record_that_is_gone_or_uncoupled_is_refused(company: Company) -> None:
    key, _ = fax_from_dataverse(company)
    company.sandbox.delete("account", ACCOUNT)
    with pytest.raises(RefusedError, match="was deleted"):
        undo(company.services, "customer", key, WHO)

    create_in_dataverse(company.services, "CUSTOMER", [key], WHO)
    with pytest.raises(RefusedError, match="is no longer coupled"):
        undo(company.services, "account", ACCOUNT, WHO)


def test_what_is_older_than_the_setting_is_forgotten_by_itself(company: Company) -> None:
    couple_customer(company)
    company.pass_time(366 * 86400)
    company.catch_up([schedule.PURGE])
    assert history.listed(company.services, "account", ACCOUNT) == []


def test_the_terminal_tells_and_takes_back(small_company: Company) -> None:
    key, before = fax_from_dataverse(small_company)

    code, said = run(small_company, "history", "account", ACCOUNT)
    assert (code, "→ 7" in said) == (0, True)
    assert len(json.loads(run(small_company, "history", "customer", key, "--json")[1])) == 2
    assert run(small_company, "history", "account", SECOND_ACCOUNT)[1].startswith("Nothing is remembered")
    assert "Preview, nothing was changed: modified 1" in run(small_company, "undo", "customer", key, "--preview")[1]
    assert run(small_company, "undo", "customer", key)[1].endswith("modified 1\n")
    assert small_company.local("customer", key)["fax_no"] == before
    assert run(small_company, "history", "nosuch", key)[0] == 2
    small_company.change_local("customer", key, fax_no="9")
    assert run(small_company, "undo", "customer", key)[0] == 1
