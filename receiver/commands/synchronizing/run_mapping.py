"""Run a mapping by hand: Synchronize Modified Records, or a full synchronization, also an unconditional one.

Source: BC P5335; reference §3.5.
"""

from __future__ import annotations

from receiver.commands.coupling.pairs import mapping_named
from receiver.commands.result import CommandResult, carried_out
from receiver.core.dependencies import CycleError, ordered
from receiver.core.mapping import Direction
from receiver.errors import RefusedError
from receiver.runs import run_task
from receiver.runs.mapping_run import CAPTIONS, parts_of, wanted_of
from receiver.runs.run_pages import Part, Scope
from receiver.runs.tasks import Progress, create, under_way
from receiver.services import Services

#: the command of the task that runs all of them
ALL = "run-all"


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


def start_all(services: Services, who: str, direction: Direction | None = None, scope: Scope = Scope.MODIFIED) -> int:
    """A task that runs every mapping that is switched on, each after those it needs; its number.

    A mapping that has not the *direction* is left out. Raises: RefusedError, also while that is being done.
    """
    services.check_connected()
    if running := under_way(services, ALL):
        raise RefusedError(
            f"All mappings are being run already. To watch: receiver tasks show {running.id}. "
            f"To end it: receiver tasks cancel {running.id}."
        )
    parts = [[part.mapping.name, part.toward] for part in _parts_of_all(services, who, direction, scope)]
    return create(services, ALL, {"parts": parts, "scope": scope}, who)


def preview_all(
    services: Services, who: str, direction: Direction | None = None, scope: Scope = Scope.MODIFIED
) -> CommandResult:
    """What a run of all would do now; nothing is written. Raises: as `preview`."""
    parts = _parts_of_all(services, who, direction, scope)
    return carried_out(services, list(wanted_of(services, parts)), is_preview=True)


def _parts_of_all(services: Services, who: str, direction: Direction | None, scope: Scope) -> list[Part]:
    with services.database.reading() as connection:
        enabled = {name: one for name, one in services.mappings(connection).items() if one.is_enabled}
    try:
        names = ordered(enabled)
    except CycleError as error:
        raise RefusedError(str(error)) from error
    return [
        part
        for name in names
        if direction is None or enabled[name].direction.allows(direction)
        for part in parts_of(enabled[name], direction, scope, who)
    ]


def carry_out_all(services: Services, progress: Progress) -> str:
    """The procedure of the task. Raises: RefusedError when a mapping has been changed so that it cannot be run."""
    task = progress.task
    scope, parts = Scope(task.arguments["scope"]), list[Part]()
    for name, toward in task.arguments["parts"]:
        parts += parts_of(mapping_named(services, name), Direction(toward), scope, task.who)
    run_task.run_parts(services, progress, parts, task.position, lambda position: position)
    return f"{CAPTIONS[scope]}: {len({part.mapping.name for part in parts})} mapping(s) are done."


def carry_out(services: Services, progress: Progress) -> str:
    """The procedure of the task. Raises: RefusedError when the mapping has been changed so that it cannot be run."""
    task = progress.task
    asked, mapping = task.arguments, mapping_named(services, task.arguments["mapping"])
    direction = Direction(asked["direction"]) if asked["direction"] else None
    parts = parts_of(mapping, direction, Scope(asked["scope"]), task.who)
    run_task.run_parts(services, progress, parts, task.position, lambda position: position)
    return f"{CAPTIONS[Scope(asked['scope'])]}: {mapping.name} is done."
