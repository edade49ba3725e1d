"""Field by field: what travels, what stays, and that a value which came back is no change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.core.coupling import Coupling
from receiver.core.mapping import Conversion, Direction, FieldMapping, TableMapping
from receiver.core.merge import Conflict, Found, Keep, Merged, NotCoupled, Sides, merge
from receiver.core.remembering import Remembered, remembered
from receiver.core.transformation import TRANSFORMATION_RULES
from receiver.core.values import Column, Reference, Value, Values, is_empty, same

FROM, TO, BOTH = Direction.FROM, Direction.TO, Direction.BIDIRECTIONAL
TEXTS: list[Value] = [None, "", "a", "A", " a ", "b", "abcdef", "abcdeg", "Ö-1"]
#: what a database may make of a text that it is given
KEPT_BY_A_DATABASE: dict[str, Callable[[Value], Value]] = {
    "as it is": lambda value: value,
    "trimmed": lambda value: value.strip() if isinstance(value, str) else value,
    "cut": lambda value: value[:2] if isinstance(value, str) else value,
    "null as empty text": lambda value: "" if value is None else value,
    "empty text as null": lambda value: value or None,
    "in capitals": lambda value: value.upper() if isinstance(value, str) else value,
    "in small letters": lambda value: value.lower() if isinstance(value, str) else value,
    "with a default": lambda value: value or "default",
}
#: what is no other value by any column's account
NOTHING_ELSE = ["as it is", "null as empty text", "empty text as null"]


def mapping_of(*fields: FieldMapping) -> TableMapping:
    return TableMapping("M", "local", "dataverse", BOTH, fields)


@dataclass(frozen=True)
class Pair:
    """A coupled pair between two runs."""

    mapping: TableMapping
    local: Values
    row: Values
    coupling: Coupling
    limits: tuple[tuple[str, int], ...] = ()
    keeps: str = "as it is"
    keeps_there: str = "as it is"

    def sides(self, toward: Direction, *, is_forced: bool = False) -> Sides:
        source, destination = (self.row, self.local) if toward is FROM else (self.local, self.row)
        return Sides(
            self.mapping.transfers(toward),
            toward,
            source,
            destination,
            self.coupling.source_base(toward),
            self.coupling.destination_base(toward),
            self.coupling.unresolved,
            source_columns=self.columns,
            destination_columns=self.columns,
            is_forced=is_forced,
            altered=self.coupling.altered,
        )

    @property
    def columns(self) -> dict[str, Column]:
        return {name: Column(name, max_length=length) for name, length in self.limits}

    def after(self, toward: Direction, *, is_forced: bool = False) -> Pair:
        """The pair once a run toward that side was carried out, conflicts decided for the source."""
        sides = self.sides(toward, is_forced=is_forced)
        merged = merge(sides)
        if not merged.has_moved and not is_forced:
            return self
        keep = KEPT_BY_A_DATABASE[self.keeps if toward is FROM else self.keeps_there]
        destination = {**sides.destination, **{name: keep(value) for name, value in merged.values.items()}}
        known = remembered(sides, merged, merged.values, destination)
        here, there = known.here_and_there(toward)
        bases = {"local_base": here, "dataverse_base": there}
        coupling = replace(self.coupling, **bases, unresolved=merged.unresolved, altered=known.altered)
        return replace(self, coupling=coupling, **{"local" if toward is FROM else "row": destination})

    def has_moved(self, toward: Direction) -> bool:
        return merge(self.sides(toward)).has_moved

    def changed(self, **values: Value) -> Pair:
        local = {name: value for name, value in values.items() if name in self.local}
        row = {name: value for name, value in values.items() if name in self.row}
        return replace(self, local={**self.local, **local}, row={**self.row, **row})


def equal_pair(*fields: FieldMapping, **more: object) -> Pair:
    """Both sides of every field say “old”, and the coupling remembers that."""
    local = {row.local_column: "old" for row in fields}
    row = {row.dataverse_column: "old" for row in fields}
    return Pair(mapping_of(*fields), local, row, Coupling("M", "1", "2", local, row), **more)


NAME, CITY = FieldMapping(1, "name", "title"), FieldMapping(2, "city", "town")

directions = st.sampled_from([FROM, TO])
texts = st.sampled_from(TEXTS)


@st.composite
def fields(draw: st.DrawFn) -> tuple[FieldMapping, ...]:
    return tuple(
        FieldMapping(
            number,
            f"l{number}",
            f"d{number}",
            draw(st.sampled_from([BOTH, BOTH, FROM, TO])),
            transformation_rule=draw(st.sampled_from(sorted(TRANSFORMATION_RULES))),
            transformation_direction=draw(directions),
            not_null=draw(st.booleans()),
        )
        for number in range(1, draw(st.integers(1, 4)) + 1)
    )


@st.composite
def pairs(draw: st.DrawFn, *, may_be_new: bool = True) -> Pair:
    """A pair in any state: its bases and its values have nothing to do with each other."""
    mapped = draw(fields())
    local, row = [row.local_column for row in mapped], [row.dataverse_column for row in mapped]
    coupling = Coupling("M", "1", "2")
    if not may_be_new or draw(st.booleans()):
        coupling = Coupling("M", "1", "2", {one: draw(texts) for one in local}, {one: draw(texts) for one in row})
    limits = tuple((one, draw(st.integers(1, 6))) for one in (*local, *row) if draw(st.booleans()))
    keeps, keeps_there = (draw(st.sampled_from(sorted(KEPT_BY_A_DATABASE))) for _ in range(2))
    values = {one: draw(texts) for one in local}, {one: draw(texts) for one in row}
    return Pair(mapping_of(*mapped), *values, coupling, limits, keeps, keeps_there)


@given(pairs(), directions, st.booleans())
def test_the_same_run_again_finds_nothing_moved(pair, toward, is_forced):
    assert not pair.after(toward, is_forced=is_forced).has_moved(toward)


@given(pairs(may_be_new=False), directions)
def test_what_came_back_from_the_other_side_is_no_change_unless_something_else_was_made_of_it(pair, toward):
    still = replace(pair, **{"local" if toward is FROM else "row": pair.coupling.destination_base(toward)})
    done = still.after(toward)
    assert done.has_moved(toward.back) is (toward.back in done.coupling.altered.values())


@given(pairs(may_be_new=False), directions, st.sampled_from(NOTHING_ELSE), st.sampled_from(NOTHING_ELSE))
def test_a_side_that_keeps_what_it_is_sent_alters_nothing(pair, toward, keeps, keeps_there):
    honest = replace(pair, keeps=keeps, keeps_there=keeps_there)
    assert not honest.after(toward).after(toward.back).coupling.altered


@given(pairs(), directions)
def test_forced_use_of_one_side_leaves_no_change_on_the_other_but_its_own(pair, toward):
    two_way = replace(
        pair, mapping=mapping_of(*(replace(row, direction=BOTH, not_null=False) for row in pair.mapping.fields))
    )
    done = two_way.after(toward, is_forced=True)
    assert done.has_moved(toward.back) is (toward.back in done.coupling.altered.values())


@given(pairs(may_be_new=False), directions, texts)
def test_one_edit_is_sent_once_and_what_was_made_of_it_once_more_and_never_a_third_time(pair, toward, edited):
    """Whatever both databases do by themselves, and though one may undo what the other did."""
    rows = tuple(replace(row, not_null=False) for row in pair.mapping.fields)
    rested = replace(pair, mapping=mapping_of(*rows)).after(FROM).after(TO).after(FROM).after(TO)
    source, column = ("row", "d1") if toward is FROM else ("local", "l1")
    changed = replace(rested, **{source: {**getattr(rested, source), column: edited}})
    sent = 0
    for way in (toward, toward.back, toward, toward.back, toward):
        own = "l1" if way is FROM else "d1"
        sent += own in merge(changed.sides(way)).values
        changed = changed.after(way)
    assert sent <= 2
    assert not changed.has_moved(FROM)
    assert not changed.has_moved(TO)


@given(pairs(may_be_new=False), directions)
def test_a_pair_at_rest_stays_at_rest_after_a_run_each_way(pair, toward):
    rested = pair.after(toward).after(toward.back).after(toward).after(toward.back)
    assert not rested.has_moved(toward)
    assert not rested.has_moved(toward.back)


@given(pairs(may_be_new=False), st.just(TO))
def test_a_run_that_finds_nothing_moved_writes_nothing_and_keeps_what_is_unresolved(pair, toward):
    sides = pair.sides(toward)
    sides = replace(sides, source=sides.source_base, unresolved=frozenset({"l1"}), lookups={})
    assert merge(sides) == Merged(has_moved=False, unresolved=frozenset({"l1"}))


def plain(pair: Pair) -> Pair:
    """The same values under fields that go both ways, without rules, limits and options."""
    rows = (FieldMapping(row.number, row.local_column, row.dataverse_column) for row in pair.mapping.fields)
    return replace(pair, mapping=mapping_of(*rows), limits=())


@given(pairs(may_be_new=False), directions)
def test_a_conflict_is_one_field_that_both_sides_changed_to_different_values_and_nothing_else(pair, toward):
    sides = plain(pair).sides(toward)
    expected = {
        frozenset({one.source, one.destination})
        for one in sides.transfers
        if not same(sides.source[one.source], sides.source_base[one.source])
        and not same(sides.destination[one.destination], sides.destination_base[one.destination])
        and not same(sides.source[one.source], sides.destination[one.destination])
    }
    assert {
        frozenset({conflict.local_column, conflict.dataverse_column}) for conflict in merge(sides).conflicts
    } == expected


@given(pairs(may_be_new=False), directions)
def test_a_side_that_left_a_field_alone_never_overwrites_it(pair, toward):
    sides = plain(pair).sides(toward)
    moved = {
        one.destination
        for one in sides.transfers
        if not same(sides.source[one.source], sides.source_base[one.source])
    }  # fmt: skip
    assert set(merge(sides).values) <= moved


@given(pairs(), directions)
def test_force_ignores_what_the_coupling_remembers(pair, toward):
    sides = plain(pair).sides(toward, is_forced=True)
    merged = merge(sides)
    forgotten = merge(replace(sides, source_base=None, destination_base=None))
    differing = {
        one.destination: sides.source[one.source]
        for one in sides.transfers
        if not same(sides.source[one.source], sides.destination[one.destination])
    }
    assert merged.values == forgotten.values == differing
    assert not merged.conflicts


@given(st.sampled_from(TEXTS), st.sampled_from(TEXTS), directions)
def test_two_sides_that_changed_different_fields_both_get_the_others_change(name, town, toward):
    pair = equal_pair(NAME, CITY).changed(name=name, town=town)
    done = pair.after(toward).after(toward.back)
    assert same(done.row["title"], name)
    assert same(done.local["city"], town)
    assert not done.has_moved(toward)
    assert not done.has_moved(toward.back)


@pytest.mark.parametrize("toward", [FROM, TO], ids=["from", "to"])
def test_trap_2_when_both_moved_the_way_back_still_finds_its_side_changed(toward):
    pair = equal_pair(NAME, CITY).changed(name="local", town="theirs").after(toward)
    assert pair.has_moved(toward.back)
    assert merge(pair.sides(toward.back)).values == ({"title": "local"} if toward is FROM else {"city": "theirs"})


@pytest.mark.parametrize("toward", [FROM, TO], ids=["from", "to"])
def test_trap_1_a_source_that_moved_to_what_the_destination_says_is_remembered_and_written_nowhere(toward):
    pair = equal_pair(NAME, CITY).changed(name="new", title="new")
    merged = merge(pair.sides(toward))
    assert (merged.has_moved, merged.values) == (True, {})
    assert not pair.after(toward).has_moved(toward)
    assert not pair.after(toward).has_moved(toward.back)


@pytest.mark.parametrize("toward", [FROM, TO], ids=["from", "to"])
def test_trap_1_a_source_that_moved_in_no_mapped_field_has_not_moved(toward):
    pair = equal_pair(NAME)
    pair = replace(pair, local={**pair.local, "note": "new"}, row={**pair.row, "remark": "new"})
    assert merge(pair.sides(toward)) == Merged(has_moved=False)


@pytest.mark.parametrize("rule", sorted(TRANSFORMATION_RULES))
@pytest.mark.parametrize("keeps", NOTHING_ELSE)
def test_a_transformed_value_that_comes_back_is_unchanged(rule, keeps):
    pair = equal_pair(replace(NAME, transformation_rule=rule, transformation_direction=FROM), CITY, keeps=keeps)
    done = pair.changed(title=" Ab-c ").after(FROM)
    assert not done.has_moved(TO)
    sent = done.changed(city="Kiel").after(TO)
    assert sent.row["title"] == " Ab-c "


def test_a_text_that_had_to_be_cut_on_the_way_in_is_not_sent_back_cut():
    pair = equal_pair(NAME, CITY, limits=(("name", 3),)).changed(title="Nordwind").after(FROM)
    assert pair.local["name"] == "Nor"
    assert not pair.has_moved(TO)
    assert pair.changed(city="Kiel").after(TO).row == {"title": "Nordwind", "town": "Kiel"}


def test_a_bidirectional_field_meets_a_pair_that_was_never_equal_as_a_conflict():
    pair = replace(equal_pair(NAME), coupling=Coupling("M", "1", "2")).changed(title="new")
    assert merge(pair.sides(FROM)).conflicts == (Conflict("name", "title", "old", "new"),)


ONE_WAY = replace(CITY, direction=FROM)


def test_a_one_way_field_is_written_whenever_the_record_is_transferred():
    pair = equal_pair(NAME, ONE_WAY).changed(title="new", city="edited here")
    assert merge(pair.sides(FROM)).values == {"name": "new", "city": "old"}
    assert not merge(pair.sides(FROM)).conflicts


def test_a_one_way_field_that_changed_at_its_destination_alone_causes_no_run():
    assert not equal_pair(NAME, ONE_WAY).changed(city="edited here").has_moved(FROM)


NEVER_SAID = [
    # what is the case                                        the base          it says   forced  what is written
    ("empty and never transferred", {"title": "old"}, "", False, {"name": "new"}),
    ("empty and never transferred, forced", {"title": "old"}, "", True, {"name": "new", "city": ""}),
    ("empty, and the pair was never equal", None, "", False, {"name": "new", "city": ""}),
    ("empty, and it said something before", {"title": "old", "town": "old"}, "", False, {"name": "new", "city": ""}),
    ("filled in and never transferred", {"title": "old"}, "Kiel", False, {"name": "new", "city": "Kiel"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("base", "town", "is_forced", "written"), [row[1:] for row in NEVER_SAID], ids=[row[0] for row in NEVER_SAID]
)
def test_a_one_way_field_that_never_said_anything_wipes_nothing_out(base, town, is_forced, written):
    pair = equal_pair(NAME, ONE_WAY).changed(title="new", town=town, city="edited here")
    sides = replace(pair.sides(FROM, is_forced=is_forced), source_base=base)
    assert merge(sides).values == written


# -- lookups, constants, options -------------------------------------------------------------------------------

LOOKUP = FieldMapping(3, "company", "parentid", conversion=Conversion.LOOKUP)
ROW = Reference("account", "a0000000-0000-4000-8000-000000000001")


def one_field(row: FieldMapping, toward: Direction = FROM, **sides: object) -> Sides:
    given = {"source": {}, "destination": None, **sides}
    return Sides(mapping_of(row).transfers(toward), toward, **given)


NOWHERE = NotCoupled("account … is not coupled.", ROW)
ACROSS = [
    # what is the case                                 the field                                              what is found     written            failures, unresolved
    ("a coupled lookup", LOOKUP, Found("C00010"), {"company": "C00010"}, 0, set()),
    ("a lookup that leads nowhere", LOOKUP, NOWHERE, {}, 1, set()),
    ("a lookup that leads nowhere and is cleared", replace(LOOKUP, clear_value_on_failed_sync=True), NOWHERE, {"company": None}, 0, {"company"}),
    ("an emptiness that means nothing", LOOKUP, Keep(), {}, 0, set()),
    ("an empty lookup", LOOKUP, Found(None), {"company": None}, 0, set()),
    ("an empty lookup that may not be empty", replace(LOOKUP, not_null=True), Found(None), {}, 0, set()),
    ("a coupled lookup that may not be empty", replace(LOOKUP, not_null=True), Found("C00010"), {"company": "C00010"}, 0, set()),
]  # fmt: skip


@pytest.mark.parametrize(
    ("row", "found", "written", "failures", "unresolved"),
    [case[1:] for case in ACROSS],
    ids=[case[0] for case in ACROSS],
)
def test_a_lookup_is_written_cleared_kept_or_refused(row, found, written, failures, unresolved):
    sides = one_field(row, source={"parentid": ROW}, destination={"company": "C00099"}, lookups={3: found})
    merged = merge(sides)
    assert merged.values == written
    assert len(merged.failures) == failures
    assert merged.unresolved == unresolved


def test_a_cleared_lookup_is_never_sent_out_as_empty():
    base = {"company": ""}, {"parentid": ROW}
    sides = one_field(
        LOOKUP, TO, source={"company": ""}, destination={"parentid": ROW}, unresolved=frozenset({"company"}),
        source_base=base[0], destination_base=base[1], lookups={3: Found(None)}, is_forced=True,
    )  # fmt: skip
    merged = merge(sides)
    assert (merged.values, merged.kept, merged.unresolved) == ({}, {3}, {"company"})


def test_a_cleared_lookup_that_a_person_filled_in_is_sent_and_resolved():
    sides = one_field(
        LOOKUP, TO, source={"company": "C00010"}, destination={"parentid": None}, unresolved=frozenset({"company"}),
        source_base={"company": ""}, destination_base={"parentid": None}, lookups={3: Found(ROW)},
    )  # fmt: skip
    merged = merge(sides)
    assert (merged.values, merged.unresolved) == ({"parentid": ROW}, frozenset())


@pytest.mark.parametrize(
    ("unresolved", "moves"), [(frozenset({"company"}), True), (frozenset(), False)], ids=["unresolved", "resolved"]
)
def test_a_record_that_is_coupled_since_it_was_sent_out_as_empty_is_sent(unresolved, moves):
    sides = one_field(
        LOOKUP, TO, source={"company": "C00010"}, destination={"parentid": None}, unresolved=unresolved,
        source_base={"company": "C00010"}, destination_base={"parentid": None}, lookups={3: Found(ROW)},
    )  # fmt: skip
    merged = merge(sides)
    assert (merged.has_moved, merged.values) == (moves, {"parentid": ROW} if moves else {})


def test_several_cleared_lookups_all_stay_unresolved():
    agent = replace(LOOKUP, number=4, local_column="agent", dataverse_column="agentid")
    pair = equal_pair(NAME, LOOKUP, agent).changed(title="new")
    sides = replace(pair.sides(FROM), unresolved=frozenset({"company", "agent"}), lookups={3: NOWHERE, 4: NOWHERE})
    assert merge(sides).unresolved == {"company", "agent"}


def test_what_comes_after_a_field_that_is_kept_still_travels():
    pair = equal_pair(replace(LOOKUP, number=1), replace(CITY, number=2)).changed(parentid=ROW, town="Kiel")
    sides = replace(pair.sides(FROM), lookups={1: Keep()})
    assert merge(sides).values == {"city": "Kiel"}


def test_a_cleared_lookup_stays_unresolved_while_other_fields_travel():
    pair = equal_pair(NAME, replace(LOOKUP, clear_value_on_failed_sync=True)).changed(title="new")
    sides = replace(pair.sides(FROM), unresolved=frozenset({"company"}), lookups={3: NOWHERE})
    merged = merge(sides)
    assert (merged.values, merged.unresolved) == ({"name": "new"}, {"company"})


@pytest.mark.parametrize(
    ("destination", "written"),
    [
        pytest.param(None, {"type": "Person"}, id="a new record gets it"),
        pytest.param({"type": "Company"}, {"type": "Person"}, id="a transferred record that says otherwise gets it"),
        pytest.param({"type": "Person"}, {}, id="a record that has it is left alone"),
    ],
)
def test_a_constant_is_written_with_a_transfer(destination, written):
    constant = FieldMapping(4, "type", None, FROM, constant="Person")
    assert merge(one_field(constant, destination=destination, is_forced=True)).values == written


def test_a_constant_by_itself_causes_no_run():
    constant = FieldMapping(4, "type", None, FROM, constant="Person")
    assert not merge(one_field(constant, destination={"type": "Company"})).has_moved


def test_a_constant_has_a_base_at_its_destination_alone():
    sides = one_field(FieldMapping(4, "type", None, FROM, constant="Person"))
    sent = {"type": "Person"}
    assert remembered(sides, merge(sides), sent, sent) == Remembered({}, sent, {})


def test_an_inserted_record_gets_no_empty_values():
    sides = Sides(mapping_of(NAME, CITY).transfers(FROM), FROM, {"title": "Nordwind", "town": ""}, None)
    assert merge(sides).values == {"name": "Nordwind"}


@given(pairs(), directions)
def test_no_run_sends_an_emptiness_where_the_field_may_not_be_empty(pair, toward):
    guarded = {one.destination for one in pair.mapping.transfers(toward) if one.not_null}
    assert not any(is_empty(value) for name, value in merge(pair.sides(toward)).values.items() if name in guarded)


@given(pairs(), directions)
def test_no_text_is_longer_than_its_column(pair, toward):
    limits = dict(pair.limits)
    for name, value in merge(pair.sides(toward)).values.items():
        assert value is None or len(value) <= limits.get(name, len(value))


def test_a_conflict_in_words_shows_emptiness_as_such():
    said = str(Conflict("title", "name", None, "Nordwind"))
    assert said == "title is “(empty)” here, name is “Nordwind” in Sales"
