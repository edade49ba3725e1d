"""Uncouple all, verify and match as tasks: interrupted, gone on with, cancelled; the terminal watches or does them."""

from __future__ import annotations

import json
import signal
import threading
from typing import Any

import pytest
from company import Company
from scenarios.pairs import couple

from receiver.cli import receiver
from receiver.commands.coupling import matching_task, uncouple_all
from receiver.commands.coupling.match import match
from receiver.commands.coupling.match_plan import Choices
from receiver.commands.procedures import PROCEDURES
from receiver.commands.synchronizing import verification
from receiver.commands.synchronizing.verify import verify
from receiver.commands.told import MOST, lines_of, with_lines
from receiver.errors import NotFoundError, RefusedError
from receiver.runs.tasks import cancel, carry_out_next, newest, task_of
from receiver.server.worker import Worker
from receiver.store.tasks import Task

NEVER = threading.Event()


def work(company: Company, number: int, *, stops_after: int = 0, cancels_after: int = 0) -> Task:
    """Carry the task out; stop, or cancel it, once so many pieces have been told."""
    stopped, told = threading.Event(), list[Task]()

    def watch(task: Task) -> None:
        told.append(task)
        if len(told) == stops_after:
            stopped.set()
        if len(told) == cancels_after:
            cancel(company.services, number)

    assert carry_out_next(company.services, PROCEDURES, stopped, number, watch)
    return task_of(company.services, number)


def coupled_customers(company: Company, count: int) -> dict[str, str]:
    made: dict[str, str] = {}
    for number in range(count):
        row = str(company.sandbox.create("account", {"name": f"Firm {number}", "customertypecode": 3}))
        made[key := company.insert_local("customer", name=f"Firm {number}")] = row
        couple(company, "CUSTOMER", key, row)
    return made


def matching_customers(company: Company, count: int) -> dict[str, str]:
    company.set_field("CUSTOMER", "phone_no", match_on_this_field=True)
    made: dict[str, str] = {}
    for number in range(count):
        values = {"name": f"There {number}", "telephone1": str(number), "customertypecode": 3}
        row = str(company.sandbox.create("account", values))
        made[company.insert_local("customer", name=f"Here {number}", phone_no=str(number))] = row
    assert company.sandbox.settle()
    return made


def terminal(company: Company, *words: str) -> tuple[int, str, str]:
    result = company.app.test_cli_runner().invoke(receiver, list(words))
    assert company.sandbox.settle()
    return result.exit_code, result.stdout, result.stderr


# -- Delete Coupling of a whole mapping ------------------------------------------------------------------------


