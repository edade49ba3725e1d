"""Match-Based Coupling as a task: mapping after mapping, some hundred pairs at a time, gone on with where it stood."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from receiver.commands.coupling.match import Piece, finished, pieces, plans_of, token_of
from receiver.commands.coupling.match_plan import Choices, Plan
from receiver.commands.told import with_lines
from receiver.errors import StalePreviewError
from receiver.runs.tasks import Progress, TaskCancelledError, create
from receiver.services import Services
from receiver.store import jobs

COMMAND = "match"


def start(
    services: Services,
    names: Sequence[str],
    who: str,
    choices: Choices,
    *,
    keys: Sequence[str] | None = None,
    token: str = "",
) -> int:
    """A task that couples what matches; its number. The arguments are those of `match`, whose checks are made here.

    Raises: NotFoundError, RefusedError.
    """
    services.check_connected()
    plans_of(services, names, choices, keys)
    arguments = {
        "mappings": list(names) or _all_enabled(services),
        "choices": [choices.synchronizes, choices.creates_new],
        "keys": None if keys is None else list(keys),
        "token": token,
    }
    return create(services, COMMAND, arguments, who)


def _all_enabled(services: Services) -> list[str]:
    with services.database.reading() as connection:
        return [one.name for one in services.mappings(connection).values() if one.is_enabled]


def carry_out(services: Services, progress: Progress) -> str:
    """The procedure of the task. Raises: StalePreviewError when its token is void before anything was done."""
    asked, at = progress.task.arguments, progress.task.position

    def tell(what: str, _count: int) -> None:
        progress.advance(progress.task.position, message=what)

    left = [name for name in asked["mappings"] if at is None or name.upper() not in at["done"]]
    plans = plans_of(services, left, Choices(*asked["choices"]), asked["keys"], tell) if left else iter(())
    if at is None and asked["token"]:
        kept = list(plans)
        if asked["token"] != token_of(kept):
            raise StalePreviewError
        plans = iter(kept)
    at = at or {"done": [], "job": None, "going": {}, "told": []}
    for plan in plans:
        at = _carried_out(services, progress, plan, at)
    return "Match-Based Coupling is done."


def _quiet(_what: str, _count: int) -> None: ...


def _carried_out(services: Services, progress: Progress, plan: Plan, at: dict[str, Any]) -> dict[str, Any]:
    who = progress.task.who
    try:
        if at["going"]:
            lines = finished(services, plan, who, at["going"], _quiet)
            at = _advanced(progress, plan, at, Piece(at["job"], lines=lines))
        for piece in pieces(services, plan, who, _quiet, at["job"]):
            at = _advanced(progress, plan, at, piece)
        at = {**at, "done": [*at["done"], plan.mapping.name], "job": None}
        progress.advance(at)
    except TaskCancelledError:
        if progress.task.position["job"] is not None:
            with services.database.writing() as connection:
                jobs.finish(connection, progress.task.position["job"], services.clock(), "Cancelled.")
        raise
    return at


def _advanced(progress: Progress, plan: Plan, at: dict[str, Any], piece: Piece) -> dict[str, Any]:
    now = {**at, "job": piece.job, "going": dict(piece.going), "told": with_lines(at["told"], piece.lines)}
    counters = [line.counter for line in piece.lines]
    progress.advance(now, done=len(piece.lines), counters=counters, message=f"{plan.mapping.name}: matched")
    return now
