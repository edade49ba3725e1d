"""Run a mapping by hand: Synchronize Modified Records, or a full synchronization, also an unconditional one.

Source: BC P5335; reference §3.5.
"""

from __future__ import annotations

from receiver.commands.coupling.pairs import mapping_named
from receiver.commands.result import CommandResult, carried_out
from receiver.core.mapping import Direction
from receiver.runs import run_task
from receiver.runs.mapping_run import CAPTIONS, parts_of, wanted_of
from receiver.runs.run_pages import Scope
from receiver.runs.tasks import Progress
from receiver.services import Services


def preview(
    services: Services, name: str, who: str, direction: Direction | None = None, scope: Scope = Scope.MODIFIED
) -> CommandResult:
    """What a run would do now; nothing is written, and no job row either.

    Raises: NotFoundError, RefusedError; what Dataverse and the database raise.
    """
    parts = parts_of(mapping_named(services, name), direction, scope, who)
    return carried_out(services, list(wanted_of(services, parts)), is_preview=True)


def start(
    services: Services, name: str, who: str, direction: Direction | None = None, scope: Scope = Scope.MODIFIED
) -> int:
    """A task that runs the mapping; its number.

    Raises: NotFoundError; RefusedError, also while the mapping is being run already.
    """
    return run_task.begin(services, mapping_named(services, name), who, direction, scope)


def carry_out(services: Services, progress: Progress) -> str:
    """The procedure of the task. Raises: RefusedError when the mapping has been changed so that it cannot be run."""
    task = progress.task
    asked, mapping = task.arguments, mapping_named(services, task.arguments["mapping"])
    direction = Direction(asked["direction"]) if asked["direction"] else None
    parts = parts_of(mapping, direction, Scope(asked["scope"]), task.who)
    run_task.run_parts(services, progress, parts, task.position, lambda position: position)
    return f"{CAPTIONS[Scope(asked['scope'])]}: {mapping.name} is done."
