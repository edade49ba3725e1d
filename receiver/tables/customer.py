"""Customer ↔ account of relationship type Customer."""

from __future__ import annotations

from sqlalchemy import Column, Table

from receiver.core.mapping import FieldMapping
from receiver.store.models import metadata
from receiver.store.types import Amount
from receiver.tables.business_partner import DEPENDS_ON, partner_columns, partner_filter, partner_rows
from receiver.tables.shipped import B, NumberSeries, ShippedTable, T, owner_row, table_mapping, text

RELATIONSHIP_TYPE = 3

CUSTOMER = ShippedTable(
    table=Table(
        "customer",
        metadata,
        *partner_columns(),
        text("salesperson_code", 20, "Salesperson Code"),
        Column("credit_limit_lcy", Amount, info={"caption": "Credit Limit (LCY)"}),
    ),
    caption="Customer",
    key="no",
    named_by=("name",),
    series=NumberSeries("C", 5, 10),
    mapping=table_mapping(
        "CUSTOMER",
        ("customer", "account"),
        B,
        (
            owner_row(1, "salesperson_code"),
            *partner_rows(),
            FieldMapping(40, "credit_limit_lcy", "creditlimit", T),
        ),
        ("blocked is empty", partner_filter(RELATIONSHIP_TYPE)),
        depends_on=DEPENDS_ON,
        dataverse_template={"customertypecode": RELATIONSHIP_TYPE},
    ),
)
