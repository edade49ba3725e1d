"""Processing a leased lane: everything that waits in it becomes one look at its row, one decision a mapping.

Deciding may talk to Dataverse and holds no transaction. Then record, coupling, job row, notifications' states and the
lane's release are written in one transaction: after any crash either all or none.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection, or_, select, update

from receiver import lanes
from receiver.coalesce import (
    NOTHING_ASKED,
    Ask,
    Read,
    concerns_row,
    due_again,
    is_own,
    may_conclude_gone,
    names_deletion,
    read_notification,
    source_of,
)
from receiver.core.decision import Reason, Record
from receiver.core.mapping import Direction, TableMapping
from receiver.core.message import (
    Freshness,
    Version,
)
from receiver.core.values import Reference
from receiver.dataverse.client import version_of
from receiver.errors import (
    GateClosedError,
    LeaseLostError,
    LostRaceError,
    MovedError,
    ParentIsBusyError,
    ReceiverError,
    ThrottledError,
)
from receiver.lanes import Lease
from receiver.services import Services, mappings_of
from receiver.settlement import settle, waits_of
from receiver.store.mappings import Mappings
from receiver.store.models import connection as connection_state
from receiver.store.models import inbox, tombstone
from receiver.store.models import lane as lane_rows
from receiver.synch_job import synchronize
from receiver.wording import Settled
from receiver.work import Outcome, Request, Work

log = logging.getLogger(__name__)

DECISIONS_A_LANE = 3
BUSY_PARENT_SECONDS = 0.25
DEEPEST_PULL = 3
#: outcomes that mean the row was looked at and is in step
IN_STEP = frozenset({"Insert", "Modify", "AlreadyEqual", "IgnoreUnchanged", "RemoveCoupling"})


def process(services: Services, lease: Lease, ask: Ask = NOTHING_ASKED) -> list[Settled]:
    """Work on everything that waits in a leased lane, and give the lane back.

    The answer is empty when the lane is to be tried again. Raises: nothing of this lane's making, but what a click
    must hear of, and what makes the record that wants this one wait; both after they were recorded.
    """
    try:
        return _process(services, lease, ask)
    except LeaseLostError:
        log.warning("Lane %s was taken over by another worker; nothing of this run was written.", lease.key)
        return []
    except ReceiverError as error:
        _record_failure(services, lease, error)
        if ask.is_click or (ask.is_wanted and error.waiting_helps):
            raise
        return []
    except Exception as error:
        log.exception("Lane %s failed in a way nobody foresaw.", lease.key)
        _record_failure(services, lease, error)
        if ask.is_click:
            raise
        return []


def _process(services: Services, lease: Lease, ask: Ask) -> list[Settled]:
    started = services.clock()
    read = [read_notification(services, row) for row in lease.notifications]
    for _ in range(DECISIONS_A_LANE):
        try:
            return _once(services, lease, read, started, ask)
        except MovedError:
            continue
    raise MovedError("The record changed each time it was about to be written; it is tried again shortly.")


def _once(services: Services, lease: Lease, read: list[Read], started: datetime, ask: Ask) -> list[Settled]:
    """Decide and write once. Raises: MovedError when something moved in between."""
    with services.database.reading() as connection:
        mappings = services.mappings(connection)
        has_tombstone = _has_tombstone(connection, lease)
    work = Work(services, mappings, partial(_pull, services, ask.depth))
    own = mappings_of(mappings, lease.table)
    outcomes: list[Outcome] = []
    source = Request(Direction.FROM, Record(lease.id, is_whole=False))
    if own and (concerns_row(read, lease) or lease.wish or ask.looks_anyway):
        source = source_of(services, lease, read, mappings, has_tombstone=has_tombstone, ask=ask)
        if names_deletion(read, lease):
            source = _read_source(work, lease, source)
        outcomes = [synchronize(work, mapping, source) for mapping in own]
    is_gone = _is_gone(work, lease, outcomes)
    if is_gone and not may_conclude_gone(services, lease, read, started, ask):
        outcomes = []
    with services.database.writing() as connection:
        settled = [settle(connection, work, outcome, started) for outcome in outcomes]
        if outcomes and is_gone:
            _leave_tombstone(connection, lease, started)
        _touch_others(connection, lease, read, mappings, started)
        if outcomes:
            lanes.wait_for(connection, lease.key, [wanted for outcome in outcomes for wanted in waits_of(outcome)])
        next_at = _finish(connection, services, lease, read, settled, own, started)
        lanes.release(connection, lease, next_at=next_at, version=_version_seen(work, lease, source, outcomes))
    return settled


def _read_source(work: Work, lease: Lease, source: Request) -> Request:
    row = work.read(lease.table, lease.id)
    return replace(source, source=row, freshness=Freshness.NEWER)


def _is_gone(work: Work, lease: Lease, outcomes: list[Outcome]) -> bool:
    row = work.rows.get((lease.table, lease.id))
    return bool(outcomes) and row is not None and not row.exists


def _version_seen(work: Work, lease: Lease, source: Request, outcomes: list[Outcome]) -> Version | None:
    """A row read always counts, also downwards; an image counts unless it is late."""
    read = work.versions.get(lease.id)
    if read is not None:
        if lease.version is not None and read.number and lease.version.number and read.number < lease.version.number:
            log.warning(
                "%s was read at version %s after %s had been seen.", lease.key, read.number, lease.version.number
            )
        return read
    if not outcomes or not source.source.is_whole or source.freshness == Freshness.LATE:
        return None
    return version_of(source.source.values)


def _has_tombstone(connection: Connection, lease: Lease) -> bool:
    found = select(tombstone.c.at).where(tombstone.c.table_name == lease.table, tombstone.c.row_id == lease.id)
    return connection.execute(found).first() is not None


def _leave_tombstone(connection: Connection, lease: Lease, now: datetime) -> None:
    row = {"table_name": lease.table, "row_id": lease.id, "at": now}
    connection.execute(lanes.upsert(connection, tombstone).values(row).on_conflict_do_nothing())


def _touch_others(connection: Connection, lease: Lease, read: list[Read], mappings: Mappings, now: datetime) -> None:
    """A message that names several rows wakes their lanes."""
    lanes.touch(
        connection,
        [
            lanes.Touch(request.table, request.id, now, wish=f"named by notification {one.row.id}")
            for one in read
            for request in one.requests
            if not is_own(request, lease) and mappings_of(mappings, request.table)
        ],
    )


def _finish(
    connection: Connection,
    services: Services,
    lease: Lease,
    read: list[Read],
    settled: list[Settled],
    own: list[TableMapping],
    started: datetime,
) -> datetime | None:
    """Write each notification's state and outcome; when the lane is next due, if a synchronous hint is not done."""
    next_at: datetime | None = None
    for one in read:
        due = due_again(services, one, started) if one.is_hint_of_open_transaction and own and one.requests else None
        state, note = _state_of(one, lease, settled, own)
        values: dict[str, Any] = {
            "state": "waiting" if due else state,
            "note": note,
            "waits": any(outcome.waits for outcome in settled),
            "outcome": [outcome.plain() for outcome in settled],
            "finished_at": None if due else services.clock(),
        }
        connection.execute(update(inbox).where(inbox.c.id == one.row.id).values(values))
        if due is not None:
            next_at = due if next_at is None else min(next_at, due)
    return next_at


