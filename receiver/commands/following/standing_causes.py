"""Causes that keep many records waiting: a closed gate, what has been passing for an hour, what was kept back.

They are no record's own failure, so they are told once, with the number of records that wait.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from receiver.commands.mappings.confirm import kept_back
from receiver.services import Services
from receiver.store import gates
from receiver.store.models import lane

#: what has been passing for so long is no longer only passing
STANDS_AFTER = timedelta(hours=1)


@dataclass(frozen=True)
class Cause:
    """Why records wait: since when, how many (0: not known), and what a person can do."""

    kind: str
    sentence: str
    remedy: str
    since: datetime | None
    count: int = 0

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {**vars(self), "since": self.since and self.since.isoformat()}


def listed(services: Services, mapping: str = "") -> list[Cause]:
    """The causes of today; of one mapping only what was kept back of it. Raises: NotFoundError."""
    held = [Cause("kept back", one.sentence, "", one.since, one.count) for one in kept_back(services, mapping)]
    return held if mapping else [*held, *_gates(services), *_passing_for_long(services)]


def _gates(services: Services) -> Iterator[Cause]:
    with services.database.reading() as connection:
        found = gates.found(connection)
    for one in found:
        if one.is_set_up:
            said = f"The gate “{one.name}” is closed since {one.closed_at:%Y-%m-%d %H:%M} UTC: {one.reason}"
            yield Cause("gate", said, f'Once it is mended: receiver gates open "{one.name}"', one.closed_at)


def _passing_for_long(services: Services) -> Iterator[Cause]:
    """Grouped by what was said last."""
    now = services.clock()
    query = select(lane.c.last_error, func.count(), func.min(lane.c.troubled_since))
    query = query.where(lane.c.troubled_since < now - STANDS_AFTER).group_by(lane.c.last_error)
    with services.database.reading() as connection:
        rows = connection.execute(query.order_by(func.count().desc()).limit(20)).all()
    for said, count, since in rows:
        sentence = f"{count} record(s) wait since {since:%Y-%m-%d %H:%M} UTC: {said}"
        yield Cause(
            "passing", sentence, "They are tried again by themselves; if it stays: receiver doctor", since, count
        )
