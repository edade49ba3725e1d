"""Writing what was decided of lanes: one transaction for records, couplings, jobs, notifications and the lanes."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from receiver.core import measured
from receiver.core.decision import Reason
from receiver.core.mapping import Direction, TableMapping
from receiver.core.message import Freshness, Version
from receiver.dataverse.rows import version_of
from receiver.engine.coalesce import Read, due_again, is_own
from receiver.engine.look_at_lane import GOES_OUT, REST, TRAVELS_BACK, Look
from receiver.engine.settle import settle
from receiver.engine.wording import Settled, failing
from receiver.errors import MovedError
from receiver.lanes import lane as lanes
from receiver.lanes.lane import Lease
from receiver.lanes.touch import Touch, touch
from receiver.lanes.waits import wait_for, wake_waiting
from receiver.services import Services, mappings_of, unknown_table
from receiver.store import couplings
from receiver.store.among import Among
from receiver.store.models import inbox, tombstone
from receiver.store.upsert import upsert

log = logging.getLogger(__name__)

MENDED, UNCOUPLED = "What had failed went through later.", "The two were uncoupled since it failed."
ENDED_OTHERWISE = frozenset({MENDED, UNCOUPLED})
#: outcomes that mean the row was looked at and is in step
IN_STEP = frozenset({"Insert", "Modify", "AlreadyEqual", "IgnoreUnchanged", "RemoveCoupling"})


def write(connection: Connection, services: Services, looks: Sequence[Look], started: datetime) -> list[list[Settled]]:
    """Everything at once: local records, couplings, jobs, what waits, the notifications' states, the lanes.

    Lanes come first and in one order: two workers that touch each other's cannot block one another.
    Raises: MovedError when a mapping was changed since the looks, or what they saw is another now; LeaseLostError.
    """
    mappings = services.mappings(connection)
    if any(look.work.mappings is not mappings for look in looks):
        raise MovedError
    others = [other for look in looks for other in _others(look, started)]
    waits = {look.lease.key: look.waits for look in looks if look.outcomes and not look.ask.mapping}
    wanted = {row for rows in waits.values() for row in rows}
    lanes.hold(connection, {look.lease.key for look in looks} | {lanes.key_of(*row) for row in wanted})
    _check_still_missing(connection, looks, wanted)
    outcomes = [outcome for look in looks for outcome in look.outcomes]
    written = settle(connection, outcomes, started, services.clock())
    _leave_tombstones(connection, [look.lease for look in looks if look.is_gone], started)
    # nobody else tells of it: a trigger of the company's that follows our write is no edit
    back = [Touch(*one.row, started, wish=TRAVELS_BACK) for one in written if one.travels_back]
    back += [Touch(*one.row, started, wish=REST) for one in written if one.leaves_rest]
    # a wish to send the record out is another matter than what waited in the lane beside it
    again = [Touch(look.lease.table, look.lease.id, started, look.lease.wish) for look in looks if _is_to_go_out(look)]
    touch(connection, [*others, *back, *again])
    if waits:
        wait_for(connection, waits)
    wake_waiting(connection, [one.row for one in written if one.couples], started)
    settled = iter([one.settled for one in written])
    by_lane = [(look, list(islice(settled, len(look.outcomes)))) for look in looks]
    _measure(by_lane, services.clock())
    _finish(connection, services, by_lane, started)
    _end_mended(connection, by_lane, services.clock())
    lanes.release(
        connection, [lanes.Release(one.lease, _version_seen(one), is_done=not one.ask.mapping) for one in looks]
    )
    return [own for _, own in by_lane]


def _measure(settled: Sequence[tuple[Look, list[Settled]]], now: datetime) -> None:
    for look, outcomes in settled:
        for one in outcomes:
            measured.count("applied", mapping=one.mapping, direction=one.toward.value, outcome=one.counter)
        for read in look.read:
            measured.took("notification_seconds", (now - read.row.received_at).total_seconds())


def _check_still_missing(connection: Connection, looks: Sequence[Look], wanted: set[tuple[str, str]]) -> None:
    """A parent coupled since it was found missing woke nobody: we did not wait yet. Raises: MovedError."""
    if not wanted:
        return
    ids = sorted({id_ for _, id_ in wanted})
    now = couplings.of_rows(connection, ids)
    for look in looks:
        for _, id_ in () if look.ask.mapping else look.waits:
            if now.get(id_, {}).keys() != look.work.known.of_row(id_).keys():
                raise MovedError


def _version_seen(look: Look) -> Version | None:
    """A row read always counts, also downwards; an image counts if it is newer than what was seen."""
    lease, source, read = look.lease, look.source, look.work.versions.get(look.lease.id)
    if read is not None:
        if lease.version is not None and read.number and lease.version.number and read.number < lease.version.number:
            log.warning(
                "%s was read at version %s after %s had been seen.", lease.key, read.number, lease.version.number
            )
        return read
    if not look.outcomes or not source.source.is_whole or source.freshness != Freshness.NEWER:
        return None
    return version_of(source.source.values)


def _is_to_go_out(look: Look) -> bool:
    return look.lease.wish in GOES_OUT and bool(look.read) and not look.ask.mapping


def _leave_tombstones(connection: Connection, gone: Sequence[Lease], now: datetime) -> None:
    rows = [{"table_name": lease.table, "row_id": lease.id, "at": now} for lease in gone]
    if rows:
        connection.execute(upsert(connection, tombstone).on_conflict_do_nothing(), rows)


def _others(look: Look, now: datetime) -> list[Touch]:
    """A message that names several rows wakes their lanes."""
    return [
        Touch(request.table, request.id, now, wish=f"named by notification {one.row.id}")
        for one in look.read
        for request in one.requests
        if not is_own(request, look.lease) and mappings_of(look.work.mappings, request.table)
    ]


_FINISHING = (
    update(inbox)
    .where(inbox.c.id == bindparam("is_id"))
    .values({name: bindparam(f"new_{name}") for name in ("state", "due_at", "note", "waits", "outcome", "finished_at")})
)


def _finish(
    connection: Connection, services: Services, settled: Sequence[tuple[Look, list[Settled]]], started: datetime
) -> None:
    """Write each notification's state and outcome; a synchronous hint that is not done waits for its next look."""
    rows: list[dict[str, Any]] = []
    standing = services.standing_still(connection)
    for look, outcomes in settled:
        still = [one for one in mappings_of(standing, look.lease.table) if one.is_enabled]
        waits, plain = any(one.waits for one in outcomes), [one.plain() for one in outcomes] + list(map(_stood, still))
        for one in look.read:
            is_hint = one.is_hint_of_open_transaction and look.own and one.requests
            due = due_again(services, one, started) if is_hint else None
            state, note = _state_of(one, look.lease, outcomes, look.own)
            if still and one.requests:
                state, note = "failed", ""
            rows.append(
                {
                    "is_id": one.row.id,
                    "new_state": "waiting" if due else state,
                    "new_due_at": due,
                    "new_note": note,
                    "new_waits": waits,
                    "new_outcome": plain,
                    "new_finished_at": None if due else services.clock(),
                }
            )
    if rows:
        connection.execute(_FINISHING, rows)


