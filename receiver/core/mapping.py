"""Integration Table Mapping and Integration Field Mapping as values; `mapping_problems.py` says what makes one invalid.

Source: BC tables 5335 and 5336; reference §1.1, §1.2.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property

from receiver.core.company import NO_STAMPS, Stamps
from receiver.core.description import NOTHING_DESCRIBED, Description
from receiver.core.filters import EVERYTHING, Filter, columns_of, without_columns
from receiver.core.values import BY_CURRENCY, Value, Values


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


class MatchExists(StrEnum):
    """What is done instead of creating a record beside uncoupled ones that are equal in *Match on this Field*."""

    #: it is kept aside, with those that may be meant, until a person says which
    ASK = "ask"
    #: if there is exactly one, the two are coupled; else it is asked about
    COUPLE = "couple"
    #: it is created all the same
    CREATE = "create"


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
    #: a choice is a code: by the table in the transformation rule, else by its labels
    OPTION = "option"


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
    when_a_match_exists: MatchExists = MatchExists.ASK
    #: the number of its newest change; it is no part of what a mapping means
    version: int = field(default=0, compare=False)
    #: its Dataverse table as this environment has it for us; never stored
    described: Description = NOTHING_DESCRIBED
    #: columns that it would read if the application user might see them; never stored
    hidden: frozenset[str] = frozenset()
    #: what rows that it writes carry of this company; never stored
    stamps: Stamps = NO_STAMPS

    def source_filter(self, toward: Direction) -> Filter:
        return self.dataverse_filter if toward is Direction.FROM else self.local_filter

    def template(self, toward: Direction) -> Values:
        return self.local_template if toward is Direction.FROM else self.dataverse_template

    def transfers(self, toward: Direction) -> tuple[Transfer, ...]:
        """The enabled field mappings of a run, turned round to source and destination, in their order."""
        return self._transfers[toward]

    def open_transfers(self, toward: Direction, *, creates: bool) -> tuple[Transfer, ...]:
        """Those of `transfers` whose destination the application user may fill in, in a new row or in one there is.

        The others are as if they were switched off: their bases stay, so that they follow once the right is given.
        """
        if toward is Direction.FROM:
            return self._transfers[toward]
        closed = self.described.not_created if creates else self.described.not_updated
        return tuple(one for one in self._transfers[toward] if one.destination not in closed)

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

    @cached_property
    def mapped_columns(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The local and the Dataverse columns of enabled field mappings, by name."""
        enabled = [row for row in self.fields if row.is_enabled]
        here, there = {row.local_column for row in enabled}, {row.dataverse_column for row in enabled}
        return tuple(sorted(filter(None, here))), tuple(sorted(filter(None, there)))

    def priced_by_currency(self) -> frozenset[str]:
        """The mapped Dataverse columns whose amounts are as precise as their row's currency."""
        return self._priced_by_currency

    @cached_property
    def _priced_by_currency(self) -> frozenset[str]:
        mapped = {row.dataverse_column for row in self.fields if row.is_enabled}
        described = self.described.columns
        return frozenset(
            name for name, column in described.items() if name in mapped and column.precision_source == BY_CURRENCY
        )

    def without_columns(self, lacking: frozenset[str]) -> TableMapping:
        """The mapping in an environment whose table lacks these columns (bcbi_companyid, say).

        A group of criteria that loses one matches nothing: with fewer, it would couple what does not belong together.
        """
        if not lacking:
            return self
        blind = {
            row.match_priority for row in self.fields if row.match_on_this_field and row.dataverse_column in lacking
        }
        rows = tuple(
            replace(row, match_on_this_field=row.match_on_this_field and row.match_priority not in blind)
            for row in self.fields
            if row.dataverse_column not in lacking
        )
        template = {name: value for name, value in self.dataverse_template.items() if name not in lacking}
        pruned = without_columns(self.dataverse_filter, lacking)
        return replace(self, fields=rows, dataverse_filter=pruned, dataverse_template=template)


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
    has_rule = row.transformation_direction is toward or row.conversion is Conversion.OPTION
    rule = row.transformation_rule if has_rule else ""
    return Transfer(
        row.number, source, destination, is_bidirectional, row.constant, rule,
        row.clear_value_on_failed_sync, row.not_null, row.conversion, row.related,
    )  # fmt: skip
