"""A task that is cancelled or refused at an odd moment: no job stays open."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from company import Company
from scenarios.pairs import couple_customer

from receiver.commands.coupling import uncouple_all
from receiver.commands.mappings import change_mapping as mapping_commands
from receiver.commands.procedures import PROCEDURES
from receiver.commands.synchronizing import run_mapping as run
from receiver.core.mapping import Direction
from receiver.runs.run_pages import Scope
from receiver.runs.tasks import cancel, carry_out_next, task_of
from receiver.store import runs as stored_runs
from receiver.store import tasks as stored

WHO = "Ann"
START: dict[str, Callable[[Company], int]] = {
    "run": lambda company: run.start(company.services, "CUSTOMER", WHO, Direction.TO),
    "uncouple": lambda company: uncouple_all.start(company.services, "CUSTOMER", WHO),
}


def step(company: Company) -> None:
    """A worker takes the task, does a piece, and is asked to stop."""
    stopped = threading.Event()
    stopped.set()
    assert carry_out_next(company.services, PROCEDURES, stopped)


def dies(company: Company) -> None:
    """A worker takes the task, and is never heard of again."""
    with company.services.database.writing() as connection:
        assert stored.lease(connection, "dead", company.now(), 60) is not None


def begun(company: Company, monkeypatch: pytest.MonkeyPatch, start: Callable[[Company], int]) -> int:
    """A task of which some pieces are done, and whose job is open."""
    monkeypatch.setattr(stored_runs, "PAGE", 1)
    monkeypatch.setattr("receiver.commands.coupling.delete_coupling.TOGETHER", 1)
    couple_customer(company)
    company.set("CUSTOMER", direction=Direction.TO)
    for number in range(3):
        company.insert_local("customer", name=f"Firm {number}")
    number = start(company)
    for _ in range(20):
        step(company)
        if open_jobs(company):
            break
    assert task_of(company.services, number).state == "waiting"
    assert open_jobs(company)
    return number


def open_jobs(company: Company) -> list[int]:
    return [one["id"] for one in company.jobs("CUSTOMER") if one["finished_at"] is None]


@pytest.mark.parametrize("start", START.values(), ids=START)
@pytest.mark.parametrize("is_dead", [False, True], ids=["waits", "its worker died"])
def test_a_task_cancelled_between_two_workers_leaves_no_job_open(
    small_company: Company, monkeypatch: pytest.MonkeyPatch, start: Callable[[Company], int], *, is_dead: bool
) -> None:
    number = begun(small_company, monkeypatch, start)
    if is_dead:
        dies(small_company)
    cancel(small_company.services, number)
    small_company.pass_time(61)
    assert carry_out_next(small_company.services, PROCEDURES, threading.Event())

    assert task_of(small_company.services, number).state == "cancelled"
    assert open_jobs(small_company) == []
    assert "ancelled" in small_company.jobs("CUSTOMER")[-1]["message"]


def test_a_task_that_is_refused_half_way_leaves_no_job_open(
    small_company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = begun(small_company, monkeypatch, START["run"])
    small_company.set("CUSTOMER", is_enabled=False)
    assert carry_out_next(small_company.services, PROCEDURES, threading.Event())

    assert task_of(small_company.services, number).state == "failed"
    assert open_jobs(small_company) == []
    assert "switched off" in small_company.jobs("CUSTOMER")[-1]["message"]


def deleted(company: Company) -> None:
    """With the pairs that it has made: else nobody may delete it."""
    assert carry_out_next(
        company.services, PROCEDURES, threading.Event(), uncouple_all.start(company.services, "CUSTOMER", WHO)
    )
    company.set("CONTACT", depends_on=())
    for number in (2, 3):
        mapping_commands.set_field(company.services, "CONTACT", number, WHO, is_enabled=False)
    mapping_commands.delete(company.services, "CUSTOMER", WHO)


CHANGED: dict[str, Callable[[Company], object]] = {
    "was deleted": deleted,
    "is switched off": lambda company: company.set("CUSTOMER", is_enabled=False),
    "is not configured for ToIntegrationTable synchronization": lambda company: company.set(
        "CUSTOMER", direction=Direction.FROM
    ),
}


def meanwhile(company: Company, number: int, change: Callable[[Company], object], after: int = 1) -> None:
    """Go on with the run, and change something after so many further pieces."""
    seen: list[stored.Task] = []

    def watch(task: stored.Task) -> None:
        seen.append(task)
        if len(seen) == after:
            change(company)

    assert carry_out_next(company.services, PROCEDURES, threading.Event(), number, watch)


@pytest.mark.parametrize("said", CHANGED)
def test_a_mapping_that_is_taken_away_during_its_run_ends_the_run_with_a_sentence(
    small_company: Company, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    number = begun(small_company, monkeypatch, START["run"])

    meanwhile(small_company, number, CHANGED[said])

    task = task_of(small_company.services, number)
    assert (task.state, open_jobs(small_company)) == ("failed", [])
    assert said in task.message


@pytest.mark.parametrize("scope", [Scope.MODIFIED, Scope.FULL])
def test_a_task_taken_over_from_a_slow_worker_counts_once(
    company: Company, monkeypatch: pytest.MonkeyPatch, scope: Scope
) -> None:
    monkeypatch.setattr(stored_runs, "PAGE", 2)
    company.set("CUSTOMER", direction=Direction.TO, synch_only_coupled_records=False)
    for number in range(9):
        company.insert_local("customer", name=f"Firm {number}")
    number = run.start(company.services, "CUSTOMER", WHO, scope=scope)

    def taken_over(company: Company) -> None:
        company.pass_time(121)
        assert carry_out_next(company.services, PROCEDURES, threading.Event(), number)

    meanwhile(company, number, taken_over, after=3)

    (job,) = company.jobs("CUSTOMER")
    task = task_of(company.services, number)
    assert (task.state, task.done, task.counts) == ("done", 9, {"inserted": 9})
    assert (job["inserted"], job["unchanged"], job["failed"], job["errors"]) == (9, 0, 0, [])


def test_a_run_goes_on_with_a_mapping_as_it_was_changed_during_the_run(
    small_company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = begun(small_company, monkeypatch, START["run"])
    small_company.open_for_all("CUSTOMER")

    meanwhile(small_company, number, lambda company: company.set("CUSTOMER", local_filter_text="name = 'Firm 2'"))

    assert task_of(small_company.services, number).state == "done"
    made = {row["name"] for row in small_company.sandbox.rows("account")}
    assert made >= {"Firm 2"}
    assert "Firm 1" not in made
