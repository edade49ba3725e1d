"""When what runs by itself runs next, and who runs it now. Rows of `receiver_schedule` and `receiver_due`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, or_, select, update

from receiver.errors import LeaseLostError
from receiver.store.models import due, schedule
from receiver.store.upsert import upsert

#: what is looked at out of turn after an outage: both sides of every mapping
LOOKS = frozenset({"catch-up", "local-edits"})
#: one that has just run is not run again for a cause: what caused it was there already
JUST_NOW = timedelta(seconds=5)


@dataclass(frozen=True)
class Setting:
    """What a person set; an empty `cron` is the shipped one."""

    what: str
    cron: str = ""
    is_paused: bool = False


@dataclass(frozen=True)
class Due:
    """One thing that runs by itself, for one table or mapping: when next, and how it was the last time."""

    what: str
    subject: str
    next_at: datetime
    last_at: datetime | None = None
    ended_at: datetime | None = None
    is_good: bool = True
    said: str = ""
    #: why it runs out of turn; when that was granted, until its next regular time
    cause: str = ""
    caused_at: datetime | None = None
    owner: str | None = None
    lease_until: datetime | None = None


def settings(connection: Connection) -> dict[str, Setting]:
    """By what runs; what nobody changed is not there."""
    return {row["what"]: Setting(**row) for row in connection.execute(select(schedule)).mappings()}


def change(connection: Connection, setting: Setting) -> None:
    """Keep what a person set; as it is shipped, it needs no row."""
    connection.execute(delete(schedule).where(schedule.c.what == setting.what))
    if setting.cron or setting.is_paused:
        connection.execute(insert(schedule).values(**vars(setting)))


def listed(connection: Connection) -> list[Due]:
    """All of them, in the order of their names."""
    query = select(due).order_by(due.c.what, due.c.subject)
    return [Due(**row) for row in connection.execute(query).mappings()]


def keep(connection: Connection, wanted: Sequence[Due]) -> None:
    """Rows for these, where there are none yet; those of anything else go."""
    there = {(row.what, row.subject) for row in connection.execute(select(due.c.what, due.c.subject))}
    named = {(one.what, one.subject) for one in wanted}
    for what, subject in sorted(there - named):
        connection.execute(delete(due).where(due.c.what == what, due.c.subject == subject))
    missing = [vars(one) for one in wanted if (one.what, one.subject) not in there]
    if missing:
        inserting = upsert(connection, due)
        connection.execute(inserting.on_conflict_do_nothing(), missing)


def plan(connection: Connection, what: str, subject: str, next_at: datetime) -> None:
    connection.execute(update(due).where(due.c.what == what, due.c.subject == subject).values(next_at=next_at))


def hasten(
    connection: Connection,
    now: datetime,
    cause: str,
    whats: Collection[str],
    subjects: Collection[str] | None = None,
    *,
    is_once: bool = False,
    is_news: bool = True,
) -> None:
    """Have these run out of turn, now, and say why. One that runs this moment runs once more.

    *is_once*: only those that did not since their last regular time, so that no stranger makes them run on and on. What
    *is_news* came just now; what is none (a worker started, as twenty others did) was there when one ran a moment ago.
    """
    own: list[ColumnElement[bool]] = [due.c.what.in_(sorted(whats))]
    if not is_news:
        own.append(or_(due.c.last_at.is_(None), due.c.last_at < now - JUST_NOW))
    if subjects is not None:
        own.append(due.c.subject.in_(sorted(subjects)))
    if is_once:
        own.append(due.c.caused_at.is_(None))
    values = {"next_at": now, "cause": cause[:200], "caused_at": now}
    connection.execute(update(due).where(*own, due.c.cause == "").values(values))


def lease(
    connection: Connection, owner: str, now: datetime, seconds: float, paused: Collection[str], known: Collection[str]
) -> Due | None:
    """Take what has been due longest and nobody holds, of what this version knows and nobody paused."""
    first = (
        select(due.c.what, due.c.subject)
        .where(_is_ready(now, paused, known))
        .order_by(due.c.next_at, due.c.what, due.c.subject)
    )
    found = connection.execute(first.limit(1).with_for_update(skip_locked=True)).first()
    if found is None:
        return None
    own = (due.c.what == found.what, due.c.subject == found.subject)
    row = connection.execute(select(due).where(*own)).mappings().one()
    values = {"owner": owner, "lease_until": now + timedelta(seconds=seconds), "last_at": now, "cause": ""}
    values |= {} if row["cause"] else {"caused_at": None}
    connection.execute(update(due).where(*own).values(values))
    return Due(**{**row, **values, "cause": row["cause"]})


def is_any_due(connection: Connection, now: datetime, paused: Collection[str], known: Collection[str]) -> bool:
    """Whether `lease` would find anything."""
    return connection.execute(select(due.c.what).where(_is_ready(now, paused, known)).limit(1)).first() is not None


def _is_ready(now: datetime, paused: Collection[str], known: Collection[str]) -> ColumnElement[bool]:
    is_free = or_(due.c.lease_until.is_(None), due.c.lease_until < now)
    return and_(due.c.next_at <= now, is_free, due.c.what.in_(sorted(known)), due.c.what.not_in(sorted(paused)))


def hold(connection: Connection, held: Due, until: datetime) -> None:
    """Hold it longer. Raises: LeaseLostError when another has taken it; the caller's transaction is rolled back."""
    if connection.execute(update(due).where(*_ours(held)).values(lease_until=until)).rowcount != 1:
        raise LeaseLostError


def finish(connection: Connection, held: Due, now: datetime, next_at: datetime, said: str, *, is_good: bool) -> None:
    """It has run; a cause that came meanwhile keeps it due. Another that took it over goes on undisturbed."""
    values = {"ended_at": now, "said": said, "is_good": is_good, "owner": None, "lease_until": None}
    connection.execute(update(due).where(*_ours(held), due.c.cause == "").values(next_at=next_at))
    connection.execute(update(due).where(*_ours(held)).values(values))


def _ours(held: Due) -> tuple[ColumnElement[bool], ...]:
    return due.c.what == held.what, due.c.subject == held.subject, due.c.owner == held.owner
