"""What a table and its columns are: types, lengths, choices, lookups, and who may write them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any


class Kind(StrEnum):
    """A column's type, spelled as the metadata's AttributeType."""

    TEXT = "String"
    MEMO = "Memo"
    INTEGER = "Integer"
    BIG_INTEGER = "BigInt"
    DECIMAL = "Decimal"
    MONEY = "Money"
    FLAG = "Boolean"
    MOMENT = "DateTime"
    CHOICE = "Picklist"
    STATE = "State"
    STATUS = "Status"
    GUID = "Uniqueidentifier"
    LOOKUP = "Lookup"
    CUSTOMER = "Customer"
    OWNER = "Owner"


LOOKUPS = frozenset({Kind.LOOKUP, Kind.CUSTOMER, Kind.OWNER})
CHOICES = frozenset({Kind.CHOICE, Kind.STATE, Kind.STATUS})
EVERYTHING = "cru"
OWN_PRECISION, PRICING_PRECISION, CURRENCY_PRECISION = 0, 1, 2
"""Where the decimal places of a money column come from. Source: maker/data-platform/types-of-fields."""


@dataclass(frozen=True)
class Target:
    """One table a lookup may point at, and the navigation property that writes it."""

    table: str
    navigation: str


@dataclass(frozen=True)
class Column:
    """One column. `access` holds c, r, u: valid for create, read, update."""

    name: str
    kind: Kind
    length: int = 0
    scale: int = 0
    precision: int = 2
    """Of money alone: the column's own decimal places, which count where `precision_source` is 0."""
    precision_source: int = CURRENCY_PRECISION
    access: str = EVERYTHING
    default: Any = None
    options: tuple[tuple[int, str], ...] = ()
    targets: tuple[Target, ...] = ()
    date_only: bool = False
    required: str = "None"
    """None, Recommended, ApplicationRequired or SystemRequired."""
    source_type: int = 0
    """0 simple, 1 calculated, 2 rollup, 3 formula."""

    @property
    def is_lookup(self) -> bool:
        return self.kind in LOOKUPS

    @property
    def is_choice(self) -> bool:
        return self.kind in CHOICES

    @property
    def is_readable(self) -> bool:
        return "r" in self.access

    @property
    def property_name(self) -> str:
        """The name the Web API reads it by."""
        return f"_{self.name}_value" if self.is_lookup else self.name

    def label(self, value: int) -> str:
        return dict(self.options).get(value, str(value))


@dataclass(frozen=True)
class StatusValue:
    """A status reason and the state it belongs to."""

    value: int
    state: int


@dataclass(frozen=True)
class Table:
    """One table: its names in each place, its columns, and what the platform does with its rows."""

    name: str
    set_name: str
    id_column: str
    name_column: str
    columns: tuple[Column, ...]
    statuses: tuple[StatusValue, ...] = ()
    object_type_code: int = 10000
    tracks_changes: bool = True
    notifies: bool = True
    alternate_keys: tuple[str, ...] = ()

    @cached_property
    def by_name(self) -> dict[str, Column]:
        return {column.name: column for column in self.columns}

    @cached_property
    def by_property(self) -> dict[str, Column]:
        return {column.property_name: column for column in self.columns}

    @cached_property
    def by_navigation(self) -> dict[str, tuple[Column, Target]]:
        """Navigation property -> its column and the table it leads to."""
        return {
            target.navigation: (column, target)
            for column in self.columns
            if column.is_lookup
            for target in column.targets
        }

    @cached_property
    def money_columns(self) -> tuple[Column, ...]:
        """Money columns that have a twin in the base currency."""
        return tuple(
            column for column in self.columns if column.kind is Kind.MONEY and f"{column.name}_base" in self.by_name
        )

    def has(self, column: str) -> bool:
        return column in self.by_name


def text(name: str, length: int = 100, access: str = EVERYTHING) -> Column:
    return Column(name, Kind.TEXT, length=length, access=access)


def texts(names: str, length: int) -> list[Column]:
    return [text(name, length) for name in names.split()]


def memo(name: str, length: int = 2000, access: str = EVERYTHING) -> Column:
    return Column(name, Kind.MEMO, length=length, access=access)


def integer(name: str, access: str = EVERYTHING, default: int | None = None) -> Column:
    return Column(name, Kind.INTEGER, access=access, default=default)


def decimal(name: str, scale: int, access: str = EVERYTHING) -> Column:
    return Column(name, Kind.DECIMAL, scale=scale, access=access)


def money(name: str) -> list[Column]:
    """A money column and its twin in the base currency; stored with four places, as Dataverse does."""
    return [
        Column(name, Kind.MONEY, scale=4),
        base_amount(name),
    ]


def base_amount(name: str) -> Column:
    """The twin, in the base currency, of the money column of that name."""
    return Column(f"{name}_base", Kind.MONEY, scale=4, access="r")


def flag(
    name: str,
    *,
    default: bool | None = None,
    access: str = EVERYTHING,
    labels: tuple[str, str] = ("No", "Yes"),
) -> Column:
    return Column(name, Kind.FLAG, access=access, default=default, options=tuple(enumerate(labels)))


def moment(name: str, access: str = EVERYTHING, *, date_only: bool = False) -> Column:
    return Column(name, Kind.MOMENT, access=access, date_only=date_only)


def guid(name: str, access: str = EVERYTHING) -> Column:
    return Column(name, Kind.GUID, access=access)


def choice(name: str, labels: Iterable[str], first: int = 1, access: str = EVERYTHING) -> Column:
    return Column(name, Kind.CHOICE, options=tuple(enumerate(labels, first)), access=access)


def lookup(name: str, table: str, navigation: str | None = None, access: str = EVERYTHING) -> Column:
    return Column(name, Kind.LOOKUP, targets=(Target(table, navigation or name),), access=access)


def customer(name: str) -> Column:
    targets = tuple(Target(table, f"{name}_{table}") for table in ("account", "contact"))
    return Column(name, Kind.CUSTOMER, targets=targets)


def states(labels: str, statuses: Iterable[tuple[int, int, str]]) -> tuple[list[Column], list[StatusValue]]:
    """The pair statecode and statuscode from "Active,Inactive" and (value, state, label) triples."""
    triples = list(statuses)
    state = Column("statecode", Kind.STATE, options=tuple(enumerate(labels.split(","))), default=0)
    reasons = tuple((value, label) for value, _, label in triples)
    status = Column("statuscode", Kind.STATUS, options=reasons)
    return [state, status], [StatusValue(value, belongs_to) for value, belongs_to, _ in triples]


def audit() -> list[Column]:
    """When and by whom; set by the platform alone."""
    return [
        moment("createdon", "r"),
        lookup("createdby", "systemuser", access="r"),
        lookup("createdonbehalfby", "systemuser", access="r"),
        moment("modifiedon", "r"),
        lookup("modifiedby", "systemuser", access="r"),
        lookup("modifiedonbehalfby", "systemuser", access="r"),
        Column("versionnumber", Kind.BIG_INTEGER, access="r"),
    ]


def ownership() -> list[Column]:
    return [
        Column("ownerid", Kind.OWNER, targets=(Target("systemuser", "ownerid"), Target("team", "ownerid"))),
        lookup("owninguser", "systemuser", access="r"),
        lookup("owningbusinessunit", "businessunit", access="r"),
    ]


def currency() -> list[Column]:
    """What a table with money carries besides the amounts."""
    return [lookup("transactioncurrencyid", "transactioncurrency"), decimal("exchangerate", 10, "r")]
