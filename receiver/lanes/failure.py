"""A lane that could not be worked on: what can be waited for goes back to waiting, the rest is failed."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from sqlalchemy import Connection, or_, update

from receiver.errors import (
    GateClosedError,
    LeaseLostError,
    LostRaceError,
    ParentIsBusyError,
    ReceiverError,
    SchemaError,
    ThrottledError,
)
from receiver.lanes import lane as lanes
from receiver.lanes.lane import Lease
from receiver.services import Services
from receiver.store.models import connection as connection_state
from receiver.store.models import inbox
from receiver.store.models import lane as lane_rows

log = logging.getLogger(__name__)

BUSY_PARENT_SECONDS = 0.25


def record_failure(services: Services, lease: Lease, error: Exception) -> None:
    """In a transaction of its own: what can be waited for goes back to waiting, the rest is failed."""
    now, options = services.clock(), services.options
    error = error if isinstance(error, ReceiverError) else _of_schema(services) or error
    try:
        with services.database.writing() as connection:
            if isinstance(error, ThrottledError):
                until = now + timedelta(seconds=error.retry_after)
                close_gate(connection, until, str(error))
                lanes.postpone(connection, lease, until, str(error), charge=False, gate=True)
            elif isinstance(error, GateClosedError):
                lanes.postpone(connection, lease, error.until, str(error), charge=False, gate=True)
            elif isinstance(error, ParentIsBusyError):
                until = now + timedelta(seconds=BUSY_PARENT_SECONDS)
                lanes.postpone(connection, lease, until, str(error), charge=False)
            elif isinstance(error, LostRaceError) and lease.attempts > 0:
                _fail(connection, lease, error, now)  # the retry did not find the other's coupling: nobody raced
            elif isinstance(error, ReceiverError) and error.waiting_helps:
                until = now + lanes.back_off(lease.attempts, options.longest_back_off_seconds)
                lanes.postpone(connection, lease, until, str(error), charge=True)
            else:
                _fail(connection, lease, error, now)
    except LeaseLostError:
        log.warning("Lane %s was taken over by another worker; it records its own failures.", lease.key)
    except ReceiverError:
        services.left_behind.add(lease.owner, lease.key)
        log.warning("The failure of lane %s could not be recorded: %s", lease.key, error)


def _of_schema(services: Services) -> SchemaError | None:
    """While another version changes the database, what nobody foresaw is that, and no record's failure."""
    from receiver.store import schema  # it loads Alembic, which a command that fails nowhere can do without

    try:
        schema.check(services.database)
    except SchemaError as error:
        return error
    except ReceiverError:
        return None
    return None


def _fail(connection: Connection, lease: Lease, error: Exception, now: datetime) -> None:
    note = str(error) if isinstance(error, ReceiverError) else f"{type(error).__name__}: {error}"
    failed = {"state": "failed", "note": note, "finished_at": now}
    connection.execute(update(inbox).where(lanes.held_by(lease)).values(failed))
    lanes.release(connection, [lanes.Release(lease)])
    connection.execute(update(lane_rows).where(lane_rows.c.key == lease.key).values(last_error=note))


def close_gate_after(services: Services, error: ReceiverError) -> None:
    """Where Dataverse asked for a pause, everybody keeps it."""
    if isinstance(error, ThrottledError):
        with services.database.writing() as connection:
            close_gate(connection, services.clock() + timedelta(seconds=error.retry_after), str(error))


def close_gate(connection: Connection, until: datetime, reason: str) -> None:
    """From now on nobody calls Dataverse until then: neither new work nor a click passes. The later end counts."""
    row = {"id": 1, "closed_until": until, "closed_reason": reason}
    statement = lanes.upsert(connection, connection_state).values(row)
    closed = {"closed_until": until, "closed_reason": reason}
    is_earlier = or_(connection_state.c.closed_until.is_(None), connection_state.c.closed_until < until)
    connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=closed, where=is_earlier))
