"""The shipped local tables, one file each: the SQL table, its number series, its default mapping.

In comes nothing, out go descriptions. To add one: a file here, its name in `TABLES`, one migration
(docs/architecture.md). Read `shipped.py` first.
"""

from __future__ import annotations

from collections.abc import Mapping

from receiver.tables.contact import CONTACT
from receiver.tables.currency import CURRENCY
from receiver.tables.customer import CUSTOMER
from receiver.tables.salesperson import SALESPERSON
from receiver.tables.shipped import ShippedTable
from receiver.tables.vendor import VENDOR

#: in Business Central's order: what others refer to comes first
TABLES: tuple[ShippedTable, ...] = (SALESPERSON, CURRENCY, CUSTOMER, VENDOR, CONTACT)
BY_NAME: Mapping[str, ShippedTable] = {shipped.table.name: shipped for shipped in TABLES}
