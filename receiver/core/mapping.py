"""Integration Table Mapping and Integration Field Mapping as values, and what makes one invalid.

Source: BC tables 5335 and 5336; reference §1.1, §1.2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property

from receiver.core.filters import EVERYTHING, Filter, FilterError, columns_of, parse, without_columns
from receiver.core.transformation import TRANSFORMATION_RULES
from receiver.core.values import NUMBERS, TEXTS, WHOLE_NUMBERS, Column, ColumnType, Value, Values


class Direction(StrEnum):
    """Of a mapping or a field mapping; a run goes *toward* one side, so it is To or From."""

    BIDIRECTIONAL = "Bidirectional"
    TO = "ToIntegrationTable"
    FROM = "FromIntegrationTable"

    def allows(self, toward: Direction) -> bool:
        return self in {Direction.BIDIRECTIONAL, toward}

    @property
    def back(self) -> Direction:
        """The opposite run."""
        return Direction.FROM if self is Direction.TO else Direction.TO


class DeletionConflict(StrEnum):
    """Resolve Deletion Conflicts."""

    NONE = ""
    RESTORE = "Restore records"
    DELETE_COUPLING = "Delete coupling"


class UpdateConflict(StrEnum):
    """Resolve Update Conflicts."""

    NONE = ""
    SEND = "Send data update to integration table"
    GET = "Get data update from integration table"

    @property
    def winner(self) -> Direction | None:
        """The run whose source wins."""
        return {UpdateConflict.SEND: Direction.TO, UpdateConflict.GET: Direction.FROM}.get(self)


class Conversion(StrEnum):
    """How a value means the same on the other side where it is not the same value."""

    PLAIN = ""
    #: a guid is the key of the record coupled to it, by the first of the related mappings that has one
    LOOKUP = "lookup"
    #: which of the related mappings that is, by its local table
    LOOKUP_TABLE = "lookup table"
    #: a transaction currency is its ISO code; the local currency is blank
    CURRENCY = "currency"
    #: an owner is the salesperson coupled to the user; teams have none
    OWNER = "owner"


@dataclass(frozen=True)
class FieldMapping:
    """One mapped field; `number` gives the order. Without a source column the constant is used."""

    number: int
    local_column: str | None
    dataverse_column: str | None
    direction: Direction = Direction.BIDIRECTIONAL
    constant: Value = None
    transformation_rule: str = ""
    transformation_direction: Direction = Direction.TO
    clear_value_on_failed_sync: bool = False
    not_null: bool = False
    match_on_this_field: bool = False
    is_enabled: bool = True
    conversion: Conversion = Conversion.PLAIN
    related: tuple[str, ...] = ()
    #: match-based coupling: the first priority group that yields exactly one uncoupled row wins
    match_priority: int = 0
    case_sensitive_matching: bool = False


@dataclass(frozen=True)
class Transfer:
    """A field mapping seen from the run's source: the engine does not know which side is Dataverse."""

    number: int
    source: str | None
    destination: str
    is_bidirectional: bool
    constant: Value
    rule: str
    clears_on_failure: bool
    not_null: bool
    conversion: Conversion
    related: tuple[str, ...]


@dataclass(frozen=True)
class TableMapping:
    """One pair of tables to keep in step."""

    name: str
    local_table: str
    dataverse_table: str
    direction: Direction
    fields: tuple[FieldMapping, ...]
    synch_only_coupled_records: bool = True
    local_filter: Filter = EVERYTHING
    dataverse_filter: Filter = EVERYTHING
    local_filter_text: str = ""
    dataverse_filter_text: str = ""
    resolve_deletion_conflicts: DeletionConflict = DeletionConflict.NONE
    resolve_update_conflicts: UpdateConflict = UpdateConflict.NONE
    is_enabled: bool = True
    depends_on: tuple[str, ...] = ()
    #: values that a new record gets on top, by side (BC's configuration templates)
    local_template: Values = field(default_factory=dict)
    dataverse_template: Values = field(default_factory=dict)
    #: match-based coupling: synchronize what was coupled, create what found no match
    synch_after_bulk_coupling: bool = False
    create_new_in_case_of_no_match: bool = False

    def source_filter(self, toward: Direction) -> Filter:
        return self.dataverse_filter if toward is Direction.FROM else self.local_filter

    def template(self, toward: Direction) -> Values:
        return self.local_template if toward is Direction.FROM else self.dataverse_template

    def transfers(self, toward: Direction) -> tuple[Transfer, ...]:
        """The enabled field mappings of a run, turned round to source and destination, in their order."""
        return self._transfers[toward]

    @cached_property
    def _transfers(self) -> dict[Direction, tuple[Transfer, ...]]:
        rows = sorted(self.fields, key=lambda row: row.number)
        return {
            toward: tuple(
                _turned(row, toward, is_bidirectional=self.direction is row.direction is Direction.BIDIRECTIONAL)
                for row in rows
                if row.is_enabled and row.direction.allows(toward) and _has_end(row, toward)
            )
            for toward in (Direction.TO, Direction.FROM)
        }

    def dataverse_columns(self) -> frozenset[str]:
        """Every Dataverse column that the mapping reads: of enabled field mappings and of its filter."""
        return self._dataverse_columns

    @cached_property
    def _dataverse_columns(self) -> frozenset[str]:
        mapped = {row.dataverse_column for row in self.fields if row.is_enabled and row.dataverse_column}
        return columns_of(self.dataverse_filter) | mapped

    def without_columns(self, lacking: frozenset[str]) -> TableMapping:
        """The mapping in an environment whose table lacks these columns (bcbi_companyid, say)."""
        if not lacking:
            return self
        rows = tuple(row for row in self.fields if row.dataverse_column not in lacking)
        return replace(self, fields=rows, dataverse_filter=without_columns(self.dataverse_filter, lacking))


