"""One mapped pair in every situation that `decide` can meet, told by a few words instead of by values."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from receiver.core.coupling import Coupling
from receiver.core.decision import Candidate, Record, Situation
from receiver.core.filters import parse
from receiver.core.mapping import (
    Conversion,
    DeletionConflict,
    Direction,
    FieldMapping,
    TableMapping,
    UpdateConflict,
)
from receiver.core.merge import Converted, Found, Keep, NotCoupled
from receiver.core.message import Freshness
from receiver.core.values import Value

TOWARD = (Direction.FROM, Direction.TO)
LOCAL_ID, ROW_ID = "C00010", "a0000000-0000-4000-8000-000000000001"
LOOKUP = 3
CANDIDATE = Candidate("CUSTOMER", "C00099", "Nordwind")

MAPPING = TableMapping(
    "CUSTOMER",
    "customer",
    "account",
    Direction.BIDIRECTIONAL,
    (
        FieldMapping(1, "name", "title"),
        FieldMapping(2, "city", "town"),
        FieldMapping(LOOKUP, "parent", "parentid", conversion=Conversion.LOOKUP, related=("CUSTOMER",)),
    ),
    synch_only_coupled_records=False,
    local_filter=parse("blocked is empty"),
    dataverse_filter=parse("blocked is empty"),
)
LOOKUPS: dict[str, Converted] = {
    "found": Found("C00020"),
    "not coupled": NotCoupled("Customer C00020 is not coupled."),
    "waits": NotCoupled("account C00020 is not coupled.", waits=True),
    "keep": Keep(),
}
SOURCES = ("whole", "partial", "gone", "outside the filter")
COUPLINGS = ("none", "clean", "skipped", "never synchronized")
DESTINATIONS = ("absent", "present", "changed", "equal")
FRESHNESS = (Freshness.NEWER, Freshness.SAME, Freshness.LATE, Freshness.UNCERTAIN)


def names(side: Direction) -> tuple[str, str, str]:
    """The mapped columns of the side that a run *side* comes from."""
    return ("title", "town", "parentid") if side is Direction.FROM else ("name", "city", "parent")


def values(side: Direction, name: Value, city: Value = "Bonn", **more: Value) -> dict[str, Value]:
    return {**dict(zip(names(side), (name, city, "C00020"), strict=True)), **more}


def situation(
    toward: Direction = Direction.FROM,
    *,
    source: str = "whole",
    coupling: str = "clean",
    destination: str = "present",
    lookups: str = "found",
    has_moved: bool = True,
    mapping: TableMapping = MAPPING,
    **asked: Any,
) -> Situation:
    """Both sides were last equal with the name “old”; a source that moved is named “new”.

    *destination* is absent, present (as it was), changed by itself (“other”), or equal to the source by itself.
    """
    back = toward.back
    now = values(toward, "new" if has_moved else "old")
    there = {"present": "old", "changed": "other", "equal": now[names(toward)[0]]}
    ids = (ROW_ID, LOCAL_ID) if toward is Direction.FROM else (LOCAL_ID, ROW_ID)
    records = {
        "whole": Record(ids[0], now),
        "partial": Record(ids[0], {}, is_whole=False),
        "gone": Record(ids[0], exists=False),
        "outside the filter": Record(ids[0], {**now, "blocked": "All"}),
    }
    bases = {toward: values(toward, "old"), back: values(back, "old")}
    coupled = Coupling(MAPPING.name, LOCAL_ID, ROW_ID, bases[Direction.TO], bases[Direction.FROM])
    couplings = {
        "none": None,
        "clean": coupled,
        "skipped": replace(coupled, is_skipped=True),
        "never synchronized": replace(coupled, local_base=None, dataverse_base=None),
    }
    return Situation(
        mapping,
        toward,
        records[source],
        couplings[coupling],
        Record(ids[1], values(back, there[destination])) if destination in there else None,
        {LOOKUP: LOOKUPS[lookups]},
        **asked,
    )


def every_situation(toward: Direction, direction: Direction) -> Iterator[Situation]:
    """All combinations of everything that a decision may depend on."""
    options = itertools.product((True, False), DeletionConflict, UpdateConflict)
    enabled = [
        replace(
            MAPPING,
            direction=direction,
            synch_only_coupled_records=only_coupled,
            resolve_deletion_conflicts=deletion,
            resolve_update_conflicts=update,
        )
        for only_coupled, deletion, update in options
    ]
    mappings = [*enabled, replace(MAPPING, direction=direction, is_enabled=False)]
    pairs = itertools.product(SOURCES, COUPLINGS, DESTINATIONS, LOOKUPS, (True, False))
    made = [
        situation(toward, source=source, coupling=coupling, destination=destination, lookups=found, has_moved=has_moved)
        for source, coupling, destination, found, has_moved in pairs
    ]
    asked_for = ({}, {"is_click": True}, {"may_create": True})
    told = [
        {**by, "uncoupled_by": uncoupled_by, "candidates": candidates}
        for by, uncoupled_by, candidates in itertools.product(asked_for, ("", "Ada on 2026-01-02"), ((), (CANDIDATE,)))
    ]
    #: of a coupled record nobody asks any of these: both values of each, but not each with each
    of_coupled = [told[0], told[-1]]
    for mapping, now in itertools.product(mappings, made):
        asked = itertools.product(FRESHNESS, (False, True), told if now.coupling is None else of_coupled)
        for freshness, is_forced, more in asked:
            yield Situation(
                mapping,
                toward,
                now.source,
                now.coupling,
                now.destination,
                now.lookups,
                freshness=freshness,
                is_forced=is_forced,
                **more,
            )
