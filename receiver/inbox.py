"""The inbox: each notification is stored raw, and its lane made ready, before anything is made of it.

States: waiting → working → done | ignored | failed; unreadable and refused are kept for an administrator to look at.
Storing, processing (lane_work.py) and recording a failure are three transactions, never one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import insert, select

from receiver import lanes
from receiver.core.message import (
    NO_ID,
    SynchRequest,
)
from receiver.handlers import handler_of
from receiver.schemas.execution_context import Envelope, read_context
from receiver.services import Services
from receiver.store.models import inbox

KEPT_HEADERS = "x-ms-"
KEPT_OF_UNREADABLE = 64 * 1024


@dataclass(frozen=True)
class Delivery:
    """One request as it came; headers are lower-case and hold no key."""

    body: bytes
    headers: Mapping[str, str]
    remote_address: str


def store(services: Services, delivery: Delivery, envelope: Envelope) -> int:
    """Keep the notification and make its lane ready, in one transaction; the number it has.

    The same delivery twice is stored once. Raises: StoreUnavailableError.
    """
    now = services.clock()
    requests = _clicked_rows(services, envelope)
    table, id_ = (requests[0].table, requests[0].id) if requests else (envelope.table, envelope.id)
    identity = _identity(envelope, delivery.body)
    key = lanes.key_of(table, id_) if id_ != NO_ID else lanes.key_of(lanes.OWN_LANE, identity[:36])
    is_synchronous = envelope.mode == 0 or envelope.stage < 40  # noqa: PLR2004  # Microsoft's PostOperation
    ready_in = services.options.synchronous_first_read_seconds if is_synchronous and not requests else 0.0
    row = {
        **_kept(delivery, now),
        "delivery": identity,
        "lane": key,
        "message": envelope.message,
        "table_name": table,
        "row_id": id_,
        "is_synchronous": is_synchronous,
        "is_click": bool(requests),
        "state": "waiting",
    }
    with services.database.writing() as connection:
        statement = lanes.upsert(connection, inbox).values(row).on_conflict_do_nothing(index_elements=["delivery"])
        number = connection.execute(statement.returning(inbox.c.id)).scalar()
        if number is None:
            return int(connection.execute(select(inbox.c.id).where(inbox.c.delivery == identity)).scalar_one())
        ready_at = now + timedelta(seconds=ready_in)
        lanes.touch(connection, table, id_, ready_at, is_first=bool(requests), key=key)
        services.waker.within(connection)
    services.waker.after_commit()
    return int(number)


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
