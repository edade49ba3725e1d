"""How things stand, in figures: what failed, what waits, who was heard of last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from sqlalchemy import Connection, func, select, union

from receiver.core.coupling import Result
from receiver.store.among import Among
from receiver.store.models import coupling, inbox, lane, worker

#: so many notifications of a table tell what is usual
USUAL_FROM = 10


def couplings(connection: Connection) -> Mapping[str, tuple[int, int]]:
    """By mapping: how many failed on their last way, and how many are Skipped."""
    is_failed = (coupling.c.from_result == Result.FAILURE) | (coupling.c.to_result == Result.FAILURE)
    counts = (func.count().filter(is_failed & ~coupling.c.is_skipped), func.count().filter(coupling.c.is_skipped))
    rows = connection.execute(select(coupling.c.mapping, *counts).group_by(coupling.c.mapping))
    return {name: (failed, skipped) for name, failed, skipped in rows}


def waiting(connection: Connection, now: datetime) -> Mapping[str, tuple[int, datetime]]:
    """By Dataverse table: how many lanes have work that is due, and since when the oldest."""
    news = select(inbox.c.table_name.label("name"), inbox.c.lane.label("key"), inbox.c.received_at.label("at")).where(
        inbox.c.state.in_(("waiting", "working"))
    )
    due = select(lane.c.table_name.label("name"), lane.c.key.label("key"), lane.c.ready_at.label("at")).where(
        lane.c.ready_at <= now, lane.c.attempts == 0
    )
    both = news.union_all(due).subquery()
    query = select(both.c.name, func.count(both.c.key.distinct()), func.min(both.c.at)).group_by(both.c.name)
    return {name: (count, oldest) for name, count, oldest in connection.execute(query)}


def parked(connection: Connection) -> Mapping[str, tuple[int, datetime | None, str]]:
    """By Dataverse table: how many lanes are tried again, since when, and what one of them said last."""
    columns = (func.count(), func.min(lane.c.troubled_since), func.max(lane.c.last_error))
    query = select(lane.c.table_name, *columns).where(lane.c.attempts > 0).group_by(lane.c.table_name)
    return {name: (count, since, said) for name, count, since, said in connection.execute(query)}


def waiting_rows(connection: Connection, table: str, row_ids: Sequence[str]) -> set[str]:
    """Which of these rows have work in their lane, due or put off."""
    keys = [f"{table}:{id_}" for id_ in row_ids]
    news = select(inbox.c.row_id).where(Among(inbox.c.lane, "keys"), inbox.c.state.in_(("waiting", "working")))
    due = select(lane.c.row_id).where(Among(lane.c.key, "keys"), lane.c.ready_at.is_not(None))
    return set(connection.execute(union(news, due), {"keys": keys}).scalars())


def longest_silence(connection: Connection, table: str, since: datetime) -> timedelta | None:
    """Between two notifications of a table; None where they are too few to tell what is usual."""
    own = (inbox.c.table_name == table, inbox.c.received_at >= since)
    query = select(inbox.c.received_at).where(*own).order_by(inbox.c.received_at)
    moments = list(connection.execute(query).scalars())
    if len(moments) < USUAL_FROM:
        return None
    longest: timedelta = max(after - before for before, after in pairwise(moments))
    return longest


def newest_notification(connection: Connection, table: str) -> datetime | None:
    """When a notification of a Dataverse table came last."""
    query = select(func.max(inbox.c.received_at)).where(inbox.c.table_name == table)
    found: datetime | None = connection.execute(query).scalar()
    return found


def worker_seen(connection: Connection) -> datetime | None:
    """When any worker was seen last."""
    found: datetime | None = connection.execute(select(func.max(worker.c.seen_at))).scalar()
    return found
