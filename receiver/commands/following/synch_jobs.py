"""Integration Synchronization Jobs: what was counted and what failed, of a mapping or of one record; and forgetting it.

Source: BC pages 5338 and 5339, C5330.ShowLog; reference §1.5, §4.5.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, delete, func, or_, select

from receiver.commands.coupling.chosen_records import coupled, row_id_of
from receiver.commands.coupling.pairs import mapping_named
from receiver.core.mapping import TableMapping
from receiver.errors import NotFoundError
from receiver.services import Services
from receiver.store.jobs import COUNTERS
from receiver.store.local_tables import LocalTable
from receiver.store.models import coupling, history, job, job_error
from receiver.tables import BY_NAME

#: jobs deleted in one transaction, so that nobody waits long for the one writer
PIECE = 1000


@dataclass(frozen=True)
class JobError:
    """One record that failed: whence, whereto (empty if there was none), why, when."""

    source: str
    destination: str
    message: str
    at: datetime


@dataclass(frozen=True)
class Job:
    """One job; `counts` has the counters that are not 0, `errors` what failed in it, oldest first."""

    id: int
    mapping: str
    direction: str
    type: str
    started_at: datetime
    finished_at: datetime | None
    message: str
    counts: dict[str, int]
    errors: tuple[JobError, ...]

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        errors = [{**vars(one), "at": one.at.isoformat()} for one in self.errors]
        ended = self.finished_at and self.finished_at.isoformat()
        return {**vars(self), "started_at": self.started_at.isoformat(), "finished_at": ended, "errors": errors}


def listed(services: Services, mapping: str = "", limit: int = 50) -> list[Job]:
    """The jobs of a mapping, or of all, newest first. Raises: NotFoundError."""
    where = [job.c.mapping == mapping_named(services, mapping).name] if mapping else []
    with services.database.reading() as connection:
        return _jobs(connection, where, limit)


def of_record(services: Services, mapping: str, key: str, limit: int = 50) -> list[Job]:
    """Synchronization Log of a record, named by its local key or its Dataverse id, newest first.

    Its jobs are the last of each direction and those with an error of it, with its own errors alone.
    Raises: NotFoundError where the mapping does not exist, or the record neither exists nor is coupled.
    """
    found = mapping_named(services, mapping)
    pair = coupled(services, found, [key])[key]
    with services.database.reading() as connection:
        if pair is None:
            _check_exists(connection, found, key)
        numbers = {run.job for run in (pair.last_from, pair.last_to) if run.job is not None} if pair else set()
        ids = [key] if pair is None else [pair.local_id, pair.dataverse_id]
        is_own = job.c.id.in_(numbers) | job.c.id.in_(select(job_error.c.job).where(_names(ids)))
        is_of_mapping = job.c.mapping == found.name
        return [_of_these(one, ids) for one in _jobs(connection, [is_of_mapping, is_own], limit)]


def _of_these(one: Job, ids: Sequence[str]) -> Job:
    return replace(one, errors=tuple(error for error in one.errors if {error.source, error.destination} & set(ids)))


def last_error(services: Services, mapping: str, id_: str) -> JobError | None:
    """The newest error of a record that stands there by its local key or Dataverse id; None once it was in step."""
    in_step = select(history.c.at).where(
        history.c.mapping == mapping, or_(history.c.local_id == id_, history.c.dataverse_id == id_)
    )
    query = select(*_ERROR).join(job, job.c.id == job_error.c.job).where(job.c.mapping == mapping, _names([id_]))
    with services.database.reading() as connection:
        found = connection.execute(query.order_by(job_error.c.id.desc()).limit(1)).mappings().first()
        in_step_at = connection.execute(in_step.order_by(history.c.id.desc()).limit(1)).scalar()
    if found is None or (in_step_at is not None and in_step_at > found["at"]):
        return None
    return JobError(**found)


def purge(services: Services, older_than_days: int) -> int:
    """Delete jobs that ended longer ago than that, with their errors; how many.

    A job stays while a Skipped coupling refers to it, and the newest always: its number must not be given again, since
    couplings remember it. Source: BC OnSynchJobEntryCanBeRemoved.
    """
    is_old, count = _is_old(services, older_than_days), 0
    while True:
        old = select(job.c.id).where(*is_old).order_by(job.c.id).limit(PIECE)
        with services.database.writing() as connection:
            deleted = int(connection.execute(delete(job).where(job.c.id.in_(old.scalar_subquery()))).rowcount)
        count += deleted
        if deleted < PIECE:
            return count


def purgeable(services: Services, older_than_days: int) -> int:
    """How many `purge` would delete."""
    query = select(func.count()).select_from(job).where(*_is_old(services, older_than_days))
    with services.database.reading() as connection:
        return int(connection.execute(query).scalar_one())


def _is_old(services: Services, older_than_days: int) -> tuple[ColumnElement[bool], ...]:
    before = services.clock() - timedelta(days=older_than_days)
    newest = select(func.max(job.c.id)).scalar_subquery()
    return (job.c.finished_at < before, job.c.id < newest, job.c.id.not_in(_referred_to()))


_ERROR = (job_error.c.source, job_error.c.destination, job_error.c.message, job_error.c.at)


def _names(ids: Iterable[str]) -> ColumnElement[bool]:
    kept = list(ids)
    return or_(job_error.c.source.in_(kept), job_error.c.destination.in_(kept))


def _referred_to() -> Any:
    kept = [
        select(column).where(coupling.c.is_skipped, column.is_not(None))
        for column in (coupling.c.from_job, coupling.c.to_job)
    ]
    return kept[0].union(kept[1])


def _check_exists(connection: Connection, mapping: TableMapping, key: str) -> None:
    shipped = BY_NAME[mapping.local_table]
    if not row_id_of(key) and LocalTable(connection, shipped).get(key) is None:
        raise NotFoundError(
            f"There is no {shipped.caption} “{key}”. `receiver jobs list {mapping.name}` lists all jobs."
        )


def _jobs(connection: Connection, where: Iterable[ColumnElement[bool]], limit: int) -> list[Job]:
    query = select(job).where(*where).order_by(job.c.id.desc()).limit(limit)
    rows = connection.execute(query).mappings().all()
    asked = select(job_error.c.job, *_ERROR).where(job_error.c.job.in_([row["id"] for row in rows]))
    errors: dict[int, list[JobError]] = {}
    for row in connection.execute(asked.order_by(job_error.c.id)).mappings():
        errors.setdefault(row["job"], []).append(JobError(row["source"], row["destination"], row["message"], row["at"]))
    return [_job(row, tuple(errors.get(row["id"], ()))) for row in rows]


def _job(row: RowMapping, errors: tuple[JobError, ...]) -> Job:
    counts = {name: int(row[name]) for name in COUNTERS if row[name]}
    others = {name: value for name, value in row.items() if name not in {*COUNTERS, "holder"}}
    return Job(**others, counts=counts, errors=errors)
