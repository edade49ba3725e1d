"""What came back from a write: equal is no change, anything else travels back once, and never a third time."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from receiver.core.mapping import Conversion, Direction, FieldMapping, TableMapping
from receiver.core.merge import Found, NoCounterpart, Sides, merge
from receiver.core.remembering import Remembered, remembered
from receiver.core.values import Column, ColumnType, Value

FROM, TO, BOTH = Direction.FROM, Direction.TO, Direction.BIDIRECTIONAL
NAME = FieldMapping(1, "name", "title")
ONE_WAY = replace(NAME, direction=TO)
COLUMNS = {"title": Column("title", max_length=4), "limit": Column("limit", ColumnType.MONEY, precision=2)}


def sides(field: FieldMapping = NAME, toward: Direction = TO, **more: object) -> Sides:
    """The source says “new”, the destination “old”; both said “old” when they were last equal."""
    mapping = TableMapping("M", "local", "dataverse", BOTH, (field,))
    source, destination = ("name", "title") if toward is TO else ("title", "name")
    return Sides(
        mapping.transfers(toward), toward,
        **{"source": {source: "new"}, "destination": {destination: "old"},
           "source_base": {source: "old"}, "destination_base": {destination: "old"},
           "destination_columns": COLUMNS, **more},
    )  # fmt: skip


ALTERED = [
    # what is the case                             the field  known before    what came back   known from now on
    ("it is kept as it was sent", NAME, {}, "new", {}),
    ("it is kept as the column keeps it", NAME, {}, "new ", {}),
    ("something else was made of it", NAME, {}, "NEW", {"name": FROM}),
    ("again, before it travelled back", NAME, {"name": FROM}, "NEW", {"name": FROM}),
    ("again, on its way back", NAME, {"name": TO}, "NEW", {"name": None}),
    ("again, once both sides did", NAME, {"name": None}, "NEW", {"name": None}),
    ("no longer, once both sides did", NAME, {"name": None}, "new", {}),
    ("no longer, on its way back", NAME, {"name": TO}, "new", {}),
    ("of a field that goes one way", ONE_WAY, {}, "NEW", {"name": None}),
    ("no longer, of a field that goes one way", ONE_WAY, {"name": None}, "new", {}),
    ("of another field nothing is said", NAME, {"city": None}, "new", {"city": None}),
]


@pytest.mark.parametrize(
    ("field", "before", "came_back", "after"), [row[1:] for row in ALTERED], ids=[row[0] for row in ALTERED]
)
def test_what_a_side_makes_of_a_value_by_itself_travels_back_once(field, before, came_back, after):
    now = sides(field, altered=before)
    found = remembered(now, merge(now), {"title": "new"}, {"title": came_back})
    assert found == Remembered({"name": "new"}, {"title": came_back}, after)


UNSENT = [
    # what is the case                                   the field  destination before   what it has now  known from now on
    ("a default of a new record", NAME, None, "default", {"name": FROM}),
    ("nothing in a new record", NAME, None, None, {}),
    ("a change of what nobody sent", NAME, {"title": "new"}, "NEW", {"name": FROM}),
    ("no change of what nobody sent", NAME, {"title": "new"}, "new", {}),
    ("a default of a field that goes one way", ONE_WAY, None, "default", {}),
]


@pytest.mark.parametrize(
    ("field", "before", "now", "after"), [row[1:] for row in UNSENT], ids=[row[0] for row in UNSENT]
)
def test_a_mapped_column_that_was_not_sent_is_looked_at_too(field, before, now, after):
    asked = sides(field, source={"name": None if before is None else "new"}, destination=before)
    assert remembered(asked, merge(asked), {}, {"title": now}).altered == after


def test_a_template_is_what_was_sent():
    """It wins over a mapped value, so the mapped one did not come back as another."""
    now = sides(destination=None, source_base=None, destination_base=None)
    assert remembered(now, merge(now), {"title": "the template's"}, {"title": "the template's"}).altered == {}


BACK = [
    # what is the case                                           known           destination's  forced  what is written
    ("it travels back", {"name": FROM}, "old", {"name": "old!"}),
    ("another way it does not", {"name": TO}, "old", {}),
    ("nor once both sides did", {"name": None}, "old", {}),
    ("nor where nothing was altered", {}, "old", {}),
    ("a younger edit there is not overwritten", {"name": FROM}, "edited", {}),
]


@pytest.mark.parametrize(("altered", "there", "written"), [row[1:] for row in BACK], ids=[row[0] for row in BACK])
def test_what_was_altered_travels_back_though_it_stands_in_the_base(altered, there, written):
    at_rest = {"source": {"title": "old!"}, "source_base": {"title": "old!"}, "destination": {"name": there}}
    assert merge(sides(toward=FROM, altered=altered, **at_rest)).values == written


def test_what_was_altered_and_edited_here_meanwhile_is_no_conflict():
    now = sides(altered={"name": FROM}, destination={"title": "OLD"}, destination_base={"title": "OLD"})
    assert (merge(now).values, merge(now).conflicts) == ({"title": "new"}, ())


ODDS = [
    # what is the case                                   known          source   destination  forced  what is written
    ("both at rest", {"name": None}, "old", "OLD", False, {}),
    ("the source was edited", {"name": None}, "new", "OLD", False, {"title": "new"}),
    ("the destination was edited", {"name": None}, "old", "else", False, {"title": "old"}),
    ("by force", {"name": None}, "old", "OLD", True, {"title": "old"}),
    ("nothing is known of it", {}, "old", "OLD", False, {"title": "old"}),
]


@pytest.mark.parametrize(
    ("altered", "here", "there", "is_forced", "written"), [row[1:] for row in ODDS], ids=[row[0] for row in ODDS]
)
def test_a_one_way_field_that_its_destination_alters_is_sent_again_only_after_an_edit(
    altered, here, there, is_forced, written
):
    city = FieldMapping(2, "city", "town")
    mapping = TableMapping("M", "local", "dataverse", BOTH, (ONE_WAY, city))
    now = replace(
        sides(altered=altered, is_forced=is_forced), transfers=mapping.transfers(TO),
        source={"name": here, "city": "new"}, source_base={"name": "old", "city": "old"},
        destination={"title": there, "town": "old"}, destination_base={"title": "OLD", "town": "old"},
    )  # fmt: skip
    assert merge(now).values == {**written, "town": "new"}


LIMITS = FieldMapping(3, "amount", "limit")
KEPT_EQUAL: list[tuple[str, FieldMapping, Direction, Value, Value]] = [
    ("an amount that Dataverse rounded, sent again", LIMITS, TO, Decimal("1234.56789"), Decimal("1234.57")),
    ("an amount that Dataverse rounded, on its way back", LIMITS, FROM, Decimal("1234.57"), Decimal("1234.56789")),
    ("a text that was cut there", NAME, TO, "Nordwind", "Nord"),
    ("a text that was cut there, on its way back", NAME, FROM, "Nord", "Nordwind"),
]


@pytest.mark.parametrize(
    ("field", "toward", "source", "destination"),
    [row[1:] for row in KEPT_EQUAL],
    ids=[row[0] for row in KEPT_EQUAL],
)
def test_what_the_other_side_can_keep_of_a_value_is_that_value_both_ways(field, toward, source, destination):
    names = (field.local_column, field.dataverse_column)
    here, there = names if toward is TO else names[::-1]
    now = Sides(
        TableMapping("M", "l", "d", BOTH, (field,)).transfers(toward), toward, {here: source}, {there: destination},
        is_forced=True,
        **{"source_columns" if toward is FROM else "destination_columns": COLUMNS},
    )  # fmt: skip
    merged = merge(now)
    assert (merged.values, merged.equal) == ({}, {field.number})


def test_what_a_rule_made_is_not_compared_with_what_its_source_could_keep():
    rule = replace(NAME, transformation_rule="UPPERCASE", transformation_direction=FROM)
    now = sides(rule, FROM, source={"title": "nord"}, destination={"name": "NORDWIND"}, source_columns=COLUMNS)
    assert merge(now).values == {"name": "NORD"}


NOWHERE = NoCounterpart("Option 7 has no code.")


@pytest.mark.parametrize("toward", [FROM, TO], ids=["from", "to"])
def test_a_value_without_counterpart_leaves_its_field_alone_and_the_others_go_on(toward):
    option = FieldMapping(2, "code", "option")
    mapping = TableMapping("M", "l", "d", BOTH, (NAME, replace(option, conversion=Conversion.OPTION)))
    here, there = ("title", "name") if toward is FROM else ("name", "title")
    code, other = ("option", "code") if toward is FROM else ("code", "option")
    now = Sides(
        mapping.transfers(toward), toward, {here: "new", code: 7}, {there: "old", other: "A"},
        {here: "old", code: 1}, {there: "old", other: "A"}, lookups={2: NOWHERE},
    )  # fmt: skip

    merged = merge(now)

    assert (merged.values, merged.failures, merged.conflicts) == ({there: "new"}, (), ())
    assert (merged.unresolved, merged.notes, merged.kept) == ({"code"}, ("Option 7 has no code.",), {2})
    bases = remembered(now, merged, merged.values, {there: "new", other: "A"})
    assert (bases.source_base[code], bases.destination_base[other]) == (1, "A"), "it is looked at again each time"


SETTLED = [
    # what is the case                              it says   here   what is found         it moves
    ("both are as they were", 1, "A", Found("A"), True),
    ("both are as they were, and empty", None, "", Found(None), True),
    ("the code here was edited", 1, "B", Found("A"), False),
    ("there is still no code", 1, "A", NOWHERE, False),
]


@pytest.mark.parametrize(
    ("option", "code", "found", "moves"), [row[1:] for row in SETTLED], ids=[row[0] for row in SETTLED]
)
def test_an_option_that_is_as_it_was_again_is_settled(option, code, found, moves):
    field = FieldMapping(2, "code", "option", conversion=Conversion.OPTION)
    now = Sides(
        TableMapping("M", "l", "d", BOTH, (field,)).transfers(FROM), FROM, {"option": option}, {"code": code},
        {"option": option}, {"code": "A" if option else ""}, frozenset({"code"}), {2: found},
    )  # fmt: skip
    merged = merge(now)
    assert merged.has_moved is moves
    assert merged.unresolved == (frozenset() if moves else {"code"})


def test_what_was_altered_before_the_two_were_ever_equal_travels_no_way():
    now = sides(
        toward=FROM,
        altered={"name": FROM},
        source={"title": "old"},
        source_base={"title": "old"},
        destination_base=None,
    )
    assert not merge(now).has_moved
