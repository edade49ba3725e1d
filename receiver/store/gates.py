"""The gates: what keeps requests from being sent to Dataverse, until when, and why. Rows of `receiver_gate`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Select, case, delete, or_, select, update

from receiver.store.models import gate, lane
from receiver.store.upsert import upsert

#: of a set-up that a person must mend: after so many seconds one request looks again, then after twice as long
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 15.0, 900.0
#: the one that looks has so long to say what it found
LOOK_SECONDS = 60.0


@dataclass(frozen=True)
class Gate:
    """A closed gate, or one behind which a request may look whether it is open again (`until` has passed)."""

    name: str
    closed_at: datetime
    until: datetime
    looks: int
    is_set_up: bool
    reason: str


def found(connection: Connection, names: Collection[str] | None = None) -> list[Gate]:
    """The gates of these names, of any where *names* is None; the one closed longest first."""
    query = select(gate).order_by(gate.c.until.desc())
    rows = connection.execute(query if names is None else query.where(gate.c.name.in_(sorted(names))))
    return [Gate(**row) for row in rows.mappings()]


def may_look(connection: Connection, name: str, now: datetime) -> bool:
    """Whether this request is the one that looks whether the gate is open again; others then still wait."""
    taken = update(gate).where(gate.c.name == name, gate.c.until <= now)
    values = {"until": now + timedelta(seconds=LOOK_SECONDS), "looks": gate.c.looks + 1}
    return connection.execute(taken.values(values)).rowcount == 1


def let_look(connection: Connection, name: str, now: datetime) -> None:
    """Who looked has found nothing out: the gate is as it was before."""
    connection.execute(update(gate).where(gate.c.name == name).values(until=now))


def pause(connection: Connection, name: str, now: datetime, until: datetime, reason: str) -> None:
    """Dataverse asked for a pause. The later end counts, and what a person must mend stays said."""
    row = {"name": name, "closed_at": now, "until": until, "is_set_up": False, "reason": reason}
    statement = upsert(connection, gate).values(row)
    set_ = {"until": until, "reason": case((gate.c.is_set_up, gate.c.reason), else_=reason)}
    connection.execute(
        statement.on_conflict_do_update(index_elements=["name"], set_=set_, where=or_(gate.c.until < until))
    )


def close(connection: Connection, name: str, now: datetime, reason: str) -> None:
    """A person must act; each look that finds the gate closed doubles the pause to the next."""
    known = {one.name: one for one in found(connection, [name])}
    looks = known[name].looks if name in known else 0
    seconds = min(FIRST_PAUSE_SECONDS * 2 ** min(looks, 10), LONGEST_PAUSE_SECONDS)
    row = {"name": name, "closed_at": now, "until": now + timedelta(seconds=seconds), "is_set_up": True}
    statement = upsert(connection, gate).values({**row, "reason": reason})
    set_ = {"until": row["until"], "is_set_up": True, "reason": reason}
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=set_))


def open_(connection: Connection, names: Sequence[str]) -> int:
    """Open gates; how many were closed."""
    return connection.execute(delete(gate).where(gate.c.name.in_(names))).rowcount


def wake(connection: Connection, now: datetime) -> None:
    """A gate is open: every lane that waited for one is ready, whenever its own time would come."""
    waits = _in_order(lane.c.waits_for_gate, lane.c.ready_at > now)
    connection.execute(update(lane).where(lane.c.key.in_(waits)).values(ready_at=now, waits_for_gate=False))


def wake_troubled(connection: Connection, now: datetime) -> None:
    """Dataverse is there again: what backed off meanwhile need not wait any longer."""
    waits = _in_order(lane.c.attempts > 0, lane.c.ready_at > now, lane.c.owner.is_(None))
    connection.execute(update(lane).where(lane.c.key.in_(waits)).values(ready_at=now))


def _in_order(*which: ColumnElement[bool]) -> Select[tuple[str]]:
    """Lanes locked in the order in which all lock them: two who wake and release cannot block each other."""
    return select(lane.c.key).where(*which).order_by(lane.c.key).with_for_update()
