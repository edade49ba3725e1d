"""Keys of the service endpoint, known by their SHA-256: when made, registered, used, and when they end."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from receiver.store.models import webhook_key
from receiver.store.upsert import upsert


@dataclass(frozen=True)
class WebhookKey:
    fingerprint: str
    #: made by the receiver, and known to Dataverse alone; else it stands in the setting
    is_made_here: bool = False
    made_at: datetime | None = None
    #: when it was given to the service endpoint
    registered_at: datetime | None = None
    last_used_at: datetime | None = None
    ends_at: datetime | None = None


def load(connection: Connection) -> dict[str, WebhookKey]:
    """By fingerprint, oldest first."""
    found = connection.execute(select(webhook_key).order_by(webhook_key.c.made_at, webhook_key.c.fingerprint))
    return {row["fingerprint"]: WebhookKey(**row) for row in found.mappings()}


def add(connection: Connection, fingerprint: str, now: datetime) -> None:
    """A key that was made here."""
    connection.execute(insert(webhook_key).values(fingerprint=fingerprint, is_made_here=True, made_at=now))


def note_use(connection: Connection, fingerprint: str, now: datetime) -> None:
    _put(connection, fingerprint, now, last_used_at=now)


def note_registered(connection: Connection, fingerprint: str, now: datetime) -> None:
    _put(connection, fingerprint, now, registered_at=now)


def end(connection: Connection, fingerprints: Collection[str], at: datetime, now: datetime) -> None:
    """These are valid until *at*, those that end before excepted."""
    for one in fingerprints:
        _put(connection, one, now)
    later = webhook_key.c.ends_at.is_(None) | (webhook_key.c.ends_at > at)
    named = webhook_key.c.fingerprint.in_(fingerprints)
    connection.execute(update(webhook_key).where(named, later).values(ends_at=at))


def _put(connection: Connection, fingerprint: str, now: datetime, **values: datetime) -> None:
    statement = upsert(connection, webhook_key).values(fingerprint=fingerprint, made_at=now, **values)
    if values:
        statement = statement.on_conflict_do_update(index_elements=["fingerprint"], set_=values)
    else:
        statement = statement.on_conflict_do_nothing()
    connection.execute(statement)


def last_use(connection: Connection) -> datetime | None:
    """When a valid key was used last, as far as it is noted."""
    used = [one.last_used_at for one in load(connection).values() if one.last_used_at is not None]
    return max(used, default=None)
