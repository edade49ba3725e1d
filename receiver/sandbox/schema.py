"""All tables of the sandbox, found by logical name, entity set or alternate key."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from receiver.sandbox.business_central_tables import business_central_tables
from receiver.sandbox.errors import ApiError, unknown_resource
from receiver.sandbox.platform_tables import platform_tables
from receiver.sandbox.sales_tables import sales_tables
from receiver.sandbox.table import Column, Kind, StatusValue, Table


@dataclass(frozen=True)
class Schema:
    """What there is today: an administrator may change it while the sandbox runs."""

    tables: dict[str, Table]
    sets: dict[str, Table]

    def table(self, name: str) -> Table:
        """Raises ApiError when there is no such table."""
        found = self.tables.get(name)
        if found is None:
            raise ApiError(400, "0x80041102", f"The entity with a name = '{name}' was not found.")
        return found

    def put_column(self, table: str, column: Column) -> None:
        """Adds the column, or replaces the one of its name. Raises ApiError when there is no such table."""
        found = self.table(table)
        others = tuple(one for one in found.columns if one.name != column.name)
        self._put(replace(found, columns=(*others, column)))

    def change_column(self, table: str, name: str, **changes: Any) -> None:
        """Raises ApiError, KeyError for what does not exist."""
        self.put_column(table, replace(self.table(table).by_name[name], **changes))

    def remove_column(self, table: str, name: str) -> None:
        """Raises ApiError when there is no such table."""
        found = self.table(table)
        self._put(replace(found, columns=tuple(one for one in found.columns if one.name != name)))

    def put_option(self, table: str, name: str, value: int, label: str, state: int = 0) -> None:
        """Adds the option or gives it this label; *state* is that of a new status reason. Raises ApiError, KeyError."""
        column = self.table(table).by_name[name]
        self.change_column(table, name, options=tuple({**dict(column.options), value: label}.items()))
        found = self.table(table)
        if column.kind is Kind.STATUS and value not in {status.value for status in found.statuses}:
            self._put(replace(found, statuses=(*found.statuses, StatusValue(value, state))))

    def _put(self, table: Table) -> None:
        self.tables[table.name] = self.sets[table.set_name] = table

    def entity_set(self, set_name: str) -> Table:
        """Raises ApiError when no table is addressed so."""
        found = self.sets.get(set_name)
        if found is None:
            raise unknown_resource(set_name)
        return found


def metadata_id(name: str) -> str:
    """The MetadataId of a table, or of `table.column`: the same on every start."""
    return str(uuid5(NAMESPACE_URL, name))


def make_schema(*, with_company_id: bool = False) -> Schema:
    tables = [*sales_tables(with_company_id=with_company_id), *platform_tables()]
    tables += business_central_tables() if with_company_id else []
    return Schema({table.name: table for table in tables}, {table.set_name: table for table in tables})
