"""Figures for those who watch: what waits, how fast it goes, how large it all is."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, case, func, select, text

from receiver.core.coupling import Result
from receiver.store.models import coupling, inbox, lane, metadata, wait, worker

PACE = timedelta(minutes=5)
SEEN_WITHIN = timedelta(seconds=60)


def by_state(connection: Connection) -> dict[str, int]:
    """How many notifications are in each state."""
    rows = connection.execute(select(inbox.c.state, func.count()).group_by(inbox.c.state))
    return {state: count for state, count in rows}  # noqa: C416  # a row is no pair for dict()


def waits(connection: Connection) -> dict[str, int]:
    """How many lanes wait for a row to be coupled, by its table."""
    query = select(wait.c.wanted_table, func.count(wait.c.lane.distinct())).group_by(wait.c.wanted_table)
    return {table: count for table, count in connection.execute(query)}  # noqa: C416  # a row is no pair for dict()


def backlog(connection: Connection, now: datetime) -> tuple[int, datetime | None, float]:
    """Lanes with work that is due, since when the oldest, and how many notifications a second were applied lately."""
    news = select(inbox.c.lane.label("key"), inbox.c.received_at.label("at")).where(
        inbox.c.state.in_(("waiting", "working"))
    )
    ready = select(lane.c.key.label("key"), lane.c.ready_at.label("at")).where(lane.c.ready_at <= now)
    both = news.union_all(ready).subquery()
    count, oldest = connection.execute(select(func.count(both.c.key.distinct()), func.min(both.c.at))).one()
    done = select(func.count()).select_from(inbox).where(inbox.c.finished_at > now - PACE)
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
    return found | {name: count for name, count in connection.execute(select(seen, func.count()).group_by(seen))}  # noqa: C416  # see above


def sizes(connection: Connection) -> dict[str, int]:
    """Bytes of each of the receiver's own tables with its indexes; of SQLite the whole file, where it cannot tell."""
    names = sorted(metadata.tables)
    if connection.dialect.name != "sqlite":
        query = text(
            "SELECT c.relname, pg_total_relation_size(c.oid) FROM pg_class c WHERE c.relname = ANY(:names) "
            "AND pg_table_is_visible(c.oid) AND c.relkind = 'r'"
        )
        return {name: size for name, size in connection.execute(query, {"names": names})}  # noqa: C416  # see above
    pages = connection.execute(text("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"))
    return {"": int(pages.scalar_one())}
