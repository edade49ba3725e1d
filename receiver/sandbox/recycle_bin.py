"""The recycle bin: deleted rows that are kept for some days, to be looked at and to be brought back.

Off until it is set up; only what is deleted afterwards is in it. Source: DP/restore-deleted-records.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from receiver.sandbox.errors import invalid_argument
from receiver.sandbox.schema import Schema, metadata_id
from receiver.sandbox.storage import Row, Transaction
from receiver.sandbox.table import Table
from receiver.sandbox.values import Reference

CONFIGURATION = "recyclebinconfig"


@dataclass(frozen=True)
class _Deleted:
    row: Row
    at: datetime


class RecycleBin:
    """What was deleted, by table and id, with what each row held."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._rows: dict[tuple[str, str], _Deleted] = {}
        self.days = 0

    @property
    def is_on(self) -> bool:
        return self.days > 0

    def keep(self, transaction: Transaction, table: Table, row: Row) -> None:
        """Once the deletion is committed. Rows of the platform's own tables are not kept."""
        if self.is_on and table.notifies:
            transaction.after_commit.append(lambda: self._put(row))

    def rows(self, table: Table) -> list[Row]:
        """Raises ApiError where the bin is off: what it says of such a request is not documented."""
        if not self.is_on or not table.notifies:
            raise invalid_argument(f"The recycle bin is not enabled for {table.name}.")
        with self._lock:
            found = [deleted for (name, _), deleted in self._rows.items() if name == table.name]
        kept = [deleted.row for deleted in found if deleted.at + timedelta(days=self.days) > self._now()]
        return sorted(kept, key=lambda row: row.id)

    def find(self, table: Table, row_id: str) -> Row | None:
        return next((row for row in self.rows(table) if row.id == row_id), None)

    def empty(self) -> None:
        with self._lock:
            self._rows.clear()

    def forget(self, table: str, row_id: str) -> None:
        with self._lock:
            self._rows.pop((table, row_id), None)

    def _put(self, row: Row) -> None:
        with self._lock:
            self._rows[row.table, row.id] = _Deleted(row, self._now())


def without_dangling(transaction: Transaction, values: dict[str, Any]) -> dict[str, Any]:
    """What a row held, without the lookups whose rows are gone meanwhile."""
    return {
        name: value
        for name, value in values.items()
        if not isinstance(value, Reference) or transaction.row(value.table, value.id) is not None
    }


def put_configuration(schema: Schema, transaction: Transaction, days: int) -> None:
    """One row for each table whose rows are kept."""
    for table in schema.tables.values():
        if not table.notifies:
            continue
        row_id = str(uuid5(NAMESPACE_URL, f"{CONFIGURATION}/{table.name}"))
        values = {
            "recyclebinconfigid": row_id,
            "name": table.name,
            "cleanupintervalindays": days,
            "isreadyforrecyclebin": days > 0,
            "extensionofrecordid": Reference("entity", metadata_id(table.name)),
            "statecode": 0 if days else 1,
            "statuscode": 1 if days else 2,
        }
        transaction.put(CONFIGURATION, row_id, values)
