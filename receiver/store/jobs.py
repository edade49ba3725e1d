"""Integration Synch. Jobs: one a batch and mapping, with Business Central's counters, and their errors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert

from receiver.core.mapping import Direction
from receiver.store.models import job, job_error


@dataclass(frozen=True)
class JobError:
    """A failed record: whence, whereto (empty if there is none), why."""

    source: str
    destination: str
    message: str


COUNTERS = ("inserted", "modified", "deleted", "unchanged", "skipped", "failed", "uncoupled", "coupled")


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
    counted = dict.fromkeys(COUNTERS, 0)
    for name in counters:
        counted[name] += 1
    values = {"mapping": mapping, "direction": direction, "started_at": times[0], "finished_at": times[1], **counted}
    number: int = connection.execute(insert(job).returning(job.c.id), values).scalar_one()
    rows = [
        {"job": number, "source": one.source, "destination": one.destination, "message": one.message} for one in errors
    ]
    if rows:
        connection.execute(insert(job_error), [{**row, "at": times[1]} for row in rows])
    return number
