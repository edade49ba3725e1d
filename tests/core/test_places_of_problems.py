"""A problem of a mapping says at which part it is, so that a file can be marked there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from receiver.core.mapping import Conversion, Direction, FieldMapping, TableMapping
from receiver.core.mapping_problems import placed_problems
from receiver.core.values import Column, ColumnType

LOCAL = {"name": Column("name", ColumnType.TEXT), "amount": Column("amount", ColumnType.DECIMAL)}
DATAVERSE = {"name": Column("name", ColumnType.TEXT), "kind": Column("kind", ColumnType.CHOICE)}
GOOD = FieldMapping(1, "name", "name")
MAPPING = TableMapping("M", "local", "account", Direction.FROM, fields=(GOOD,))


def places(mapping: TableMapping) -> list[tuple[str, int | None]]:
    return [(one.part, one.at) for one in placed_problems(mapping, LOCAL, DATAVERSE, frozenset({"M"})) if one.sentence]


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"depends_on": ("NOBODY",)}, "depends_on"),
        ({"direction": Direction.BIDIRECTIONAL, "fields": (replace(GOOD, direction=Direction.FROM),)}, "direction"),
        ({"local_template": {"nothing": "1"}}, "local_template"),
        ({"dataverse_template": {"nothing": "1"}}, "dataverse_template"),
    ],
)
def test_a_problem_of_the_mapping_names_its_setting(changes, place):
    assert places(replace(MAPPING, **changes)) == [(place, None)]


@pytest.mark.parametrize(
    ("field", "place"),
    [
        (FieldMapping(2, "nothing", "name"), "local_column"),
        (FieldMapping(2, "name", "nothing"), "dataverse_column"),
        (FieldMapping(2, None, None), "number"),
        (FieldMapping(1, "name", "name"), "number"),
        (FieldMapping(2, "name", "name", transformation_rule="NOTHING"), "transformation_rule"),
        (FieldMapping(2, "name", "name", not_null=True, clear_value_on_failed_sync=True), "not_null"),
        (FieldMapping(2, "name", "name", conversion=Conversion.LOOKUP, related=("NOBODY",)), "related"),
        (FieldMapping(2, "amount", "kind", conversion=Conversion.OPTION), "conversion"),
        (FieldMapping(2, "name", "name", conversion=Conversion.OPTION), "conversion"),
        (FieldMapping(2, "amount", "name"), "local_column"),
    ],
)
def test_a_problem_of_a_field_mapping_names_its_part_and_its_place_in_the_list(field, place):
    assert places(replace(MAPPING, fields=(GOOD, field))) == [(place, 1)]
