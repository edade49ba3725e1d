"""A Dataverse row by the name that a person types."""

from __future__ import annotations

from receiver.commands.coupling.pairs import mapping_named
from receiver.dataverse.columns import TABLES as DATAVERSE_TABLES
from receiver.errors import NotFoundError, RefusedError
from receiver.services import Services

#: a row is found by its primary name, a currency by its code. Source: BC GetNameFieldNo; reference §6.1
SEARCHED_BY = {"transactioncurrency": "isocurrencycode"}


def row_named(services: Services, mapping: str, text: str) -> str:
    """The id of the row of exactly this name, else of the first in name order that begins with it.

    The mapping's filter is not asked here; `couple` tests the row. Raises: NotFoundError; RefusedError where several
    rows have exactly this name.
    """
    found = mapping_named(services, mapping)
    described = DATAVERSE_TABLES[found.dataverse_table]
    column, quoted = SEARCHED_BY.get(described.name, described.primary_name), text.replace("'", "''")
    for condition in (f"{column} eq '{quoted}'", f"startswith({column},'{quoted}')"):
        asked = {"$select": column, "$filter": condition, "$orderby": column, "$top": "2"}
        rows = list(services.dataverse.rows(described.entity_set, asked)) if text else []
        if len(rows) > 1 and condition.endswith(f"eq '{quoted}'"):
            ids = ", ".join(str(row[described.primary_id]) for row in rows)
            raise RefusedError(f"More than one {described.name} is called “{text}”: {ids}. Name one by its id.")
        if rows:
            return str(rows[0][described.primary_id])
    raise NotFoundError(
        f"There is no {described.name} whose name is, or begins with, “{text}”. "
        f"`receiver rows {found.name}` lists the rows."
    )
