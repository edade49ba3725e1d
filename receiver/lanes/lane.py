"""Lanes: one a Dataverse row. The queue is the inbox; a lane says who looks at its row, and when it is tried again.

A lane is leased, never locked: a worker that dies frees it when the lease ends. What arrives meanwhile is ready by
itself (`ready.py`). Who wishes for a look without a notification bumps the `generation`; a release finds out by it that
a wish came meanwhile, and leaves the lane ready.
"""

from __future__ import annotations

import os
import random
import socket
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    Row,
    Select,
    Update,
    and_,
    bindparam,
    case,
    literal,
    null,
    or_,
    select,
    update,
)

from receiver.core.message import Version
from receiver.errors import LeaseLostError
from receiver.lanes.ready import NOW, Ready, is_free, is_ready, ready
from receiver.store.among import Among
from receiver.store.models import INBOX_BY_LANE, inbox, lane
from receiver.store.types import Moment, Number

FIRST_BACK_OFF_SECONDS = 1.0
OWN_LANE = "message"


@dataclass(frozen=True)
class Lease:
    """A lane held: its row, what was known of it, and the work found when it was taken."""

    key: str
    table: str
    id: str
    owner: str
    generation: int
    attempts: int
    wish: str
    version: Version | None
    notifications: tuple[Row[Any], ...]
    #: of the attempt before
    last_error: str = ""
    #: what it was before it was taken
    ready_at: datetime | None = None


def new_owner() -> str:
    """A name that no other lease has."""
    return f"{socket.gethostname()[:20]}/{os.getpid()}/{uuid.uuid4().hex[:12]}"


def key_of(table: str, id_: str) -> str:
    return f"{table}:{id_}"


def lease_named(
    connection: Connection, owner: str, now: datetime, seconds: float, rows: Sequence[tuple[str, str]]
) -> list[Lease]:
    """Take the lanes of these rows (table and id) that nobody holds, making them where there are none yet."""
    named = {key_of(*row): row for row in rows}
    _make(connection, named)
    return _leased(connection, _NAMED, list(named), owner, (now, seconds))


def lease_ready(connection: Connection, owner: str, now: datetime, seconds: float, count: int) -> list[Lease]:
    """Take the first ready lanes, at most *count*; all that waits in them becomes *working*."""
    return lease_found(connection, owner, (now, seconds), ready(connection, now, count), count)


def lease_found(
    connection: Connection, owner: str, time: tuple[datetime, float], found: Sequence[Ready], count: int
) -> list[Lease]:
    """Take the first of the lanes found ready that nobody has taken meanwhile; *time* is now and for how many seconds.

    Where another worker is taking the first ones this moment, the next ones are tried.
    """
    for start in range(0, len(found), count):
        some = found[start : start + count]
        _make(connection, {one.key: (one.table, one.id) for one in some if one.is_new})
        taken = {one.key: one for one in _leased(connection, _FOUND, [one.key for one in some], owner, time)}
        if taken:
            return [taken[one.key] for one in some if one.key in taken]
    return []


def _make(connection: Connection, rows: Mapping[str, tuple[str, str]]) -> None:
    """Rows for lanes that have none, in the order of their keys: two who make the same cannot block each other."""
    if not rows:
        return
    values = [(key, *rows[key]) for key in sorted(rows)]
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(_MAKING.format("VALUES (?, ?, ?)"), values)
    else:
        columns = tuple(list(column) for column in zip(*values, strict=True))
        connection.exec_driver_sql(_MAKING.format("SELECT * FROM unnest(%s::text[], %s::text[], %s::text[])"), columns)


#: written out, since on PostgreSQL it is then one message, however many they are
_MAKING = "INSERT INTO receiver_lane (key, table_name, row_id) {} ON CONFLICT (key) DO NOTHING"


def _leased(
    connection: Connection, which: Select[Any], named: Sequence[str], owner: str, time: tuple[datetime, float]
) -> list[Lease]:
    now, seconds = time
    rows = connection.execute(which, {"keys": named, "now": now}).all()
    if not rows:
        return []
    keys = [row.key for row in rows]
    waiting = _taken(connection, keys)
    clicked = [key for key, news in waiting.items() if any(one.is_click for one in news)]
    held = {"holder": owner, "until": now + timedelta(seconds=seconds), "now": now, "keys": keys}
    without = [key for key in keys if key not in waiting]
    connection.execute(_HOLDING, {**held, "without_news": without, "are_clicked": clicked})
    return [_lease_of(row, owner, waiting.get(row.key, [])) for row in rows]


def _taken(connection: Connection, keys: Sequence[str]) -> dict[str, list[Row[Any]]]:
    """All that waits in these lanes, by lane, and *working* from now on.

    In one statement: what arrives between two would be *working*, and nobody would work on it. SQLite, left to itself,
    would look through all that waits in any lane.
    """
    waiting: dict[str, list[Row[Any]]] = {}
    for one in sorted(connection.execute(_TAKING, {"keys": keys}), key=attrgetter("id")):
        waiting.setdefault(one.lane, []).append(one)
    return waiting


_NAMED = select(lane).where(Among(lane.c.key, "keys"), is_free(NOW)).with_for_update(skip_locked=True)
_FOUND = _NAMED.where(is_ready(NOW))
_TAKING = (
    update(inbox)
    .where(Among(inbox.c.lane, "keys"), inbox.c.state.in_(("waiting", "working")))
    .values(state="working")
    .with_hint(f"INDEXED BY {INBOX_BY_LANE}", inbox, "sqlite")
    .returning(*inbox.c)
)
_HOLDING = (
    update(lane)
    .where(Among(lane.c.key, "keys"))
    .values(
        owner=bindparam("holder"),
        lease_until=bindparam("until", type_=Moment()),
        # what is taken makes its lane ready no more: where the worker dies, the lane itself must be found
        ready_at=case((Among(lane.c.key, "without_news"), lane.c.ready_at), else_=NOW),
        is_first=or_(lane.c.is_first, Among(lane.c.key, "are_clicked")),
        waits_for_gate=False,
    )
)


