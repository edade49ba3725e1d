"""What a long command tells of its records: the first lines stand in its task, the rest are counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from receiver.commands.result import Line
from receiver.store.tasks import Task

#: lines kept with a task: its row is written after each piece
MOST = 200


def with_lines(told: Sequence[dict[str, Any]], lines: Iterable[Line]) -> list[dict[str, Any]]:
    """The lines kept so far, and these as far as there is room."""
    kept = list(told)
    for line in lines:
        if len(kept) >= MOST:
            break
        kept.append(dict(vars(line)))
    return kept


def lines_of(task: Task) -> tuple[Line, ...]:
    """The lines kept with a task."""
    return tuple(Line(**one) for one in (task.position or {}).get("told", ()))
