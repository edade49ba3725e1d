"""A lease ends with its cause: what was held when the database went away, and what waited for the gate."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import timedelta

import pytest
from company import Company
from lanes.test_lanes import ACCOUNT, OTHER, hint, lane, post, states, taken, until, working

from receiver.commands.procedures import PROCEDURES
from receiver.commands.synchronizing import run_mapping
from receiver.engine.process import process
from receiver.errors import StoreUnavailableError, UnforeseenError
from receiver.lanes.failure import record_failure
from receiver.lanes.held import lanes_held, leased
from receiver.runs import run_task, tasks
from receiver.sandbox import Sandbox
from receiver.server.worker import run_ready
from receiver.services import Services
from receiver.store import gates
from receiver.store.schema import VERSION_TABLE

ROW = ("account", ACCOUNT)


@pytest.fixture
def away(postgresql_url: str, sandbox: Sandbox) -> Iterator[Company]:
    """A company on the database that can say why it takes nothing."""
    with closing(Company(postgresql_url, sandbox)) as company:
        company.open_for_all("CUSTOMER")
        yield company


@contextmanager
def shutting_down(company: Company, *tables: str) -> Iterator[None]:
    """Every transaction that changed one of these tables is refused at its end, as by a database that shuts down."""
    with company.services.database.writing() as connection:
        connection.exec_driver_sql(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " RAISE EXCEPTION 'the database system is shutting down' USING ERRCODE = '57P01'; END $$"
        )
        for table in tables:
            connection.exec_driver_sql(
                f"CREATE CONSTRAINT TRIGGER refuse_{table} AFTER INSERT OR UPDATE ON {table}"
                " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()"
            )
    try:
        yield
    finally:
        with company.services.database.writing() as connection:
            connection.exec_driver_sql("DROP FUNCTION refuse CASCADE")


def test_what_a_worker_held_is_gone_on_with_as_soon_as_the_database_is_back(away: Company) -> None:
    post(away, hint())
    held = taken(away)
    with shutting_down(away, "receiver_lane"):
        process(away.services, held)
        with pytest.raises(StoreUnavailableError):
            run_ready(away.services)

    away.work()

    assert states(away) == ["done"]
    assert lane(away).owner is None


def test_what_a_click_held_is_given_back_as_soon_as_the_database_is_back(away: Company) -> None:
    outage = ExitStack()
    with outage, suppress(ZeroDivisionError), lanes_held(away.services, [ROW]):
        outage.enter_context(shutting_down(away, "receiver_lane"))
        raise ZeroDivisionError

    assert leased(away.services, [ROW], patience=0.0).keys() == {f"account:{ACCOUNT}"}


def test_a_task_goes_on_where_it_stands_as_soon_as_the_database_is_back(away: Company) -> None:
    number, stopped, outage = run_mapping.start(away.services, "CUSTOMER", "the test"), threading.Event(), ExitStack()

    def cut_off(_services: Services, _progress: tasks.Progress) -> str:
        outage.enter_context(shutting_down(away, "receiver_task"))
        raise StoreUnavailableError

    with outage, pytest.raises(StoreUnavailableError):
        tasks.carry_out_next(away.services, {run_task.COMMAND: cut_off}, stopped)
    assert tasks.carry_out_next(away.services, PROCEDURES, stopped)

    assert tasks.task_of(away.services, number).state == "done"


def test_what_was_taken_over_meanwhile_is_not_taken_away(company: Company) -> None:
    post(company, hint())
    first = taken(company, "first")
    company.services.left_behind.add(first.owner, first.key)
    company.services.left_behind.add(first.owner)
    company.pass_time(61)
    taken(company, "second")

    assert not run_ready(company.services)

    assert (lane(company).owner, states(company)) == ("second", ["working"])


def test_every_lane_that_waited_for_the_gate_is_ready_when_it_opens(company: Company) -> None:
    company.open_for_all("CUSTOMER")
    with company.services.database.writing() as connection:
        gates.pause(connection, "everything", company.now(), company.now() + timedelta(seconds=900), "the test")
    for id_ in (ACCOUNT, OTHER):
        post(company, hint(id_))
    while run_ready(company.services):
        pass
    assert states(company) == ["waiting", "waiting"]

    with company.services.database.writing() as connection:
        gates.open_(connection, ["everything"])
        gates.wake(connection, company.now())
    company.work()

    assert states(company) == ["done", "done"]


def test_a_lane_with_a_back_off_of_its_own_is_not_woken_by_the_gate(small_company: Company) -> None:
    small_company.open_for_all("CUSTOMER")
    post(small_company, hint())
    small_company.sandbox.faults.unavailable = 1
    assert run_ready(small_company.services)

    with small_company.services.database.writing() as connection:
        gates.wake(connection, small_company.now())

    assert not run_ready(small_company.services)


def test_a_worker_of_another_version_stands_still_and_goes_on_by_itself(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("receiver.server.worker.STANDS_STILL_SECONDS", 0.1)
    company.open_for_all("CUSTOMER")
    with company.services.database.writing() as connection:
        known = connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").scalar_one()
        connection.exec_driver_sql(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    post(company, hint())

    with working(company):
        time.sleep(0.5)
        assert states(company) == ["waiting"]
        with company.services.database.writing() as connection:
            connection.exec_driver_sql(f"UPDATE {VERSION_TABLE} SET version_num = '{known}'")
        until(lambda: states(company) == ["done"])


def test_what_nobody_foresaw_while_another_version_changes_the_database_is_no_records_failure(company: Company) -> None:
    company.open_for_all("CUSTOMER")
    post(company, hint())
    with company.services.database.writing() as connection:
        known = connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").scalar_one()
        connection.exec_driver_sql(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")

    record_failure(company.services, taken(company), UnforeseenError("KeyError"))
    assert states(company) == ["waiting"]
    with company.services.database.writing() as connection:
        connection.exec_driver_sql(f"UPDATE {VERSION_TABLE} SET version_num = '{known}'")
    company.pass_time(10)
    company.work()

    assert states(company) == ["done"]
