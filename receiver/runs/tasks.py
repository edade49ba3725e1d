"""Long commands, carried out piece by piece by whoever leases them: a worker's thread, or the terminal itself.

A procedure says after each piece where it stands; after a crash the next one goes on there. What a procedure does must
be safe to do twice, since the piece that was interrupted is done again.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

from receiver.errors import LeaseLostError, NotFoundError, ReceiverError, RefusedError, StoreUnavailableError
from receiver.lanes import lane as lanes
from receiver.services import Services
from receiver.store import jobs
from receiver.store import tasks as stored
from receiver.store.tasks import Task

log = logging.getLogger(__name__)

#: a task that met what may go away by itself goes on after
TRIED_AGAIN_SECONDS = 30


class TaskCancelledError(ReceiverError):
    """The task was cancelled."""


class WorkerStopsError(ReceiverError):
    """The worker was asked to stop; another goes on with the task."""


class Progress:
    """A task in hand: its arguments, where it stands, and the way to say so."""

    def __init__(
        self,
        services: Services,
        task: Task,
        stopped: threading.Event,
        watch: Callable[[Task], None],
        *,
        is_here: bool = False,
    ) -> None:
        self.task = task
        #: a person waits for it before a terminal, and is told at once what stands in the way
        self.is_here = is_here
        self._services = services
        self._stopped = stopped
        self._watch = watch

    def advance(
        self, position: Any, *, done: int = 0, counters: Iterable[str] = (), total: int | None = None, message: str = ""
    ) -> None:
        """A piece is done: where it goes on, how many more were looked at, and what became of them.

        Raises: TaskCancelledError, WorkerStopsError; LeaseLostError when another has taken the task.
        """
        counts = dict(Counter(self.task.counts) + Counter(counters))
        values = {
            "position": position,
            "done": self.task.done + done,
            "total": total,
            "counts": counts,
            "message": message,
        }
        until = self._services.clock() + timedelta(seconds=self._services.options.lease_seconds)
        with self._services.database.writing() as connection:
            is_cancelled = stored.advance(connection, self.task, until, **values)
        self.task = replace(self.task, **values)
        self._watch(self.task)
        if is_cancelled:
            raise TaskCancelledError
        if self._stopped.is_set():
            raise WorkerStopsError


#: carries a command out with what stands in its task, and says in a sentence what came of it
Procedure = Callable[[Services, Progress], str]


def _nobody_watches(_task: Task) -> None: ...


def carry_out_next(
    services: Services,
    procedures: Mapping[str, Procedure],
    stopped: threading.Event,
    number: int | None = None,
    watch: Callable[[Task], None] = _nobody_watches,
    *,
    is_here: bool = False,
) -> bool:
    """Carry out the oldest task that waits, or the one of *number*; whether there was one.

    What may go away by itself is waited for, unless a person waits *here*. Raises: StoreUnavailableError.
    """
    services.left_behind.give_back(services.database)
    now, owner = services.clock(), lanes.new_owner()
    with services.database.reading() as connection:
        if not stored.is_any_ready(connection, now):
            return False
    try:
        with services.database.writing() as connection:
            held = stored.lease(connection, owner, now, services.options.lease_seconds, number)
        if held is not None:
            with _unless_taken_over(held):
                _carry_out(services, procedures, Progress(services, held, stopped, watch, is_here=is_here))
    except StoreUnavailableError:
        services.left_behind.add(owner)  # it goes on where it stands as soon as the database is back
        raise
    return held is not None


@contextmanager
def _unless_taken_over(held: Task) -> Iterator[None]:
    try:
        yield
    except LeaseLostError:
        log.warning("Task %s was taken over by another worker.", held.id)


def _carry_out(services: Services, procedures: Mapping[str, Procedure], progress: Progress) -> None:
    held = progress.task
    if held.is_cancelled:
        _end(services, held, "cancelled", str(TaskCancelledError()))
        return
    try:
        said = procedures[held.command](services, progress)
    except LeaseLostError:
        raise
    except TaskCancelledError as error:
        _end(services, progress.task, "cancelled", str(error))
    except WorkerStopsError as error:
        _give_back(services, held, 0, str(error))
    except ReceiverError as error:
        if error.waiting_helps and not (progress.is_here and not isinstance(error, StoreUnavailableError)):
            _give_back(services, held, TRIED_AGAIN_SECONDS, str(error))
        else:
            _end(services, progress.task, "failed", str(error))
    except Exception as error:
        log.exception("Task %s failed in a way nobody foresaw.", held.id)
        kind = type(error).__name__
        said = (
            f"Something that nobody foresaw ({kind}) stopped it. The log tells where; mend that, then start it again."
        )
        _end(services, progress.task, "failed", said)
    else:
        _end(services, held, "done", said)


def _end(services: Services, held: Task, state: str, message: str) -> None:
    """Nobody goes on with it: the job that it was counting in, as its position says, has ended as well."""
    now = services.clock()
    with services.database.writing() as connection:
        stored.finish(connection, held, state, message, now)
        jobs.finish_open(connection, _jobs_of(held.position), now, "Cancelled." if state == "cancelled" else message)


def _jobs_of(position: Any) -> list[int]:
    """What a position calls `job`, also that of a run within it."""
    if not isinstance(position, dict):
        return []
    inner = [number for one in position.values() for number in _jobs_of(one)]
    return [position["job"], *inner] if isinstance(position.get("job"), int) else inner


def _give_back(services: Services, held: Task, seconds: float, message: str) -> None:
    with services.database.writing() as connection:
        stored.give_back(connection, held, services.clock() + timedelta(seconds=seconds), message)


# -- asked by people -----------------------------------------------------------------------------------------------


def create(services: Services, command: str, arguments: dict[str, Any], who: str) -> int:
    """A task that a worker carries out from now on; its number."""
    with services.database.writing() as connection:
        number = stored.create(connection, command, arguments, who, services.clock())
    services.waker.ring()
    return number


def task_of(services: Services, number: int) -> Task:
    """Raises: NotFoundError."""
    with services.database.reading() as connection:
        found = stored.find(connection, number)
    if found is None:
        raise NotFoundError(f"There is no task {number}. `receiver tasks list` names the newest.")
    return found


def under_way(services: Services, command: str, mapping: str = "") -> Task | None:
    """The task of a command, and of one mapping if it is named, that has not ended."""
    with services.database.reading() as connection:
        found = stored.not_ended(connection, command)
    return next((one for one in found if not mapping or one.arguments["mapping"] == mapping), None)


def newest(services: Services, limit: int = 50) -> list[Task]:
    """Newest first."""
    with services.database.reading() as connection:
        return stored.newest(connection, limit)


def cancel(services: Services, number: int) -> Task:
    """End a task at its next step; what it has done stays. Raises: NotFoundError; RefusedError for one that ended."""
    found = task_of(services, number)
    if found.has_ended:
        raise RefusedError(f"Task {number} has ended already: {found.state}. Nothing is left to cancel.")
    with services.database.writing() as connection:
        stored.cancel(connection, number)
    services.waker.ring()
    return task_of(services, number)


def is_any_worker(services: Services) -> bool:
    """Whether a worker was seen within the last half minute."""
    with services.database.reading() as connection:
        return stored.is_any_worker(connection, services.clock())
