"""Words that a database, a mapping file or Dataverse knows: what was kept under one is found under it ever after."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

import pytest
from core.situations import ROW_ID, situation

from receiver.core.coupling import Coupling, LastRun, Result
from receiver.core.mapping import (
    Conversion,
    DeletionConflict,
    Direction,
    FieldMapping,
    TableMapping,
    UpdateConflict,
)
from receiver.core.merge import Sides
from receiver.core.message import NO_ID, SIZE_EXCEEDED_HEADER, SynchRequest
from receiver.core.values import Column, ColumnType

WORDS: list[tuple[type[StrEnum], list[str]]] = [
    (Result, ["", "Success", "Failure"]),
    (Direction, ["Bidirectional", "ToIntegrationTable", "FromIntegrationTable"]),
    (DeletionConflict, ["", "Restore records", "Delete coupling"]),
    (UpdateConflict, ["", "Send data update to integration table", "Get data update from integration table"]),
    (Conversion, ["", "lookup", "lookup table", "currency", "owner", "option"]),
    (
        ColumnType,
        ["String", "Memo", "Integer", "BigInt", "Decimal", "Double", "Money", "Boolean", "Picklist", "State", "Status",
         "MultiSelectPicklist", "DateTime", "DateOnly", "Lookup", "Uniqueidentifier"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "words"), WORDS, ids=[row[0].__name__ for row in WORDS])
def test_the_words_that_are_kept_do_not_change(kind, words):
    assert [str(member) for member in kind] == words


def test_a_coupling_begins_unskipped_and_without_a_run():
    coupling = Coupling("CUSTOMER", "C00010", ROW_ID)
    assert (coupling.local_base, coupling.dataverse_base, coupling.is_skipped) == (None, None, False)
    assert coupling.last_from == coupling.last_to == LastRun(Result.NONE, None, "")


def test_a_mapping_ships_as_business_central_ships_it():
    mapping = TableMapping("CUSTOMER", "customer", "account", Direction.BIDIRECTIONAL, ())
    assert mapping.synch_only_coupled_records is True
    assert mapping.is_enabled is True
    assert mapping.resolve_deletion_conflicts is DeletionConflict.NONE
    assert mapping.resolve_update_conflicts is UpdateConflict.NONE


def test_a_field_goes_both_ways_unchanged_unless_something_else_is_said():
    field = FieldMapping(1, "name", "name")
    assert (field.direction, field.conversion) == (Direction.BIDIRECTIONAL, Conversion.PLAIN)
    assert (field.constant, field.transformation_rule) == (None, "")
    assert field.is_enabled is True
    options = (field.clear_value_on_failed_sync, field.not_null, field.match_on_this_field)
    assert options == (False, False, False)


def test_a_request_is_a_hint_that_nobody_clicked_unless_something_else_is_said():
    request = SynchRequest("account", ROW_ID)
    assert (request.image, request.is_deletion, request.is_click) == (None, False, False)


def test_nothing_is_forced_unless_somebody_says_so():
    assert not Sides((), Direction.FROM, {}, None).is_forced
    assert not situation().is_forced


def test_dataverses_own_names_are_spelt_as_it_spells_them():
    assert str(UUID(int=0)) == NO_ID
    assert SIZE_EXCEEDED_HEADER == "x-ms-dynamics-msg-size-exceeded"


def test_a_column_is_a_text_without_a_limit_that_may_be_written_unless_something_else_is_said():
    column = Column("name")
    assert (column.type, column.max_length, column.is_read_only) == (ColumnType.TEXT, None, False)
