"""Long commands as rows: a worker leases one, says how far it is, and another goes on if it dies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, insert, or_, select, update

from receiver.errors import LeaseLostError
from receiver.store.models import task, worker

STATES = ("waiting", "working", "done", "failed", "cancelled")
ENDED = frozenset({"done", "failed", "cancelled"})
#: a worker that was not seen for so long is not there
WORKER_IS_FRESH = timedelta(seconds=30)


@dataclass(frozen=True)
class Task:
    """A task as it stands; `position` is its command's own, None before it has begun."""

    id: int
    command: str
    arguments: dict[str, Any]
    who: str
    state: str
    is_cancelled: bool
    position: Any
    done: int
    total: int | None
    counts: dict[str, int]
    message: str
    owner: str | None
    lease_until: datetime | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED


def create(connection: Connection, command: str, arguments: dict[str, Any], who: str, now: datetime) -> int:
    """A waiting task; its number."""
    values = {"command": command, "arguments": arguments, "who": who, "counts": {}, "created_at": now}
    number: int = connection.execute(insert(task).returning(task.c.id), values).scalar_one()
    return number


def find(connection: Connection, number: int) -> Task | None:
    row = connection.execute(select(task).where(task.c.id == number)).first()
    return None if row is None else _frozen(row)


def newest(connection: Connection, limit: int) -> list[Task]:
    """Newest first."""
    return [_frozen(row) for row in connection.execute(select(task).order_by(task.c.id.desc()).limit(limit))]


def not_ended(connection: Connection, command: str) -> list[Task]:
    """The tasks of a command that wait or are worked on."""
    query = select(task).where(task.c.command == command, task.c.state.not_in(ENDED)).order_by(task.c.id)
    return [_frozen(row) for row in connection.execute(query)]


def is_any_ready(connection: Connection, now: datetime) -> bool:
    return connection.execute(select(task.c.id).where(_is_ready(now)).limit(1)).first() is not None


def lease(connection: Connection, owner: str, now: datetime, seconds: float, number: int | None = None) -> Task | None:
    """Take the oldest task that waits, or whose worker is gone; *number* takes none but that. None: there is none."""
    query = select(task.c.id).where(_is_ready(now))
    if number is not None:
        query = query.where(task.c.id == number)
    found = connection.execute(query.order_by(task.c.id).limit(1).with_for_update(skip_locked=True)).scalar()
    if found is None:
        return None
    until = now + timedelta(seconds=seconds)
    values = {"state": "working", "owner": owner, "lease_until": until}
    connection.execute(update(task).where(task.c.id == found, task.c.started_at.is_(None)).values(started_at=now))
    row = connection.execute(update(task).where(task.c.id == found).values(values).returning(*task.columns)).one()
    return _frozen(row)


def _is_ready(now: datetime) -> Any:
    """A task given back waits until its `lease_until`."""
    is_due = or_(task.c.lease_until.is_(None), task.c.lease_until <= now)
    return and_(task.c.state.in_(("waiting", "working")), is_due)


def advance(connection: Connection, held: Task, until: datetime, **values: Any) -> bool:
    """Note how far it is and hold it longer; whether somebody cancelled it. Raises: LeaseLostError."""
    ours = (task.c.id == held.id, task.c.owner == held.owner)
    changed = update(task).where(*ours).values(lease_until=until, **values).returning(task.c.is_cancelled)
    cancelled = connection.execute(changed).scalar()
    if cancelled is None:
        raise LeaseLostError
    return bool(cancelled)


def give_back(connection: Connection, held: Task, ready_at: datetime, message: str) -> None:
    """It waits again, and goes on at *ready_at* where it stands."""
    values = {"state": "waiting", "owner": None, "lease_until": ready_at, "message": message}
    connection.execute(update(task).where(task.c.id == held.id, task.c.owner == held.owner).values(values))


def finish(connection: Connection, held: Task, state: str, message: str, now: datetime) -> None:
    """It has ended: done, failed or cancelled. Raises: LeaseLostError."""
    values = {"state": state, "message": message, "owner": None, "lease_until": None, "finished_at": now}
    ours = (task.c.id == held.id, task.c.owner == held.owner)
    if connection.execute(update(task).where(*ours).values(values)).rowcount != 1:
        raise LeaseLostError


def cancel(connection: Connection, number: int) -> None:
    """It ends at its next step; a task that waits will end without a step."""
    query = update(task).where(task.c.id == number, task.c.state.not_in(ENDED))
    connection.execute(query.values(is_cancelled=True))
    waits = (task.c.id == number, task.c.state == "waiting")
    connection.execute(update(task).where(*waits).values(lease_until=None))


def is_any_worker(connection: Connection, now: datetime) -> bool:
    """Whether a worker was seen just now."""
    query = select(worker.c.id).where(worker.c.seen_at > now - WORKER_IS_FRESH).limit(1)
    return connection.execute(query).first() is not None


def _frozen(row: Row[Any]) -> Task:
    names: Sequence[str] = tuple(Task.__dataclass_fields__)
    return Task(**{name: getattr(row, name) for name in names})
