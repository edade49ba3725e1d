"""What runs may ask of Dataverse in five minutes is counted for all workers together; clicks and notifications go on."""

from __future__ import annotations

from datetime import timedelta

import pytest
from company import Company
from scenarios.pairs import ACCOUNT, couple_customer

from receiver.core.background import in_background
from receiver.errors import GateClosedError
from receiver.runs import schedule
from receiver.store import budget
from receiver.store.gatekeeper import Gatekeeper


def keeper(company: Company, most: int) -> Gatekeeper:
    return Gatekeeper(company.services.database, company.now, 900.0, most)


def asked(gate: Gatekeeper, count: int) -> int:
    """How many of so many requests of a run's go through."""
    through = 0
    with in_background():
        for _ in range(count):
            try:
                gate.enter(["read account"])
            except GateClosedError:
                break
            through += 1
    return through


def test_all_workers_together_ask_no_more_than_is_allowed(company: Company) -> None:
    assert sum(asked(keeper(company, 100), 60) for _ in range(3)) <= 100
    assert asked(keeper(company, 100), 10) == 0


def test_a_new_window_gives_anew(company: Company) -> None:
    assert asked(keeper(company, 100), 200) == 100
    company.pass_time(301)
    assert asked(keeper(company, 100), 200) == 100


def test_a_pause_that_dataverse_asks_for_halves_it_and_time_gives_it_back(company: Company) -> None:
    assert asked(keeper(company, 1000), 1) == 1
    for _ in range(3):  # however many were told
        with company.services.database.writing() as connection:
            budget.halve(connection, company.now(), 1000)
    with company.services.database.reading() as connection:
        assert budget.stands(connection) == (10, 500)
    company.pass_time(301)
    assert asked(keeper(company, 1000), 2000) == 750


def test_clicks_and_notifications_are_not_counted(company: Company) -> None:
    couple_customer(company)
    gate = keeper(company, 10)
    assert asked(gate, 50) == 10
    for _ in range(50):
        assert gate.enter(["read account"]) == ""


def test_a_run_waits_for_the_next_window_and_fails_nothing(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    key = couple_customer(company)
    client = company.services.dataverse
    client._gate = keeper(company, 10)
    assert asked(client._gate, 50) == 10
    company.change_local("customer", key, name="Sent later")
    monkeypatch.setattr("receiver.runs.mapping_run.time.sleep", lambda _seconds: company.pass_time(60))
    from receiver.commands.synchronizing import run_mapping

    run_mapping.start(company.services, "CUSTOMER", "Ann")
    with in_background():
        company.finish_tasks()
    row = company.sandbox.row("account", ACCOUNT)
    assert row is not None
    assert row["name"] == "Sent later"
    assert not any(one["failed"] for one in company.jobs("CUSTOMER"))
    assert timedelta(minutes=5) == budget.WINDOW


def test_the_test_of_the_connection_is_not_charged_to_runs(company: Company) -> None:
    company.services.dataverse._gate = keeper(company, 10)
    assert asked(company.services.dataverse._gate, 50) == 10
    company.pass_time(130)
    company.catch_up([schedule.CONNECTION])
    assert company.looked("connection").is_good


def test_a_look_that_may_not_ask_now_goes_on_in_the_next_window_and_tells_of_no_trouble(company: Company) -> None:
    company.catch_up([schedule.CATCH_UP])
    company.services.dataverse._gate = keeper(company, 10)
    asked(company.services.dataverse._gate, 50)
    company.catch_up([schedule.CATCH_UP])
    looked = company.looked("catch-up", "account")
    assert looked.is_good
    assert looked.next_at <= company.now() + budget.WINDOW
