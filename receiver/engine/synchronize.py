"""The main flow: read both sides, ask `decide`. Every way in ends here.

`synchronize` holds no transaction while it reads from Dataverse, and writes nothing: `write_dataverse.py` carries
out what goes there, `settle.py` the rest, in the caller's one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

from receiver.core.coupling import Coupling
from receiver.core.decision import (
    Candidate,
    CoupleWith,
    Decision,
    Fail,
    Insert,
    ReadWholeSource,
    Reason,
    Record,
    Situation,
    Skip,
    TurnAround,
    decide,
)
from receiver.core.filters import matches
from receiver.core.mapping import Direction, TableMapping
from receiver.core.merge import Converted, Found, NotCoupled
from receiver.core.message import Freshness
from receiver.core.values import Column, Reference, Values
from receiver.dataverse.columns import TABLES as DATAVERSE_TABLES
from receiver.engine.candidates import candidates_of
from receiver.engine.look_alikes import SHOWN
from receiver.engine.lookups import Lookups
from receiver.engine.stale import check_blanks
from receiver.engine.wording import changed_fields
from receiver.engine.work import Chosen, Offer, Outcome, Request, Work
from receiver.errors import MovedError
from receiver.services import Services
from receiver.store.local_tables import columns_of
from receiver.tables import BY_NAME

#: says in which currency a row's amounts are
CURRENCY_COLUMN = "transactioncurrencyid"


def synchronize(work: Work, mapping: TableMapping, request: Request) -> Outcome:
    """Decide one record's fate under *mapping*; `write_dataverse` and `settle` then carry it out.

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
    offers = _offers(work, now)
    if isinstance(decision, CoupleWith):
        now, decision = _paired(work, now, decision.candidate, request.chosen)
    if isinstance(decision, TurnAround):
        return synchronize(work, mapping, _turned_around(request, now, decision.reason))
    outcome = Outcome(request, now, decision, offers=offers)
    check_blanks(work, outcome)
    return outcome


def _offers(work: Work, now: Situation) -> tuple[Offer, ...]:
    """What a person in Sales may couple the row with, and what each of them would take over from it."""
    if not now.is_click or now.toward is Direction.TO:
        return ()
    return tuple(_offer(one, *_taken(work, now, one)) for one in now.candidates[:SHOWN])


def _taken(work: Work, now: Situation, candidate: Candidate) -> tuple[Situation, Decision]:
    """The pair if a person takes the candidate: the row's data is used, whatever the record said."""
    paired = _coupled(work, replace(now, is_forced=True), candidate)
    return paired, decide(paired)


def _offer(candidate: Candidate, paired: Situation, decision: Decision) -> Offer:
    refused = decision.reason if isinstance(decision, Skip | Fail) else None
    trouble = "" if refused is None else refused.what.format(mapping=candidate.mapping)
    fields = changed_fields(paired, decision)
    return Offer(candidate.mapping, candidate.key, candidate.name, fields, trouble, candidate.was_let_go)


def _paired(work: Work, now: Situation, candidate: Candidate, chosen: Chosen | None) -> tuple[Situation, Decision]:
    """The record that looks alike as the other half; one that a person chose only as it was shown."""
    if not now.chosen or chosen is None:
        paired = _coupled(work, now, candidate)
        return paired, decide(paired)
    paired, decision = _taken(work, now, candidate)
    is_as_shown = _offer(candidate, paired, decision).digest == chosen.digest
    return (paired, decision) if is_as_shown else (now, Skip(Reason.CHOICE_IS_GONE))


def _read_whole(work: Work, mapping: TableMapping, request: Request) -> tuple[Request, Situation]:
    source = work.read(mapping.dataverse_table, request.source.id)
    whole = replace(request, source=source, freshness=_freshness_read(work, request))
    return whole, _situation(work, mapping, whole)


def _freshness_read(work: Work, request: Request) -> str:
    seen, read = request.seen, work.versions.get(request.source.id)
    is_known = seen is not None and read is not None and seen.number is not None and seen.number == read.number
    return Freshness.KNOWN if is_known and request.freshness == Freshness.UNCERTAIN else Freshness.NEWER


def _claims_unread(work: Work, mapping: TableMapping, request: Request, decision: Decision) -> bool:
    """An image may be old by now: what is written to its row is decided on the row itself."""
    is_claimed = isinstance(decision, Insert) and bool(decision.claim)
    return is_claimed and (mapping.dataverse_table, request.source.id) not in work.rows


