"""Test Connection: sign in, learn the organisation, and which columns this environment lacks."""

from __future__ import annotations

from dataclasses import dataclass

from receiver import lanes
from receiver.dataverse.metadata import columns_today
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
    shortened: dict[str, dict[str, int]] = {}
    try:
        organization, _user = services.dataverse.who_am_i()
        today = {name: columns_today(services.dataverse, name) for name in _tables(services)}
        lacking = {name: sorted(one.lacking) for name, one in today.items()}
        shortened = {name: dict(one.shortened) for name, one in today.items()}
        found = ConnectionTest(True, f"Connected to {services.dataverse.url}.", organization)
    except ReceiverError as error:
        found = ConnectionTest(False, str(error))
    values = {"tested_at": services.clock(), "is_good": found.is_good, "said": found.said}
    if found.is_good:
        values |= {"organization_id": found.organization_id, "lacking": lacking, "shortened": shortened}
    with services.database.writing() as connection:
        statement = lanes.upsert(connection, state).values(id=1, **values)
        connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))
    return found


def _tables(services: Services) -> list[str]:
    with services.database.reading() as connection:
        return sorted({mapping.dataverse_table for mapping in mappings.load(connection).values()})
