"""Which lanes are ready: those in which something new waits, and those whose own time has come.

A notification that waits *is* the readiness of its lane: the door inserts it and touches nothing else, so it waits for
nobody, and no wake-up can be lost. The lane's row, which the first lease makes, says when what was put off is due.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Integer,
    Select,
    and_,
    bindparam,
    exists,
    false,
    func,
    or_,
    select,
    union_all,
)

from receiver.store.models import INBOX_BY_LANE, INBOX_DUE, IS_NEW, inbox, lane
from receiver.store.types import Moment

#: what others are taking this moment is passed by, so more are looked at than are taken; SQLite has one worker
SPARE = {"sqlite": 1, "postgresql": 4}

#: the moment at which lanes are ready, in statements that are made once
NOW: BindParameter[datetime] = bindparam("now", type_=Moment())
_MOST: BindParameter[int] = bindparam("most", type_=Integer())
Now = datetime | BindParameter[datetime]


@dataclass(frozen=True)
class Ready:
    """A lane that is ready, as found: somebody else may take it first."""

    key: str
    table: str
    id: str
    is_first: bool
    #: since when
    at: datetime
    #: it has no row yet
    is_new: bool


def ready(connection: Connection, now: datetime, count: int) -> list[Ready]:
    """Lanes that are ready and held by nobody, clicks first, then those ready longest; some times *count* at most."""
    named = {"now": now, "most": count * SPARE[connection.dialect.name]}
    found = [Ready(*row) for row in connection.execute(_READY, named)]
    in_order = sorted(found, key=lambda one: (not one.is_first, one.at))
    return list({one.key: one for one in reversed(in_order)}.values())[::-1]


def _with_news() -> Select[tuple[object, ...]]:
    columns = (inbox.c.lane.label("key"), inbox.c.table_name, inbox.c.row_id, inbox.c.is_click.label("is_first"))
    query = (
        select(*columns, inbox.c.due_at.label("at"), lane.c.key.is_(None).label("is_new"))
        .select_from(inbox.outerjoin(lane, lane.c.key == inbox.c.lane))
        .where(_is_news(NOW), is_free(NOW))
    )
    first = query.order_by(inbox.c.is_click.desc(), inbox.c.due_at).limit(_MOST)
    return first.with_hint(inbox, f"INDEXED BY {INBOX_DUE}", "sqlite")


def _due() -> Select[tuple[object, ...]]:
    columns = (lane.c.key, lane.c.table_name, lane.c.row_id, lane.c.is_first, lane.c.ready_at.label("at"))
    query = select(*columns, false().label("is_new")).where(lane.c.ready_at <= NOW, is_free(NOW))
    return query.order_by(lane.c.is_first.desc(), lane.c.ready_at).limit(_MOST)


def _is_news(now: Now) -> ColumnElement[bool]:
    return and_(IS_NEW, inbox.c.due_at <= now)


def is_free(now: Now) -> ColumnElement[bool]:
    return or_(lane.c.lease_until.is_(None), lane.c.lease_until < now)


def is_ready(now: Now) -> ColumnElement[bool]:
    """Of a lane's row: whether there is still something to do, once it is locked."""
    news = select(inbox.c.id).where(inbox.c.lane == lane.c.key, _is_news(now))
    waits = exists(news.with_hint(inbox, f"INDEXED BY {INBOX_BY_LANE}", "sqlite").correlate(lane))
    return or_(lane.c.ready_at <= now, waits)


_READY = union_all(*(select(one.subquery()) for one in (_with_news(), _due())))


def is_any_ready(connection: Connection, now: datetime) -> bool:
    return bool(ready(connection, now, 1))


def depth(connection: Connection, now: datetime) -> tuple[int, datetime | None]:
    """How many lanes are ready, held or not, and since when the oldest."""
    news = select(inbox.c.lane.label("key"), inbox.c.due_at.label("at")).where(_is_news(now))
    due = select(lane.c.key, lane.c.ready_at.label("at")).where(lane.c.ready_at <= now)
    both = union_all(news, due).subquery()
    count, oldest = connection.execute(select(func.count(both.c.key.distinct()), func.min(both.c.at))).one()
    return count, oldest
