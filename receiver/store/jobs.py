"""Integration Synch. Jobs: one a batch and mapping, with Business Central's counters, and their errors."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, true, update

from receiver.core.mapping import Direction
from receiver.errors import TaskLostError
from receiver.store.models import job, job_error


@dataclass(frozen=True)
class JobError:
    """A failed record: whence, whereto (empty if there is none), why."""

    source: str
    destination: str
    message: str


COUNTERS = ("inserted", "modified", "deleted", "unchanged", "skipped", "failed", "uncoupled", "coupled")

_RECORDING = insert(job).returning(job.c.id)


def record(
    connection: Connection,
    mapping: str,
    direction: Direction,
    times: tuple[datetime, datetime],
    counters: Iterable[str],
    errors: Iterable[JobError],
) -> int:
    """Write the job of a batch: one is added to each counter named, and each error is kept.

    *times* are begin and end. The job's number comes back.
    """
    values = {"mapping": mapping, "direction": direction, "started_at": times[0], "finished_at": times[1]}
    number: int = connection.execute(_RECORDING, {**values, **_counted(counters)}).scalar_one()
    _keep_errors(connection, number, errors, times[1])
    return number


def begin(
    connection: Connection, mapping: str, direction: Direction, started: datetime, type_: str, holder: str = ""
) -> int:
    """Open the job of a run, which counts in as many transactions as it takes; its number.

    *holder* is the lease of the task that runs it.
    """
    values = {"mapping": mapping, "direction": direction, "started_at": started, "type": type_, "holder": holder}
    number: int = connection.execute(_RECORDING, values).scalar_one()
    return number


def take(connection: Connection, number: int, holder: str) -> None:
    """Another lease counts in the job from now on, and the one before no more."""
    connection.execute(update(job).where(job.c.id == number).values(holder=holder))


def add(
    connection: Connection,
    number: int,
    counters: Iterable[str],
    errors: Iterable[JobError],
    now: datetime,
    holder: str | None = None,
) -> None:
    """Count more in an open job.

    Raises: TaskLostError when it is not *holder*'s any more; the caller's transaction is then rolled back, so a record
    is written and counted by one of the two.
    """
    counted = {name: job.c[name] + count for name, count in _counted(counters).items() if count}
    is_ours = (job.c.id == number, job.c.holder == holder if holder is not None else true())
    if counted and connection.execute(update(job).where(*is_ours).values(counted)).rowcount != 1:
        raise TaskLostError
    _keep_errors(connection, number, errors, now)


def finish(connection: Connection, number: int, finished: datetime, message: str = "") -> None:
    connection.execute(update(job).where(job.c.id == number).values(finished_at=finished, message=message[:250]))


def finish_open(connection: Connection, numbers: Collection[int], finished: datetime, message: str) -> None:
    """Finish those of these jobs that nobody has finished."""
    is_open = (job.c.id.in_(numbers), job.c.finished_at.is_(None))
    connection.execute(update(job).where(*is_open).values(finished_at=finished, message=message[:250]))


def _counted(counters: Iterable[str]) -> dict[str, int]:
    counted = dict.fromkeys(COUNTERS, 0)
    for name in counters:
        counted[name] += 1
    return counted


def _keep_errors(connection: Connection, number: int, errors: Iterable[JobError], now: datetime) -> None:
    rows = [{"job": number, "at": now, **asdict(one)} for one in errors]
    if rows:
        connection.execute(insert(job_error), rows)