def _end_mended(connection: Connection, settled: Sequence[tuple[Look, list[Settled]]], now: datetime) -> None:
    """A notification that failed stands no longer once all that it failed for is in step."""
    in_step = {look.lease.key: (look, outcomes) for look, outcomes in settled if _in_step(outcomes)}
    if not in_step:
        return
    mended = [
        row.id
        for row in connection.execute(_FAILED, {"keys": list(in_step)})
        if _is_mended(row.outcome or (), *in_step[row.lane])
    ]
    _end(connection, mended, MENDED, now)


def end_failed_of_pairs(connection: Connection, mapping: TableMapping, row_ids: Sequence[str], now: datetime) -> None:
    """A person uncoupled these rows: what failed of the pairs alone stands no longer."""
    keys = [lanes.key_of(mapping.dataverse_table, id_) for id_ in row_ids]
    found = connection.execute(_FAILED, {"keys": keys}).all() if keys else []
    own = [row.id for row in found if {one["mapping"] for one in failing(row.outcome or ())} == {mapping.name}]
    _end(connection, own, UNCOUPLED, now)


def _end(connection: Connection, numbers: Sequence[int], note: str, now: datetime) -> None:
    if numbers:
        connection.execute(_ENDING, {"numbers": list(numbers), "note": note, "at": now})


_FAILED = select(inbox.c.id, inbox.c.lane, inbox.c.outcome).where(
    Among(inbox.c.lane, "keys"), inbox.c.state == "failed"
)
_ENDING = (
    update(inbox)
    .where(inbox.c.id.in_(bindparam("numbers", expanding=True)))
    .values(state="done", note=bindparam("note"), finished_at=bindparam("at"))
)


def _in_step(outcomes: Sequence[Settled]) -> set[str]:
    """The mappings under which the row is in step; one that came late says nothing of it."""
    return {one.mapping for one in outcomes if one.decision in IN_STEP and one.reason != Reason.LATE.name}


def _is_mended(told: Sequence[Mapping[str, Any]], look: Look, outcomes: Sequence[Settled]) -> bool:
    failed = {one["mapping"] for one in failing(told)}
    if failed:
        return failed <= _in_step(outcomes)
    return not look.ask.mapping and not any(one.is_failing for one in outcomes)


def _stood(mapping: TableMapping) -> dict[str, Any]:
    """What a notification says of a mapping that stands still: it comes in once it is processed again."""
    remedy = "Then process the notification again."
    said = Settled(mapping.name, Direction.FROM, "Fail", "failed", "STANDS_STILL", unknown_table(mapping), remedy)
    return said.plain()


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
    if any(outcome.is_failing for outcome in settled):
        return "failed", one.note
    return ("done" if any(outcome.decision in IN_STEP for outcome in settled) else "ignored"), one.note
