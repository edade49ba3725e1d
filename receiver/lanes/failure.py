"""A lane that could not be worked on: what can be waited for goes back to waiting, the rest is failed."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from sqlalchemy import Connection, update

from receiver.errors import (
    GateClosedError,
    LeaseLostError,
    LostRaceError,
    ParentIsBusyError,
    ReceiverError,
    SchemaError,
    SetUpError,
    SignInError,
    ThrottledError,
    UnforeseenError,
)
from receiver.lanes import lane as lanes
from receiver.lanes.lane import Lease
from receiver.services import Services
from receiver.store import gates
from receiver.store.gatekeeper import EVERYTHING
from receiver.store.models import inbox
from receiver.store.models import lane as lane_rows

log = logging.getLogger(__name__)

BUSY_PARENT_SECONDS = 0.25


def record_failure(services: Services, lease: Lease, error: ReceiverError) -> None:
    """In a transaction of its own: what can be waited for goes back to waiting, the rest is failed."""
    now, options = services.clock(), services.options
    if isinstance(error, UnforeseenError):
        error = _of_schema(services) or error
    try:
        with services.database.writing() as connection:
            if isinstance(error, GateClosedError):
                lanes.postpone(connection, lease, error.until, str(error), charge=False, gate=True)
            elif isinstance(error, ThrottledError | SetUpError | SignInError):
                until = _closed_until(connection, error, now)
                lanes.postpone(connection, lease, until, str(error), charge=False, gate=True)
            elif isinstance(error, ParentIsBusyError):
                until = now + timedelta(seconds=BUSY_PARENT_SECONDS)
                lanes.postpone(connection, lease, until, str(error), charge=False)
            elif isinstance(error, LostRaceError) and lease.attempts > 0:
                _fail(connection, lease, error, now)  # the retry did not find the other's coupling: nobody raced
            elif error.waiting_helps:
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
    from receiver.store import schema  # it brings the tool of the migrations along, which no help text needs

    try:
        schema.check(services.database)
    except SchemaError as error:
        return error
    except ReceiverError:
        return None
    return None


def _fail(connection: Connection, lease: Lease, error: ReceiverError, now: datetime) -> None:
    note = str(error)
    failed = {"state": "failed", "due_at": None, "note": note, "finished_at": now}
    connection.execute(update(inbox).where(lanes.held_by(lease)).values(failed))
    lanes.release(connection, [lanes.Release(lease)])
    connection.execute(update(lane_rows).where(lane_rows.c.key == lease.key).values(last_error=note))


def _closed_until(connection: Connection, error: ReceiverError, now: datetime) -> datetime:
    """The gate was closed when the answer came; the lane is looked at when it may be open."""
    name = error.gate if isinstance(error, SetUpError) else EVERYTHING
    return max((one.until for one in gates.found(connection, [name])), default=now)
