"""Currency → transactioncurrency; a currency's key is its ISO code."""

from __future__ import annotations

from sqlalchemy import Column, String, Table

from receiver.core.mapping import FieldMapping, MatchExists
from receiver.store.models import metadata
from receiver.tables.shipped import ShippedTable, T, table_mapping, text

CURRENCY = ShippedTable(
    table=Table(
        "currency",
        metadata,
        Column("code", String(10), primary_key=True, info={"caption": "Code"}),
        text("description", 100, "Description"),
        text("symbol", 10, "Symbol"),
    ),
    caption="Currency",
    key="code",
    named_by=("description",),
    series=None,
    mapping=table_mapping(
        "CURRENCY",
        ("currency", "transactioncurrency"),
        T,
        (
            FieldMapping(1, "code", "isocurrencycode", T, match_on_this_field=True),
            FieldMapping(2, "symbol", "currencysymbol", T),
            FieldMapping(3, "description", "currencyname", T),
        ),
        when_a_match_exists=MatchExists.COUPLE,  # an ISO code is what a currency is
    ),
)
