"""A row's values as they are kept: rounded, with what follows from them, and refused where a rule forbids them."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from receiver.sandbox import filling
from receiver.sandbox.collation import Collation
from receiver.sandbox.errors import ApiError
from receiver.sandbox.registration import ENDPOINT, check_registration
from receiver.sandbox.seed import BASE_CURRENCY
from receiver.sandbox.storage import Transaction
from receiver.sandbox.table import Table
from receiver.sandbox.values import Reference

_USUAL_PLACES = 2
_BASE = Reference("transactioncurrency", BASE_CURRENCY)

OnWrite = Callable[[str, dict[str, Any]], None]
"""Told of a table and of what is written to it; may add to it."""


class Keeping:
    """What the database of one environment makes of the values that it is given."""

    def __init__(self, organization_id: str, collation: Collation, on_write: OnWrite) -> None:
        self._organization_id = organization_id
        self._collation = collation
        self._on_write = on_write

    def kept(self, transaction: Transaction, table: Table, values: dict[str, Any]) -> dict[str, Any]:
        """Raises ApiError."""
        rounded = filling.as_kept(table, values, self._places_by_source(transaction, table, values))
        filling.derive(table, rounded, lambda currency: _rate(transaction, currency))
        if table.name == ENDPOINT:
            rounded["isauthvalueset"] = bool(rounded.get("authvalue"))
        check_registration(transaction, table.name, rounded)
        self._on_write(table.name, rounded)
        return rounded

    def refuse_taken_keys(self, transaction: Transaction, table: Table, row_id: str, submitted: dict[str, Any]) -> None:
        """Texts that the database holds for equal are one key. Raises ApiError."""
        for key in table.alternate_keys:
            value = submitted.get(key)
            if value is None:
                continue
            wanted = self._collation.of(value)
            others = (row for row in transaction.rows(table.name) if row.id != row_id)
            if any(self._collation.of(row.get(key)) == wanted for row in others):
                text = f"A record that has the attribute values {key} = {value} already exists."
                raise ApiError(412, "0x80060892", text)

    def _places_by_source(self, transaction: Transaction, table: Table, values: dict[str, Any]) -> list[int]:
        """Of money: the usual places, the organization's, and those of the row's currency."""
        if not table.money_columns:
            return []
        organization = transaction.row("organization", self._organization_id)
        currency = transaction.row("transactioncurrency", (values.get("transactioncurrencyid") or _BASE).id)
        pricing = organization.get("pricingdecimalprecision") if organization else None
        own = currency.get("currencyprecision") if currency else None
        return [_USUAL_PLACES if places is None else places for places in (None, pricing, own)]


def _rate(transaction: Transaction, currency: Reference) -> Decimal:
    row = transaction.row(currency.table, currency.id)
    rate = row.get("exchangerate") if row else None
    return rate if isinstance(rate, Decimal) and rate else Decimal(1)
