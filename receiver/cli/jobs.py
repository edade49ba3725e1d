"""Integration Synchronization Jobs: list, of a mapping or of one record, and purge."""

from __future__ import annotations

import click

from receiver.cli.explained import ExplainedGroup
from receiver.cli.shared import (
    DAYS,
    LIMIT,
    as_json,
    ask,
    previewed,
    print_json,
    said,
    say,
    services,
    sure,
    table,
    with_application,
)
from receiver.commands.following import synch_jobs
from receiver.commands.following.synch_jobs import Job


@click.group(cls=ExplainedGroup)
def jobs() -> None:
    """Integration Synchronization Jobs: what each synchronization counted, and what failed in it."""


@jobs.command("list")
@click.argument("mapping", required=False, default="")
@click.argument("key", required=False, default=None)
@click.option("--limit", type=LIMIT, default=50, show_default=True, help="At most so many.")
@as_json
@with_application
def list_jobs(mapping: str, key: str | None, limit: int, is_json: bool) -> None:
    """List jobs, newest first; with KEY, or the id of its row, the Synchronization Log of that record."""
    if key is None:
        found = synch_jobs.listed(services(), mapping, limit)
    else:
        found = synch_jobs.of_record(services(), mapping, key, limit)
    if is_json:
        print_json([one.plain() for one in found])
    elif not found:
        say("There are no jobs.")
    else:
        heads = ("NO", "STARTED", "MAPPING", "DIRECTION", "TYPE", "COUNTS", "MESSAGE")
        table("Integration Synchronization Jobs", heads, [_row(one) for one in found], [_note(one) for one in found])


@jobs.command("purge")
@click.option("--older-than-days", type=DAYS, default=7, show_default=True, help="Only what is older.")
@previewed
@sure
@with_application
def purge_jobs(older_than_days: int, is_preview: bool, is_sure: bool) -> None:
    """Delete ended jobs, but not those that a skipped coupling refers to, nor the newest."""
    count = synch_jobs.purgeable(services(), older_than_days)
    if is_preview or not count:
        say(f"{count} job(s) would be deleted.")
        return
    ask(f"Delete {count} job(s) for good?", is_sure=is_sure)
    say(f"{synch_jobs.purge(services(), older_than_days)} job(s) were deleted.")


def _row(one: Job) -> tuple[str, ...]:
    counts = ", ".join(f"{name} {count}" for name, count in one.counts.items())
    return (str(one.id), said(one.started_at), one.mapping, one.direction, one.type, said(counts), said(one.message))


def _note(one: Job) -> list[str]:
    return [f"{error.source} → {said(error.destination)}: {error.message}" for error in one.errors]


COMMANDS = (jobs,)
