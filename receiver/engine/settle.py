"""Writing outcomes locally: records, couplings and job rows, all in the caller's one transaction.

Couplings and destinations are read again, locked; if they are not what was decided upon, `MovedError` makes the caller
decide anew. That is the local twin of `If-Match`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, insert

from receiver.core.coupling import Coupling, LastRun, Result, after_failure, at_version, differs, with_job, with_run
from receiver.core.decision import (
    AlreadyEqual,
    Fail,
    IgnoreUnchanged,
    Insert,
    Modify,
    Reason,
    Record,
    Refusal,
    RemoveCoupling,
    Situation,
    sides_of,
)
from receiver.core.mapping import Direction
from receiver.core.merge import Merged
from receiver.core.message import Freshness
from receiver.core.remembering import Remembered, remembered
from receiver.core.values import NO_VALUES
from receiver.engine.kept_aside import note_conclusions, note_passed_over, note_questions, note_unsettled
from receiver.engine.synchronize import missing_parents
from receiver.engine.wording import destination_id, error_of, in_words
from receiver.engine.work import Outcome
from receiver.engine.written import Written, is_other_pair
from receiver.errors import LostRaceError, MovedError, RecordError
from receiver.store import couplings, former_pairs, jobs, open_writes
from receiver.store.local_tables import LocalTable
from receiver.store.models import history
from receiver.tables import BY_NAME


def settle(connection: Connection, outcomes: Sequence[Outcome], started: datetime, finished: datetime) -> list[Written]:
    """Write outcomes: local records, couplings, one job a mapping. All within the caller's transaction.

    Raises: MovedError when coupling or destination are no longer what was decided upon; LostRaceError;
    RolledBackError where a record took everything back with it: it has to be tried alone.
    """
    _check_unmoved(connection, [outcome.now for outcome in outcomes])
    written = [_written(outcome, record) for outcome, record in _carried_out(connection, outcomes)]
    numbers = _record_jobs(connection, written, (started, finished))
    _remember(connection, written, numbers, finished)
    note_passed_over(connection, written, finished)
    note_questions(connection, written, finished)
    note_conclusions(connection, written, finished)
    note_unsettled(connection, written, finished)
    _tell_history(connection, written, finished)
    return written


def _check_unmoved(connection: Connection, situations: Sequence[Situation]) -> None:
    inward = [now for now in situations if now.toward is Direction.FROM]
    held = couplings.of_rows(connection, sorted({now.source.id for now in inward}), lock=True) if inward else {}
    outward: dict[str, list[str]] = {}
    for now in situations:
        if now.toward is Direction.TO:
            outward.setdefault(now.mapping.name, []).append(now.source.id)
    of_records = {
        name: couplings.of_records(connection, name, sorted(set(keys)), lock=True)
        for name, keys in sorted(outward.items())
    }
    for now in situations:
        if now.toward is Direction.FROM:
            coupling = held.get(now.source.id, {}).get(now.mapping.name)
        else:
            coupling = of_records[now.mapping.name].get(now.source.id)
        if coupling != now.stored:
            raise MovedError
    for table in sorted({now.mapping.local_table for now in inward}):
        decided = {
            now.coupling.local_id: now.destination
            for now in inward
            if now.coupling and now.mapping.local_table == table
        }
        found = LocalTable(connection, BY_NAME[table]).get_all(sorted(decided), lock=True)
        if {one.id: one for one in found} != {key: one for key, one in decided.items() if one is not None}:
            raise MovedError


def _carried_out(connection: Connection, outcomes: Sequence[Outcome]) -> list[tuple[Outcome, Record | None]]:
    """Each outcome and its local record. New records of a table go in together, unless one of them is refused."""
    inserted: dict[int, Record] = {}
    inserts: dict[str, dict[int, Insert]] = {}
    for number, outcome in enumerate(outcomes):
        if isinstance(outcome.decision, Insert) and outcome.now.toward is Direction.FROM:
            inserts.setdefault(outcome.now.mapping.local_table, {})[number] = outcome.decision
    for table, group in sorted(inserts.items()):
        if len(group) > 1:
            with suppress(LostRaceError, RecordError):
                records = LocalTable(connection, BY_NAME[table]).insert_all([one.values for one in group.values()])
                inserted |= zip(group, records, strict=True)
    return [
        (outcome, inserted[number]) if number in inserted else _carried_out_alone(connection, outcome)
        for number, outcome in enumerate(outcomes)
    ]


def _carried_out_alone(connection: Connection, outcome: Outcome) -> tuple[Outcome, Record | None]:
    """The local record after the outcome; one that the database refuses is a failure, and leaves nothing behind.

    A key that somebody took this moment is taken no second time: the series goes on to the next.
    """
    try:
        with suppress(LostRaceError):
            return outcome, _local_record_after(connection, outcome)
        return outcome, _local_record_after(connection, outcome)
    except (LostRaceError, RecordError) as error:
        return replace(outcome, decision=Fail(Refusal.REFUSED, (str(error),))), outcome.now.destination


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


def _written(outcome: Outcome, record: Record | None) -> Written:
    coupling = _coupling_after(outcome, record)
    return Written(outcome, record, coupling, in_words(outcome, coupling, record))


def _coupling_after(outcome: Outcome, record: Record | None) -> Coupling | None:
    """The coupling as it is remembered from now on; a record that stays uncoupled has none."""
    now, decision = outcome.now, outcome.decision
    match decision:
        case Fail():
            error = error_of(now, decision)
            if now.coupling is None or now.is_click or _is_as_it_failed(now):
                return now.stored  # a person tried again, or nothing is new: no second failure of the record's own
            return after_failure(now.coupling, now.toward, error)
        case Insert(merged=merged) | Modify(merged=merged) | AlreadyEqual(merged=merged):
            return _remembering(outcome, merged, record)
        case IgnoreUnchanged(reason=Reason.NOTHING_MOVED) if _has_failed(now):  # a late one says nothing of it
            return now.coupling and with_run(now.coupling, now.toward, LastRun(Result.SUCCESS))
    return now.stored


def _is_as_it_failed(now: Situation) -> bool:
    return now.freshness == Freshness.KNOWN and _has_failed(now)


def _has_failed(now: Situation) -> bool:
    return now.coupling is not None and now.coupling.last(now.toward).result is Result.FAILURE


def _remembering(outcome: Outcome, merged: Merged, record: Record | None) -> Coupling:
    now = outcome.now
    destination = record if now.toward is Direction.FROM else outcome.written or now.destination
    assert destination is not None  # it was written, or it was there already
    assert record is not None
    row_id = now.source.id if now.toward is Direction.FROM else destination.id
    kept = now.coupling or Coupling(now.mapping.name, record.id, row_id)
    sent = outcome.decision.values if isinstance(outcome.decision, Insert | Modify) else NO_VALUES
    known = remembered(sides_of(now), merged, sent, destination.values)
    here, there = known.here_and_there(now.toward)
    row = now.source if now.toward is Direction.FROM else destination
    columns = {one.source for one in now.mapping.transfers(Direction.FROM) if one.source}
    done = with_run(kept, now.toward, LastRun(Result.SUCCESS))
    if _has_nothing_to_go_back(now, record, row, known):
        done = with_run(done, now.toward.back, LastRun(Result.SUCCESS))  # its failure is out of date
    return replace(
        done,
        local_id=record.id,
        dataverse_id=row_id,
        local_base=here,
        dataverse_base=at_version(there, row.values, columns, now.mapping.dataverse_columns()),
        altered=known.altered,
        unresolved=merged.unresolved,
    )


def _has_nothing_to_go_back(now: Situation, record: Record, row: Record, known: Remembered) -> bool:
    """Whether the other direction failed once, and nothing is left of what it was to carry."""
    back = now.toward.back
    if now.coupling is None or now.coupling.last(back).result is not Result.FAILURE:
        return False
    here, there = known.here_and_there(now.toward)
    values, base = (record.values, here) if back is Direction.TO else (row.values, there)
    sources = (one.source for one in now.mapping.transfers(back) if one.source)
    return not differs(base, sources, values)


def _record_jobs(connection: Connection, written: Sequence[Written], times: tuple[datetime, datetime]) -> list[int]:
    """One job a mapping and direction, or the run's own; the number of each outcome's."""
    batches: dict[tuple[str, Direction, int | None], list[Written]] = {}
    for one in written:
        batches.setdefault(_batch_of(one), []).append(one)
    numbers: dict[tuple[str, Direction, int | None], int] = {}
    for key, batch in batches.items():
        # what a run keeps to its end is counted there
        counters, errors = [one.settled.counter for one in batch if not one.outcome.keeper], _errors_of(batch)
        mapping, toward, number = key
        if number is None:
            numbers[key] = jobs.record(connection, mapping, toward, times, counters, errors)
        else:
            jobs.add(connection, number, counters, errors, times[1], batch[0].outcome.request.job_holder)
            numbers[key] = number
    return [numbers[_batch_of(one)] for one in written]


def _batch_of(one: Written) -> tuple[str, Direction, int | None]:
    return one.settled.mapping, one.settled.toward, one.outcome.request.job


def _errors_of(batch: Sequence[Written]) -> list[jobs.JobError]:
    return [
        jobs.JobError(one.outcome.now.source.id, destination_id(one.outcome.now), one.settled.error)
        for one in batch
        if one.settled.error
    ]


def _remember(connection: Connection, written: Sequence[Written], numbers: Sequence[int], clock: datetime) -> None:
    for one in written:
        before = one.outcome.now.stored
        is_removed = isinstance(one.outcome.decision, RemoveCoupling)
        if before is not None and (is_removed or is_other_pair(before, one.coupling)):
            couplings.remove(connection, before)
            if is_removed:
                former_pairs.remember(connection, before, clock)
        if isinstance(one.outcome.decision, Fail) and isinstance(one.outcome.decision.reason, Refusal):
            _forget_refused(connection, one.outcome.now)
    changed = [
        with_job(one.coupling, one.settled.toward, number)
        for one, number in zip(written, numbers, strict=True)
        if one.coupling is not None and one.is_remembered
    ]
    couplings.save_all(connection, changed, clock)


def _forget_refused(connection: Connection, now: Situation) -> None:
    """What Dataverse refused did not arrive, and will not."""
    if now.toward is Direction.FROM:
        return
    row_id = "" if now.coupling is None else now.coupling.dataverse_id
    if now.destination is None:
        open_writes.refused(connection, now.mapping.name, now.source.id, row_id)
    else:
        open_writes.forget(connection, now.mapping.name, row_id)


def _tell_history(connection: Connection, written: Sequence[Written], clock: datetime) -> None:
    """What changed of a coupled record, for people to read, and to take back."""
    rows = [
        {
            "at": clock,
            "mapping": one.settled.mapping,
            "local_id": one.coupling.local_id,
            "dataverse_id": one.coupling.dataverse_id,
            "direction": one.settled.toward,
            "decision": one.settled.decision,
            "why": one.outcome.request.why,
            "fields": one.settled.fields,
        }
        for one in written
        if one.coupling is not None and isinstance(one.outcome.decision, Insert | Modify)
    ]
    if rows:
        connection.execute(insert(history), rows)


def waits_of(outcome: Outcome) -> list[tuple[str, str]]:
    """The rows whose coupling this record waits for, or holds a cleared lookup to."""
    references = (one.reference for one in missing_parents(outcome.now))
    return [(reference.table, reference.id) for reference in references if reference is not None]