def test_uncoupling_all_goes_on_where_it_was_interrupted(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("receiver.commands.coupling.delete_coupling.TOGETHER", 2)
    rows = coupled_customers(company, 5)
    number = uncouple_all.start(company.services, "customer", "Ann")
    with pytest.raises(RefusedError, match=f"receiver tasks resume {number}"):
        uncouple_all.start(company.services, "CUSTOMER", "Bob")

    waiting = work(company, number, stops_after=2)
    assert (waiting.state, waiting.counts, waiting.done, waiting.total) == ("waiting", {"uncoupled": 2}, 2, 5)
    done = work(company, number)

    assert (done.state, done.counts, done.done) == ("done", {"uncoupled": 5}, 5)
    assert [line.local_id for line in lines_of(done)] == list(rows)
    (job,) = company.jobs("CUSTOMER")
    assert (job["type"], job["uncoupled"], job["message"]) == ("Uncoupling", 5, "Delete Coupling by Ann")


def test_uncoupling_all_that_is_cancelled_keeps_the_other_couplings(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("receiver.commands.coupling.delete_coupling.TOGETHER", 2)
    rows = coupled_customers(company, 5)

    ended = work(company, uncouple_all.start(company.services, "CUSTOMER", "Ann"), cancels_after=2)

    assert ended.state == "cancelled"
    left = [row for row in rows.values() if company.coupling("CUSTOMER", row)]
    assert 0 < len(left) < 5
    assert company.jobs("CUSTOMER")[-1]["message"] == "Delete Coupling by Ann, cancelled."


def test_ctrl_c_leaves_a_task_that_goes_on_and_says_how(
    small_company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("receiver.commands.coupling.delete_coupling.TOGETHER", 2)
    coupled_customers(small_company, 5)

    def pressed(*arguments: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        return with_lines(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(uncouple_all, "with_lines", pressed)
        code, output, errors = terminal(small_company, "uncouple", "CUSTOMER", "--all", "--yes")

    (task,) = newest(small_company.services)
    assert (code, output, task.state) == (1, "", "waiting")
    assert f"Task {task.id} waits where it stands. To go on: receiver tasks resume {task.id}." in errors
    assert "Counts: Uncoupled 5" in terminal(small_company, "tasks", "resume", str(task.id))[1]


def test_a_worker_does_it_and_the_terminal_watches(company: Company) -> None:
    coupled_customers(company, 2)
    worker = Worker(company.services, 1)
    worker.start()
    try:
        code, output, _ = terminal(company, "uncouple", "CUSTOMER", "--all", "--yes")
    finally:
        worker.stop()

    assert (code, output.splitlines()[-1]) == (0, "uncoupled 2")
    assert newest(company.services)[0].state == "done"


# -- Verify ----------------------------------------------------------------------------------------------------


def test_verifying_goes_on_with_the_mappings_that_are_left(company: Company) -> None:
    number = verification.start(company.services, [], "Ann")

    waiting = work(company, number, stops_after=2)
    assert waiting.state == "waiting"
    done = work(company, number)

    verified = [one.mapping for one in verification.verifications_of(company.services, done)]
    assert (done.state, verified) == ("done", done.arguments["mappings"])
    assert len(verified) == 5


def test_repairing_is_gone_on_with_and_counted(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "TOGETHER", 1)
    company.open_for_all("CUSTOMER")
    keys = [company.insert_local("customer", name=f"Firm {number}") for number in range(3)]
    company.set("CUSTOMER", dataverse_filter_text="name begins with 'Firm'")
    number = verification.start(company.services, ["CUSTOMER"], "Ann", repairs=True)

    pieces = list[Task]()
    work(company, number, stops_after=3)
    pieces.append(task_of(company.services, number))
    done = work(company, number)

    assert done.state == "done"
    assert done.message == "Not in step: CUSTOMER."
    assert verify(company.services, "CUSTOMER").is_in_step
    assert len(keys) == verify(company.services, "CUSTOMER").counts["compared"]


def test_what_is_switched_off_or_unknown_makes_no_task(small_company: Company) -> None:
    small_company.set("CUSTOMER", is_enabled=False)
    with pytest.raises(RefusedError, match="switched off"):
        verification.start(small_company.services, ["CUSTOMER"], "Ann")
    for start in (verification.start, matching_task.start):
        with pytest.raises(NotFoundError):
            start(small_company.services, ["NOSUCH"], "Ann", **({} if start is verification.start else CHOICES))
    assert newest(small_company.services) == []


CHOICES: dict[str, Any] = {"choices": Choices()}


# -- Match-Based Coupling --------------------------------------------------------------------------------------


@pytest.mark.parametrize("pieces", [1, 2, 3, 4, 5])
def test_what_was_coupled_before_an_interruption_is_synchronized_after_it(
    company: Company, monkeypatch: pytest.MonkeyPatch, pieces: int
) -> None:
    monkeypatch.setattr("receiver.commands.coupling.match.TOGETHER", 2)
    rows = matching_customers(company, 3)
    company.insert_local("customer", name="Alone", phone_no="77")
    number = matching_task.start(company.services, ["CUSTOMER"], "Ann", Choices(True, False))

    work(company, number, stops_after=pieces)
    done = work(company, number)
    assert company.sandbox.settle()

    assert (done.state, done.counts["coupled"], done.counts["failed"]) == ("done", 3, 1)
    assert [company.sandbox.row("account", row)["name"] for row in rows.values()] == ["Here 0", "Here 1", "Here 2"]
    assert [one["coupled"] for one in company.jobs("CUSTOMER") if one["type"] == "Coupling"] == [3]


def test_a_crash_between_coupling_and_synchronizing_is_made_good(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = matching_customers(company, 2)
    number = matching_task.start(company.services, ["CUSTOMER"], "Ann", Choices(True, False))

    def dying(*_arguments: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("receiver.commands.coupling.match.synchronized", dying)
        with pytest.raises(KeyboardInterrupt):
            carry_out_next(company.services, PROCEDURES, NEVER, number)
    assert {company.coupling("CUSTOMER", row).local_base for row in rows.values()} == {None}
    company.pass_time(200)
    done = work(company, number)
    assert company.sandbox.settle()

    assert (done.state, done.counts["coupled"]) == ("done", 2)
    assert [company.sandbox.row("account", row)["name"] for row in rows.values()] == ["Here 0", "Here 1"]


def test_a_token_that_is_void_ends_the_task_before_anything_is_done(small_company: Company) -> None:
    rows = matching_customers(small_company, 1)
    token = match(small_company.services, ["CUSTOMER"], "Ann", is_preview=True).token
    small_company.insert_local("customer", name="Another", phone_no="7")

    code, _, errors = terminal(small_company, "match", "CUSTOMER", "--token", token)

    assert (code, "A record has changed since the preview" in errors) == (1, True)
    assert not any(small_company.coupling("CUSTOMER", row) for row in rows.values())


def test_of_many_records_the_first_are_told_and_all_are_counted(
    small_company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("receiver.commands.told.MOST", 2)
    matching_customers(small_company, 3)

    code, output, _ = terminal(small_company, "match", "CUSTOMER")

    assert (code, output.splitlines()[-2:]) == (0, ["and others, 3 in all", "coupled 3"])
    assert output.count("was coupled to") == 2
    assert MOST == 200
    (task,) = newest(small_company.services)
    assert "Command: match" in terminal(small_company, "tasks", "show", str(task.id))[1]
    assert json.loads(terminal(small_company, "tasks", "list", "--json")[1])[0]["counts"] == {"coupled": 3}
