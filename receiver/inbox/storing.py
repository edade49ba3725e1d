"""The inbox: each notification is stored raw before anything is made of it; nothing else is touched.

That it waits makes its row's lane ready (`lanes/ready.py`); so storing waits for no lane, no record and no worker.
States: waiting → working → done | ignored | failed; unreadable and refused are kept for an administrator to look at.
Storing, processing (engine/process.py) and recording a failure are three transactions, never one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, insert, select

from receiver.core.message import NO_ID, POST_OPERATION, SYNCHRONOUS, SynchRequest
from receiver.handlers import handler_of
from receiver.lanes import lane as lanes
from receiver.schemas.execution_context import Envelope, read_context
from receiver.services import Services
from receiver.store.models import inbox
from receiver.store.types import sqlite_value

KEPT_HEADERS = "x-ms-"
KEPT_OF_UNREADABLE = 64 * 1024


@dataclass(frozen=True)
class Delivery:
    """One request as it came; headers are lower-case and hold no key."""

    body: bytes
    headers: Mapping[str, str]
    remote_address: str


@dataclass(frozen=True)
class NewNotification:
    """A notification about to be kept."""

    #: in the order of `COLUMNS`
    values: tuple[Any, ...]
    identity: str


COLUMNS = (
    "received_at", "remote_address", "headers", "body", "size", "delivery", "lane", "message", "table_name", "row_id",
    "is_synchronous", "is_click", "state", "due_at", "note",
)  # fmt: skip


def store(services: Services, delivery: Delivery, envelope: Envelope) -> int:
    """Keep the notification, which makes its lane ready; the number it has.

    The same delivery twice is stored once. Raises: StoreUnavailableError.
    """
    number = services.notifications.add(_new_notification(services, delivery, envelope))
    services.waker.ring()
    return number


def _new_notification(services: Services, delivery: Delivery, envelope: Envelope) -> NewNotification:
    now = services.clock()
    requests = _clicked_rows(services, envelope)
    table, id_ = (requests[0].table, requests[0].id) if requests else (envelope.table, envelope.id)
    identity = _identity(envelope, delivery.body)
    key = lanes.key_of(table, id_) if id_ != NO_ID else lanes.key_of(lanes.OWN_LANE, identity[:36])
    is_synchronous = envelope.mode == SYNCHRONOUS or envelope.stage < POST_OPERATION
    due_in = services.options.synchronous_first_read_seconds if is_synchronous and not requests else 0.0
    kept = _kept(delivery, now)
    values = (
        *(kept["received_at"], kept["remote_address"], kept["headers"], kept["body"], kept["size"]),
        *(identity, key, envelope.message, table, id_, is_synchronous, bool(requests), "waiting"),
        *(now + timedelta(seconds=due_in), ""),
    )
    return NewNotification(values, identity)


def write_group(connection: Connection, group: Sequence[NewNotification]) -> list[int]:
    """Write several notifications; the number of each, of the first one for a repetition."""
    is_sqlite = connection.dialect.name == "sqlite"
    numbers = (_written_in_turn if is_sqlite else _written_at_once)(connection, group)
    repeated = {one.identity for one in group} - numbers.keys()
    if repeated:
        known = select(inbox.c.delivery, inbox.c.id).where(inbox.c.delivery.in_(repeated))
        numbers |= {row.delivery: int(row.id) for row in connection.execute(known)}
    return [numbers[one.identity] for one in group]


def _written_in_turn(connection: Connection, group: Sequence[NewNotification]) -> dict[str, int]:
    found = connection.exec_driver_sql(_inserting(len(group)), _values(group))
    return {row.delivery: int(row.id) for row in found}


def _written_at_once(connection: Connection, group: Sequence[NewNotification]) -> dict[str, int]:
    """One message to PostgreSQL, which is a transaction by itself; the same statement however many there are."""
    rows = [dict(zip(COLUMNS, one.values, strict=True)) for one in group]
    bodies = [row.pop("body") for row in rows]
    numbered = [{"number": number, **row} for number, row in enumerate(rows, 1)]
    found = connection.exec_driver_sql(_INSERTING_AT_ONCE, (json.dumps(numbered, default=str), bodies))
    return {row.delivery: int(row.id) for row in found}


_NAMES = ", ".join(COLUMNS)
# A repetition is looked for first: on its own, ON CONFLICT waits for whoever is changing the one stored before.
_INSERTING_AT_ONCE = f"""
    INSERT INTO receiver_inbox ({_NAMES})
    SELECT {_NAMES}
    FROM json_to_recordset(%s::json) AS given (
        number int, received_at timestamptz, remote_address text, headers json, size int, delivery text, lane text,
        message text, table_name text, row_id text, is_synchronous boolean, is_click boolean, state text,
        due_at timestamptz, note text
    ) JOIN unnest(%b::bytea[]) WITH ORDINALITY AS sent (body, number) USING (number)
    WHERE NOT EXISTS (SELECT FROM receiver_inbox AS stored WHERE stored.delivery = given.delivery)
    ORDER BY number
    ON CONFLICT (delivery) DO NOTHING
    RETURNING id, delivery
    """  # noqa: S608  # only names of our own are put together


def _values(group: Sequence[NewNotification]) -> tuple[Any, ...]:
    return tuple(sqlite_value(value) for one in group for value in one.values)


@lru_cache
def _inserting(count: int) -> str:
    row = f"({', '.join('?' * len(COLUMNS))})"
    return f"""
        INSERT INTO receiver_inbox ({_NAMES})
        VALUES {", ".join([row] * count)}
        ON CONFLICT (delivery) DO NOTHING
        RETURNING id, delivery
        """  # noqa: S608  # only names of our own and placeholders are put together


def keep_refused(services: Services, delivery: Delivery, state: str, note: str) -> int:
    """Keep what was turned away, *unreadable* or *refused*, so that an administrator can look; its number."""
    kept = _kept(delivery, services.clock())
    row = {**kept, "body": delivery.body[:KEPT_OF_UNREADABLE], "state": state, "note": note}
    with services.database.writing() as connection:
        return int(connection.execute(insert(inbox).values(row).returning(inbox.c.id)).scalar_one())


def _kept(delivery: Delivery, now: datetime) -> dict[str, Any]:
    headers = {name: value for name, value in delivery.headers.items() if name.startswith(KEPT_HEADERS)}
    return {
        "received_at": now,
        "remote_address": delivery.remote_address[:64],
        "headers": headers,
        "body": delivery.body,
        "size": len(delivery.body),
    }


def _identity(envelope: Envelope, body: bytes) -> str:
    """What makes a delivery the same one: an asynchronous job's id is its own, a synchronous request's is shared.

    Source: reference/dataverse.md §1.5.
    """
    parts = [
        envelope.operation_id,
        envelope.step_id,
        envelope.message,
        envelope.table,
        envelope.id,
        str(envelope.depth),
    ]
    if envelope.mode == 0 or envelope.operation_id == NO_ID:
        parts.append(sha256(body).hexdigest())
    return sha256("\n".join(parts).encode()).hexdigest()


def _clicked_rows(services: Services, envelope: Envelope) -> list[SynchRequest]:
    """A click names its row in its parameters; all else is named by the envelope."""
    if envelope.message != services.options.ribbon_message:
        return []
    handler = handler_of(envelope.message, services.options.ribbon_message)
    return handler(read_context(envelope)) if handler else []
