"""A run of a mapping as a task: its number, its place after each page, its jobs.

What a person starts, a schedule or an ear for local edits, all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from receiver.core.mapping import Direction, TableMapping
from receiver.errors import RefusedError
from receiver.runs.mapping_run import Position, parts_of, run_part
from receiver.runs.mapping_run import Progress as RunProgress
from receiver.runs.run_pages import Part, Scope
from receiver.runs.tasks import Progress, TaskCancelledError, create, under_way
from receiver.services import Services
from receiver.store import jobs
from receiver.store import runs as stored

COMMAND = "run"


def begin(
    services: Services,
    mapping: TableMapping,
    who: str,
    direction: Direction | None = None,
    scope: Scope = Scope.MODIFIED,
) -> int:
    """A task that runs the mapping; its number.

    Raises: RefusedError, also while the mapping is being run already.
    """
    services.check_connected()
    parts_of(mapping, direction, scope, who)
    if running := under_way(services, COMMAND, mapping.name):
        raise RefusedError(
            f"{mapping.name} is being run already. To watch: receiver tasks show {running.id}. "
            f"To end it: receiver tasks cancel {running.id}."
        )
    arguments = {"mapping": mapping.name, "direction": direction, "scope": scope}
    return create(services, COMMAND, arguments, who)


def run_parts(
    services: Services,
    progress: Progress,
    parts: Sequence[Part],
    position: Mapping[str, Any] | None,
    placed: Callable[[Mapping[str, Any]], Any],
) -> list[int]:
    """Run the parts from *position* on; the numbers of their jobs. *placed* makes the task's position of the run's."""
    numbers: list[int] = list(position["jobs"]) if position else []
    first = position["part"] if position else 0
    held = [replace(part, ask=replace(part.ask, job_holder=progress.task.owner)) for part in parts]
    for number, part in enumerate(held[first:], first):
        begun = Position.of(position["run"]) if position and number == first and position["run"] else None
        total = progress.task.total if begun else _total(services, part, progress.task.done)
        for now in run_part(services, part, begun):
            jobs_now = numbers if now.position.job in numbers else [*numbers, now.position.job]
            at = placed({"part": number, "run": now.position.plain(), "jobs": jobs_now})
            numbers = jobs_now
            _advance(services, progress, part, now, at, total)
        progress.advance(placed({"part": number + 1, "run": None, "jobs": numbers}))
    return numbers


def _advance(services: Services, progress: Progress, part: Part, now: RunProgress, at: Any, total: int | None) -> None:
    counters = [one.settled.counter if one.settled else "failed" for one in now.done if one.settled or one.error]
    waits = f" waits for Dataverse until {now.waits_until:%H:%M:%S} UTC" if now.waits_until else ""
    message = f"{part.mapping.name} {part.toward}{waits}"
    try:
        progress.advance(at, done=now.looked_at, counters=counters, total=total, message=message)
    except TaskCancelledError:
        with services.database.writing() as connection:
            jobs.finish(connection, now.position.job, services.clock(), "Cancelled.")
        raise


def _total(services: Services, part: Part, before: int) -> int | None:
    """How many local records are looked at, beside those *before*; of Dataverse nobody knows."""
    if part.scope is Scope.GONE:
        return before + len(part.named)
    if part.toward is Direction.FROM:
        return None
    with services.database.reading() as connection:
        return before + stored.count_of(connection, part.mapping)
