"""Mappings: how a run sees their fields, and every sentence that refuses one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from receiver.core.description import Description
from receiver.core.filters import parse
from receiver.core.mapping import (
    Conversion,
    Direction,
    FieldMapping,
    TableMapping,
    Transfer,
    UpdateConflict,
)
from receiver.core.mapping_problems import problems
from receiver.core.values import Column, ColumnType

FROM, TO, BOTH = Direction.FROM, Direction.TO, Direction.BIDIRECTIONAL
LOCAL = {
    "name": Column("name", max_length=160),
    "short": Column("short", max_length=10),
    "note": Column("note", ColumnType.MEMO),
    "limit": Column("limit", ColumnType.DECIMAL),
    "since": Column("since", ColumnType.DATE),
    "count": Column("count", ColumnType.INTEGER),
    "parent_no": Column("parent_no", max_length=20),
}
DATAVERSE = {
    "name": Column("name", max_length=160),
    "description": Column("description", ColumnType.MEMO, 2000),
    "creditlimit": Column("creditlimit", ColumnType.MONEY),
    "modifiedon": Column("modifiedon", ColumnType.DATETIME),
    "state": Column("state", ColumnType.STATE),
    "parentid": Column("parentid", ColumnType.LOOKUP),
}
NAME = FieldMapping(1, "name", "name")
LIMIT = FieldMapping(2, "limit", "creditlimit", TO)
GOOD = TableMapping("M", "local", "account", BOTH, (NAME, LIMIT))


def said_of(mapping: TableMapping) -> list[str]:
    return problems(mapping, LOCAL, DATAVERSE, frozenset({"M", "CONTACT"}))


def with_field(**changes: object) -> TableMapping:
    """The good mapping and one more field, number 9."""
    return replace(GOOD, fields=(*GOOD.fields, replace(FieldMapping(9, "name", "name"), **changes)))


FINE = [
    ("the good one", GOOD),
    ("a filter on known columns", replace(GOOD, local_filter_text="name is empty", dataverse_filter_text="state = 0")),
    ("a constant", with_field(dataverse_column=None, direction=FROM, constant="Person")),
    ("memo and text are both text", with_field(local_column="note", dataverse_column="description")),
    ("a choice is a whole number", with_field(local_column="count", dataverse_column="state")),
    ("a short column that is only read into", with_field(local_column="short", direction=FROM)),
    ("a short column that is disabled", with_field(local_column="short", is_enabled=False)),
    ("a lookup by its conversion", with_field(local_column="parent_no", dataverse_column="parentid", conversion=Conversion.LOOKUP, related=("CONTACT",))),
    ("a disabled field of a mapping that is not there", with_field(related=("TERMS",), is_enabled=False)),
    ("no field enabled yet", replace(GOOD, fields=(replace(NAME, is_enabled=False),))),
    ("every field comes in, and so does the mapping", replace(GOOD, direction=FROM, fields=(replace(NAME, direction=FROM),))),
    ("every field goes out, and so does the mapping", replace(GOOD, direction=TO, fields=(LIMIT,))),
    ("a field that is cleared", with_field(clear_value_on_failed_sync=True)),
    ("a field that is never empty", with_field(not_null=True)),
    ("fields one way each", replace(GOOD, fields=(replace(NAME, direction=FROM), LIMIT))),
]  # fmt: skip


@pytest.mark.parametrize("mapping", [row[1] for row in FINE], ids=[row[0] for row in FINE])
def test_a_mapping_without_problems_may_be_saved(mapping):
    assert said_of(mapping) == []


REFUSED = [
    (
        "an unreadable filter",
        replace(GOOD, local_filter_text="name ="),
        "The filter ends where a value was expected: name = (in the table filter of M)",
    ),
    (
        "an unreadable integration table filter",
        replace(GOOD, dataverse_filter_text="state"),
        "The filter ends where a comparison was expected: state (in the integration table filter of M)",
    ),
    (
        "a filter on an unknown column",
        replace(GOOD, dataverse_filter_text="statecode = 0"),
        "Column “statecode” in the integration table filter of M does not exist.",
    ),
    (
        "no field goes out",
        replace(GOOD, fields=(replace(NAME, direction=FROM),)),
        ("Direction Bidirectional of M needs at least one enabled field mapping that goes ToIntegrationTable. "
        "Enable or add one, then set the direction."),
    ),
    (
        "no field comes in",
        replace(GOOD, direction=FROM, fields=(replace(NAME, direction=TO),)),
        ("Direction FromIntegrationTable of M needs at least one enabled field mapping that goes "
        "FromIntegrationTable. Enable or add one, then set the direction."),
    ),
    (
        "an unknown local column",
        with_field(local_column="nam"),
        "Column “nam” of field mapping 9 (nam ↔ name) does not exist in the local table.",
    ),
    (
        "an unknown Dataverse column",
        with_field(dataverse_column="nam"),
        "Column “nam” of field mapping 9 (name ↔ nam) does not exist in the Dataverse table.",
    ),
    (
        "no column at all",
        with_field(local_column=None, dataverse_column=None),
        "Field mapping 9 names no column.",
    ),
    (
        "an unknown rule",
        with_field(transformation_rule="REVERSE"),
        "Transformation rule “REVERSE” of field mapping 9 (name ↔ name) cannot be used. There is no rule REVERSE.",
    ),
    (
        "an unknown rule of a field that has no local column",
        with_field(local_column=None, transformation_rule="REVERSE"),
        "Transformation rule “REVERSE” of field mapping 9 (– ↔ name) cannot be used. There is no rule REVERSE.",
    ),
    (
        "an unknown rule of a field that has no Dataverse column",
        with_field(dataverse_column=None, transformation_rule="REVERSE"),
        "Transformation rule “REVERSE” of field mapping 9 (name ↔ –) cannot be used. There is no rule REVERSE.",
    ),
    (
        "cleared and never empty",
        with_field(clear_value_on_failed_sync=True, not_null=True),
        "Clear Value on Failed Sync and Not Null exclude each other in field mapping 9 (name ↔ name).",
    ),
    (
        "a related mapping that is not there",
        with_field(related=("TERMS",)),
        "Mapping “TERMS” of field mapping 9 (name ↔ name) does not exist.",
    ),
    (
        "two types",
        with_field(dataverse_column="state"),
        "The types differ in field mapping 9 (name ↔ state): String here, State in Dataverse.",
    ),
    (
        "a date and a moment",
        with_field(local_column="since", dataverse_column="modifiedon"),
        "The types differ in field mapping 9 (since ↔ modifiedon): DateOnly here, DateTime in Dataverse.",
    ),
    (
        "a column that would cut",
        with_field(local_column="short"),
        ("The local column of field mapping 9 (short ↔ name) holds 10 characters, Dataverse's 160. "
        "A bidirectional field must be at least as long here, or its text would be cut and sent back cut."),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("mapping", "said"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_each_refusal_is_one_clear_sentence(mapping, said):
    assert said_of(mapping) == [said]


def test_every_problem_is_told_at_once():
    assert (
        len(said_of(replace(with_field(local_column="nam", transformation_rule="X"), local_filter_text="x = 1"))) == 3
    )


# -- how a run sees a mapping ------------------------------------------------------------------------------------


def test_a_run_takes_the_enabled_fields_that_go_its_way_in_their_order():
    constant = FieldMapping(3, "type", None, constant="Person")
    disabled = FieldMapping(4, "fax", "fax", is_enabled=False)
    mapping = replace(GOOD, fields=(constant, disabled, LIMIT, NAME))
    assert [one.number for one in mapping.transfers(FROM)] == [1, 3]
    assert [one.number for one in mapping.transfers(TO)] == [1, 2]
    (name, _) = mapping.transfers(TO)
    assert (name.source, name.destination, name.is_bidirectional) == ("name", "name", True)


@pytest.mark.parametrize(
    ("of_mapping", "of_field", "is_bidirectional"), [(BOTH, BOTH, True), (BOTH, FROM, False), (FROM, BOTH, False)]
)
def test_a_field_is_bidirectional_where_it_and_its_mapping_are(of_mapping, of_field, is_bidirectional):
    (one,) = replace(GOOD, direction=of_mapping, fields=(replace(NAME, direction=of_field),)).transfers(FROM)
    assert one.is_bidirectional is is_bidirectional


def test_a_run_is_told_every_option_of_a_field():
    row = FieldMapping(
        5, "parent_no", "parentid", BOTH, "C00010", "TRIM", FROM,
        clear_value_on_failed_sync=True, conversion=Conversion.LOOKUP, related=("CONTACT",),
    )  # fmt: skip
    guarded = replace(row, direction=FROM, clear_value_on_failed_sync=False, not_null=True)
    told = (True, "C00010", "TRIM", True, False, Conversion.LOOKUP, ("CONTACT",))
    assert replace(GOOD, fields=(row,)).transfers(FROM) == (Transfer(5, "parentid", "parent_no", *told),)
    told = (True, "C00010", "", True, False, Conversion.LOOKUP, ("CONTACT",))
    assert replace(GOOD, fields=(row,)).transfers(TO) == (Transfer(5, "parent_no", "parentid", *told),)
    told = (False, "C00010", "TRIM", False, True, Conversion.LOOKUP, ("CONTACT",))
    assert replace(GOOD, fields=(guarded,)).transfers(FROM) == (Transfer(5, "parentid", "parent_no", *told),)


def test_a_transformation_rule_works_in_its_own_direction_alone():
    mapping = replace(GOOD, fields=(replace(NAME, transformation_rule="TRIM", transformation_direction=FROM),))
    assert mapping.transfers(FROM)[0].rule == "TRIM"
    assert mapping.transfers(TO)[0].rule == ""


@pytest.mark.parametrize(
    ("direction", "toward", "is_allowed"),
    [(BOTH, FROM, True), (BOTH, TO, True), (FROM, FROM, True), (FROM, TO, False), (TO, FROM, False), (TO, TO, True)],
)
def test_a_direction_allows_its_own_runs(direction, toward, is_allowed):
    assert direction.allows(toward) is is_allowed


@pytest.mark.parametrize(
    ("resolution", "winner"), [(UpdateConflict.NONE, None), (UpdateConflict.SEND, TO), (UpdateConflict.GET, FROM)]
)
def test_a_resolution_names_the_run_whose_source_wins(resolution, winner):
    assert resolution.winner is winner


def test_filter_and_template_belong_to_a_side():
    local, dataverse = parse("name is empty"), parse("state = 0")
    mapping = replace(
        GOOD, local_filter=local, dataverse_filter=dataverse, local_template={"a": 1}, dataverse_template={"b": 2}
    )
    assert (mapping.source_filter(FROM), mapping.source_filter(TO)) == (dataverse, local)
    assert (mapping.template(FROM), mapping.template(TO)) == ({"a": 1}, {"b": 2})


def test_a_mapping_reads_the_columns_of_its_enabled_fields_and_of_its_filter():
    disabled = FieldMapping(3, "fax", "fax", is_enabled=False)
    mapping = replace(GOOD, fields=(*GOOD.fields, disabled), dataverse_filter=parse("state = 0"))
    assert mapping.dataverse_columns() == {"name", "creditlimit", "state"}


def test_a_column_that_an_environment_lacks_is_in_no_field_and_no_filter():
    mapping = replace(GOOD, dataverse_filter=parse("state = 0 and creditlimit > 1"))
    lacking = mapping.without_columns(frozenset({"creditlimit"}))
    assert lacking.dataverse_columns() == {"name", "state"}
    assert mapping.without_columns(frozenset()) is mapping


def test_a_group_of_criteria_that_loses_one_matches_nothing_and_the_other_groups_still_do():
    fields = (
        FieldMapping(1, "name", "name", match_on_this_field=True, match_priority=1),
        FieldMapping(2, "limit", "creditlimit", match_on_this_field=True, match_priority=1),
        FieldMapping(3, "short", "short", match_on_this_field=True, match_priority=2),
        FieldMapping(4, "count", "count", match_priority=1),
    )
    left = replace(GOOD, fields=fields).without_columns(frozenset({"creditlimit", "count"}))
    assert [(row.number, row.match_on_this_field) for row in left.fields] == [(1, False), (3, True)]
    unhurt = replace(GOOD, fields=fields).without_columns(frozenset({"count"}))
    assert [row.match_on_this_field for row in unhurt.fields] == [True, True, True]


@pytest.mark.parametrize(
    ("toward", "creates", "open_ones"),
    [
        (TO, True, ["creditlimit"]),
        (TO, False, ["name"]),
        (FROM, True, ["name", "limit"]),
        (FROM, False, ["name", "limit"]),
    ],
)
def test_only_what_the_application_user_may_fill_in_is_sent(toward, creates, open_ones):
    closed = Description(not_created=frozenset({"name"}), not_updated=frozenset({"creditlimit"}))
    mapping = replace(GOOD, fields=(FieldMapping(1, "name", "name"), FieldMapping(2, "limit", "creditlimit")))
    found = replace(mapping, described=closed).open_transfers(toward, creates=creates)
    assert [one.destination for one in found] == open_ones


def test_what_comes_back_as_null_or_masked_is_unseen():
    assert Description(unreadable=frozenset({"name"}), masked=frozenset({"note"})).unseen == {"name", "note"}