def _has_end(row: FieldMapping, toward: Direction) -> bool:
    return (row.local_column if toward is Direction.FROM else row.dataverse_column) is not None


def _turned(row: FieldMapping, toward: Direction, *, is_bidirectional: bool) -> Transfer:
    """Under a one-way mapping every field is one-way: what changed at its destination is overwritten, no conflict.

    Source: BC's OneWaySynchIgnoresDestinationChanges; reference §2.5, scenario A23.
    """
    comes_in = toward is Direction.FROM
    source = row.dataverse_column if comes_in else row.local_column
    destination = row.local_column if comes_in else row.dataverse_column
    assert destination is not None  # _has_end looked
    rule = row.transformation_rule if row.transformation_direction is toward else ""
    return Transfer(
        row.number, source, destination, is_bidirectional, row.constant, rule,
        row.clear_value_on_failed_sync, row.not_null, row.conversion, row.related,
    )  # fmt: skip


def problems(
    mapping: TableMapping,
    local: Mapping[str, Column],
    dataverse: Mapping[str, Column],
    mappings: frozenset[str],
) -> list[str]:
    """Everything that is wrong with *mapping*, a sentence each; none when it may be saved.

    *local* and *dataverse* are the two tables' columns, *mappings* the names of all mappings.
    """
    return [
        *_filter_problems(mapping.local_filter_text, local, f"the table filter of {mapping.name}"),
        *_filter_problems(mapping.dataverse_filter_text, dataverse, f"the integration table filter of {mapping.name}"),
        *_direction_problems(mapping),
        *(said for row in mapping.fields for said in _field_problems(row, local, dataverse, mappings)),
    ]


def _filter_problems(text: str, columns: Mapping[str, Column], where: str) -> Iterator[str]:
    try:
        unknown = columns_of(parse(text)) - set(columns)
    except FilterError as error:
        yield f"{error} (in {where})"
        return
    for name in sorted(unknown):
        yield f"Column “{name}” in {where} does not exist."


def _direction_problems(mapping: TableMapping) -> Iterator[str]:
    wanted = mapping.direction
    enabled = [row for row in mapping.fields if row.is_enabled]
    needed = (Direction.TO, Direction.FROM) if wanted is Direction.BIDIRECTIONAL else (wanted,)
    for toward in needed:
        if enabled and not any(row.direction.allows(toward) for row in enabled):
            yield (
                f"Direction {wanted} of {mapping.name} needs at least one enabled field mapping that goes "
                f"{toward}. Enable or add one, then set the direction."
            )


def _field_problems(
    row: FieldMapping, local: Mapping[str, Column], dataverse: Mapping[str, Column], mappings: frozenset[str]
) -> Iterator[str]:
    where = f"field mapping {row.number} ({row.local_column or '–'} ↔ {row.dataverse_column or '–'})"
    for name, columns, side in (
        (row.local_column, local, "local"),
        (row.dataverse_column, dataverse, "Dataverse"),
    ):
        if name is not None and name not in columns:
            yield f"Column “{name}” of {where} does not exist in the {side} table."
    if row.local_column is None and row.dataverse_column is None:
        yield f"Field mapping {row.number} names no column."
    if row.transformation_rule not in TRANSFORMATION_RULES:
        yield f"Transformation rule “{row.transformation_rule}” of {where} does not exist."
    if row.clear_value_on_failed_sync and row.not_null:
        yield f"Clear Value on Failed Sync and Not Null exclude each other in {where}."
    if row.is_enabled:
        yield from (f"Mapping “{name}” of {where} does not exist." for name in row.related if name not in mappings)
    both = local.get(row.local_column or ""), dataverse.get(row.dataverse_column or "")
    if both[0] is not None and both[1] is not None and row.conversion is Conversion.PLAIN:
        yield from _type_problems(row, both[0], both[1], where)


def _type_problems(row: FieldMapping, local: Column, dataverse: Column, where: str) -> Iterator[str]:
    if _kind(local.type) != _kind(dataverse.type):
        yield f"The types differ in {where}: {local.type} here, {dataverse.type} in Dataverse."
    too_short = local.max_length is not None and local.max_length < (dataverse.max_length or 0)
    if row.is_enabled and row.direction is Direction.BIDIRECTIONAL and too_short:
        yield (
            f"The local column of {where} holds {local.max_length} characters, Dataverse's {dataverse.max_length}. "
            "A bidirectional field must be at least as long here, or its text would be cut and sent back cut."
        )


def _kind(type_: ColumnType) -> str:
    for kind, members in (("text", TEXTS), ("number", NUMBERS), ("whole number", WHOLE_NUMBERS)):
        if type_ in members:
            return kind
    return type_
