"""What the platform fills in by itself: defaults, owner, dates, full names, base amounts, states."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from receiver.sandbox.errors import ApiError
from receiver.sandbox.table import OWN_PRECISION, Column, Table
from receiver.sandbox.values import Reference, kept

RateOf = Callable[[Reference], Decimal]
"""How many units of a currency one unit of the base currency buys."""


@dataclass(frozen=True)
class Author:
    """Who writes, when, and where he belongs."""

    user_id: str
    business_unit_id: str
    base_currency_id: str
    at: datetime

    @property
    def user(self) -> Reference:
        return Reference("systemuser", self.user_id)


def of_new_row(table: Table, row_id: str, submitted: dict[str, Any], author: Author) -> dict[str, Any]:
    """All values of a row that is being created."""
    values = {column.name: column.default for column in table.columns if column.default is not None}
    values |= {name: value for name, value in submitted.items() if value is not None}
    values[table.id_column] = row_id
    if table.has("ownerid"):
        values.setdefault("ownerid", author.user)
    if table.money_columns:
        values.setdefault("transactioncurrencyid", Reference("transactioncurrency", author.base_currency_id))
    if table.has("createdon"):
        values |= {"createdon": author.at, "createdby": author.user}
        values |= {"modifiedon": author.at, "modifiedby": author.user}
    _fill_owner(table, values, author)
    _fill_status(table, values, submitted)
    return values


def of_changed_row(table: Table, before: dict[str, Any], submitted: dict[str, Any], author: Author) -> dict[str, Any]:
    """All values of a row after an update; a submitted null clears."""
    values = {**before, **submitted}
    if table.has("modifiedon"):
        values |= {"modifiedon": author.at, "modifiedby": author.user}
    _fill_owner(table, values, author)
    _fill_status(table, values, submitted)
    return {name: value for name, value in values.items() if value is not None}


def _fill_owner(table: Table, values: dict[str, Any], author: Author) -> None:
    owner = values.get("ownerid")
    if table.has("owninguser") and owner is not None:
        values["owninguser"] = owner if owner.table == "systemuser" else None
        values["owningbusinessunit"] = Reference("businessunit", author.business_unit_id)


def _fill_status(table: Table, values: dict[str, Any], submitted: dict[str, Any]) -> None:
    """A state without a status reason gets its first one. Raises ApiError when the two do not belong together."""
    if not table.statuses:
        return
    state = values.get("statecode", 0)
    fitting = [status.value for status in table.statuses if status.state == state]
    if submitted.get("statuscode") is None and values.get("statuscode") not in fitting:
        values["statuscode"] = fitting[0]
    if values["statuscode"] not in fitting:
        raise ApiError(
            400,
            "0x80048408",
            f"{values['statuscode']} is not a valid status code for state code {state} on {table.name}.",
        )


def derive(table: Table, values: dict[str, Any], rate_of: RateOf) -> None:
    """Columns that follow from others, computed anew with every write."""
    if table.has("fullname"):
        parts = (values.get(name) for name in ("firstname", "middlename", "lastname"))
        full_name = " ".join(part for part in parts if part) or None
        values["fullname"] = values["yomifullname"] = full_name
    if table.name == "contact":
        parent = values.get("parentcustomerid")
        values["accountid"] = parent if parent and parent.table == "account" else None
    if table.has("address1_composite"):
        values["address1_composite"] = _composite(values)
    if table.money_columns:
        _derive_base_amounts(table, values, rate_of)


def _composite(values: dict[str, Any]) -> str | None:
    town = " ".join(filter(None, (values.get("address1_postalcode"), values.get("address1_city"))))
    lines = [values.get(f"address1_line{number}") for number in (1, 2, 3)]
    return "\r\n".join(filter(None, [*lines, town, values.get("address1_country")])) or None


def _derive_base_amounts(table: Table, values: dict[str, Any], rate_of: RateOf) -> None:
    currency = values.get("transactioncurrencyid")
    rate = rate_of(currency) if currency else Decimal(1)
    values["exchangerate"] = kept(table.by_name["exchangerate"], rate) if currency else None
    for column in table.money_columns:
        amount = values.get(column.name)
        base = table.by_name[f"{column.name}_base"]
        values[base.name] = None if amount is None else kept(base, amount / rate)


def _money_places(column: Column, by_source: Sequence[int]) -> int:
    return column.precision if column.precision_source == OWN_PRECISION else by_source[column.precision_source]


def as_kept(table: Table, values: dict[str, Any], places_by_source: Sequence[int]) -> dict[str, Any]:
    """Numbers rounded as the database does. *places_by_source*: of money, by the column's `precision_source`."""
    rounded = {}
    for name, value in values.items():
        column = table.by_name[name]
        places = _money_places(column, places_by_source) if column in table.money_columns else None
        rounded[name] = kept(column, value, places)
    return rounded
