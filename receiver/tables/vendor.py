"""Vendor ↔ account of relationship type Vendor."""

from __future__ import annotations

from sqlalchemy import Table

from receiver.store.models import metadata
from receiver.tables.business_partner import DEPENDS_ON, partner_columns, partner_filter, partner_rows
from receiver.tables.shipped import B, NumberSeries, ShippedTable, owner_row, table_mapping, text

RELATIONSHIP_TYPE = 11

VENDOR = ShippedTable(
    table=Table("vendor", metadata, *partner_columns(), text("purchaser_code", 20, "Purchaser Code")),
    caption="Vendor",
    key="no",
    named_by=("name",),
    series=NumberSeries("V", 5, 10),
    mapping=table_mapping(
        "VENDOR",
        ("vendor", "account"),
        B,
        (owner_row(1, "purchaser_code"), *partner_rows()),
        ("blocked is empty", partner_filter(RELATIONSHIP_TYPE)),
        depends_on=DEPENDS_ON,
        dataverse_template={"customertypecode": RELATIONSHIP_TYPE},
    ),
)
