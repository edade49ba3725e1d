"""Conclusions drawn lately, and those kept back until a person has looked at them. Rows of `receiver_conclusion`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, func, select

from receiver.core.mapping import Direction
from receiver.store.models import conclusion, coupling
from receiver.store.upsert import upsert

#: what notifications conclude within it counts together
WITHIN = timedelta(hours=1)


@dataclass(frozen=True)
class Conclusion:
    """What was concluded of a pair, toward one side; kept back where `keeper` or `is_kept` says so.

    `kind` is `gone`, or `blank` with a column's name; `keeper` names the run that keeps it to its end.
    """

    mapping: str
    kind: str
    dataverse_id: str
    local_id: str
    toward: Direction
    is_kept: bool = False
    keeper: str = ""
    at: datetime | None = None


def note(connection: Connection, drawn: Sequence[Conclusion], now: datetime) -> None:
    """Remember conclusions; what was drawn longer ago than counts is forgotten, what is kept never."""
    old = (conclusion.c.is_kept.is_(False), conclusion.c.at < now - WITHIN)
    connection.execute(delete(conclusion).where(*old))
    rows = [{**vars(one), "toward": one.toward.value, "at": now} for one in drawn]
    statement = upsert(connection, conclusion)
    changed = {name: statement.excluded[name] for name in ("is_kept", "keeper", "at", "toward")}
    keys = ["mapping", "kind", "dataverse_id"]
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed), rows)


def lately(connection: Connection, mapping: str, kind: str, now: datetime) -> tuple[int, int]:
    """How many of a kind were drawn within the time that counts, and how many are kept back by nobody's run."""
    own = (conclusion.c.mapping == mapping, conclusion.c.kind == kind)
    drawn = select(func.count()).where(*own, conclusion.c.is_kept.is_(False), conclusion.c.at >= now - WITHIN)
    waiting = select(func.count()).where(*own, conclusion.c.is_kept, conclusion.c.keeper == "")
    return connection.execute(drawn).scalar_one(), connection.execute(waiting).scalar_one()


def couplings_of(connection: Connection, mapping: str) -> int:
    return connection.execute(select(func.count()).where(coupling.c.mapping == mapping)).scalar_one()


def kept(connection: Connection, mapping: str = "", keeper: str | None = None) -> list[Conclusion]:
    """What is kept back: of one mapping or of all, of one run or of whomever."""
    query = select(conclusion).where(conclusion.c.is_kept)
    if mapping:
        query = query.where(conclusion.c.mapping == mapping)
    if keeper is not None:
        query = query.where(conclusion.c.keeper == keeper)
    order = (conclusion.c.mapping, conclusion.c.kind, conclusion.c.dataverse_id)
    return [_read(row) for row in connection.execute(query.order_by(*order)).mappings()]


def _read(row: Any) -> Conclusion:
    return Conclusion(**{**row, "toward": Direction(row["toward"])})


def forget(connection: Connection, mapping: str, ids: Iterable[str]) -> None:
    """These rows' conclusions are kept back no more."""
    of_rows = conclusion.c.dataverse_id.in_(sorted(set(ids)))
    connection.execute(delete(conclusion).where(conclusion.c.mapping == mapping, conclusion.c.is_kept, of_rows))


def leave(connection: Connection, mapping: str, keeper: str) -> None:
    """The run has ended: what it still keeps waits for a person."""
    own = (conclusion.c.mapping == mapping, conclusion.c.keeper == keeper)
    connection.execute(conclusion.update().where(*own).values(keeper=""))