def _state_of(one: Read, lease: Lease, settled: list[Settled], own: list[TableMapping]) -> tuple[str, str]:
    if one.context is None:
        return "failed", one.note
    if not one.requests:
        return "ignored", one.note or f"The message {one.context.message} names no row."
    others = [request for request in one.requests if not is_own(request, lease)]
    if others:
        named = ", ".join(f"{request.table} {request.id}" for request in others)
        return "done", f"Looked at as well: {named}." + (f" {one.note}" if one.note else "")
    if not own:
        return "ignored", f"No Integration Table Mapping reads the table {lease.table}."
    if any(outcome.decision == "Fail" or outcome.reason == Reason.SKIPPED.name for outcome in settled):
        return "failed", one.note
    return ("done" if any(outcome.decision in IN_STEP for outcome in settled) else "ignored"), one.note


def _pull(services: Services, depth: int, reference: Reference) -> bool:
    """Bring a missing parent in, in its own lane and transaction; whether it lies outside every mapping's filter.

    Raises: ParentIsBusyError when another worker holds the parent's lane: a worker that holds one lane never waits
    for another.
    """
    if depth >= DEEPEST_PULL:
        return False
    key, now = lanes.key_of(reference.table, reference.id), services.clock()
    with services.database.writing() as connection:
        lanes.ensure(connection, reference.table, reference.id)
        held = lanes.lease(connection, lanes.new_owner(), now, services.options.lease_seconds, key)
    if held is None:
        raise ParentIsBusyError(key)
    settled = process(services, held, Ask(is_wanted=True, depth=depth + 1))
    outside = {Reason.OUTSIDE_FILTER.name, Reason.MAPPING_IS_OFF.name, Reason.DIRECTION.name}
    return bool(settled) and all(outcome.reason in outside for outcome in settled)


def _record_failure(services: Services, lease: Lease, error: Exception) -> None:
    """In a transaction of its own: what can be waited for goes back to waiting, the rest is failed."""
    now, options = services.clock(), services.options
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
    except ReceiverError:
        # the database is away, or the lease went to another: the lease ends by itself and the work is found again
        log.warning("The failure of lane %s could not be recorded: %s", lease.key, error)


def _fail(connection: Connection, lease: Lease, error: Exception, now: datetime) -> None:
    note = str(error) if isinstance(error, ReceiverError) else f"{type(error).__name__}: {error}"
    failed = {"state": "failed", "note": note, "finished_at": now}
    connection.execute(update(inbox).where(lanes.held_by(lease)).values(failed))
    lanes.release(connection, lease)
    connection.execute(update(lane_rows).where(lane_rows.c.key == lease.key).values(last_error=note))


def close_gate(connection: Connection, until: datetime, reason: str) -> None:
    """From now on nobody calls Dataverse until then: neither new work nor a click passes. The later end counts."""
    row = {"id": 1, "closed_until": until, "closed_reason": reason}
    statement = lanes.upsert(connection, connection_state).values(row)
    closed = {"closed_until": until, "closed_reason": reason}
    is_earlier = or_(connection_state.c.closed_until.is_(None), connection_state.c.closed_until < until)
    connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=closed, where=is_earlier))
