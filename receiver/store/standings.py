"""How things stand, in figures: what failed, what waits, who was heard of last."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from sqlalchemy import ColumnElement, Connection, Subquery, case, func, select, text, union

from receiver.core.coupling import Result
from receiver.store.among import Among
from receiver.store.models import coupling, inbox, lane, metadata, wait, worker

#: so many notifications of a table tell what is usual
USUAL_FROM = 10
#: notifications, the newest, that are looked through: no index is kept for it, which the door would pay for
LOOKED_AT = 20_000
PACE = timedelta(minutes=5)
SEEN_WITHIN = timedelta(seconds=60)


def waiting(connection: Connection, now: datetime) -> Mapping[str, tuple[int, datetime]]:
    """By Dataverse table: how many lanes have work that is due, and since when the oldest."""
    both = _with_work(lane.c.ready_at <= now, lane.c.attempts == 0)
    query = select(both.c.name, func.count(both.c.key.distinct()), func.min(both.c.at)).group_by(both.c.name)
    return {name: (count, oldest) for name, count, oldest in connection.execute(query)}


def _with_work(*due: ColumnElement[bool]) -> Subquery:
    """Lanes in which a notification waits, and those that are *due*: name of the table, key, since when."""
    columns = (inbox.c.table_name.label("name"), inbox.c.lane.label("key"), inbox.c.received_at.label("at"))
    news = select(*columns).where(inbox.c.state.in_(("waiting", "working")))
    ready = select(lane.c.table_name.label("name"), lane.c.key.label("key"), lane.c.ready_at.label("at")).where(*due)
    return news.union_all(ready).subquery()


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


def received(connection: Connection, table: str, since: datetime) -> list[datetime]:
    """When the notifications of a table came, of the newest that are looked at; oldest first."""
    newest = select(inbox.c.table_name, inbox.c.received_at).order_by(inbox.c.id.desc()).limit(LOOKED_AT).subquery()
    own = (newest.c.table_name == table, newest.c.received_at >= since)
    return sorted(connection.execute(select(newest.c.received_at).where(*own)).scalars())


def longest_silence(moments: Sequence[datetime]) -> timedelta | None:
    """Between two of these; None where they are too few to tell what is usual."""
    if len(moments) < USUAL_FROM:
        return None
    return max(after - before for before, after in pairwise(moments))


def worker_seen(connection: Connection) -> datetime | None:
    """When any worker was seen last."""
    found: datetime | None = connection.execute(select(func.max(worker.c.seen_at))).scalar()
    return found


# -- for those who watch -------------------------------------------------------------------------------------------


def by_state(connection: Connection) -> dict[str, int]:
    """How many notifications are in each state but for those that are well and done."""
    which = inbox.c.state.in_(("waiting", "working", "failed", "unreadable", "refused"))
    rows = connection.execute(select(inbox.c.state, func.count()).where(which).group_by(inbox.c.state))
    return _counted(rows)


def waits(connection: Connection) -> dict[str, int]:
    """How many lanes wait for a row to be coupled, by its table."""
    query = select(wait.c.wanted_table, func.count(wait.c.lane.distinct())).group_by(wait.c.wanted_table)
    return _counted(connection.execute(query))


def backlog(connection: Connection, now: datetime) -> tuple[int, datetime | None, float]:
    """Lanes with work that is due, since when the oldest, and how many notifications a second were applied lately."""
    both = _with_work(lane.c.ready_at <= now)
    count, oldest = connection.execute(select(func.count(both.c.key.distinct()), func.min(both.c.at))).one()
    newest = select(inbox.c.finished_at).order_by(inbox.c.id.desc()).limit(LOOKED_AT).subquery()
    done = select(func.count()).select_from(newest).where(newest.c.finished_at > now - PACE)
    return count, oldest, connection.execute(done).scalar_one() / PACE.total_seconds()


def troubled(connection: Connection) -> int:
    """Lanes that are tried again and again."""
    return connection.execute(select(func.count()).select_from(lane).where(lane.c.attempts > 0)).scalar_one()


def couplings(connection: Connection) -> dict[tuple[str, str], int]:
    """How many couplings each mapping has, by state."""
    is_failed = (coupling.c.from_result == Result.FAILURE) | (coupling.c.to_result == Result.FAILURE)
    state = case((coupling.c.is_skipped, "skipped"), (is_failed, "failed"), else_="well").label("state")
    query = select(coupling.c.mapping, state, func.count()).group_by(coupling.c.mapping, state)
    return {(mapping, found): count for mapping, found, count in connection.execute(query)}


def workers(connection: Connection, now: datetime) -> dict[str, int]:
    """How many workers were seen within a minute, and how many were not."""
    seen = case((worker.c.seen_at > now - SEEN_WITHIN, "lately"), else_="not lately").label("seen")
    found = {"lately": 0, "not lately": 0}
    return found | _counted(connection.execute(select(seen, func.count()).group_by(seen)))


def sizes(connection: Connection) -> dict[str, int]:
    """Bytes of each of the receiver's own tables with its indexes; of SQLite the whole file, where it cannot tell."""
    names = sorted(metadata.tables)
    if connection.dialect.name != "sqlite":
        query = text(
            "SELECT c.relname, pg_total_relation_size(c.oid) FROM pg_class c WHERE c.relname = ANY(:names) "
            "AND pg_table_is_visible(c.oid) AND c.relkind = 'r'"
        )
        return _counted(connection.execute(query, {"names": names}))
    pages = connection.execute(text("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"))
    return {"": int(pages.scalar_one())}


def _counted(rows: Iterable[Sequence[Any]]) -> dict[str, int]:
    """Rows of a name and a number."""
    return {str(name): int(number) for name, number in rows}
