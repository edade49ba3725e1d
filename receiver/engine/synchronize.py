"""The main flow: read both sides, ask `decide`. Every way in ends here.

`synchronize` holds no transaction while it reads from Dataverse, and writes nothing: `dataverse_write` carries out
what goes there, `settlement.settle` the rest, in the caller's one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

from receiver.core.coupling import Coupling
from receiver.core.decision import (
    Candidate,
    Decision,
    Fail,
    Insert,
    ReadWholeSource,
    Reason,
    Record,
    Situation,
    TurnAround,
    decide,
)
from receiver.core.mapping import Direction, TableMapping
from receiver.core.merge import Converted, NotCoupled
from receiver.core.message import Freshness
from receiver.core.values import Column
from receiver.engine.look_alikes import candidates_for
from receiver.engine.lookups import Lookups
from receiver.engine.stale import check_blanks
from receiver.engine.work import Outcome, Request, Work
from receiver.store.local_tables import columns_of
from receiver.tables import BY_NAME


def synchronize(work: Work, mapping: TableMapping, request: Request) -> Outcome:
    """Decide one record's fate under *mapping*; `dataverse_write` and `settlement` then carry it out.

    Raises: what Dataverse and the database raise; MovedError where the mapping is served otherwise by now.
    """
    now = _situation(work, mapping, request)
    decision = decide(now)
    if isinstance(decision, ReadWholeSource):
        request, now = _read_whole(work, mapping, request)
        decision = decide(now)
    if _pulled_missing_parents(work, now, decision):
        now = _situation(work, mapping, request)
        decision = decide(now)
    if _claims_unread(work, mapping, request, decision):
        request, now = _read_whole(work, mapping, request)
        decision = decide(now)
    if isinstance(decision, TurnAround):
        return synchronize(work, mapping, _turned_around(request, now))
    outcome = Outcome(request, now, decision)
    check_blanks(work, outcome)
    return outcome


def _read_whole(work: Work, mapping: TableMapping, request: Request) -> tuple[Request, Situation]:
    source = work.read(mapping.dataverse_table, request.source.id)
    whole = replace(request, source=source, freshness=Freshness.NEWER)
    return whole, _situation(work, mapping, whole)


def _claims_unread(work: Work, mapping: TableMapping, request: Request, decision: Decision) -> bool:
    """An image may be old by now: what is written to its row is decided on the row itself."""
    is_claimed = isinstance(decision, Insert) and bool(decision.claim)
    return is_claimed and (mapping.dataverse_table, request.source.id) not in work.rows


def _situation(work: Work, mapping: TableMapping, request: Request) -> Situation:
    toward, source = request.toward, request.source
    coupling = work.known.coupling(mapping.name, toward, source.id)
    now = Situation(
        mapping,
        toward,
        source,
        coupling,
        _destination(work, mapping, toward, coupling),
        freshness=request.freshness,
        is_forced=request.is_forced,
        is_click=request.is_click,
        may_create=request.may_create,
        uncoupled_by=work.known.uncoupled_by(mapping.name, toward, source.id) if coupling is None else "",
        candidates=_candidates(work, mapping, request) if coupling is None else (),
        limits=limits_of(mapping, toward),
    )
    return replace(now, lookups=_lookups(work, now)) if source.exists and source.is_whole else now


def _destination(work: Work, mapping: TableMapping, toward: Direction, coupling: Coupling | None) -> Record | None:
    if coupling is None:
        return None
    if toward is Direction.FROM:
        return work.known.record(mapping.local_table, coupling.local_id)
    row = work.read(mapping.dataverse_table, coupling.dataverse_id)
    return row if row.exists else None


def _candidates(work: Work, mapping: TableMapping, request: Request) -> tuple[Candidate, ...]:
    """Only a person is offered records to couple with; what happens by itself creates."""
    if not request.is_click or request.creates_new or request.toward is Direction.TO or not request.source.is_whole:
        return ()
    with work.services.database.reading() as connection:
        return candidates_for(connection, mapping, request.source.values)


def _lookups(work: Work, now: Situation) -> dict[int, Converted]:
    if not now.mapping.direction.allows(now.toward):
        return {}
    options, destination = work.services.options, now.destination.values if now.destination else {}
    outside = frozenset(reference for reference, is_outside in work.pulled.items() if is_outside)
    lookups = Lookups(work, now.mapping, now.source.values, destination, options.local_currency, outside)
    return lookups.resolve(now.toward)


@cache
def _local_limits(table: str) -> Mapping[str, int]:
    return _lengths(columns_of(BY_NAME[table].table))


def _lengths(columns: Mapping[str, Column]) -> Mapping[str, int]:
    return {name: column.max_length for name, column in columns.items() if column.max_length is not None}


def limits_of(mapping: TableMapping, toward: Direction) -> Mapping[str, int]:
    """The characters that each text column of the destination holds."""
    if toward is Direction.FROM:
        return _local_limits(mapping.local_table)
    return mapping.described.lengths


def _pulled_missing_parents(work: Work, now: Situation, decision: Decision) -> bool:
    """Whether a parent that was missing has been looked after: then the decision is taken again."""
    if not isinstance(decision, Fail) or decision.reason is not Reason.MUST_BE_COUPLED:
        return False
    if now.toward is Direction.TO:
        return False
    missing = {one.reference for one in missing_parents(now) if one.reference is not None} - set(work.pulled)
    for reference in sorted(missing):
        if reference.table in {mapping.dataverse_table for mapping in work.mappings.values()}:
            work.pulled[reference] = work.pull(reference)
    work.known.forget(reference.id for reference in missing)
    return bool(missing)


def missing_parents(now: Situation) -> list[NotCoupled]:
    return [found for found in now.lookups.values() if isinstance(found, NotCoupled)]


def _turned_around(request: Request, now: Situation) -> Request:
    """The same pair from the side that still exists, or that wins."""
    assert now.destination is not None  # decide turns only a pair whose other side is there
    return replace(request, toward=now.toward.back, source=now.destination, freshness=Freshness.NEWER)
