"""Who waits for whom: the lanes that want a row coupled, noted, and woken when it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, select, update

from receiver.store.among import Among
from receiver.store.models import inbox, lane, wait

_NO_MORE = delete(wait).where(Among(wait.c.lane, "lanes"))
_WHO_WAITS = select(wait).where(Among(wait.c.wanted_id, "ids")).order_by(wait.c.lane)


def wait_for(connection: Connection, wanted: Mapping[str, Iterable[tuple[str, str]]]) -> None:
    """Note the rows that each of these lanes waits for, in place of those before."""
    connection.execute(_NO_MORE, {"lanes": list(wanted)})
    rows = [
        {"lane": key, "wanted_table": table, "wanted_id": id_}
        for key, rows in wanted.items()
        for table, id_ in sorted(set(rows))
    ]
    if rows:
        connection.execute(wait.insert(), rows)


def wake_waiting(connection: Connection, coupled: Iterable[tuple[str, str]], now: datetime) -> None:
    """Rows have been coupled: every lane that waits for one, or holds a cleared lookup to it, is ready."""
    rows = set(coupled)
    if not rows:
        return
    waiting = connection.execute(_WHO_WAITS, {"ids": [id_ for _, id_ in rows]})
    wishes = {
        row.lane: f"{row.wanted_table} {row.wanted_id} was coupled"
        for row in waiting
        if (row.wanted_table, row.wanted_id) in rows
    }
    if not wishes:
        return
    woken = update(lane).where(lane.c.key == bindparam("is_key"))
    woken = woken.values(ready_at=now, generation=lane.c.generation + 1, wish=bindparam("why"))
    connection.execute(woken, [{"is_key": key, "why": why} for key, why in wishes.items()])
    ended = update(inbox).where(Among(inbox.c.lane, "lanes"), inbox.c.waits).values(state="waiting", waits=False)
    connection.execute(ended, {"lanes": list(wishes)})
