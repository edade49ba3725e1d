"""Notifications."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from receiver.cli.explained import ExplainedGroup
from receiver.cli.outcome import LEFT, changed
from receiver.cli.shared import (
    DAYS,
    LIMIT,
    NUMBER,
    WHO,
    as_json,
    ask,
    previewed,
    print_captioned,
    print_json,
    said,
    say,
    services,
    sure,
    table,
    with_application,
)
from receiver.cli.tasks import seen_through
from receiver.commands.following import notifications as notification_commands
from receiver.commands.following import notifications_in_bulk
from receiver.engine.wording import failing
from receiver.engine.write_lanes import ENDED_OTHERWISE
from receiver.store.tasks import Task

CAPTIONS = {
    "id": "Number",
    "state": "State",
    "message": "Message",
    "table_name": "Table",
    "row_id": "Row",
    "received_at": "Received",
    "finished_at": "Finished",
    "remote_address": "From address",
    "size": "Size in bytes",
    "is_synchronous": "Synchronous",
    "is_click": "Click",
    "waits": "Waits",
    "note": "Note",
    "ready_at": "Next attempt",
    "attempts": "Attempts",
    "last_error": "Last error",
}
NOTHING_TO_DO = "Nothing needs to be done."


@click.group(cls=ExplainedGroup)
def inbox() -> None:
    """Notifications: list, show, retry, purge."""


@inbox.command("list")
@click.option("--state", type=click.Choice(notification_commands.STATES), help="Only in this state.")
@click.option("--table", "table_name", default="", help="Only of this table.")
@click.option("--limit", type=LIMIT, default=50, show_default=True, help="At most so many.")
@as_json
@with_application
def list_inbox(state: str | None, table_name: str, limit: int, is_json: bool) -> None:
    """List notifications, newest first."""
    found = notification_commands.listed(services(), state=state or "", table=table_name, limit=limit)
    if is_json:
        print_json([notification_commands.as_json(row) for row in found])
        return
    if not found:
        say("There is no such notification." if state or table_name else "Nothing has come yet.")
        return
    heads = ("NUMBER", "RECEIVED", "STATE", "MESSAGE", "TABLE", "ROW", "OUTCOME")
    table("Notifications", heads, [_inbox_row(row) for row in found], [_remedies(row) for row in found])


def _inbox_row(row: Any) -> tuple[Any, ...]:
    sentences = " ".join(outcome["sentence"] for outcome in row["outcome"] or ())
    is_delayed = row["state"] == "waiting" and row["last_error"] and row["ready_at"]
    trouble = f"{row['last_error']} Tried again at {row['ready_at']:%H:%M:%S} UTC." if is_delayed else ""
    received = f"{row['received_at']:%Y-%m-%d %H:%M:%S}"
    words = row["note"] if row["note"] in ENDED_OTHERWISE else trouble or sentences or row["note"]
    return (row["id"], received, row["state"], row["message"], row["table_name"], row["row_id"], words)


def _remedies(row: Any) -> str:
    """What a person can do about a failed notification; empty for any other."""
    outcomes = (row["outcome"] or ()) if row["state"] == "failed" else ()
    found = dict.fromkeys(remedy for one in failing(outcomes) if (remedy := _remedy(one)))
    return f"What to do: {' '.join(found)}" if found else ""


def _remedy(outcome: Mapping[str, Any]) -> str:
    remedy: str = outcome.get("remedy") or ""
    return "" if remedy == NOTHING_TO_DO else remedy


@inbox.command("show")
@click.argument("number", type=NUMBER)
@as_json
@with_application
def show_inbox(number: int, is_json: bool) -> None:
    """Show one notification, whole."""
    found = notification_commands.shown(services(), number)
    if is_json:
        print_json(notification_commands.as_json(found))
        return
    print_captioned(CAPTIONS, found)
    _print_section("Headers", [f"{name}: {said(value)}" for name, value in sorted(found["headers"].items())])
    _print_section("Outcome", [line for one in found["outcome"] or () for line in _outcome_lines(one)])
    _print_section("Body", _body_lines(found["body"]))


def _print_section(caption: str, lines: list[str]) -> None:
    say(f"{caption}:" if lines else f"{caption}: {said(None)}")
    for line in lines:
        say(f"  {line}")


def _outcome_lines(outcome: Mapping[str, Any]) -> list[str]:
    reason, record, remedy = outcome.get("reason"), outcome.get("record"), _remedy(outcome)
    lines = [f"{outcome['mapping']}: {outcome['decision']}" + (f", {reason}" if reason else "")]
    lines.append(f"  {outcome['sentence']}")
    if remedy:
        lines.append(f"  What to do: {remedy}")
    if record:
        lines.append(f"  Record: {record}")
    return [*lines, *(f"  {text}" for text in changed(outcome.get("fields") or {}))]


def _body_lines(raw: bytes) -> list[str]:
    from receiver.admin.body import readable_body

    body = readable_body(raw)
    more = ["… the rest is left out here; --json prints the whole."] if body.is_cut else []
    return [*body.text.splitlines(), *more]


@inbox.command("retry")
@click.argument("number", type=NUMBER, required=False)
@click.option("--all-failed", "every", is_flag=True, help="Every failed notification.")
@previewed
@sure
@with_application
def retry_inbox(number: int | None, every: bool, is_preview: bool, is_sure: bool) -> None:
    """Process a notification again."""
    if every is (number is not None):
        raise click.UsageError("Name a notification's NUMBER, or --all-failed.")
    if number is None:
        count = notification_commands.counts(services())["failed"]
        if is_preview or not count:
            say(f"{count} notification(s) would be processed again." if count else "None failed: nothing to do.")
            return
        ask(f"Process {count} notification(s) again?", is_sure=is_sure)
        _say_end(seen_through(lambda: notifications_in_bulk.start_process_failed(services(), WHO), is_here=False))
        return
    if is_preview:
        row = notification_commands.shown(services(), number)
        say(f"Notification {number} of {row['table_name']} {row['row_id']} would be processed again.")
        return
    notification_commands.process_again(services(), number)
    say(f"Notification {number} will be processed again.")


@inbox.command("purge")
@click.option("--older-than-days", type=DAYS, default=30, show_default=True, help="Only what is older.")
@previewed
@sure
@with_application
def purge_inbox(older_than_days: int, is_preview: bool, is_sure: bool) -> None:
    """Delete ended notifications."""
    count = notifications_in_bulk.purgeable(services(), older_than_days)
    if is_preview or not count:
        say(f"{count} notification(s) would be deleted.")
        return
    ask(f"Delete {count} notification(s) for good?", is_sure=is_sure)
    _say_end(seen_through(lambda: notifications_in_bulk.start_purge(services(), older_than_days, WHO), is_here=False))


def _say_end(task: Task | None) -> None:
    if task is None:
        click.get_current_context().exit(LEFT)
    say(task.message)


COMMANDS = (inbox,)
