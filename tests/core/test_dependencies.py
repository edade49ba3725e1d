"""The order in which mappings are run in full, and a circle told by name."""

from __future__ import annotations

import pytest

from receiver.core.dependencies import CycleError, needs, ordered
from receiver.core.mapping import Conversion, Direction, FieldMapping, TableMapping
from receiver.tables import TABLES


def mapping(name: str, *related: str, **options: object) -> TableMapping:
    row = FieldMapping(1, "a", "b", conversion=Conversion.LOOKUP, related=related, **options)
    return TableMapping(name, "local", "remote", Direction.BIDIRECTIONAL, (row,))


def named(*mappings: TableMapping) -> dict[str, TableMapping]:
    return {one.name: one for one in mappings}


ORDERS = [
    ("as they stand", named(mapping("B"), mapping("A")), ["B", "A"]),
    ("what is needed first", named(mapping("A", "B"), mapping("B")), ["B", "A"]),
    ("all the way down", named(mapping("A", "B"), mapping("B", "C"), mapping("C")), ["C", "B", "A"]),
    ("each once", named(mapping("A", "C"), mapping("B", "C"), mapping("C")), ["C", "A", "B"]),
    ("its own table", named(mapping("A", "A")), ["A"]),
    ("a mapping that is not there", named(mapping("A", "Z")), ["A"]),
    ("a lookup that may stay empty", named(mapping("A", "B", clear_value_on_failed_sync=True), mapping("B", "A")), ["A", "B"]),
    ("a lookup that is disabled", named(mapping("A", "B", is_enabled=False), mapping("B", "A")), ["A", "B"]),
    ("what is said", named(TableMapping("A", "l", "r", Direction.TO, (), depends_on=("B",)), mapping("B")), ["B", "A"]),
    ("none", {}, []),
]  # fmt: skip


@pytest.mark.parametrize(("mappings", "order"), [row[1:] for row in ORDERS], ids=[row[0] for row in ORDERS])
def test_a_mapping_comes_after_those_it_needs(mappings, order):
    assert ordered(mappings) == order


def test_the_shipped_mappings_have_an_order():
    shipped = named(*(one.mapping for one in TABLES))
    assert ordered(shipped) == ["SALESPEOPLE", "CURRENCY", "CUSTOMER", "VENDOR", "CONTACT"]
    assert needs(shipped["CONTACT"]) == ("CURRENCY", "CUSTOMER", "SALESPEOPLE", "VENDOR")


def test_a_circle_is_told_by_name():
    with pytest.raises(CycleError, match="wait for one another: A → B → A") as told:
        ordered(named(mapping("Z", "A"), mapping("A", "B"), mapping("B", "A")))
    assert told.value.names == ("A", "B", "A")
