"""What runs by itself: list, set, run, pause, resume."""

from __future__ import annotations

import click

from receiver.cli.explained import ExplainedGroup
from receiver.cli.shared import EMPTY, WHO, as_json, print_json, said, say, services, table, with_application

WHAT = click.argument("what")


@click.group("schedule", cls=ExplainedGroup)
def schedule_group() -> None:
    """What runs by itself, and when: catch-up, verify, tests, purging."""


@schedule_group.command("list")
@as_json
@with_application
def list_schedule(is_json: bool) -> None:
    """List what runs by itself: when it ran last, how, and when it runs next (UTC)."""
    from receiver.runs.schedule import keep_rows, listed

    keep_rows(services())
    found, now = listed(services()), services().clock()
    if is_json:
        hidden = {"owner", "lease_until"}
        print_json(
            [
                {name: value for name, value in vars(one.due).items() if name not in hidden}
                | {"cron": one.cron, "is_paused": one.is_paused, "meaning": one.meaning, "is_late": one.is_late(now)}
                for one in found
            ]
        )
        return
    heads = ("WHAT", "FOR", "CRON", "LAST", "STATE", "NEXT")
    rows = [
        (
            one.due.what,
            one.due.subject or EMPTY,
            one.cron,
            said(one.due.last_at),
            _state(is_good=one.due.is_good, has_run=one.due.last_at is not None),
            "paused" if one.is_paused else f"{said(one.due.next_at)}{', late' if one.is_late(now) else ''}",
        )
        for one in found
    ]
    table("Schedule", heads, rows, [one.due.said for one in found])


def _state(*, is_good: bool, has_run: bool) -> str:
    if not has_run:
        return EMPTY
    return "good" if is_good else "not good"


@schedule_group.command("set")
@WHAT
@click.argument("cron")
@with_application
def set_schedule(what: str, cron: str) -> None:
    """Say by cron text when something runs, such as "*/10 * * * *"; "" is as it is shipped."""
    from receiver.runs.schedule import SHIPPED, set_

    changed = set_(services(), what, WHO, cron=cron)
    say(f"{what} runs at {changed.cron or SHIPPED[what].cron}.")


@schedule_group.command("run")
@WHAT
@click.argument("subject", required=False, default="", metavar="[FOR]")
@with_application
def run_schedule(what: str, subject: str) -> None:
    """Have something run now, by a worker: for all that it runs for, or for one."""
    from receiver.runs.schedule import run_now
    from receiver.runs.tasks import is_any_worker

    count = run_now(services(), what, subject)
    goes = "A worker does it now" if is_any_worker(services()) else "No worker is running: start one (receiver worker)"
    say(f"{what}: {count} due. {goes}; what came of it: receiver schedule list")


@schedule_group.command("pause")
@WHAT
@with_application
def pause_schedule(what: str) -> None:
    """Let something not run until it is resumed."""
    from receiver.runs.schedule import set_

    set_(services(), what, WHO, is_paused=True)
    say(f"{what} is paused. To go on: receiver schedule resume {what}")


@schedule_group.command("resume")
@WHAT
@with_application
def resume_schedule(what: str) -> None:
    """Let something that was paused run again."""
    from receiver.runs.schedule import run_now, set_

    set_(services(), what, WHO, is_paused=False)
    run_now(services(), what)
    say(f"{what} runs again, the first time now.")


COMMANDS = (schedule_group,)
