"""What the door refused, by reason. Rows of `receiver_door_refusal`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, case, select

from receiver.store import webhook_keys
from receiver.store.models import door_refusal
from receiver.store.upsert import upsert

#: refusals with less than that between them are one spell
SPELL = timedelta(minutes=15)


@dataclass(frozen=True)
class Refused:
    """How often something was refused since ever, and the last spell of it."""

    reason: str
    count: int
    since: datetime
    last_at: datetime

    def is_standing(self, now: datetime) -> bool:
        return now - self.last_at < SPELL


def key_since(connection: Connection, now: datetime) -> datetime | None:
    """Since when keys are refused, and none of ours has come; None where that is not so."""
    refused, used = listed(connection).get("key"), webhook_keys.last_use(connection)
    if refused is None or not refused.is_standing(now) or (used is not None and used >= refused.last_at):
        return None
    return refused.since


def add(connection: Connection, counted: Mapping[str, int], now: datetime) -> None:
    statement = upsert(connection, door_refusal)
    known = door_refusal.c
    changed = {
        "count": known.count + statement.excluded.count,
        "since": case((known.last_at < now - SPELL, now), else_=known.since),
        "last_at": now,
    }
    rows = [{"reason": reason, "count": count, "since": now, "last_at": now} for reason, count in counted.items()]
    connection.execute(statement.on_conflict_do_update(index_elements=["reason"], set_=changed), rows)


def listed(connection: Connection) -> dict[str, Refused]:
    """By reason."""
    rows = connection.execute(select(door_refusal).order_by(door_refusal.c.reason))
    return {row["reason"]: Refused(**row) for row in rows.mappings()}
