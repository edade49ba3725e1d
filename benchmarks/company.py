"""A company under measurement: its CUSTOMER mapping creates by itself; what waits, and what became of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Select, func, select, text

from benchmarks.bodies import BYTES, notification
from benchmarks.servers import PATIENCE_SECONDS, wait_until
from receiver import create_app
from receiver.commands.connection.steps import steps_to_register
from receiver.commands.connection.test_connection import test_connection
from receiver.commands.mappings.change_mapping import set_mapping
from receiver.inbox.storing import Delivery, store
from receiver.runs import schedule
from receiver.schemas.execution_context import read_envelope
from receiver.services import Services
from receiver.store.models import inbox, worker
from receiver.store.schedules import LOOKS


class Company:
    def __init__(self, services: Services) -> None:
        self._services = services
        steps = steps_to_register(services)
        #: of our own post image
        self.alias = next(
            one["image"]["alias"] for one in steps if (one["table"], one["message"]) == ("account", "Update")
        )

    def keep(self, rows: list[str]) -> None:
        """Store a notification for each row, as the door does."""
        for row in rows:
            body = notification(str(uuid4()), row, BYTES, self.alias)
            store(self._services, Delivery(body, {}, ""), read_envelope(body))
        with self._services.database.writing() as connection:
            connection.execute(text("ANALYZE receiver_inbox"))  # as autovacuum does within a minute, with what grew

    def await_worker(self) -> tuple[datetime, datetime]:
        """When the first worker's threads started, and when its heart beat first."""
        wait_until(lambda: self._first(select(worker.c.id)) is not None)
        with self._services.database.reading() as connection:
            started, beat = connection.execute(select(func.min(worker.c.started_at), func.min(worker.c.seen_at))).one()
        return started, beat

    def await_records(self, patience: float = PATIENCE_SECONDS) -> list[tuple[datetime, datetime]]:
        """Wait until nothing waits; when each notification came, in order, and when its record was written."""
        waiting = select(inbox.c.id).where(inbox.c.state.in_(("waiting", "working"))).limit(1)
        wait_until(lambda: self._first(waiting) is None, patience=patience)
        with self._services.database.reading() as connection:
            query = select(inbox.c.state, inbox.c.received_at, inbox.c.finished_at).order_by(inbox.c.id)
            rows = connection.execute(query).all()
        if {row.state for row in rows} != {"done"}:
            raise SystemExit("Not every notification was applied; the figures would mean nothing.")
        return [(row.received_at, row.finished_at) for row in rows]

    def _first(self, query: Select[Any]) -> Any:
        with self._services.database.reading() as connection:
            return connection.execute(query).scalar()


@contextmanager
def company(url: str) -> Iterator[Company]:
    services: Services = create_app({**os.environ, "RECEIVER_DATABASE_URL": url}).extensions["receiver"]
    try:
        found = test_connection(services)
        if not found.is_good:
            raise SystemExit(found.said)
        set_mapping(services, "CUSTOMER", "the benchmark", synch_only_coupled_records=False)
        for what in LOOKS:  # what is counted is what a notification and a click ask for
            schedule.set_(services, what, "the benchmark", is_paused=True)
        yield Company(services)
    finally:
        services.close()
