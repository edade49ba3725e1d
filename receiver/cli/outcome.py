"""What a command answered, as lines for people or as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from receiver.cli.shared import EMPTY, print_json, say, table
from receiver.commands.result import WENT_WRONG, CommandResult, Line
from receiver.commands.told import lines_of
from receiver.core.values import from_plain, shown
from receiver.store.tasks import Task

HEADS = ("MAPPING", "RECORD", "DATAVERSE ROW", "DECISION")
#: a task that was left before it ended
LEFT = 1


def print_result(result: CommandResult, title: str, *, is_json: bool) -> None:
    """A line a record with what was, or would be, done, then the counts; exit code 1 when something failed."""
    if is_json:
        print_json(result.plain())
    else:
        print_lines(result.lines, title, shows_values=result.is_preview)
        say(f"{'Preview, nothing was changed: ' if result.is_preview else ''}{counted(result.counts)}")
    if result.has_errors:
        click.get_current_context().exit(1)


def print_told(task: Task | None, title: str, *, is_json: bool) -> None:
    """What a task told of its records, as `print_result` prints it; of many, the first lines and all the counts."""
    if task is None:
        click.get_current_context().exit(LEFT)
    told = CommandResult(lines_of(task))
    if is_json:
        print_json({**told.plain(), "counts": task.counts, "task": task.id})
    else:
        print_lines(told.lines, title)
        if sum(task.counts.values()) > len(told.lines):
            say(f"and others, {sum(task.counts.values())} in all")
        say(counted(task.counts))
    if task.counts.get("failed"):
        click.get_current_context().exit(1)


def print_lines(lines: Sequence[Line], title: str, *, shows_values: bool = False) -> None:
    rows = [(one.mapping, one.local_id or EMPTY, one.dataverse_id or EMPTY, one.decision) for one in lines]
    if rows:
        table(title, HEADS, rows, [_note(one, shows_values=shows_values) for one in lines])


def counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "nothing to do"


def _note(one: Line, *, shows_values: bool) -> str:
    remedy = one.remedy if one.decision in {*WENT_WRONG, "Skip"} else ""
    values = "; ".join(changed(one.fields)) if shows_values else ""
    return " ".join(filter(None, (one.sentence, remedy, values)))


def changed(fields: Mapping[str, Any]) -> list[str]:
    """`column: before → after`, as people read the values."""
    return [f"{name}: {value_said(before)} → {value_said(after)}" for name, (before, after) in fields.items()]


def value_said(plain: Any) -> str:
    """A value as it is kept in an outcome, a finding or the history."""
    return shown(from_plain(plain))
