"""Long commands: list, show, cancel; and watching one, which the other modules share."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click

from receiver.cli.explained import ExplainedGroup
from receiver.cli.shared import (
    FAILED,
    LIMIT,
    NUMBER,
    as_json,
    print_captioned,
    print_json,
    said,
    say,
    services,
    table,
    with_application,
)
from receiver.errors import ReceiverError, RefusedError
from receiver.store.tasks import Task

CAPTIONS = {
    "id": "Number",
    "command": "Command",
    "state": "State",
    "who": "Started by",
    "created_at": "Created",
    "started_at": "Started",
    "finished_at": "Finished",
    "done": "Looked at",
    "total": "Of",
    "counts": "Counts",
    "message": "Message",
}
LOOK_AGAIN_SECONDS = 0.5

#: the option `--here`
here = click.option("--here", is_flag=True, help="In this terminal, without a worker.")


@click.group(cls=ExplainedGroup)
def tasks() -> None:
    """Long commands that were started: list, show, cancel, resume."""


@tasks.command("list")
@click.option("--limit", type=LIMIT, default=50, show_default=True, help="At most so many.")
@as_json
@with_application
def list_tasks(limit: int, is_json: bool) -> None:
    """List tasks, newest first."""
    from receiver.runs.tasks import newest

    found = newest(services(), limit)
    if is_json:
        print_json([_plain(one) for one in found])
        return
    heads = ("NUMBER", "COMMAND", "STATE", "CREATED", "LOOKED AT", "COUNTS", "MESSAGE")
    table("Tasks", heads, [_row(one) for one in found])


def _row(task: Task) -> tuple[Any, ...]:
    done = f"{task.done} of {task.total}" if task.total else task.done
    return (task.id, task.command, task.state, said(task.created_at), done, counted(task.counts), said(task.message))


@tasks.command("show")
@click.argument("number", type=NUMBER)
@as_json
@with_application
def show_task(number: int, is_json: bool) -> None:
    """Show one task; on a terminal, watch what a worker does of it."""
    from receiver.runs.tasks import is_any_worker, task_of

    found = task_of(services(), number)
    if is_json:
        print_json(_plain(found))
        return
    if sys.stdout.isatty() and not found.has_ended and is_any_worker(services()):
        watch(number)
        return
    print_task(found)


@tasks.command("cancel")
@click.argument("number", type=NUMBER)
@with_application
def cancel_task(number: int) -> None:
    """End a task at its next step; what it has done stays."""
    from receiver.runs.tasks import cancel

    cancel(services(), number)
    say(f"Task {number} ends at its next step. What it has done stays.")


@tasks.command("resume")
@click.argument("number", type=NUMBER)
@with_application
def resume_task(number: int) -> None:
    """Go on with a task in this terminal, where it stands."""
    from receiver.runs.tasks import task_of

    if task_of(services(), number).has_ended:
        raise RefusedError(f"Task {number} has ended. `receiver tasks show {number}` says how.")
    carry_out_here(number)


def counted(counts: Mapping[str, int]) -> str:
    """Such as `Modified 2, Unchanged 40`."""
    return ", ".join(f"{name.capitalize()} {count}" for name, count in sorted(counts.items())) or said(None)


def print_task(task: Task) -> None:
    print_captioned(CAPTIONS, {**vars(task), "counts": counted(task.counts)})
    lines = (task.position or task.arguments or {}).get("lines")
    for line in lines or ():
        jobs = [f"{name} {line[key]}" for name, key in (("To", "to"), ("From", "from_")) if line[key]]
        say(f"  {line['mapping']}: {', '.join([line['status'] or said(None), *jobs])}")


def _plain(task: Task) -> dict[str, Any]:
    hidden = {"owner", "lease_until", "position"}
    return {name: value for name, value in vars(task).items() if name not in hidden}


def seen_through(create: Callable[[], int], *, is_here: bool, is_json: bool = False) -> Task | None:
    """Create the task, and watch it where a worker runs; else, or with *is_here*, carry it out here.

    The task once it has ended, None when it was left before. One that failed ends the command, with its sentence.
    """
    from receiver.runs.tasks import is_any_worker

    goes_here = is_here or not is_any_worker(services())
    number = create()
    see = carry_out_here if goes_here else watch
    ended = see(number, is_quiet=is_json, tells=False)
    if ended is not None and ended.state in {"failed", "cancelled"}:
        raise ReceiverError(ended.message)
    return ended


def started(create: Callable[[], int], *, is_here: bool, is_json: bool = False) -> None:
    """Create the task and see it through: watched, or carried out here.

    Raises: RefusedError when nobody would carry it out; nothing was created then.
    """
    from receiver.runs.tasks import is_any_worker, task_of

    if not is_here and not is_any_worker(services()):
        raise RefusedError("No worker is running. Start one with `receiver worker`, or add --here.")
    number = create()
    ended = carry_out_here(number, is_quiet=is_json) if is_here else watch(number, is_quiet=is_json)
    if is_json:
        print_json(_plain(task_of(services(), number)))
    end_as(ended)


def end_as(task: Task | None) -> None:
    """Exit code 1 where it was left, ended early, or something failed in it or stands failed, which is said."""
    from receiver.commands.following import coupled_errors

    if task is None or task.state in {"failed", "cancelled"}:
        sys.exit(FAILED)
    if task.counts.get("failed"):
        where = f"receiver jobs list {task.arguments.get('mapping', '')}".rstrip()
        say(
            f"{task.counts['failed']} failed. To see which, and why: {where}; what stands: receiver errors list",
            err=True,
        )
        sys.exit(FAILED)
    standing = coupled_errors.count(services(), task.arguments.get("mapping", ""))
    if standing:
        say(f"{standing} coupling(s) stand failed. To see them, and what to do: receiver errors list", err=True)
        sys.exit(FAILED)


def watch(number: int, *, is_quiet: bool = False, tells: bool = True) -> Task | None:
    """Show how far a task is until it ends; Ctrl-C ends the watching alone. The task, None when left before."""
    from receiver.runs.tasks import task_of

    try:
        with _bar(is_quiet=is_quiet) as shown:
            while not (found := task_of(services(), number)).has_ended:
                shown(found)
                time.sleep(LOOK_AGAIN_SECONDS)
    except KeyboardInterrupt:
        say(f"Task {number} goes on. To watch again: receiver tasks show {number}.", err=True)
        say(f"To end it: receiver tasks cancel {number}.", err=True)
        return None
    if tells and not is_quiet:
        print_task(found)
    return found


def carry_out_here(number: int, *, is_quiet: bool = False, tells: bool = True) -> Task | None:
    """Carry a task out in this terminal; Ctrl-C leaves it where it stands. The task, None when left before."""
    from receiver.commands.procedures import PROCEDURES
    from receiver.runs.tasks import carry_out_next, task_of

    with _interrupted() as stopped, _bar(is_quiet=is_quiet) as shown:
        while not (found := task_of(services(), number)).has_ended and not stopped.is_set():
            if not carry_out_next(services(), PROCEDURES, stopped, number, shown, is_here=True):
                shown(found)
                stopped.wait(LOOK_AGAIN_SECONDS)
    found = task_of(services(), number)
    if not found.has_ended:
        say(f"Task {number} waits where it stands. To go on: receiver tasks resume {number}.", err=True)
        say(f"To end it: receiver tasks cancel {number}. A worker goes on with it by itself.", err=True)
        return None
    if tells and not is_quiet:
        print_task(found)
    return found


@contextmanager
def _interrupted() -> Iterator[threading.Event]:
    """Set by Ctrl-C: the piece in hand is finished first."""
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return
    before = signal.signal(signal.SIGINT, lambda *_: stopped.set())
    try:
        yield stopped
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _bar(*, is_quiet: bool) -> Iterator[Callable[[Task], None]]:
    """A progress bar on a terminal; elsewhere nothing is said before the end."""
    if is_quiet or not sys.stderr.isatty():
        yield lambda _task: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Drawn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Drawn(*columns, console=Console(stderr=True), transient=True) as drawn:
        bar = drawn.add_task("", total=None)
        yield lambda task: drawn.update(
            bar, completed=task.done, total=task.total, description=task.message or task.state
        )


COMMANDS = (tasks,)
