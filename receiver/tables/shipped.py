"""What a shipped local table consists of, and the columns that several of them share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, String, Table

from receiver.core.filters import parse
from receiver.core.mapping import Conversion, Direction, FieldMapping, TableMapping

B, T, F = Direction.BIDIRECTIONAL, Direction.TO, Direction.FROM
#: §13.6: own company's rows and those of no company; left out where the environment has no company ids
OWN_OR_EMPTY = "(bcbi_companyid = @company or bcbi_companyid is empty)"


@dataclass(frozen=True)
class NumberSeries:
    """`C00010`, `C00020`, …: a prefix, so many digits, an increment."""

    prefix: str
    digits: int
    increment: int = 1

    def number(self, count: int) -> str:
        return f"{self.prefix}{count:0{self.digits}d}"


@dataclass(frozen=True)
class ShippedTable:
    """A local table, how its new records are numbered (None: the key comes with the values), its default mapping."""

    table: Table
    caption: str
    key: str
    named_by: tuple[str, ...]
    series: NumberSeries | None
    mapping: TableMapping


def text(name: str, length: int, caption: str) -> Column[Any]:
    """Empty text is how Business Central says *no value*."""
    return Column(name, String(length), nullable=False, default="", server_default="", info={"caption": caption})


def address() -> tuple[Column[Any], ...]:
    """At least as long as Dataverse's: a bidirectional text must not be cut on its way in."""
    return (
        text("address", 250, "Address"),
        text("address_2", 250, "Address 2"),
        text("post_code", 20, "Post Code"),
        text("city", 80, "City"),
        text("county", 50, "County"),
        text("country_region_code", 80, "Country/Region Code"),
    )


def address_rows(first: int) -> tuple[FieldMapping, ...]:
    pairs = (
        ("address", "address1_line1"),
        ("address_2", "address1_line2"),
        ("post_code", "address1_postalcode"),
        ("city", "address1_city"),
        ("county", "address1_stateorprovince"),
        ("country_region_code", "address1_country"),
    )
    return tuple(FieldMapping(first + at, local, remote) for at, (local, remote) in enumerate(pairs))


def owner_row(number: int, local_column: str) -> FieldMapping:
    """Person ownership model: an unknown salesperson is an error, none leaves the owner as it is."""
    return FieldMapping(
        number, local_column, "ownerid", T, not_null=True, conversion=Conversion.OWNER, related=("SALESPEOPLE",)
    )


def currency_row(number: int) -> FieldMapping:
    return FieldMapping(
        number, "currency_code", "transactioncurrencyid", conversion=Conversion.CURRENCY, related=("CURRENCY",)
    )


def table_mapping(
    name: str,
    tables: tuple[str, str],
    direction: Direction,
    fields: tuple[FieldMapping, ...],
    filters: tuple[str, str] = ("", ""),
    **others: Any,
) -> TableMapping:
    """A default mapping; *tables* and *filters* are local and Dataverse. All ship with only-coupled on."""
    return TableMapping(
        name,
        *tables,
        direction,
        fields,
        local_filter=parse(filters[0]),
        dataverse_filter=parse(filters[1]),
        local_filter_text=filters[0],
        dataverse_filter_text=filters[1],
        **others,
    )
