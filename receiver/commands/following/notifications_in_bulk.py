"""Every failed notification processed again, or old ones deleted: tasks, piece by piece, so that no door waits."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, delete, func, select, update

from receiver.commands.following.notifications import ENDED
from receiver.core.message import NO_ID
from receiver.errors import RefusedError
from receiver.lanes.touch import Touch, touch
from receiver.runs.tasks import Progress, create, under_way
from receiver.services import Services
from receiver.store import couplings
from receiver.store.models import inbox, tombstone

PROCESS_FAILED, PURGE = "process-failed", "purge"
#: notifications of one transaction; on SQLite the door waits for it
TOGETHER = 200

_HAS_FAILED = and_(inbox.c.state == "failed", inbox.c.lane.is_not(None))


def start_process_failed(services: Services, who: str) -> int:
    """A task that processes again what has failed until now; its number. Raises: RefusedError while one does."""
    _refuse_second(services, PROCESS_FAILED)
    with services.database.reading() as connection:
        last = connection.execute(select(func.max(inbox.c.id)).where(_HAS_FAILED)).scalar() or 0
    return create(services, PROCESS_FAILED, {"last": last}, who)


def start_purge(services: Services, older_than_days: int, who: str) -> int:
    """A task that deletes ended notifications and tombstones older than that; its number.

    Raises: RefusedError while one does.
    """
    _refuse_second(services, PURGE)
    before = services.clock() - timedelta(days=older_than_days)
    return create(services, PURGE, {"before": before.isoformat()}, who)


def purgeable(services: Services, older_than_days: int) -> int:
    """How many notifications a purge would delete."""
    return _count(services, _has_ended_before(services.clock() - timedelta(days=older_than_days)))


def _has_ended_before(moment: datetime) -> ColumnElement[bool]:
    return and_(inbox.c.state.in_(ENDED), inbox.c.received_at < moment)


def _refuse_second(services: Services, command: str) -> None:
    if running := under_way(services, command):
        raise RefusedError(f"It is being done already. To watch: receiver tasks show {running.id}.")


def process_failed(services: Services, progress: Progress) -> str:
    """The procedure: what fails anew meanwhile is not processed a second time."""
    which = and_(_HAS_FAILED, inbox.c.id <= progress.task.arguments["last"])
    after = (progress.task.position or {"after": 0})["after"]
    if progress.task.position is None:
        progress.advance({"after": after}, total=_count(services, which))
    while True:
        with services.database.writing() as connection:
            piece = _next(connection, and_(which, inbox.c.id > after))
            _processed_again(connection, piece, services.clock())
        if not piece:
            return f"{progress.task.done} notification(s) will be processed again."
        after = piece[-1]
        services.waker.ring()
        progress.advance({"after": after}, done=len(piece), total=progress.task.total)


def purge(services: Services, progress: Progress) -> str:
    """The procedure."""
    before = datetime.fromisoformat(progress.task.arguments["before"])
    which = _has_ended_before(before)
    if progress.task.position is None:
        progress.advance({}, total=_count(services, which))
    while True:
        with services.database.writing() as connection:
            piece = _next(connection, which)
            connection.execute(delete(inbox).where(inbox.c.id.in_(piece)))
        if not piece:
            break
        progress.advance({}, done=len(piece), total=progress.task.total)
    while _forgot_tombstones(services, before):
        progress.advance({}, total=progress.task.total)
    return f"{progress.task.done} notification(s) were deleted."


def _count(services: Services, which: ColumnElement[bool]) -> int:
    with services.database.reading() as connection:
        return int(connection.execute(select(func.count()).select_from(inbox).where(which)).scalar_one())


def _next(connection: Connection, which: ColumnElement[bool]) -> list[int]:
    return list(connection.execute(select(inbox.c.id).where(which).order_by(inbox.c.id).limit(TOGETHER)).scalars())


def _processed_again(connection: Connection, numbers: list[int], now: datetime) -> None:
    """As one is by a person: waiting, its couplings no longer Skipped, its lane ready."""
    query = select(inbox.c.lane, inbox.c.table_name, inbox.c.row_id).where(inbox.c.id.in_(numbers))
    rows = connection.execute(query).all()
    connection.execute(update(inbox).where(inbox.c.id.in_(numbers)).values(state="waiting", finished_at=None))
    for row_id in sorted({row.row_id for row in rows}):
        couplings.take_back(connection, row_id)
    touches = [
        Touch(row.table_name, row.row_id, now, wish="" if row.row_id == NO_ID else "asked for again", key=row.lane)
        for row in rows
    ]
    touch(connection, touches)


def _forgot_tombstones(services: Services, before: datetime) -> bool:
    """A piece of those older than that; whether there were any."""
    old = select(tombstone.c.row_id).where(tombstone.c.at < before).limit(TOGETHER)
    with services.database.writing() as connection:
        rows = connection.execute(old).scalars().all()
        connection.execute(delete(tombstone).where(tombstone.c.at < before, tombstone.c.row_id.in_(rows)))
    return bool(rows)
