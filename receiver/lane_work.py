"""Processing a leased lane: everything that waits in it becomes one look at its row, one decision a mapping.

Deciding may talk to Dataverse and holds no transaction. Then record, coupling, job row, notifications' states and the
lane's release are written in one transaction: after any crash either all or none.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

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
    references_of,
    source_of,
)
from receiver.core.decision import Reason, Record
from receiver.core.mapping import Direction, TableMapping
from receiver.core.message import Freshness, Version
from receiver.core.values import Reference
from receiver.dataverse.client import version_of
from receiver.errors import LeaseLostError, MovedError, NotAtOnceError, ParentIsBusyError, ReceiverError
from receiver.known import Known
from receiver.lane_failure import record_failure
from receiver.lanes import Lease
from receiver.services import Services, mappings_of
from receiver.settlement import settle, waits_of
from receiver.store import couplings
from receiver.store.mappings import Mappings
from receiver.store.models import inbox, tombstone
from receiver.synch_job import synchronize
from receiver.wording import Settled
from receiver.work import Outcome, Request, Work

log = logging.getLogger(__name__)

DECISIONS_A_LANE = 3
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
        record_failure(services, lease, error)
        if ask.is_click or (ask.is_wanted and error.waiting_helps):
            raise
        return []
    except Exception as error:
        log.exception("Lane %s failed in a way nobody foresaw.", lease.key)
        record_failure(services, lease, error)
        if ask.is_click:
            raise
        return []


def process_together(services: Services, leases: Sequence[Lease]) -> list[Lease]:
    """Work on many lanes in one transaction; the lanes that must be worked on by themselves come back.

    Those are the ones that need Dataverse. Where anything goes wrong, all come back and nothing was written: each by
    itself meets what is its own.
    """
    started = services.clock()
    alone: list[Lease] = []
    looked_at: list[Look] = []
    try:
        lanes_read = [(lease, [read_notification(services, row) for row in lease.notifications]) for lease in leases]
        with services.database.reading() as connection:
            mappings = services.mappings(connection)
            known = known_of(services, connection, mappings, lanes_read)
        for lease, read in lanes_read:
            work = Work(services, mappings, known, _not_at_once, may_ask_dataverse=False)
            try:
                looked_at.append(_look(work, lease, read, started, NOTHING_ASKED))
            except NotAtOnceError:
                alone.append(lease)
        with services.database.writing() as connection:
            _write(connection, services, looked_at, started)
    except Exception as error:  # noqa: BLE001  # whatever it is, the lane that it belongs to meets it again and records it
        log.debug("%d lanes are worked on one by one: %s", len(leases), error)
        return list(leases)
    return alone


def _not_at_once(_reference: Reference) -> bool:
    raise NotAtOnceError


def _process(services: Services, lease: Lease, ask: Ask) -> list[Settled]:
    started = services.clock()
    read = [read_notification(services, row) for row in lease.notifications]
    for _ in range(DECISIONS_A_LANE):
        with services.database.reading() as connection:
            mappings = services.mappings(connection)
            known = known_of(services, connection, mappings, [(lease, read)])
        look = _look(Work(services, mappings, known, partial(_pull, services, ask.depth)), lease, read, started, ask)
        try:
            with services.database.writing() as connection:
                return _write(connection, services, [look], started)
        except MovedError:
            continue
    raise MovedError("The record changed each time it was about to be written; it is tried again shortly.")


def known_of(
    services: Services, connection: Connection, mappings: Mappings, lanes_read: Sequence[tuple[Lease, list[Read]]]
) -> Known:
    """All that the database is asked of these lanes' rows, before anything is decided."""
    known, tables = Known(services.database), {lease.table for lease, _ in lanes_read}
    own = [mapping for table in sorted(tables) for mapping in mappings_of(mappings, table)]
    rows = {lease.id for lease, _ in lanes_read if mappings_of(mappings, lease.table)}
    known.look_up(rows | references_of([one for _, read in lanes_read for one in read]), own, connection)
    known.deleted |= deleted_of(connection, rows)
    return known


@dataclass(frozen=True)
class Look:
    """A lane looked at: what waits in it, and what was decided of its row; no outcome where nothing is to be said."""

    work: Work
    lease: Lease
    read: list[Read]
    own: list[TableMapping]
    source: Request
    outcomes: list[Outcome]
    is_gone: bool

    @property
    def waits(self) -> list[tuple[str, str]]:
        return [wanted for outcome in self.outcomes for wanted in waits_of(outcome)]


def _look(work: Work, lease: Lease, read: list[Read], started: datetime, ask: Ask) -> Look:
    """Decide, and write to Dataverse what goes there. Raises: MovedError when that row changed in between."""
    services, mappings = work.services, work.mappings
    own = mappings_of(mappings, lease.table)
    outcomes: list[Outcome] = []
    source = Request(Direction.FROM, Record(lease.id, is_whole=False))
    if own and (concerns_row(read, lease) or lease.wish or ask.looks_anyway):
        has_tombstone = lease.id in work.known.deleted
        source = source_of(services, lease, read, mappings, has_tombstone=has_tombstone, ask=ask)
        if names_deletion(read, lease):
            source = _read_source(work, lease, source)
        outcomes = [synchronize(work, mapping, source) for mapping in own]
    row = work.rows.get((lease.table, lease.id))
    is_gone = bool(outcomes) and row is not None and not row.exists
    if is_gone and not may_conclude_gone(services, lease, read, started, ask):
        return Look(work, lease, read, own, source, [], is_gone=False)
    return Look(work, lease, read, own, source, outcomes, is_gone)


