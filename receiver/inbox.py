"""A notification's life: stored raw, processed, and its failure recorded; three transactions, never one.

States: waiting → working → done | ignored | failed; unreadable and refused are kept for an administrator to look at.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from receiver import lanes
from receiver.core.decision import Reason, Record
from receiver.core.mapping import Direction, TableMapping
from receiver.core.message import (
    NO_ID,
    ExecutionContext,
    Freshness,
    Image,
    SynchRequest,
    Version,
    freshness,
    image_alias,
)
from receiver.core.values import Reference, Values
from receiver.dataverse.client import version_of, with_derived
from receiver.dataverse.columns import TABLES as DATAVERSE_TABLES
from receiver.dataverse.columns import from_message
from receiver.errors import (
    GateClosedError,
    LeaseLostError,
    MovedError,
    ParentIsBusyError,
    ReceiverError,
    ThrottledError,
)
from receiver.handlers import handler_of
from receiver.lanes import Lease
from receiver.schemas.execution_context import Envelope, UnreadableError, read_context, read_envelope
from receiver.services import Services, image_columns, mappings_of, read_columns
from receiver.store.mappings import Mappings
from receiver.store.models import connection as connection_state
from receiver.store.models import inbox, tombstone
from receiver.store.models import lane as lane_rows
from receiver.synch_job import Outcome, Request, Settled, Work, settle, synchronize, waits_of

log = logging.getLogger(__name__)

KEPT_HEADERS = "x-ms-"
KEPT_OF_UNREADABLE = 64 * 1024
DECISIONS_A_LANE = 3
BUSY_PARENT_SECONDS = 0.25
DEEPEST_PULL = 3
#: outcomes that mean the row was looked at and is in step
IN_STEP = frozenset({"Insert", "Modify", "AlreadyEqual", "IgnoreUnchanged", "RemoveCoupling"})


# -- storing: what the door calls ------------------------------------------------------------------------------


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


# -- processing: what a worker calls ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Read:
    """A stored notification, read: its context, or why it has none, and the requests of it."""

    row: Row[Any]
    context: ExecutionContext | None
    requests: tuple[SynchRequest, ...]
    note: str

    @property
    def is_hint_of_open_transaction(self) -> bool:
        return bool(self.row.is_synchronous) and not self.row.is_click


@dataclass(frozen=True)
class Ask:
    """Why a lane is worked on, beside what waits in it."""

    #: a person stands before the screen, and hears what goes wrong
    is_click: bool = False
    #: another record refers to the row: it is looked at though nothing waits in its lane
    is_wanted: bool = False
    #: use the Dataverse data, whatever the coupling remembers
    is_forced: bool = False
    #: how many children up the chain wait for this parent
    depth: int = 0

    @property
    def looks_anyway(self) -> bool:
        return self.is_click or self.is_wanted


def process(services: Services, lease: Lease, ask: Ask = Ask()) -> list[Settled]:  # a frozen value
    """Work on everything that waits in a leased lane, and give the lane back.

    The answer is empty when the lane is to be tried again. Raises: nothing of this lane's making; what a click
    must hear of is raised after it was recorded.
    """
    is_click = ask.is_click
    try:
        return _process(services, lease, ask)
    except LeaseLostError:
        log.warning("Lane %s was taken over by another worker; nothing of this run was written.", lease.key)
        return []
    except ReceiverError as error:
        _record_failure(services, lease, error)
        if is_click:
            raise
        return []
    except Exception as error:
        log.exception("Lane %s failed in a way nobody foresaw.", lease.key)
        _record_failure(services, lease, error)
        if is_click:
            raise
        return []


def _process(services: Services, lease: Lease, ask: Ask) -> list[Settled]:
    started = services.clock()
    read = [_read(services, row) for row in lease.notifications]
    for _ in range(DECISIONS_A_LANE):
        try:
            return _once(services, lease, read, started, ask)
        except MovedError:
            continue
    raise MovedError("The record changed each time it was about to be written; it is tried again shortly.")


def _read(services: Services, row: Row[Any]) -> Read:
    try:
        context = read_context(read_envelope(row.body))
    except UnreadableError as error:
        return Read(row, None, (), str(error))
    handler = handler_of(context.message, services.options.ribbon_message)
    if handler is None:
        return Read(row, context, (), f"No handler answers the message {context.message}.")
    note = "; ".join(map(str, context.defects))
    return Read(row, context, tuple(handler(context)), note)


def _once(services: Services, lease: Lease, read: list[Read], started: datetime, ask: Ask) -> list[Settled]:
    """Decide and write once. Raises: MovedError when something moved in between."""
    with services.database.reading() as connection:
        mappings = services.mappings(connection)
        has_tombstone = _has_tombstone(connection, lease)
    work = Work(services, mappings, partial(_pull, services, ask.depth))
    own = mappings_of(mappings, lease.table)
    outcomes: list[Outcome] = []
    source = Request(Direction.FROM, Record(lease.id, is_whole=False))
    if own and (_concerns_row(read, lease) or lease.wish or ask.looks_anyway):
        source = _source(services, lease, read, mappings, has_tombstone=has_tombstone, ask=ask)
        if _reads_anyway(read, lease):
            source = _read_source(work, lease, source)
        outcomes = [synchronize(work, mapping, source) for mapping in own]
    is_gone = _is_gone(work, lease, outcomes)
    if is_gone and not _may_conclude_gone(services, lease, read, started, ask):
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


def _concerns_row(read: list[Read], lease: Lease) -> bool:
    return any(_is_own(request, lease) for one in read for request in one.requests)


def _is_own(request: SynchRequest, lease: Lease) -> bool:
    return (request.table, request.id) == (lease.table, lease.id)


def _source(
    services: Services, lease: Lease, read: list[Read], mappings: Mappings, *, has_tombstone: bool, ask: Ask
) -> Request:
    """The row as far as the notifications tell: our newest whole image, or a hint that wants the row read."""
    own = [request for one in read for request in one.requests if _is_own(request, lease)]
    clicked = ask.is_click or any(request.is_click for request in own)
    hint = Request(Direction.FROM, Record(lease.id, is_whole=False), is_click=clicked, is_forced=ask.is_forced)
    is_hint = not own or any(request.image is None for request in own)
    if is_hint or has_tombstone or lease.wish or ask.looks_anyway or services.options.trust == "read":
        return hint
    alias = image_alias("post", image_columns(mappings, lease.table))
    images = [request.image for request in own if request.image is not None and request.image.alias == alias]
    if len(images) != len(own):
        return hint
    rows = [_whole_row(image, lease.table, read_columns(mappings, lease.table)) for image in images]
    newest = _newest(rows)
    if newest is None:
        return hint
    return Request(
        Direction.FROM,
        Record(lease.id, newest),
        freshness(version_of(newest), lease.version),
        is_click=clicked,
    )


def _whole_row(image: Image, table: str, columns: frozenset[str]) -> Values:
    """All columns of the list that the image was registered with; one that is absent in it is null."""
    described = DATAVERSE_TABLES[table].columns
    values = {name: from_message(described[name], image.values.get(name)) for name in columns}
    return with_derived(values, columns)


def _newest(rows: list[Values]) -> Values | None:
    """The newest of several images of one row; None where their versions do not tell, and the row must be read."""
    best = rows[0]
    for row in rows[1:]:
        compared = freshness(version_of(row), version_of(best))
        if compared == Freshness.UNCERTAIN:
            return None
        best = row if compared == Freshness.NEWER else best
    return best


def _reads_anyway(read: list[Read], lease: Lease) -> bool:
    """A Delete among what waits always means one read: 404 is deleted, a row found is that row."""
    return any(request.is_deletion and _is_own(request, lease) for one in read for request in one.requests)


def _read_source(work: Work, lease: Lease, source: Request) -> Request:
    row = work.read(lease.table, lease.id)
    return replace(source, source=row, freshness=Freshness.NEWER)


def _is_gone(work: Work, lease: Lease, outcomes: list[Outcome]) -> bool:
    row = work.rows.get((lease.table, lease.id))
    return bool(outcomes) and row is not None and not row.exists


def _may_conclude_gone(services: Services, lease: Lease, read: list[Read], started: datetime, ask: Ask) -> bool:
    """From inside an open transaction a row cannot be seen yet: only the second look may say *gone*."""
    if lease.wish or ask.looks_anyway:
        return True
    return any(not one.is_hint_of_open_transaction or _due(services, one, started) is None for one in read)


def _due(services: Services, one: Read, started: datetime) -> datetime | None:
    """When a synchronous step's row is looked at next; None once the second look has been taken."""
    options = services.options
    received: datetime = one.row.received_at
    for seconds in (options.synchronous_first_read_seconds, options.synchronous_second_read_seconds):
        if started < received + timedelta(seconds=seconds):
            return received + timedelta(seconds=seconds)
    return None


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
    for one in read:
        others = {(request.table, request.id) for request in one.requests if not _is_own(request, lease)}
        for table, id_ in sorted(others):
            if mappings_of(mappings, table):
                lanes.touch(connection, table, id_, now, wish=f"named by notification {one.row.id}")


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
        due = _due(services, one, started) if one.is_hint_of_open_transaction and own and one.requests else None
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
    others = [request for request in one.requests if not _is_own(request, lease)]
    if others:
        named = ", ".join(f"{request.table} {request.id}" for request in others)
        return "done", f"Looked at as well: {named}." + (f" {one.note}" if one.note else "")
    if not own:
        return "ignored", f"No Integration Table Mapping reads the table {lease.table}."
    if any(outcome.decision == "Fail" for outcome in settled):
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


# -- recording a failure ---------------------------------------------------------------------------------------


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
    numbers = [row.id for row in lease.notifications]
    failed = {"state": "failed", "note": note, "finished_at": now}
    connection.execute(update(inbox).where(inbox.c.id.in_(numbers)).values(failed))
    lanes.release(connection, lease)
    connection.execute(update(lane_rows).where(lane_rows.c.key == lease.key).values(last_error=note))


def close_gate(connection: Connection, until: datetime, reason: str) -> None:
    """From now on nobody calls Dataverse until then: neither new work nor a click passes."""
    row = {"id": 1, "closed_until": until, "closed_reason": reason}
    statement = lanes.upsert(connection, connection_state).values(row)
    closed = {"closed_until": until, "closed_reason": reason}
    connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=closed))
