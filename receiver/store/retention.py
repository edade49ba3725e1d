"""What is kept for a time only: deleted by small pieces, so that nobody waits for it; what has ended is packed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta

from sqlalchemy import Column, ColumnElement, Connection, and_, bindparam, delete, exists, literal, or_, select, update

from receiver.store.models import change, coupling, history, inbox, job, lane, task, tombstone
from receiver.store.tasks import ENDED as ENDED_TASKS
from receiver.store.types import packed

#: rows that go together
PIECE = 500
ENDED = ("done", "ignored", "failed", "unreadable", "refused")
#: of a notification that has ended so long ago, nobody but a person reads the body
PACKED_AFTER = timedelta(hours=1)

#: by what it is: the column that names a row, and which rows are older than a moment
Old = tuple[Column[object], Callable[[datetime], ColumnElement[bool]]]


def _lanes(before: datetime) -> ColumnElement[bool]:
    """Of rows that nobody couples, that changed long ago, and of which nothing waits."""
    is_coupled = exists().where(coupling.c.dataverse_id == lane.c.row_id)
    news = exists().where(inbox.c.lane == lane.c.key, inbox.c.state.in_(("waiting", "working")))
    sleeps = and_(lane.c.ready_at.is_(None), lane.c.owner.is_(None), lane.c.attempts == 0)
    return and_(lane.c.modified_on < before, sleeps, ~is_coupled, ~news)


#: what goes with notifications, with jobs, and with the history of records
OF_INBOX: Mapping[str, Old] = {
    "notifications": (inbox.c.id, lambda before: and_(inbox.c.state.in_(ENDED), inbox.c.received_at < before)),
    "tombstones": (tombstone.c.row_id, lambda before: tombstone.c.at < before),
    "lanes": (lane.c.key, _lanes),
}
OF_JOBS: Mapping[str, Old] = {
    "jobs": (job.c.id, lambda before: job.c.finished_at < before),
    "tasks": (task.c.id, lambda before: and_(task.c.state.in_(sorted(ENDED_TASKS)), task.c.finished_at < before)),
    "changes of mappings": (change.c.id, lambda before: change.c.at < before),
}
OF_HISTORY: Mapping[str, Old] = {"changes of records": (history.c.id, lambda before: history.c.at < before)}


def forget_piece(connection: Connection, old: Old, before: datetime) -> int:
    """Delete the next of what is older; how many."""
    name, is_old = old
    table = name.table
    which = select(name).where(is_old(before)).limit(PIECE).scalar_subquery()
    return int(connection.execute(delete(table).where(name.in_(which), is_old(before))).rowcount)


def pack_piece(connection: Connection, before: datetime) -> int:
    """Pack the bodies of the next notifications that ended before it; how many."""
    # those before the newest that is packed were looked at: one that ended late stays as it is
    packed_to = connection.execute(
        select(inbox.c.id).where(inbox.c.is_packed).order_by(inbox.c.id.desc()).limit(1)
    ).scalar()
    is_old = or_(inbox.c.finished_at < before, _never(before))
    ended = and_(inbox.c.id > (packed_to or 0), inbox.c.state.in_(ENDED), ~inbox.c.is_packed, is_old)
    rows = connection.execute(select(inbox.c.id, inbox.c.body).where(ended).order_by(inbox.c.id).limit(PIECE)).all()
    if rows:
        changed = update(inbox).where(inbox.c.id == bindparam("is_id"))
        smaller = [{"is_id": row.id, "small": packed(row.body)} for row in rows]
        connection.execute(changed.values(body=bindparam("small"), is_packed=literal(True)), smaller)  # SQL's
    return len(rows)


def _never(before: datetime) -> ColumnElement[bool]:
    """What was refused has no end of its own."""
    return and_(inbox.c.finished_at.is_(None), inbox.c.received_at < before)


def pieces(step: Callable[[], int]) -> Iterator[int]:
    """Piece after piece, until one is not whole."""
    while count := step():
        yield count
        if count < PIECE:
            return
