"""All tables of the sandbox, found by logical name, entity set or alternate key."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import NAMESPACE_URL, uuid5

from receiver.sandbox.business_central_tables import business_central_tables
from receiver.sandbox.errors import ApiError, unknown_resource
from receiver.sandbox.platform_tables import platform_tables
from receiver.sandbox.sales_tables import sales_tables
from receiver.sandbox.table import Table


@dataclass(frozen=True)
class Schema:
    tables: dict[str, Table]
    sets: dict[str, Table]

    def table(self, name: str) -> Table:
        """Raises ApiError when there is no such table."""
        found = self.tables.get(name)
        if found is None:
            raise ApiError(400, "0x80041102", f"The entity with a name = '{name}' was not found.")
        return found

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
