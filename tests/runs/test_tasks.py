"""Long commands as tasks: carried out by a worker or here, gone on with after an interruption, cancelled, watched."""

from __future__ import annotations

import json
import threading
import time

import pytest
from company import Company

from receiver.cli import receiver
from receiver.commands.procedures import PROCEDURES
from receiver.commands.synchronizing import full_synchronization
from receiver.commands.synchronizing import run_mapping as run
from receiver.core.mapping import Direction
from receiver.errors import NotFoundError, RefusedError
from receiver.runs.tasks import Progress, cancel, carry_out_next, create, is_any_worker, newest, task_of
from receiver.server.worker import Worker
from receiver.store import runs as stored_runs
from receiver.store import tasks as stored

NEVER = threading.Event()


def new_customers(company: Company, count: int) -> list[str]:
    company.open_for_all("CUSTOMER")
    return [company.insert_local("customer", name=f"Firm {number}") for number in range(count)]


def work(company: Company, stopped: threading.Event = NEVER, number: int | None = None) -> bool:
    return carry_out_next(company.services, PROCEDURES, stopped, number)


def terminal(company: Company, *words: str) -> tuple[int, str, str]:
    result = company.app.test_cli_runner().invoke(receiver, list(words), input="n\n")
    return result.exit_code, result.stdout, result.stderr


def test_a_task_is_carried_out_and_says_what_it_did(company: Company) -> None:
    new_customers(company, 3)
    number = run.start(company.services, "customer", "Ann", Direction.TO)
    assert task_of(company.services, number).state == "waiting"

    assert work(company)

    done = task_of(company.services, number)
    assert (done.state, done.counts, done.done) == ("done", {"inserted": 3}, 3)
    assert done.message == "Synchronize Modified Records: CUSTOMER is done."
    assert not work(company)
    assert [one.id for one in newest(company.services)] == [number]


def test_a_mapping_is_not_run_twice_at_once(company: Company) -> None:
    number = run.start(company.services, "CUSTOMER", "Ann")

    with pytest.raises(RefusedError, match=f"receiver tasks show {number}"):
        run.start(company.services, "CUSTOMER", "Bob")


def test_a_worker_that_stops_or_dies_leaves_the_task_to_the_next(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_runs, "PAGE", 2)
    new_customers(company, 5)
    number = run.start(company.services, "CUSTOMER", "Ann", Direction.TO)
    stopped = threading.Event()
    stopped.set()

    assert work(company, stopped)
    assert task_of(company.services, number).state == "waiting"
    with company.services.database.writing() as connection:
        dead = stored.lease(connection, "dead", company.now(), 60)
    assert dead is not None
    assert not work(company)
    company.pass_time(61)
    assert work(company)

    done = task_of(company.services, number)
    assert (done.state, done.counts) == ("done", {"inserted": 5})
    assert len(company.jobs("CUSTOMER")) == 1


def test_a_cancelled_task_ends_at_its_next_step_and_keeps_what_it_did(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_runs, "PAGE", 2)
    new_customers(company, 5)
    number = run.start(company.services, "CUSTOMER", "Ann", Direction.TO)
    carry_out_next(
        company.services,
        PROCEDURES,
        NEVER,
        watch=lambda task: cancel(company.services, number) if task.done == 2 and not task.is_cancelled else None,
    )

    ended = task_of(company.services, number)
    assert (ended.state, ended.message) == ("cancelled", "The task was cancelled.")
    assert 2 <= ended.counts["inserted"] < 5
    assert company.jobs("CUSTOMER")[-1]["message"] == "Cancelled."
    with pytest.raises(RefusedError, match="has ended already"):
        cancel(company.services, number)


def test_a_task_that_waits_is_cancelled_without_a_step(company: Company) -> None:
    number = run.start(company.services, "CUSTOMER", "Ann")
    cancel(company.services, number)

    assert work(company)
    assert task_of(company.services, number).state == "cancelled"
    assert company.jobs("CUSTOMER") == []
    with pytest.raises(NotFoundError, match="no task 4711"):
        cancel(company.services, 4711)


def test_what_may_go_away_by_itself_is_tried_again_later(company: Company) -> None:
    number = run.start(company.services, "CUSTOMER", "Ann", Direction.FROM)
    with company.sandbox.faults.switched(unavailable=-1):
        assert work(company)
    assert task_of(company.services, number).state == "waiting"
    assert "503" in task_of(company.services, number).message
    assert not work(company)

    company.pass_time(31)
    assert work(company)
    assert task_of(company.services, number).state == "done"
    assert len(company.jobs("CUSTOMER")) == 1


