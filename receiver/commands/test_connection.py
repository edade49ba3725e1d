"""Test Connection: sign in, learn the organisation, and which columns this environment lacks."""

from __future__ import annotations

from dataclasses import dataclass

from receiver import lanes
from receiver.core.values import Column
from receiver.dataverse.columns import DERIVED_COLUMNS, TABLES
from receiver.errors import ReceiverError
from receiver.services import Services
from receiver.store import mappings
from receiver.store.models import connection as state


@dataclass(frozen=True)
class ConnectionTest:
    """What the test found; `said` is for people."""

    is_good: bool
    said: str
    organization_id: str = ""


def test_connection(services: Services) -> ConnectionTest:
    """Test and remember what was found. Raises: StoreUnavailableError."""
    lacking: dict[str, list[str]] | None = None
    try:
        organization, _user = services.dataverse.who_am_i()
        lacking = _lacking(services)
        found = ConnectionTest(True, f"Connected to {services.dataverse.url}.", organization)
    except ReceiverError as error:
        found = ConnectionTest(False, str(error))
    values = {"tested_at": services.clock(), "is_good": found.is_good, "said": found.said}
    if found.is_good:
        values |= {"organization_id": found.organization_id, "lacking": lacking}
    with services.database.writing() as connection:
        statement = lanes.upsert(connection, state).values(id=1, **values)
        connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))
    return found


def _lacking(services: Services) -> dict[str, list[str]]:
    """Columns that we know of and the environment does not have, by table."""
    with services.database.reading() as connection:
        tables = {mapping.dataverse_table for mapping in mappings.load(connection).values()}
    found = {}
    for name in sorted(tables):
        columns = services.dataverse.column_names(name)
        found[name] = sorted(column.name for column in TABLES[name].columns.values() if _is_missing(column, columns))
    return found


def _is_missing(column: Column, columns: frozenset[str]) -> bool:
    return DERIVED_COLUMNS.get(column.name, column.name) not in columns
