"""What an environment's tables look like today: which columns it lacks, and which texts hold less than expected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from receiver.core.values import TEXTS, Column
from receiver.dataverse.client import DataverseClient
from receiver.dataverse.columns import DERIVED_COLUMNS, TABLES

#: a column's length stands in the metadata of its own kind alone
_KINDS = ("StringAttributeMetadata", "MemoAttributeMetadata")


@dataclass(frozen=True)
class Today:
    """One table's columns as they are in the environment: of those that `columns.py` knows."""

    lacking: frozenset[str]
    lengths: Mapping[str, int]
    columns: Mapping[str, Column]

    @property
    def shortened(self) -> Mapping[str, int]:
        return {name: found for name, found in self.lengths.items() if found < (self.columns[name].max_length or 0)}

    def described(self) -> dict[str, Column]:
        """The columns that are there, with the lengths of today."""
        return {
            name: replace(column, max_length=self.lengths.get(name, column.max_length))
            for name, column in self.columns.items()
            if name not in self.lacking
        }


def columns_today(client: DataverseClient, table: str) -> Today:
    """Ask Dataverse. Raises: DataverseError, SignInError, DataverseUnreachableError."""
    known, names = TABLES[table].columns, client.column_names(table)
    path = f"EntityDefinitions(LogicalName='{table}')/Attributes/Microsoft.Dynamics.CRM."
    found = (one for kind in _KINDS for one in client.rows(path + kind, {"$select": "LogicalName,MaxLength"}))
    lengths = {str(one["LogicalName"]): int(one["MaxLength"]) for one in found if one.get("MaxLength")}
    texts = {name: lengths[name] for name, one in known.items() if one.type in TEXTS and name in lengths}
    return Today(frozenset(name for name in known if DERIVED_COLUMNS.get(name, name) not in names), texts, known)


def untracked(client: DataverseClient, tables: list[str]) -> list[str]:
    """Of *tables*, those whose change tracking is off. Raises: as `columns_today`."""
    if not tables:
        return []
    wanted = " or ".join(f"LogicalName eq '{table}'" for table in tables)
    found = client.rows("EntityDefinitions", {"$select": "LogicalName,ChangeTrackingEnabled", "$filter": wanted})
    return sorted(str(one["LogicalName"]) for one in found if not one["ChangeTrackingEnabled"])