def _write(connection: Connection, services: Services, looks: Sequence[Look], started: datetime) -> list[Settled]:
    """Everything at once: local records, couplings, jobs, what waits, the notifications' states, the lanes.

    Lanes come first and in one order: two workers that touch each other's cannot block one another.
    """
    others = [touch for look in looks for touch in _others(look, started)]
    waits = {look.lease.key: look.waits for look in looks if look.outcomes}
    wanted = {row for rows in waits.values() for row in rows}
    lanes.hold(connection, {look.lease.key for look in looks} | {lanes.key_of(*row) for row in wanted})
    _check_still_missing(connection, looks, wanted)
    outcomes = [outcome for look in looks for outcome in look.outcomes]
    written = settle(connection, outcomes, started, services.clock())
    _leave_tombstones(connection, [look.lease for look in looks if look.is_gone], started)
    lanes.touch(connection, others)
    if waits:
        lanes.wait_for(connection, waits)
    lanes.wake_waiting(connection, [one.row for one in written if one.couples], started)
    settled = iter([one.settled for one in written])
    by_lane = [(look, list(islice(settled, len(look.outcomes)))) for look in looks]
    due = _finish(connection, services, by_lane, started)
    lanes.release(connection, [lanes.Release(one.lease, due.get(one.lease.key), _version_seen(one)) for one in looks])
    return [one.settled for one in written]


def _check_still_missing(connection: Connection, looks: Sequence[Look], wanted: set[tuple[str, str]]) -> None:
    """A parent coupled since it was found missing woke nobody: we did not wait yet. Raises: MovedError."""
    if not wanted:
        return
    ids = sorted({id_ for _, id_ in wanted})
    now = couplings.of_rows(connection, ids)
    for look in looks:
        for _, id_ in look.waits:
            if now.get(id_, {}).keys() != look.work.known.of_row(id_).keys():
                raise MovedError


def _read_source(work: Work, lease: Lease, source: Request) -> Request:
    row = work.read(lease.table, lease.id)
    return replace(source, source=row, freshness=Freshness.NEWER)


def _version_seen(look: Look) -> Version | None:
    """A row read always counts, also downwards; an image counts unless it is late."""
    lease, source, read = look.lease, look.source, look.work.versions.get(look.lease.id)
    if read is not None:
        if lease.version is not None and read.number and lease.version.number and read.number < lease.version.number:
            log.warning(
                "%s was read at version %s after %s had been seen.", lease.key, read.number, lease.version.number
            )
        return read
    if not look.outcomes or not source.source.is_whole or source.freshness == Freshness.LATE:
        return None
    return version_of(source.source.values)


def deleted_of(connection: Connection, row_ids: Iterable[str]) -> set[str]:
    """Which of these rows were deleted once: their old images must be believed no more."""
    return set(connection.execute(select(tombstone.c.row_id).where(tombstone.c.row_id.in_(sorted(row_ids)))).scalars())


def _leave_tombstones(connection: Connection, gone: Sequence[Lease], now: datetime) -> None:
    rows = [{"table_name": lease.table, "row_id": lease.id, "at": now} for lease in gone]
    if rows:
        connection.execute(lanes.upsert(connection, tombstone).on_conflict_do_nothing(), rows)


def _others(look: Look, now: datetime) -> list[lanes.Touch]:
    """A message that names several rows wakes their lanes."""
    return [
        lanes.Touch(request.table, request.id, now, wish=f"named by notification {one.row.id}")
        for one in look.read
        for request in one.requests
        if not is_own(request, look.lease) and mappings_of(look.work.mappings, request.table)
    ]


_FINISHING = (
    update(inbox)
    .where(inbox.c.id == bindparam("is_id"))
    .values({name: bindparam(f"new_{name}") for name in ("state", "note", "waits", "outcome", "finished_at")})
)


def _finish(
    connection: Connection, services: Services, settled: Sequence[tuple[Look, list[Settled]]], started: datetime
) -> dict[str, datetime]:
    """Write each notification's state and outcome; when a lane is next due, if a synchronous hint is not done."""
    next_at: dict[str, datetime] = {}
    rows: list[dict[str, Any]] = []
    for look, outcomes in settled:
        waits, plain = any(one.waits for one in outcomes), [one.plain() for one in outcomes]
        for one in look.read:
            is_hint = one.is_hint_of_open_transaction and look.own and one.requests
            due = due_again(services, one, started) if is_hint else None
            state, note = _state_of(one, look.lease, outcomes, look.own)
            if due is not None:
                state, key = "waiting", look.lease.key
                next_at[key] = min(due, next_at.get(key, due))
            rows.append(
                {
                    "is_id": one.row.id,
                    "new_state": state,
                    "new_note": note,
                    "new_waits": waits,
                    "new_outcome": plain,
                    "new_finished_at": None if due else services.clock(),
                }
            )
    if rows:
        connection.execute(_FINISHING, rows)
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
