"""What a command answered, as lines for people or as JSON."""

from __future__ import annotations

import click

from receiver.cli.shared import EMPTY, print_json, table
from receiver.commands.result import CommandResult, Line

HEADS = ("MAPPING", "RECORD", "DATAVERSE ROW", "DECISION")


def print_result(result: CommandResult, title: str, *, is_json: bool) -> None:
    """A line a record with what was, or would be, done, then the counts; exit code 1 when something failed."""
    if is_json:
        print_json(result.plain())
    else:
        rows = [(one.mapping, one.local_id or EMPTY, one.dataverse_id or EMPTY, one.decision) for one in result.lines]
        if rows:
            table(title, HEADS, rows, [_note(one) for one in result.lines])
        counted = ", ".join(f"{name} {count}" for name, count in result.counts.items()) or "nothing to do"
        click.echo(f"{'Preview, nothing was changed: ' if result.is_preview else ''}{counted}")
    if result.has_errors:
        click.get_current_context().exit(1)


def _note(one: Line) -> str:
    return f"{one.sentence} {one.remedy if one.decision in {'Fail', 'Error', 'Skip'} else ''}".strip()
