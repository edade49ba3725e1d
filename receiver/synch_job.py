"""The main flow: read both sides, ask `decide`, carry the answer out. Every way in ends here.

`synchronize` holds no transaction while it talks to Dataverse, and writes nothing locally; `settlement.settle` then
writes everything in the caller's one transaction.
"""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from receiver.candidates import candidates_for
from receiver.core.decision import (
    Candidate,
    Decision,
    Fail,
    ReadWholeSource,
    Reason,
    Refusal,
    Situation,
    TurnAround,
    decide,
)
from receiver.core.mapping import Direction, TableMapping
from receiver.core.merge import NotCoupled
from receiver.core.message import Freshness
from receiver.dataverse.columns import TABLES as DATAVERSE_TABLES
from receiver.dataverse_write import written_to_dataverse
from receiver.errors import DataverseError
from receiver.lookups import Currencies, Lookups, currencies_of
from receiver.store import couplings
from receiver.store.local_tables import LocalTable, columns_of
from receiver.tables import BY_NAME
from receiver.work import Outcome, Request, Work


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
    try:
        return Outcome(request, now, decision, written_to_dataverse(work, now, decision))
    except DataverseError as error:
        if error.waiting_helps:
            raise
        return Outcome(request, now, Fail(Refusal.REFUSED, (str(error),)))


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
            candidates=_candidates(connection, mapping, request) if coupling is None else (),
            limits=_limits(mapping, toward),
        )
        if toward is Direction.FROM:
            return _with_lookups(work, connection, now, currencies)
    if coupling is not None:
        row = work.read(mapping.dataverse_table, coupling.dataverse_id)
        now = replace(now, destination=row if row.exists else None)
    with services.database.reading() as connection:
        return _with_lookups(work, connection, now, currencies)


def _candidates(connection: Connection, mapping: TableMapping, request: Request) -> tuple[Candidate, ...]:
    """Only a person is offered records to couple with; what happens by itself creates."""
    if not request.is_click or request.creates_new or request.toward is Direction.TO or not request.source.is_whole:
        return ()
    return candidates_for(connection, mapping, request.source.values)


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
    missing = {one.reference for one in missing_parents(now) if one.reference is not None} - set(work.pulled)
    for reference in sorted(missing):
        if reference.table in {mapping.dataverse_table for mapping in work.mappings.values()}:
            work.pulled[reference] = work.pull(reference)
    return bool(missing)


def missing_parents(now: Situation) -> list[NotCoupled]:
    return [found for found in now.lookups.values() if isinstance(found, NotCoupled)]


def _turned_around(request: Request, now: Situation) -> Request:
    """The same pair from the side that still exists, or that wins."""
    assert now.destination is not None  # decide turns only a pair whose other side is there
    return replace(request, toward=now.toward.back, source=now.destination, freshness=Freshness.NEWER)
