"""The main flow: read both sides, ask `decide`, carry the answer out. Every way in ends here.

`synchronize` holds no transaction while it talks to Dataverse, and writes nothing locally. `settle` then writes
everything in the caller's one transaction: it reads coupling and destination again, locked, and gives up with
`MovedError` if they are not what was decided upon; the caller decides anew. That is the local twin of `If-Match`.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from receiver import lanes
from receiver.core.coupling import Coupling, LastRun, Result, after_failure, with_bases, with_run
from receiver.core.decision import (
    AlreadyEqual,
    Decision,
    Fail,
    IgnoreUnchanged,
    Insert,
    Modify,
    ReadWholeSource,
    Reason,
    Record,
    RemoveCoupling,
    Situation,
    Skip,
    TurnAround,
    decide,
    sides_of,
)
from receiver.core.mapping import Direction, TableMapping
from receiver.core.merge import Merged, NotCoupled, bases_after
from receiver.core.message import Freshness, Version
from receiver.core.values import Reference, Value, Values, same, to_plain
from receiver.dataverse.columns import TABLES as DATAVERSE_TABLES
from receiver.errors import MovedError, VersionMismatchError
from receiver.lookups import Currencies, Lookups, currencies_of
from receiver.services import Services, read_columns
from receiver.store import couplings, jobs
from receiver.store.local_tables import LocalTable, columns_of
from receiver.store.mappings import Mappings
from receiver.store.models import passed_over, pending_coupling
from receiver.tables import BY_NAME

#: a namespace of our own, so that derived ids meet nobody else's
NAMESPACE = uuid.UUID("6f1c1f0e-6c43-5d0b-9d1c-7b3d3a1c2f00")


@dataclass(frozen=True)
class Request:
    """One record to synchronize toward the other side."""

    toward: Direction
    source: Record
    freshness: str = Freshness.NEWER
    is_click: bool = False
    is_forced: bool = False


@dataclass(frozen=True)
class Outcome:
    """What was decided of one record, and what Dataverse answered if it was written there."""

    request: Request
    now: Situation
    decision: Decision
    #: the Dataverse row as it came back from our write
    written: Record | None = None


@dataclass(frozen=True)
class Settled:
    """What became of one mapping: the words and figures that pages, logs and callers show."""

    mapping: str
    toward: Direction
    decision: str
    counter: str
    reason: str
    sentence: str
    remedy: str = ""
    #: key of the local record that is coupled now; empty if none is
    record: str = ""
    #: {column: [before, after]} of what was written
    fields: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    waits: bool = False

    def plain(self) -> dict[str, Any]:
        names = ("mapping", "toward", "decision", "reason", "sentence", "remedy", "record", "fields")
        return {name: getattr(self, name) for name in names}


@dataclass
class Work:
    """One run over one Dataverse row: each row is read once, whoever asks."""

    services: Services
    mappings: Mappings
    #: brings a missing parent in, in the parent's own lane; the answer: it lies outside every mapping's filter
    pull: Callable[[Reference], bool]
    rows: dict[tuple[str, str], Record] = field(default_factory=dict)
    versions: dict[str, Version] = field(default_factory=dict)
    pulled: dict[Reference, bool] = field(default_factory=dict)

    def read(self, table: str, id_: str) -> Record:
        """The whole Dataverse row; a record that does not exist says so."""
        if (table, id_) not in self.rows:
            found = self.services.dataverse.read(table, id_, read_columns(self.mappings, table))
            self.rows[table, id_] = Record(id_, exists=False) if found is None else Record(id_, found.values)
            if found is not None:
                self.versions[id_] = found.version
        return self.rows[table, id_]


def synchronize(work: Work, mapping: TableMapping, request: Request) -> Outcome:
    """Decide one record's fate under *mapping*, and write it to Dataverse if that is where it goes.

    Raises: what Dataverse and the database raise; MovedError when the Dataverse row changed meanwhile.
    """
    now = _situation(work, mapping, request)
    decision = decide(now)
    if isinstance(decision, ReadWholeSource):
        source = work.read(mapping.dataverse_table, request.source.id)
        request = replace(request, source=source, freshness=Freshness.NEWER)
        now = _situation(work, mapping, request)
        decision = decide(now)
    if _pulled_missing_parents(work, now, decision):
        now = _situation(work, mapping, request)
        decision = decide(now)
    if isinstance(decision, TurnAround):
        return synchronize(work, mapping, _turned_around(request, now))
    return Outcome(request, now, decision, _written_to_dataverse(work, now, decision))


def _situation(work: Work, mapping: TableMapping, request: Request) -> Situation:
    services, toward, source = work.services, request.toward, request.source
    currencies = Currencies()
    if source.exists and source.is_whole and mapping.direction.allows(toward):
        currencies = _currencies(work, mapping, request)
    with services.database.reading() as connection:
        coupling = couplings.find(connection, mapping.name, toward, source.id)
        uncoupled_by = couplings.uncoupled_by(connection, mapping.name, source.id)
        local = LocalTable(connection, BY_NAME[mapping.local_table])
        destination = local.get(coupling.local_id) if coupling and toward is Direction.FROM else None
        now = Situation(
            mapping,
            toward,
            source,
            coupling,
            destination,
            freshness=request.freshness,
            is_forced=request.is_forced,
            is_click=request.is_click,
            uncoupled_by=uncoupled_by,
            limits=_limits(mapping, toward),
        )
        if toward is Direction.FROM:
            return _with_lookups(work, connection, now, currencies)
    if coupling is not None:
        row = work.read(mapping.dataverse_table, coupling.dataverse_id)
        now = replace(now, destination=row if row.exists else None)
    with services.database.reading() as connection:
        return _with_lookups(work, connection, now, currencies)


def _currencies(work: Work, mapping: TableMapping, request: Request) -> Currencies:
    services = work.services
    return currencies_of(
        services.dataverse, mapping, request.toward, request.source.values, services.options.local_currency
    )


def _with_lookups(work: Work, connection: Connection, now: Situation, currencies: Currencies) -> Situation:
    lookups = Lookups(
        connection,
        work.mappings,
        now.mapping,
        now.source.values,
        now.destination.values if now.destination else {},
        currencies,
        work.services.options.local_currency,
        frozenset(reference for reference, is_outside in work.pulled.items() if is_outside),
    )
    return replace(now, lookups=lookups.resolve(now.toward))


def _limits(mapping: TableMapping, toward: Direction) -> dict[str, int]:
    local = columns_of(BY_NAME[mapping.local_table].table)
    columns = local if toward is Direction.FROM else DATAVERSE_TABLES[mapping.dataverse_table].columns
    return {name: column.max_length for name, column in columns.items() if column.max_length is not None}


def _pulled_missing_parents(work: Work, now: Situation, decision: Decision) -> bool:
    """Whether a parent that was missing has been looked after: then the decision is taken again."""
    if not isinstance(decision, Fail) or decision.reason is not Reason.MUST_BE_COUPLED:
        return False
    if now.toward is Direction.TO:
        return False
    missing = {one.reference for one in _missing(now) if one.reference is not None} - set(work.pulled)
    for reference in sorted(missing):
        if reference.table in {mapping.dataverse_table for mapping in work.mappings.values()}:
            work.pulled[reference] = work.pull(reference)
    return bool(missing)


def _missing(now: Situation) -> list[NotCoupled]:
    return [found for found in now.lookups.values() if isinstance(found, NotCoupled)]


def _turned_around(request: Request, now: Situation) -> Request:
    """The same pair from the side that still exists, or that wins."""
    assert now.destination is not None  # decide turns only a pair whose other side is there
    return replace(request, toward=now.toward.back, source=now.destination, freshness=Freshness.NEWER)


def _written_to_dataverse(work: Work, now: Situation, decision: Decision) -> Record | None:
    if now.toward is Direction.FROM or not isinstance(decision, Insert | Modify):
        return None
    table, columns = now.mapping.dataverse_table, read_columns(work.mappings, now.mapping.dataverse_table)
    client = work.services.dataverse
    try:
        if isinstance(decision, Insert):
            return _created(work, now, decision.values, columns)
        assert now.coupling is not None  # only a coupled record is modified
        id_ = now.coupling.dataverse_id
        row = client.update(table, id_, decision.values, columns, work.versions.get(id_, Version()))
    except VersionMismatchError as error:
        raise MovedError from error
    work.versions[row.id] = row.version
    return Record(row.id, row.values)


def _created(work: Work, now: Situation, values: Values, columns: frozenset[str]) -> Record:
    """Create under a derived id that was committed before: neither a lost answer nor a crash can make a twin."""
    client, table = work.services.dataverse, now.mapping.dataverse_table
    id_ = _pending_id(work.services, now)
    try:
        row = client.create(table, id_, values, columns)
    except VersionMismatchError:
        found = client.read(table, id_, columns)
        if found is None:
            raise
        row = found
    work.versions[row.id] = row.version
    return Record(row.id, row.values)


def _pending_id(services: Services, now: Situation) -> str:
    """The id of the row to create: derived from mapping, record and a counter that outlives any coupling."""
    pending, where = pending_coupling.c, (now.mapping.name, now.source.id)
    is_ours = (pending.mapping == where[0], pending.local_id == where[1])
    with services.database.writing() as connection:
        row = connection.execute(select(pending_coupling).where(*is_ours).with_for_update()).first()
        if row is not None and row.is_open:
            return str(row.dataverse_id)
        counter = 1 if row is None else row.counter + 1
        id_ = str(uuid.uuid5(NAMESPACE, f"{where[0]}/{where[1]}/{counter}"))
        values = {"dataverse_id": id_, "counter": counter, "is_open": True}
        if row is None:
            connection.execute(insert(pending_coupling).values(mapping=where[0], local_id=where[1], **values))
        else:
            connection.execute(update(pending_coupling).where(*is_ours).values(values))
        return id_


def settle(connection: Connection, work: Work, outcome: Outcome, started: datetime) -> Settled:
    """Write one outcome: local record, coupling, job row, what waits. All within the caller's transaction.

    Raises: MovedError when coupling or destination are no longer what was decided upon; LostRaceError.
    """
    now, decision = outcome.now, outcome.decision
    _check_unmoved(connection, now)
    job = jobs.begin(connection, now.mapping.name, now.toward, started)
    record = _local_record_after(connection, outcome)
    coupling = _coupling_after(outcome, record, job)
    clock = work.services.clock()
    if coupling is not None and coupling != now.coupling:
        _save(connection, now, coupling, clock)
    if isinstance(decision, RemoveCoupling):
        assert now.coupling is not None  # decide removes what is there
        couplings.remove(connection, now.coupling)
    _note_passed_over(connection, now, decision, clock)
    settled = _in_words(outcome, coupling, record)
    errors = [jobs.JobError(now.source.id, _destination_id(now), settled.error)] if settled.error else []
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
            error = _error(now, decision)
            return None if now.coupling is None else after_failure(now.coupling, now.toward, error, job)
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
    if now.toward is Direction.TO:
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
    references = (one.reference for one in _missing(outcome.now))
    return [(reference.table, reference.id) for reference in references if reference is not None]


WORDS: dict[type[Any], tuple[str, str]] = {
    Insert: ("Insert", "inserted"),
    Modify: ("Modify", "modified"),
    AlreadyEqual: ("AlreadyEqual", "unchanged"),
    IgnoreUnchanged: ("IgnoreUnchanged", "unchanged"),
    RemoveCoupling: ("RemoveCoupling", "uncoupled"),
    Skip: ("Skip", "skipped"),
    Fail: ("Fail", "failed"),
}


def _in_words(outcome: Outcome, coupling: Coupling | None, record: Record | None) -> Settled:
    now, decision = outcome.now, outcome.decision
    word, counter = WORDS[type(decision)]
    became_skipped = isinstance(decision, Fail) and coupling is not None and coupling.is_skipped
    reason: Reason | None = getattr(decision, "reason", None)
    return Settled(
        mapping=now.mapping.name,
        toward=now.toward,
        decision=word,
        counter="skipped" if became_skipped else counter,
        reason="" if reason is None else reason.name,
        sentence=_sentence(outcome, record),
        remedy="" if reason is None else reason.remedy.format(mapping=now.mapping.name),
        record="" if isinstance(decision, RemoveCoupling) or coupling is None or record is None else coupling.local_id,
        fields=_changed_fields(outcome),
        error=_error(now, decision) if isinstance(decision, Fail) else "",
        waits=getattr(decision, "reason", None) in {Reason.MUST_BE_COUPLED, Reason.WAITING_FOR_PARENT},
    )


def _error(now: Situation, decision: Fail) -> str:
    said = decision.reason.what.format(mapping=now.mapping.name)
    return ": ".join(filter(None, (said, "; ".join(decision.details))))


def _sentence(outcome: Outcome, record: Record | None) -> str:
    now, decision = outcome.now, outcome.decision
    row = f"{now.mapping.dataverse_table} {_row_id(outcome)}"
    local = f"{BY_NAME[now.mapping.local_table].caption} {record.id}" if record else "no local record"
    source, destination = (row, local) if now.toward is Direction.FROM else (local, row)
    if isinstance(decision, Insert):
        return f"{destination} was created from {source}, and the two are coupled."
    if isinstance(decision, Modify):
        return f"{destination} was updated from {source}: {', '.join(decision.values)}."
    if isinstance(decision, AlreadyEqual):
        return f"{local} and {row} are equal already."
    what = decision.reason.what.format(mapping=now.mapping.name)  # type: ignore[union-attr]  # the others carry one
    details = "; ".join(getattr(decision, "details", ()))
    return f"{row}: {what}" + (f": {details}" if details else "") + ("." if not details.endswith(".") else "")


def _row_id(outcome: Outcome) -> str:
    now = outcome.now
    if now.toward is Direction.FROM:
        return now.source.id
    return outcome.written.id if outcome.written else _destination_id(now)


def _destination_id(now: Situation) -> str:
    return now.coupling.destination_id(now.toward) if now.coupling else ""


def _changed_fields(outcome: Outcome) -> dict[str, Any]:
    decision = outcome.decision
    if not isinstance(decision, Insert | Modify):
        return {}
    before = outcome.now.destination.values if outcome.now.destination else {}
    after: dict[str, Value] = dict(decision.values)
    changed = {name: value for name, value in after.items() if not same(before.get(name), value)}
    return {name: [to_plain(before.get(name)), to_plain(value)] for name, value in changed.items()}
