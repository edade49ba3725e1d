"""What seems to be gone on one side: each is looked for by its id, and what is too much at once waits for a person."""

from __future__ import annotations

from receiver.core.mapping import Direction
from receiver.errors import RefusedError
from receiver.runs.catch_up import GONE, WHO
from receiver.runs.mapping_run import parts_of
from receiver.runs.run_pages import Scope
from receiver.runs.run_task import run_parts
from receiver.runs.tasks import Progress
from receiver.services import Services

COMMAND = GONE


def carry_out(services: Services, progress: Progress) -> str:
    """The procedure of the task. Raises: RefusedError when the mapping was deleted or changed meanwhile."""
    asked, name = progress.task.arguments, progress.task.arguments["mapping"]
    with services.database.reading() as connection:
        mapping = services.mappings(connection).get(name)
    if mapping is None:
        raise RefusedError(f"{name} was deleted meanwhile: nothing is left to look for.")
    (part,) = parts_of(mapping, Direction(asked["toward"]), Scope.GONE, WHO, named=asked["ids"])
    run_parts(services, progress, [part], progress.task.position, lambda position: position)
    return f"{len(asked['ids'])} that seemed to be gone: looked for each by its id."
