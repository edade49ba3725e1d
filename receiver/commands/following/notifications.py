"""Notifications by a person: list, show, process again."""

from __future__ import annotations

from typing import Any

from sqlalchemy import RowMapping, func, select, update

from receiver.core.message import NO_ID
from receiver.errors import NotFoundError
from receiver.lanes.touch import Touch, touch
from receiver.services import Services
from receiver.store import couplings
from receiver.store.models import inbox, lane

STATES = ("waiting", "working", "done", "ignored", "failed", "unreadable", "refused")
#: when it is looked at: what is new says so itself, what was put off waits for its lane
_READY_AT = func.coalesce(inbox.c.due_at, lane.c.ready_at).label("ready_at")
ENDED = ("done", "ignored", "failed", "unreadable", "refused")


def listed(
    services: Services, *, state: str = "", table: str = "", limit: int = 50, before: int | None = None
) -> list[RowMapping]:
    """Notifications, newest first, without their bodies; *before* is a number to go on from."""
    columns = [column for column in inbox.c if column.name != "body"]
    query = select(*columns, _READY_AT, lane.c.attempts, lane.c.last_error)
    query = query.outerjoin(lane, lane.c.key == inbox.c.lane).order_by(inbox.c.id.desc()).limit(limit)
    if state:
        query = query.where(inbox.c.state == state)
    if table:
        query = query.where(inbox.c.table_name == table)
    if before is not None:
        query = query.where(inbox.c.id < before)
    with services.database.reading() as connection:
        return list(connection.execute(query).mappings())


def counts(services: Services) -> dict[str, int]:
    """How many notifications are in each state."""
    with services.database.reading() as connection:
        query = select(inbox.c.state, func.count()).group_by(inbox.c.state)
        found = {state: int(count) for state, count in connection.execute(query)}
    return {state: found.get(state, 0) for state in STATES}


def shown(services: Services, number: int) -> RowMapping:
    """One notification, whole. Raises: NotFoundError."""
    query = select(inbox, _READY_AT, lane.c.attempts, lane.c.last_error)
    query = query.outerjoin(lane, lane.c.key == inbox.c.lane).where(inbox.c.id == number)
    with services.database.reading() as connection:
        found = connection.execute(query).mappings().first()
    if found is None:
        raise NotFoundError(f"There is no notification {number}.")
    return found


def process_again(services: Services, number: int) -> None:
    """Put the notification back to waiting, take its couplings back from Skipped, and make its lane ready.

    Raises: NotFoundError, also for one that never had a row to look at.
    """
    row = shown(services, number)
    if not row["lane"]:
        raise NotFoundError(f"Notification {number} is {row['state']}: it names no row to process.")
    now = services.clock()
    with services.database.writing() as connection:
        connection.execute(
            update(inbox).where(inbox.c.id == number).values(state="waiting", due_at=None, finished_at=None)
        )
        couplings.take_back(connection, row["row_id"])
        wish = "" if row["row_id"] == NO_ID else "asked for again"
        touch(connection, [Touch(row["table_name"], row["row_id"], now, wish=wish, key=row["lane"])])
    services.waker.ring()


def as_json(row: RowMapping) -> dict[str, Any]:
    """A notification as `--json` prints it."""
    plain = {name: value for name, value in row.items() if name not in {"body", "delivery", "lane"}}
    for name in ("received_at", "finished_at", "ready_at"):
        plain[name] = plain[name] and plain[name].isoformat()
    if "body" in row:
        plain["body"] = row["body"].decode("utf-8", "replace")
    return plain