def _lease_of(row: Row[Any], owner: str, waiting: Sequence[Row[Any]]) -> Lease:
    return Lease(
        key=row.key,
        table=row.table_name,
        id=row.row_id,
        owner=owner,
        generation=row.generation,
        attempts=row.attempts,
        wish=row.wish,
        version=_version(row),
        notifications=tuple(waiting),
        last_error=row.last_error,
        ready_at=row.ready_at,
    )


def _version(row: Row[Any]) -> Version | None:
    if row.version_number is None and row.modified_on is None:
        return None
    return Version(row.version_number, row.modified_on, row.version_was_read)


def hold(connection: Connection, keys: Iterable[str]) -> None:
    """Lock lanes in the order of their keys until the transaction ends; SQLite has one writer anyway."""
    if connection.dialect.name != "sqlite":
        locked = select(lane.c.key).where(Among(lane.c.key, "keys")).order_by(lane.c.key).with_for_update()
        connection.execute(locked, {"keys": sorted(keys)}).all()


@dataclass(frozen=True)
class Release:
    """A lane given back, asleep; `version` is the newest seen of its row, None: as before."""

    held: Lease
    version: Version | None = None
    #: False where what waits in the lane was not looked at: it stays as it was
    is_done: bool = True


def release(connection: Connection, given: Sequence[Release]) -> None:
    """Give lanes back; a wish that came meanwhile keeps a lane ready, and so does by itself what arrived.

    Raises: LeaseLostError when another worker took one over; the caller's transaction is then rolled back.
    """
    rows = [
        {
            "is_key": one.held.key,
            "is_owner": one.held.owner,
            "was_generation": one.held.generation,
            "next_at": None if one.is_done else one.held.ready_at,
            "is_seen": one.version is not None,
            "number": one.version.number if one.version else None,
            "modified": one.version.modified_on if one.version else None,
            "was_read": one.version is not None and one.version.was_read,
            "is_done": one.is_done,
        }
        for one in sorted(given, key=lambda one: one.held.key)
    ]
    if connection.execute(_RELEASING, rows).rowcount != len(rows):
        raise LeaseLostError
    for one in given:
        if not one.is_done and one.held.notifications:
            _back_to_waiting(connection, one.held)


def _releasing() -> Update:
    is_unmoved = lane.c.generation == bindparam("was_generation", type_=lane.c.generation.type)
    is_done = bindparam("is_done", type_=Boolean())
    is_over, is_seen = and_(is_done, is_unmoved), bindparam("is_seen", type_=Boolean())
    number, modified = bindparam("number", type_=Number), bindparam("modified", type_=Moment())
    was_read = bindparam("was_read", type_=Boolean())
    return (
        update(lane)
        .where(lane.c.key == bindparam("is_key"), lane.c.owner == bindparam("is_owner"))
        .values(
            attempts=case((is_done, 0), else_=lane.c.attempts),
            last_error=case((is_done, ""), else_=lane.c.last_error),
            troubled_since=case((is_done, null()), else_=lane.c.troubled_since),
            owner=None,
            lease_until=None,
            ready_at=case((is_unmoved, bindparam("next_at", type_=Moment())), else_=lane.c.ready_at),
            wish=case((is_over, ""), else_=lane.c.wish),
            is_first=case((is_over, False), else_=lane.c.is_first),
            version_number=case((is_seen, number), else_=lane.c.version_number),
            modified_on=case((is_seen, modified), else_=lane.c.modified_on),
            version_was_read=case((is_seen, was_read), else_=lane.c.version_was_read),
        )
    )


_RELEASING = _releasing()


def postpone(
    connection: Connection, held: Lease, until: datetime, error: str, *, charge: bool, gate: bool = False
) -> None:
    """Give the lane back to be tried again; *charge* counts the attempt, a closed *gate* holds wishes too.

    What was looked at waits as long as the lane; what arrived meanwhile, or will, is ready by itself.

    Raises: LeaseLostError.
    """
    is_unmoved = or_(lane.c.generation == held.generation, literal(gate))
    given: dict[str, Any] = {
        "owner": None,
        "lease_until": None,
        "ready_at": case((is_unmoved, literal(until, lane.c.ready_at.type)), else_=lane.c.ready_at),
        "attempts": held.attempts + int(charge),
        "last_error": error,
        "waits_for_gate": gate,
    }
    if charge and held.attempts == 0:
        given["troubled_since"] = until
    is_ours = and_(lane.c.key == held.key, lane.c.owner == held.owner)
    if connection.execute(update(lane).where(is_ours).values(given)).rowcount != 1:
        raise LeaseLostError
    connection.execute(update(inbox).where(held_by(held)).values(state="waiting", due_at=None))


def held_by(held: Lease) -> ColumnElement[bool]:
    """The notifications of a lease, not by their ids: there may be more than a statement can have parameters."""
    return and_(inbox.c.lane == held.key, inbox.c.state == "working")


def _back_to_waiting(connection: Connection, held: Lease) -> None:
    connection.execute(update(inbox).where(held_by(held)).values(state="waiting"))


def back_off(attempts: int, longest: float) -> timedelta:
    """Exponential from one second, with jitter so that many do not come back at once, never above *longest*."""
    seconds = min(longest, FIRST_BACK_OFF_SECONDS * 2 ** min(attempts, 30))
    return timedelta(seconds=seconds * random.uniform(0.5, 1))  # noqa: S311  # jitter is no secret