def test_what_cannot_be_done_has_failed_and_says_why(small_company: Company) -> None:
    number = run.start(small_company.services, "CUSTOMER", "Ann")
    small_company.set("CUSTOMER", is_enabled=False)
    assert work(small_company)
    assert task_of(small_company.services, number).state == "failed"
    assert "switched off" in task_of(small_company.services, number).message

    def broken(_services: object, _progress: Progress) -> str:
        raise ValueError("nobody foresaw it")

    other = create(small_company.services, "broken", {}, "Ann")
    carry_out_next(small_company.services, {"broken": broken}, NEVER)
    said = "Something that nobody foresaw (ValueError) stopped it. The log tells where; mend that, then start it again."
    assert task_of(small_company.services, other).message == said


def test_a_worker_has_a_thread_for_tasks(company: Company) -> None:
    new_customers(company, 1)
    worker = Worker(company.services, 1)
    worker.start()
    try:
        while not is_any_worker(company.services):
            time.sleep(0.02)
        code, output, errors = terminal(company, "mappings", "run", "CUSTOMER", "--direction", "to")
    finally:
        worker.stop()

    assert (code, errors) == (0, "")
    assert "Counts: Inserted 1" in output


def test_without_a_worker_the_terminal_says_so_or_does_it_itself(small_company: Company) -> None:
    new_customers(small_company, 1)
    words = ("mappings", "run", "CUSTOMER", "--direction", "to")

    assert terminal(small_company, *words) == (
        1,
        "",
        "No worker is running. Start one with `receiver worker`, or add --here.\n",
    )
    assert newest(small_company.services) == []
    code, output, _ = terminal(small_company, *words, "--preview", "--json")
    assert (code, json.loads(output)["counts"]) == (0, {"inserted": 1})
    code, output, _ = terminal(small_company, *words, "--here", "--json")
    assert (code, json.loads(output)["counts"]) == (0, {"inserted": 1})
    assert terminal(small_company, *words, "--full", "--unconditional")[0] == 2
    assert terminal(small_company, "mappings", "run", "NOSUCH", "--here")[0] == 2
    assert "is bidirectional" in terminal(small_company, *words, "--unconditional", "--here")[2]


def test_the_terminal_lists_shows_cancels_and_resumes_tasks(small_company: Company) -> None:
    first = run.start(small_company.services, "CUSTOMER", "Ann")
    second = run.start(small_company.services, "VENDOR", "Ann")

    assert terminal(small_company, "tasks", "cancel", str(first))[0] == 0
    assert "State: done" in terminal(small_company, "tasks", "resume", str(second))[1]
    assert terminal(small_company, "tasks", "resume", str(second))[0] == 1
    assert json.loads(terminal(small_company, "tasks", "show", str(second), "--json")[1])["state"] == "done"
    assert "Command: run" in terminal(small_company, "tasks", "show", str(second))[1]
    assert [one["id"] for one in json.loads(terminal(small_company, "tasks", "list", "--json")[1])] == [second, first]
    assert "VENDOR" in terminal(small_company, "tasks", "list")[1]
    assert terminal(small_company, "tasks", "show", "4711")[0] == 2


def test_full_synchronization_is_reviewed_asked_for_and_carried_out(small_company: Company) -> None:
    code, output, _ = terminal(small_company, "full-synchronization", "--review", "--json")
    lines = {one["mapping"]: one for one in json.loads(output)}
    assert code == 0
    assert lines["CONTACT"]["needs"] == ["CURRENCY", "CUSTOMER", "SALESPEOPLE", "VENDOR"]
    assert lines["CUSTOMER"]["recommendation"] == "Full Synchronization"

    assert "Nothing was done" in terminal(small_company, "full-synchronization", "--here")[2]
    code, output, errors = terminal(small_company, "full-synchronization", "--yes", "--here")
    assert code == 1, "contacts of a currency and a company that are not here fail"
    assert errors.startswith("2 failed. To see which, and why: receiver jobs list")
    assert "CUSTOMER: Finished" in output
    assert full_synchronization.lines_of(newest(small_company.services)[0])[-1].status == "Finished"
