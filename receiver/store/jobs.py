"""Integration Synch. Jobs: one a batch and mapping, with Business Central's counters, and their errors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, update

from receiver.core.mapping import Direction
from receiver.store.models import job, job_error


@dataclass(frozen=True)
class JobError:
    """A failed record: whence, whereto (empty if there is none), why."""

    source: str
    destination: str
    message: str


COUNTERS = ("inserted", "modified", "deleted", "unchanged", "skipped", "failed", "uncoupled", "coupled")


def begin(connection: Connection, mapping: str, direction: Direction, started: datetime) -> int:
    """Open a job; its number comes back."""
    values = {"mapping": mapping, "direction": direction, "started_at": started}
    number: int = connection.execute(insert(job).values(values).returning(job.c.id)).scalar_one()
    return number


def end(
    connection: Connection, number: int, counters: Iterable[str], errors: Iterable[JobError], finished: datetime
) -> None:
    """Close the job: one is added to each counter named, and each error is kept."""
    counted = dict.fromkeys(COUNTERS, 0)
    for name in counters:
        counted[name] += 1
    connection.execute(update(job).where(job.c.id == number).values({**counted, "finished_at": finished}))
    for error in errors:
        row = {"job": number, "source": error.source, "destination": error.destination, "message": error.message}
        connection.execute(insert(job_error).values({**row, "at": finished}))
