"""Delete every coupling of a mapping as a task: piece by piece, gone on with after an interruption."""

from __future__ import annotations

from sqlalchemy import func, select

from receiver.commands.coupling.delete_coupling import JOB_TYPE, Run, pieces
from receiver.commands.coupling.pairs import mapping_named
from receiver.commands.told import with_lines
from receiver.core.mapping import TableMapping
from receiver.errors import RefusedError
from receiver.runs.tasks import Progress, TaskCancelledError, create, under_way
from receiver.services import Services
from receiver.store import jobs
from receiver.store.models import coupling

COMMAND = "uncouple"


def start(services: Services, name: str, who: str) -> int:
    """A task that deletes every coupling of the mapping; its number.

    Raises: NotFoundError; RefusedError while one does.
    """
    mapping = mapping_named(services, name)
    if running := under_way(services, COMMAND, mapping.name):
        raise RefusedError(
            f"The couplings of {mapping.name} are being deleted already. To watch: receiver tasks show {running.id}. "
            f"To go on here: receiver tasks resume {running.id}."
        )
    return create(services, COMMAND, {"mapping": mapping.name}, who)


def carry_out(services: Services, progress: Progress) -> str:
    """The procedure of the task."""
    task = progress.task
    mapping, said = mapping_named(services, task.arguments["mapping"]), f"Delete Coupling by {task.who}"
    at = task.position or {"job": _begun(services, mapping), "after": 0, "told": []}
    total = task.total if task.position else _count(services, mapping)
    progress.advance(at, total=total)
    try:
        for after, lines in pieces(Run(services, task.who, is_preview=False), mapping, at["job"], at["after"]):
            at = {**at, "after": after, "told": with_lines(at["told"], lines)}
            counters, done = [line.counter for line in lines], sum(line.counter == "uncoupled" for line in lines)
            progress.advance(at, done=done, counters=counters, total=total)
    except TaskCancelledError:
        _end(services, at["job"], f"{said}, cancelled.")
        raise
    _end(services, at["job"], said)
    return f"Delete Coupling: {mapping.name} is done."


def _begun(services: Services, mapping: TableMapping) -> int:
    with services.database.writing() as connection:
        return jobs.begin(connection, mapping.name, mapping.direction, services.clock(), JOB_TYPE)


def _end(services: Services, job: int, said: str) -> None:
    with services.database.writing() as connection:
        jobs.finish(connection, job, services.clock(), said)


def _count(services: Services, mapping: TableMapping) -> int:
    query = select(func.count()).where(coupling.c.mapping == mapping.name)
    with services.database.reading() as connection:
        return int(connection.execute(query).scalar_one())
