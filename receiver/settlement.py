"""Writing an outcome locally: record, coupling, job row and what waits, all in the caller's one transaction.

Coupling and destination are read again, locked; if they are not what was decided upon, `MovedError` makes the caller
decide anew. That is the local twin of `If-Match`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, delete, update

from receiver import lanes
from receiver.core.coupling import Coupling, LastRun, Result, after_failure, with_bases, with_run
from receiver.core.decision import (
    AlreadyEqual,
    Decision,
    Fail,
    IgnoreUnchanged,
    Insert,
    Modify,
    Reason,
    Record,
    Refusal,
    RemoveCoupling,
    Situation,
    Skip,
    sides_of,
)
from receiver.core.mapping import Direction
from receiver.core.merge import Merged, bases_after
from receiver.errors import LostRaceError, MovedError, RecordError
from receiver.store import couplings, jobs
from receiver.store.local_tables import LocalTable
from receiver.store.models import passed_over, pending_coupling
from receiver.synch_job import missing_parents
from receiver.tables import BY_NAME
from receiver.wording import Settled, destination_id, error_of, in_words
from receiver.work import Outcome, Work


def settle(connection: Connection, work: Work, outcome: Outcome, started: datetime) -> Settled:
    """Write one outcome: local record, coupling, job row, what waits. All within the caller's transaction.

    Raises: MovedError when coupling or destination are no longer what was decided upon; LostRaceError.
    """
    now = outcome.now
    _check_unmoved(connection, now)
    job = jobs.begin(connection, now.mapping.name, now.toward, started)
    outcome, record = _carried_out(connection, outcome)
    decision = outcome.decision
    coupling = _coupling_after(outcome, record, job)
    clock = work.services.clock()
    if coupling is not None and coupling != now.coupling:
        _save(connection, now, coupling, clock)
    if isinstance(decision, RemoveCoupling):
        assert now.coupling is not None  # decide removes what is there
        couplings.remove(connection, now.coupling)
    _note_passed_over(connection, now, decision, clock)
    settled = in_words(outcome, coupling, record)
    errors = [jobs.JobError(now.source.id, destination_id(now), settled.error)] if settled.error else []
    jobs.end(connection, job, [settled.counter], errors, clock)
    return settled


def _check_unmoved(connection: Connection, now: Situation) -> None:
    if couplings.find(connection, now.mapping.name, now.toward, now.source.id, lock=True) != now.coupling:
        raise MovedError
    if now.coupling is None or now.toward is Direction.TO:
        return
    local = LocalTable(connection, BY_NAME[now.mapping.local_table])
    if local.get(now.coupling.local_id, lock=True) != now.destination:
        raise MovedError


def _carried_out(connection: Connection, outcome: Outcome) -> tuple[Outcome, Record | None]:
    """The local record after the outcome; one that the database refuses is a failure, and leaves nothing behind.

    A key that somebody took this moment is taken no second time: the series goes on to the next.
    """
    said = ""
    for _ in range(2):
        try:
            return outcome, _local_record_after(connection, outcome)
        except (LostRaceError, RecordError) as error:
            said = str(error)
    return replace(outcome, decision=Fail(Refusal.REFUSED, (said,))), outcome.now.destination


def _local_record_after(connection: Connection, outcome: Outcome) -> Record | None:
    now, decision = outcome.now, outcome.decision
    if now.toward is Direction.TO:
        return now.source if now.source.exists else None
    local = LocalTable(connection, BY_NAME[now.mapping.local_table])
    match decision:
        case Insert(values):
            return local.insert(values)
        case Modify(values) if now.coupling is not None:
            return local.modify(now.coupling.local_id, values)
    return now.destination


def _coupling_after(outcome: Outcome, record: Record | None, job: int) -> Coupling | None:
    """The coupling as it is remembered from now on; a record that stays uncoupled has none."""
    now, decision = outcome.now, outcome.decision
    match decision:
        case Fail():
            error = error_of(now, decision)
            if now.coupling is None or now.is_click:
                return now.coupling  # a person tried again: that is no second failure of the record's own
            return after_failure(now.coupling, now.toward, error, job)
        case Insert(merged=merged) | Modify(merged=merged) | AlreadyEqual(merged=merged):
            return _remembering(outcome, merged, record, job)
        case IgnoreUnchanged() if now.coupling is not None and now.coupling.last(now.toward).result is Result.FAILURE:
            return with_run(now.coupling, now.toward, LastRun(Result.SUCCESS, job))
    return now.coupling


def _remembering(outcome: Outcome, merged: Merged, record: Record | None, job: int) -> Coupling:
    now = outcome.now
    destination = record if now.toward is Direction.FROM else outcome.written or now.destination
    assert destination is not None  # it was written, or it was there already
    assert record is not None
    row_id = now.source.id if now.toward is Direction.FROM else destination.id
    kept = now.coupling or Coupling(now.mapping.name, record.id, row_id)
    bases = bases_after(sides_of(now), merged, destination.values)
    moved = replace(with_bases(kept, now.toward, *bases), local_id=record.id, dataverse_id=row_id)
    return with_run(replace(moved, unresolved=merged.unresolved), now.toward, LastRun(Result.SUCCESS, job))


def _save(connection: Connection, now: Situation, coupling: Coupling, clock: datetime) -> None:
    is_other_pair = now.coupling is not None and (
        now.coupling.local_id != coupling.local_id or now.coupling.dataverse_id != coupling.dataverse_id
    )
    if is_other_pair and now.coupling is not None:
        couplings.remove(connection, now.coupling)
    couplings.save(connection, coupling, clock)
    if now.coupling is None or is_other_pair:
        lanes.wake_waiting(connection, now.mapping.dataverse_table, coupling.dataverse_id, clock)
    is_made = pending_coupling.c.dataverse_id == coupling.dataverse_id
    connection.execute(update(pending_coupling).where(is_made).values(is_open=False))


def _note_passed_over(connection: Connection, now: Situation, decision: Decision, clock: datetime) -> None:
    """Rows that only-coupled kept out are remembered, so that switching it off can bring them in."""
    if now.toward is Direction.TO:
        return
    where = (passed_over.c.mapping == now.mapping.name, passed_over.c.row_id == now.source.id)
    if isinstance(decision, Skip) and decision.reason is Reason.ONLY_COUPLED:
        row = {"mapping": now.mapping.name, "row_id": now.source.id, "reason": decision.reason.name, "since": clock}
        connection.execute(lanes.upsert(connection, passed_over).values(row).on_conflict_do_nothing())
    elif not isinstance(decision, IgnoreUnchanged):
        connection.execute(delete(passed_over).where(*where))


def waits_of(outcome: Outcome) -> list[tuple[str, str]]:
    """The rows whose coupling this record waits for, or holds a cleared lookup to."""
    references = (one.reference for one in missing_parents(outcome.now))
    return [(reference.table, reference.id) for reference in references if reference is not None]
