"""What was registered in Dataverse last, of which tables changes may have gone by untold, and what a check found."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from receiver.core.mapping import Direction
from receiver.store.models import registered_table, registration, task
from receiver.store.upsert import upsert


@dataclass(frozen=True)
class RegisteredTable:
    """`alias` is that of its post image; empty until a registration has come to its end."""

    table_name: str
    alias: str
    registered_at: datetime
    #: from then to `registered_at` Dataverse may not have told of every change
    unheard_since: datetime | None = None


@dataclass(frozen=True)
class LastCheck:
    checked_at: datetime
    #: [{words, remedy, mappings}]
    drifts: list[dict[str, Any]]


def tables(connection: Connection) -> dict[str, RegisteredTable]:
    found = connection.execute(select(registered_table).order_by(registered_table.c.table_name))
    return {row["table_name"]: RegisteredTable(**row) for row in found.mappings()}


def begin(connection: Connection, unheard: Collection[str], now: datetime) -> None:
    """Before anything is changed in Dataverse, so that nothing is forgotten when the registration breaks off."""
    known = tables(connection)
    for name in unheard:
        if name not in known:
            values = {"table_name": name, "alias": "", "registered_at": now, "unheard_since": now}
            connection.execute(insert(registered_table).values(values))
        else:
            since = known[name].unheard_since or now
            changed = update(registered_table).where(registered_table.c.table_name == name)
            connection.execute(changed.values(unheard_since=since, registered_at=now))


def finish(connection: Connection, aliases: Mapping[str, str], unheard: Collection[str], now: datetime) -> None:
    """Every step is as wanted: *aliases* are {table: alias of its post image}; other tables are forgotten."""
    known = tables(connection)
    connection.execute(delete(registered_table).where(registered_table.c.table_name.not_in(aliases)))
    connection.execute(delete(registration))  # what the last check found is mended
    for name, alias in aliases.items():
        if name not in known:
            connection.execute(insert(registered_table).values(table_name=name, alias=alias, registered_at=now))
            continue
        at = {"registered_at": now} if name in unheard else {}
        changed = update(registered_table).where(registered_table.c.table_name == name)
        connection.execute(changed.values(alias=alias, **at))


def forget(connection: Connection) -> None:
    connection.execute(delete(registered_table))
    connection.execute(delete(registration))


def remember_check(connection: Connection, found: LastCheck) -> None:
    values = {"checked_at": found.checked_at, "drifts": found.drifts}
    statement = upsert(connection, registration).values(id=1, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))


def last_check(connection: Connection) -> LastCheck | None:
    row = connection.execute(select(registration)).first()
    return None if row is None else LastCheck(row.checked_at, row.drifts)


def has_run_since(connection: Connection, mapping: str, moment: datetime) -> bool:
    """Whether a run of the mapping toward the company's database began after *moment* and came to its end."""
    query = select(task.c.arguments).where(task.c.command == "run", task.c.state == "done", task.c.started_at >= moment)
    runs = connection.execute(query).scalars()
    return any(one["mapping"] == mapping and one["direction"] in {None, Direction.FROM.value} for one in runs)
