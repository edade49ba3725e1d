"""`decide`: each rule has its named case, and whatever the situation, the promises at the end hold."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from core.situations import (
    CANDIDATE,
    LOCAL_ID,
    LOOKUP,
    LOOKUPS,
    MAPPING,
    ROW_ID,
    TOWARD,
    every_situation,
    names,
    situation,
)

from receiver.core.coupling import Coupling
from receiver.core.decision import (
    AlreadyEqual,
    CoupleWith,
    Decision,
    Fail,
    IgnoreUnchanged,
    Insert,
    Modify,
    ReadWholeSource,
    Reason,
    Record,
    Refusal,
    RemoveCoupling,
    Situation,
    Skip,
    TurnAround,
    decide,
    sides_of,
)
from receiver.core.description import Description
from receiver.core.filters import parse
from receiver.core.mapping import DeletionConflict, Direction, FieldMapping, MatchExists, UpdateConflict
from receiver.core.merge import Found, merge
from receiver.core.message import Freshness
from receiver.core.remembering import remembered
from receiver.core.values import Column

RESTORE, UNCOUPLE = DeletionConflict.RESTORE, DeletionConflict.DELETE_COUPLING
WINS = {Direction.TO: UpdateConflict.SEND, Direction.FROM: UpdateConflict.GET}
UNCHANGED, ABSENT = {"has_moved": False}, {"destination": "absent"}
GONE, UNCOUPLED = {"source": "gone"}, {"coupling": "none", **ABSENT}
COUPLES, CREATES = {"when_a_match_exists": MatchExists.COUPLE}, {"when_a_match_exists": MatchExists.CREATE}
LET_GO = replace(CANDIDATE, was_let_go=True)
ONE_WAY, SOURCE_WINS, OTHER_WINS = "one-way", "source wins", "other side wins"

TABLE = [
    # what is the case                                       the situation                                  the mapping                             the decision
    ("the mapping is off", {}, {"is_enabled": False}, Skip(Reason.MAPPING_IS_OFF)),
    ("the mapping goes the other way", {}, {"direction": "back"}, Skip(Reason.DIRECTION)),
    ("every field goes the other way", {}, {"fields": "back"}, Fail(Reason.NO_FIELDS)),
    ("the coupling is skipped", {"coupling": "skipped"}, {}, Skip(Reason.SKIPPED)),
    ("the coupling is skipped and the source is partial", {"coupling": "skipped", "source": "partial"}, {}, Skip(Reason.SKIPPED)),
    ("only some columns are known", {"source": "partial"}, {}, ReadWholeSource()),
    ("two versions carry the same second", {"freshness": Freshness.UNCERTAIN}, {}, ReadWholeSource()),
    ("an image comes late", {"freshness": Freshness.LATE}, {}, IgnoreUnchanged(Reason.LATE)),
    ("an image comes twice", {"freshness": Freshness.SAME, **UNCHANGED}, {}, IgnoreUnchanged(Reason.NOTHING_MOVED)),
    ("gone and never coupled", {**GONE, **UNCOUPLED}, {}, Skip(Reason.NOT_COUPLED_AND_GONE)),
    ("gone on both sides", {**GONE, **ABSENT}, {}, RemoveCoupling(Reason.BOTH_DELETED)),
    ("gone on both sides, restore", {**GONE, **ABSENT}, {"resolve_deletion_conflicts": RESTORE}, RemoveCoupling(Reason.BOTH_DELETED)),
    ("gone, nothing said", GONE, {}, Fail(Reason.COUPLED_RECORD_IS_DELETED)),
    ("gone, delete the coupling", GONE, {"resolve_deletion_conflicts": UNCOUPLE}, RemoveCoupling(Reason.DELETED_THERE)),
    ("gone, restore", GONE, {"resolve_deletion_conflicts": RESTORE}, TurnAround(Reason.RESTORED)),
    ("gone, restore, one-way", GONE, {"resolve_deletion_conflicts": RESTORE, "direction": ONE_WAY}, Fail(Reason.RESTORE_IS_FORBIDDEN)),
    ("outside the filter", {"source": "outside the filter"}, {}, Skip(Reason.OUTSIDE_FILTER)),
    ("outside the filter, forced", {"source": "outside the filter", "is_forced": True}, {}, Skip(Reason.OUTSIDE_FILTER)),
    ("the other one is gone, nothing said", ABSENT, {}, Fail(Reason.COUPLED_RECORD_IS_DELETED)),
    ("the other one is gone, delete the coupling", ABSENT, {"resolve_deletion_conflicts": UNCOUPLE}, RemoveCoupling(Reason.DELETED_THERE)),
    ("the other one is gone, restore", ABSENT, {"resolve_deletion_conflicts": RESTORE}, Insert),
    ("the other one is gone, restore, only coupled", ABSENT, {"resolve_deletion_conflicts": RESTORE, "synch_only_coupled_records": True}, Insert),
    ("the other one is gone, restore, unchanged", {**ABSENT, **UNCHANGED}, {"resolve_deletion_conflicts": RESTORE}, Insert),
    ("not coupled", UNCOUPLED, {}, Insert),
    ("not coupled, only coupled", UNCOUPLED, {"synch_only_coupled_records": True}, Skip(Reason.ONLY_COUPLED)),
    ("uncoupled by a person", {**UNCOUPLED, "uncoupled_by": "Ada"}, {}, Skip(Reason.UNCOUPLED, ("Ada",))),
    ("uncoupled by a person, clicked", {**UNCOUPLED, "uncoupled_by": "Ada", "is_click": True}, {}, Insert),
    ("asked to create it, only coupled", {**UNCOUPLED, "may_create": True}, {"synch_only_coupled_records": True}, Insert),
    ("asked to create what a person uncoupled", {**UNCOUPLED, "may_create": True, "uncoupled_by": "Ada"}, {}, Skip(Reason.UNCOUPLED, ("Ada",))),
    ("clicked, only coupled", {**UNCOUPLED, "is_click": True}, {"synch_only_coupled_records": True}, Skip(Reason.ONLY_COUPLED)),
    ("not coupled, but others look like it", {**UNCOUPLED, "candidates": (CANDIDATE,)}, {}, Skip(Reason.MATCHES_FOUND, ("C00099 Nordwind",))),
    ("clicked, and others look like it", {**UNCOUPLED, "candidates": (CANDIDATE,), "is_click": True}, {}, Skip(Reason.MATCHES_FOUND, ("C00099 Nordwind",))),
    ("one looks like it, couple", {**UNCOUPLED, "candidates": (CANDIDATE,)}, COUPLES, CoupleWith(CANDIDATE)),
    ("clicked, one looks like it, couple", {**UNCOUPLED, "candidates": (CANDIDATE,), "is_click": True}, COUPLES, CoupleWith(CANDIDATE)),
    ("two look like it, couple", {**UNCOUPLED, "candidates": (CANDIDATE, CANDIDATE)}, COUPLES, Skip(Reason.MATCHES_FOUND, ("C00099 Nordwind",) * 2)),
    ("one that was let go looks like it, couple", {**UNCOUPLED, "candidates": (LET_GO,)}, COUPLES, Skip(Reason.MATCHES_FOUND, ("C00099 Nordwind",))),
    ("clicked, uncoupled by a person, the former one is there, couple", {**UNCOUPLED, "candidates": (CANDIDATE,), "is_click": True, "uncoupled_by": "Ada"}, COUPLES, Skip(Reason.MATCHES_FOUND, ("C00099 Nordwind",))),
    ("clicked, uncoupled by a person, the former one is there, create", {**UNCOUPLED, "candidates": (CANDIDATE,), "is_click": True, "uncoupled_by": "Ada"}, CREATES, Skip(Reason.MATCHES_FOUND, ("C00099 Nordwind",))),
    ("one looks like it, create", {**UNCOUPLED, "candidates": (CANDIDATE,)}, CREATES, Insert),
    ("none looks like it, couple", UNCOUPLED, COUPLES, Insert),
    ("one looks like it, only coupled", {**UNCOUPLED, "candidates": (CANDIDATE,)}, {**COUPLES, "synch_only_coupled_records": True}, Skip(Reason.ONLY_COUPLED)),
    ("a person wants it restored, and one looks like it", {**UNCOUPLED, "candidates": (CANDIDATE,), "is_restored": True}, COUPLES, Skip(Reason.TWIN_EXISTS, ("C00099 Nordwind",))),
    ("a person wants it restored, and one looks like it, create", {**UNCOUPLED, "candidates": (CANDIDATE,), "is_restored": True}, CREATES, Skip(Reason.TWIN_EXISTS, ("C00099 Nordwind",))),
    ("a person chose one of those that look like it", {**UNCOUPLED, "candidates": (LET_GO, CANDIDATE), "chosen": CANDIDATE.key}, CREATES, CoupleWith(LET_GO)),
    ("what a person chose looks like it no more", {**UNCOUPLED, "candidates": (CANDIDATE,), "chosen": "C00098"}, {}, Skip(Reason.CHOICE_IS_GONE)),
    ("a person chose, and only coupled ones are synchronized", {**UNCOUPLED, "candidates": (CANDIDATE,), "chosen": CANDIDATE.key}, {"synch_only_coupled_records": True}, Skip(Reason.ONLY_COUPLED)),
    ("the other one is gone, restore, and a person chose one", {**ABSENT, "candidates": (CANDIDATE,), "chosen": CANDIDATE.key}, {"resolve_deletion_conflicts": RESTORE}, CoupleWith(CANDIDATE)),
    ("a person wants it restored", {**UNCOUPLED, "is_restored": True}, {}, Insert),
    ("the other one is gone, restore, and one looks like it", {**ABSENT, "candidates": (CANDIDATE,)}, {"resolve_deletion_conflicts": RESTORE}, Skip(Reason.TWIN_EXISTS, ("C00099 Nordwind",))),
    ("gone, and others say what it said", {**GONE, "namesakes": (CANDIDATE,)}, {"resolve_deletion_conflicts": UNCOUPLE}, Skip(Reason.KEY_CHANGED, ("C00099 Nordwind",))),
    ("the other one is gone, and others say what it said", {**ABSENT, "namesakes": (CANDIDATE,)}, {"resolve_deletion_conflicts": UNCOUPLE}, Skip(Reason.KEY_CHANGED, ("C00099 Nordwind",))),
    ("coupled, and others look like it", {"candidates": (CANDIDATE,)}, {}, Modify),
    ("a lookup leads nowhere", {"lookups": "not coupled", "coupling": "never synchronized"}, {}, Fail(Reason.MUST_BE_COUPLED, ("Customer C00020 is not coupled.",))),
    ("a lookup waits", {"lookups": "waits", "coupling": "never synchronized"}, {}, Skip(Reason.WAITING_FOR_PARENT, ("account C00020 is not coupled.",))),
    ("a new record's lookup leads nowhere", {"lookups": "not coupled", **UNCOUPLED}, {}, Fail(Reason.MUST_BE_COUPLED, ("Customer C00020 is not coupled.",))),
    ("a lookup that has not moved leads nowhere", {"lookups": "not coupled"}, {}, Modify),
    ("nothing moved", UNCHANGED, {}, IgnoreUnchanged(Reason.NOTHING_MOVED)),
    ("only the destination moved", {**UNCHANGED, "destination": "changed"}, {}, IgnoreUnchanged(Reason.NOTHING_MOVED)),
    ("only the destination moved, forced", {**UNCHANGED, "destination": "changed", "is_forced": True}, {}, Modify),
    ("forced and equal", {**UNCHANGED, "is_forced": True}, {}, AlreadyEqual),
    ("the source moved", {}, {}, Modify),
    ("never synchronized", {"coupling": "never synchronized", "is_forced": True}, {}, Modify),
    ("both moved to the same", {"destination": "equal"}, {}, AlreadyEqual),
    ("both moved, nothing said", {"destination": "changed"}, {}, Fail),
    ("both moved, the source wins", {"destination": "changed"}, {"resolve_update_conflicts": SOURCE_WINS}, Modify),
    ("both moved, the other side wins", {"destination": "changed"}, {"resolve_update_conflicts": OTHER_WINS}, TurnAround(Reason.OTHER_SIDE_WINS)),
    ("both moved, forced", {"destination": "changed", "is_forced": True}, {}, Modify),
]  # fmt: skip


def turned_for(toward: Direction, changes: dict[str, object]) -> dict[str, object]:
    """A table's words for what depends on the run's direction."""
    meanings = {"back": toward.back, ONE_WAY: toward, SOURCE_WINS: WINS[toward], OTHER_WINS: WINS[toward.back]}
    meant = {name: meanings.get(value, value) if isinstance(value, str) else value for name, value in changes.items()}
    if "fields" in meant:
        meant["fields"] = tuple(replace(row, direction=toward.back) for row in MAPPING.fields)
    return meant


@pytest.mark.parametrize("toward", TOWARD, ids=["from", "to"])
@pytest.mark.parametrize(("asked", "changes", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_each_rule_answers_its_case_in_both_directions(asked, changes, expected, toward):
    now = situation(toward, mapping=replace(MAPPING, **turned_for(toward, changes)), **asked)
    decision = decide(now)
    assert type(decision) is expected if isinstance(expected, type) else decision == expected


def test_the_table_above_names_every_reason():
    named = {getattr(expected, "reason", None) for *_, expected in TABLE}
    told_elsewhere = {Reason.UPDATE_CONFLICT, Reason.NOT_TRANSFORMED, Reason.OTHER_COMPANY, Reason.HELD_BACK}
    told_elsewhere |= {Reason.OUT_OF_SIGHT, Reason.UNREAD}
    assert named | told_elsewhere == {None, *Reason}  # told below, and in test_company.py


@pytest.mark.parametrize("toward", TOWARD, ids=["from", "to"])
@pytest.mark.parametrize("side", ["source", "destination"])
@pytest.mark.parametrize(("is_hidden", "reason"), [(True, Reason.OUT_OF_SIGHT), (False, Reason.UNREAD)])
@pytest.mark.parametrize("conflict", list(DeletionConflict))
def test_what_cannot_be_read_is_neither_gone_nor_changed(toward, side, is_hidden, reason, conflict):
    unread = Record("an id", is_whole=False, unread="403", is_out_of_sight=is_hidden)
    mapping = replace(MAPPING, resolve_deletion_conflicts=conflict)
    now = replace(situation(toward, mapping=mapping), **{side: unread})
    assert decide(now) == Fail(reason, ("403",))


@pytest.mark.parametrize("toward", TOWARD, ids=["from", "to"])
def test_an_unresolved_conflict_names_both_columns_and_both_values(toward):
    changed = {names(toward)[0]: "new", names(toward.back)[0]: "other"}
    here, there = names(Direction.TO)[0], names(Direction.FROM)[0]
    decision = decide(situation(toward, destination="changed"))
    said = f"{here} is “{changed[here]}” here, {there} is “{changed[there]}” in Sales"
    assert decision == Fail(Reason.UPDATE_CONFLICT, (said,))


@pytest.mark.parametrize("toward", TOWARD, ids=["from", "to"])
@pytest.mark.parametrize("resolution", UpdateConflict)
def test_under_a_one_way_mapping_the_source_overwrites_and_nothing_conflicts(toward, resolution):
    mapping = replace(MAPPING, direction=toward, resolve_update_conflicts=resolution)
    decision = decide(situation(toward, destination="changed", mapping=mapping))
    assert isinstance(decision, Modify)
    assert decision.values == {names(toward.back)[0]: "new"}


@pytest.mark.parametrize("toward", TOWARD, ids=["from", "to"])
def test_a_template_adds_to_a_new_record_and_wins_over_a_mapped_value(toward):
    name, city, parent = names(toward.back)
    mapping = replace(MAPPING, local_template={"city": "Kiel"}, dataverse_template={"town": "Kiel"})
    decision = decide(situation(toward, mapping=mapping, **UNCOUPLED))
    assert isinstance(decision, Insert)
    assert decision.values == {name: "new", city: "Kiel", parent: "C00020"}


@pytest.mark.parametrize("toward", TOWARD, ids=["from", "to"])
def test_a_template_is_for_new_records_alone(toward):
    mapping = replace(MAPPING, local_template={"city": "Kiel"}, dataverse_template={"town": "Kiel"})
    decision = decide(situation(toward, mapping=mapping))
    assert isinstance(decision, Modify)
    assert decision.values == {names(toward.back)[0]: "new"}


TRANSFERS = [
    ("an insert", UNCOUPLED, Insert),
    ("a modification", {}, Modify),
    ("nothing to write", {"destination": "equal"}, AlreadyEqual),
]


@pytest.mark.parametrize("toward", TOWARD, ids=["from", "to"])
@pytest.mark.parametrize(("asked", "kind"), [row[1:] for row in TRANSFERS], ids=[row[0] for row in TRANSFERS])
def test_a_transfer_carries_what_the_coupling_is_to_remember(asked, kind, toward):
    now = situation(toward, **asked)
    decision = decide(now)
    assert type(decision) is kind
    assert decision.merged == merge(sides_of(now))


@pytest.mark.parametrize("toward", TOWARD, ids=["from", "to"])
def test_a_record_is_held_against_the_filter_of_its_own_side(toward):
    own, others = (
        ("dataverse_filter", "local_filter") if toward is Direction.FROM else ("local_filter", "dataverse_filter")
    )
    lets_nothing_in = parse("blocked = 'All'")
    assert isinstance(decide(situation(toward, mapping=replace(MAPPING, **{others: lets_nothing_in}))), Modify)
    outside = decide(situation(toward, mapping=replace(MAPPING, **{own: lets_nothing_in})))
    assert outside == Skip(Reason.OUTSIDE_FILTER)


@pytest.mark.parametrize("toward", TOWARD, ids=["from", "to"])
def test_a_text_is_cut_to_what_its_column_holds(toward):
    name = names(toward.back)[0]
    assert decide(situation(toward, destination_columns={name: Column(name, max_length=2)})).values == {name: "ne"}


@pytest.mark.parametrize("toward", TOWARD, ids=["from", "to"])
def test_a_record_that_is_restored_is_seen_as_if_nothing_were_remembered(toward):
    now = situation(toward, **ABSENT)
    sides = sides_of(replace(now, coupling=replace(now.coupling, unresolved=frozenset({"parent"}))))
    assert (sides.destination, sides.source_base, sides.destination_base) == (None, None, None)
    assert sides.unresolved == frozenset()


def test_failures_are_more_urgent_than_waiting():
    fields = (*MAPPING.fields, replace(MAPPING.fields[2], number=4, local_column="owner", dataverse_column="ownerid"))
    now = situation(coupling="never synchronized", mapping=replace(MAPPING, fields=fields))
    now = replace(now, lookups={LOOKUP: LOOKUPS["waits"], 4: LOOKUPS["not coupled"]})
    decision = decide(now)
    assert isinstance(decision, Fail)
    assert len(decision.details) == 2


def test_an_unchanged_source_with_a_lookup_that_was_coupled_since_has_moved():
    now = situation(has_moved=False)
    coupling = replace(now.coupling, local_base={**now.coupling.local_base, "parent": ""}, unresolved={"parent"})
    destination = replace(now.destination, values={**now.destination.values, "parent": ""})
    decision = decide(replace(now, coupling=coupling, destination=destination))
    assert isinstance(decision, Modify)
    assert decision.values == {"parent": "C00020"}


@pytest.mark.parametrize("reason", [*Reason, *Refusal], ids=lambda reason: reason.name)
def test_every_reason_says_what_is_the_case_and_what_a_person_can_do(reason):
    what = reason.what.format(mapping="CUSTOMER")
    assert what
    assert not what.endswith(".")  # a sentence goes on after it
    assert reason.remedy.format(mapping="CUSTOMER").endswith(".")


# -- promises that hold in every situation ------------------------------------------------------------------------


def broken_promise(now: Situation, decision: Decision) -> str:
    """Which of the promises *decision* breaks; empty if it keeps them all."""
    writes = isinstance(decision, Insert | Modify)
    transfers = writes or isinstance(decision, AlreadyEqual)
    mapping, source = now.mapping, now.source
    promises = {
        "there is one decision, of the closed union": isinstance(decision, Decision),
        "a Skip or a Fail carries no values": not isinstance(decision, Skip | Fail) or not hasattr(decision, "values"),
        "only a missing record is inserted": not isinstance(decision, Insert) or now.destination is None,
        "only a record that is there is modified": not isinstance(decision, Modify) or now.destination is not None,
        "a Modify changes something": not isinstance(decision, Modify) or bool(decision.values),
        "nothing is done for a mapping that is off": mapping.is_enabled or isinstance(decision, Skip),
        "nothing is done in a forbidden direction": mapping.direction.allows(now.toward) or isinstance(decision, Skip),
        "a skipped coupling is not touched": not (now.coupling and now.coupling.is_skipped) or isinstance(decision, Skip),
        "only a whole record is transferred": not transfers or (source.is_whole and source.exists),
        "a record outside the filter is not transferred": not transfers or "blocked" not in source.values,
        "a known record is not read again": not isinstance(decision, ReadWholeSource)
        or not source.is_whole
        or now.freshness == Freshness.UNCERTAIN,
        "a late state changes nothing": now.freshness != Freshness.LATE or not writes,
        "only-coupled inserts only what is restored or was asked for": not isinstance(decision, Insert)
        or now.coupling is not None
        or now.may_create
        or not mapping.synch_only_coupled_records,
        "only a coupling that is there is removed": not isinstance(decision, RemoveCoupling)
        or now.coupling is not None,
        "a pair is made of an uncoupled source and the one candidate": not isinstance(decision, CoupleWith)
        or (now.coupling is None and (decision.candidate,) == now.candidates),
        "a run turns around only where it may and where something is": not isinstance(decision, TurnAround)
        or (mapping.direction.allows(now.toward.back) and now.destination is not None),
    }  # fmt: skip
    return next((promise for promise, is_kept in promises.items() if not is_kept), "")


def seen_from_the_other_side(now: Situation) -> Situation:
    """What `synchronize` asks after a TurnAround."""
    destination = now.source if now.source.exists else None
    return replace(
        now, toward=now.toward.back, source=now.destination, destination=destination, freshness=Freshness.NEWER
    )


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("toward", TOWARD, ids=["from", "to"])
def test_the_promises_hold_in_every_situation(toward, direction):
    turns = 0
    for now in every_situation(toward, direction):
        decision = decide(now)
        assert not broken_promise(now, decision), (broken_promise(now, decision), now, decision)
        if isinstance(decision, TurnAround):
            turns += 1
            assert not isinstance(decide(seen_from_the_other_side(now)), TurnAround), (now, "turns for ever")
    assert bool(turns) == (direction is Direction.BIDIRECTIONAL)


@pytest.mark.parametrize("toward", TOWARD, ids=["from", "to"])
def test_the_same_situation_always_gets_the_same_decision(toward):
    every = (every_situation(toward, Direction.BIDIRECTIONAL) for _ in range(2))
    for one, again in itertools.islice(zip(*every, strict=True), 0, None, 17):
        assert decide(one) == decide(again)


def test_restoring_from_each_side_in_turn_ends_with_the_pair_uncoupled():
    mapping = replace(MAPPING, resolve_deletion_conflicts=RESTORE)
    for toward in TOWARD:
        both_gone = situation(toward, source="gone", destination="absent", mapping=mapping)
        assert decide(both_gone) == RemoveCoupling(Reason.BOTH_DELETED)


def test_a_mapping_with_a_constant_alone_writes_it_to_a_new_record_and_then_rests():
    constant = FieldMapping(1, "type", None, Direction.FROM, constant="Person")
    mapping = replace(MAPPING, fields=(constant,))
    inserted = decide(situation(mapping=mapping, **UNCOUPLED))
    assert isinstance(inserted, Insert)
    assert inserted.values == {"type": "Person"}
    assert decide(situation(mapping=mapping)) == IgnoreUnchanged()


def test_the_two_records_of_a_pair_are_known_by_their_own_ids():
    assert situation(Direction.FROM).source.id == situation(Direction.TO).destination.id == ROW_ID
    assert situation(Direction.TO).source.id == situation(Direction.FROM).destination.id == LOCAL_ID


@pytest.mark.parametrize("closed", ["not_created", "not_updated"])
def test_a_field_that_may_not_be_filled_in_is_left_out_and_stays_to_be_sent(closed):
    mapping = replace(MAPPING, described=Description(**{closed: frozenset({"town"})}))
    source = Record(LOCAL_ID, {"name": "Neu", "city": "Bremen"})
    there = None if closed == "not_created" else Record(ROW_ID, {"title": "Alt", "town": "Bonn"})
    bases = {"local_base": {"name": "Alt", "city": "Bonn"}, "dataverse_base": {"title": "Alt", "town": "Bonn"}}
    coupling = Coupling("CUSTOMER", LOCAL_ID, ROW_ID, **bases) if there else None
    now = Situation(mapping, Direction.TO, source, coupling, there, lookups={LOOKUP: Found(None)})

    decision = decide(now)

    assert isinstance(decision, Insert | Modify)
    assert decision.values == {"title": "Neu"}
    known = remembered(sides_of(now), decision.merged, decision.values, {"title": "Neu"})
    assert known.source_base.get("city") != "Bremen"