def _situation(work: Work, mapping: TableMapping, request: Request) -> Situation:
    toward, source = request.toward, request.source
    coupling = work.known.coupling(mapping.name, toward, source.id)
    if request.is_taken_back and coupling is not None:
        coupling = replace(coupling, is_skipped=False)
    now = Situation(
        mapping,
        toward,
        source,
        coupling,
        _destination(work, mapping, toward, coupling),
        freshness=request.freshness,
        is_forced=request.is_forced,
        is_click=request.is_click,
        chosen=request.chosen.key if request.chosen and request.chosen.mapping == mapping.name else "",
        may_create=request.may_create,
        is_restored=request.is_restored,
        uncoupled_by=str(work.known.uncoupled(mapping.name, toward, source.id) or "") if coupling is None else "",
        namesakes=work.namesakes.get((mapping.name, coupling.local_id if coupling else source.id), ()),
    )
    if not source.exists or not source.is_whole or not matches(mapping.source_filter(toward), source.values):
        return now  # nothing of it is transferred: what its values mean there is not asked
    now = with_meanings(work, now)
    found = () if request.creates_new else candidates_of(work, now)
    return replace(now, candidates=found) if found else now


def with_meanings(work: Work, now: Situation) -> Situation:
    """What the values mean on the other side, and what is kept of them."""
    row, lookups = now.source if now.toward is Direction.FROM else now.destination, _lookups(work, now)
    values = dict(row.values) if row else {}
    for one in now.mapping.transfers(now.toward):
        found = lookups.get(one.number)
        if one.destination == CURRENCY_COLUMN and isinstance(found, Found):
            values[CURRENCY_COLUMN] = found.value
    source, destination = columns_of_sides(work.services, now.mapping, now.toward, values)
    return replace(now, lookups=lookups, source_columns=source, destination_columns=destination)


def _coupled(work: Work, now: Situation, candidate: Candidate) -> Situation:
    """The same source, with the one record that looks like it as the other half of its pair."""
    ids = (candidate.key, now.source.id) if now.toward is Direction.FROM else (now.source.id, candidate.key)
    coupling = Coupling(now.mapping.name, *ids)
    destination = _destination(work, now.mapping, now.toward, coupling)
    if destination is None:
        raise MovedError
    paired = replace(
        now, coupling=coupling, destination=destination, candidates=(), is_new_pair=True, replaced=now.coupling
    )
    return with_meanings(work, paired)


def _destination(work: Work, mapping: TableMapping, toward: Direction, coupling: Coupling | None) -> Record | None:
    if coupling is None:
        return None
    if toward is Direction.FROM:
        return work.known.record(mapping.local_table, coupling.local_id)
    row = work.read(mapping.dataverse_table, coupling.dataverse_id)
    return row if row.exists else None


def _lookups(work: Work, now: Situation) -> dict[int, Converted]:
    if not now.mapping.direction.allows(now.toward):
        return {}
    options, destination = work.services.options, now.destination.values if now.destination else {}
    outside = frozenset(reference for reference, is_outside in work.pulled.items() if is_outside)
    lookups = Lookups(work, now.mapping, now.source.values, destination, options.local_currency, outside)
    return lookups.resolve(now.toward)


def columns_of_sides(
    services: Services, mapping: TableMapping, toward: Direction, row: Values
) -> tuple[Mapping[str, Column], Mapping[str, Column]]:
    """What the source's and the destination's columns keep of a value; *row* tells the currency of amounts."""
    sides = _columns_here(mapping.local_table), _columns_there(services, mapping, row)
    return sides if toward is Direction.TO else sides[::-1]


@cache
def _columns_here(table: str) -> Mapping[str, Column]:
    return columns_of(BY_NAME[table].table)


def _columns_there(services: Services, mapping: TableMapping, row: Values) -> Mapping[str, Column]:
    """As in this environment; amounts of some currencies have fewer decimal places."""
    described = mapping.described.columns or DATAVERSE_TABLES[mapping.dataverse_table].columns
    currency, priced = row.get(CURRENCY_COLUMN), mapping.priced_by_currency()
    if not priced or not isinstance(currency, Reference):
        return described
    places = services.dataverse.decimal_places(currency)
    if places is None or all(described[name].precision == places for name in priced):
        return described
    return {**described, **{name: replace(described[name], precision=places) for name in priced}}


def _pulled_missing_parents(work: Work, now: Situation, decision: Decision) -> bool:
    """Whether a parent that was missing has been looked after: then the decision is taken again."""
    if not isinstance(decision, Fail) or decision.reason is not Reason.MUST_BE_COUPLED:
        return False
    if now.toward is Direction.TO:
        return False
    named = {one.reference for one in missing_parents(now) if one.reference is not None} - set(work.pulled)
    missing = {one for one in named if (one.table, one.id) not in work.wanted_by}
    for reference in sorted(missing):
        if reference.table in {mapping.dataverse_table for mapping in work.mappings.values()}:
            work.pulled[reference] = work.pull(reference)
    work.known.forget(reference.id for reference in missing)
    return bool(missing)


def missing_parents(now: Situation) -> list[NotCoupled]:
    return [found for found in now.lookups.values() if isinstance(found, NotCoupled)]


def _turned_around(request: Request, now: Situation, reason: Reason) -> Request:
    """The same pair from the side that still exists, or that wins."""
    assert now.destination is not None  # decide turns only a pair whose other side is there
    is_turned = reason is Reason.OTHER_SIDE_WINS
    source, freshness = now.destination, Freshness.NEWER
    return replace(request, toward=now.toward.back, source=source, freshness=freshness, is_turned=is_turned)
