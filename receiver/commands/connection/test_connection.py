"""Test Connection: the steps of the connection, and what they found kept for everybody who works with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from receiver.catalogue.reading import keep
from receiver.commands.connection.connection_steps import Findings, connection_steps
from receiver.commands.connection.finding import Step, Verdict
from receiver.core.mapping import TableMapping
from receiver.errors import ReceiverError
from receiver.services import Services, unknown_table
from receiver.store import mappings
from receiver.store.models import connection as state
from receiver.store.upsert import upsert


@dataclass(frozen=True)
class ConnectionTest:
    """What the test found; `said` is for people. It is good when no step failed."""

    is_good: bool
    said: str
    organization_id: str = ""
    steps: tuple[Step, ...] = ()


def test_connection(services: Services) -> ConnectionTest:
    """Test, and remember what was found. Raises: StoreUnavailableError."""
    found, learnt = tested(services, lambda _step: None)
    remember(services, found, learnt)
    return found


def tested(services: Services, told: Callable[[Step], None]) -> tuple[ConnectionTest, Findings]:
    """The same, telling each step as it is done, and nothing is remembered. Raises: StoreUnavailableError."""
    learnt, steps = Findings(), list[Step]()
    for step in connection_steps(services, _mappings(services), learnt):
        steps.append(step)
        told(step)
    failed = next((step for step in steps if step.verdict is Verdict.FAILED), None)
    if failed is None:
        found = ConnectionTest(True, f"Connected to {services.dataverse.url}.", learnt.organization_id, tuple(steps))
    else:
        said = f"{failed.name}: {failed.said} {failed.remedy}".strip()
        found = ConnectionTest(False, said, learnt.organization_id, tuple(steps))
    return found, learnt


def remember(services: Services, found: ConnectionTest, learnt: Findings) -> None:
    """Keep what was found, for the mappings and the pages; what was not learnt stays as it was."""
    values = {"tested_at": services.clock(), "is_good": found.is_good, "said": found.said}
    if found.organization_id:
        values["organization_id"] = found.organization_id
    with services.database.writing() as connection:
        keep(connection, learnt.facts or {}, services.clock())
        statement = upsert(connection, state).values(id=1, **values)
        connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))


@dataclass(frozen=True)
class LastTest:
    """What the last test said, and when; `at` is None when nobody tested yet."""

    at: datetime | None
    is_good: bool
    said: str
    organization_id: str


def last_test(services: Services) -> LastTest:
    query = select(state.c.tested_at, state.c.is_good, state.c.said, state.c.organization_id)
    with services.database.reading() as connection:
        row = connection.execute(query).first()
    return LastTest(row.tested_at, row.is_good, row.said, row.organization_id) if row else LastTest(None, False, "", "")


def trouble(services: Services) -> str:
    """Why what needs Dataverse cannot be done now, in a sentence; empty while nothing speaks against it.

    It asks nobody: a worker tests the connection every two minutes.
    """
    if services.client is None:
        return "No connection to Dataverse is set up."
    try:
        last = last_test(services)
    except ReceiverError:
        return ""
    if last.at is None or last.is_good:
        return ""
    return f"The connection to Dataverse does not work. {last.said}"


def _mappings(services: Services) -> list[TableMapping]:
    """But for those that stand still."""
    with services.database.reading() as connection:
        return [one for one in mappings.load(connection).values() if not unknown_table(one)]
