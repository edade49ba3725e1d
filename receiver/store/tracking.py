"""How far both sides were read by catch-up, and what could not be brought in step by it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, select, update

from receiver.core.coupling import VERSION, Result
from receiver.store.among import Among
from receiver.store.models import conclusion, coupling, lane, local_look, tracked_table, unsettled
from receiver.store.upsert import upsert


@dataclass(frozen=True)
class TrackedTable:
    """How far a Dataverse table was read."""

    name: str
    #: change tracking's; empty before the first, and where the table is not tracked
    token: str = ""
    #: what changed before it is known
    read_at: datetime | None = None
    #: where the table is not tracked: the newest modifiedon that was read
    mark: datetime | None = None
    #: when all of it was compared last
    compared_at: datetime | None = None
    #: it must be compared as a whole, and why
    owed: str = ""
    #: mappings whose filter was changed: rows inside it that nobody has looked at are new to them
    opened: Sequence[str] = ()
    #: a look that is under way: {since, link, gone, missed}
    position: Any = None
    #: changes of which no notification had told, since ever; when some were found last
    found: int = 0
    found_at: datetime | None = None


def table_of(connection: Connection, name: str) -> TrackedTable:
    row = connection.execute(select(tracked_table).where(tracked_table.c.name == name)).mappings().first()
    return TrackedTable(name) if row is None else TrackedTable(**row)


def tables(connection: Connection) -> dict[str, TrackedTable]:
    rows = connection.execute(select(tracked_table))
    return {row["name"]: TrackedTable(**row) for row in rows.mappings()}


def keep_table(connection: Connection, table: TrackedTable) -> None:
    """How far it was read. What is owed stays as it is: it may have been asked for since the look began."""
    own = {name: value for name, value in vars(table).items() if name not in {"owed", "opened"}}
    _upsert(connection, tracked_table, ["name"], own)


def owe(connection: Connection, names: Iterable[str], why: str, opened: Sequence[str] = ()) -> None:
    """These tables are compared as a whole at their next look; mappings that were *opened* take what is new to them."""
    for name in names:
        known = table_of(connection, name)
        values = {"owed": why[:200], "opened": sorted({*known.opened, *opened}), "position": None}
        _upsert(connection, tracked_table, ["name"], {"name": name, **values})


def pay(connection: Connection, read: TrackedTable) -> None:
    """What was owed when the look began is done; what was asked for since is still owed."""
    now = table_of(connection, read.name)
    if (now.owed, list(now.opened)) == (read.owed, list(read.opened)):
        paid = update(tracked_table).where(tracked_table.c.name == read.name, tracked_table.c.owed == read.owed)
        connection.execute(paid.values(owed="", opened=[]))


@dataclass(frozen=True)
class LocalLook:
    """How far a mapping's local table was compared."""

    mapping: str
    after: str = ""
    round_at: datetime | None = None
    read_at: datetime | None = None


def local_of(connection: Connection, mapping: str) -> LocalLook:
    row = connection.execute(select(local_look).where(local_look.c.mapping == mapping)).mappings().first()
    return LocalLook(mapping) if row is None else LocalLook(**row)


def keep_local(connection: Connection, look: LocalLook) -> None:
    _upsert(connection, local_look, ["mapping"], vars(look))


def _upsert(connection: Connection, table: sa.Table, keys: list[str], values: Mapping[str, Any]) -> None:
    statement = upsert(connection, table).values(**values)
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=dict(values)))


# -- which rows nobody has looked at ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Known:
    """What is known of a Dataverse row: the version that was seen last, and by mapping the one that is remembered."""

    seen: int | None
    #: by mapping that couples it; None where the base is not of one version
    remembered: Mapping[str, int | None]
    #: mappings under which it failed last, or is Skipped
    stuck: frozenset[str] = frozenset()
    #: the numbers of its couplings
    numbers: tuple[int, ...] = ()


def known_rows(connection: Connection, table: str, row_ids: Sequence[str]) -> dict[str, Known]:
    """What is known of those of these rows that are coupled or were ever seen."""
    keys = [f"{table}:{id_}" for id_ in row_ids]
    seen = {row.row_id: row.version_number for row in connection.execute(_SEEN, {"keys": keys})}
    coupled: dict[str, list[Any]] = {}
    for row in connection.execute(_REMEMBERED, {"rows": list(row_ids)}):
        coupled.setdefault(row.dataverse_id, []).append(row)
    return {id_: _known(seen.get(id_), coupled.get(id_, ())) for id_ in seen.keys() | coupled.keys()}


def _known(seen: int | None, coupled: Sequence[Any]) -> Known:
    return Known(
        seen,
        {row.mapping: (row.dataverse_base or {}).get(VERSION) for row in coupled},
        frozenset(row.mapping for row in coupled if row.is_skipped or row.from_result == Result.FAILURE),
        tuple(row.id for row in coupled),
    )


_SEEN = select(lane.c.row_id, lane.c.version_number).where(Among(lane.c.key, "keys"))
_REMEMBERED = select(
    coupling.c.id,
    coupling.c.mapping,
    coupling.c.dataverse_id,
    coupling.c.dataverse_base,
    coupling.c.is_skipped,
    coupling.c.from_result,
).where(Among(coupling.c.dataverse_id, "rows"))


def last_coupling(connection: Connection) -> int:
    """The number of the newest coupling."""
    return connection.execute(select(sa.func.max(coupling.c.id))).scalar() or 0


def coupled_rows(connection: Connection, mapping: str, after: int, count: int) -> list[tuple[int, str]]:
    """Numbers and row ids of the next couplings, but for those that are Skipped or failed on their last way in."""
    own = (coupling.c.mapping == mapping, coupling.c.id > after, ~coupling.c.is_skipped)
    query = select(coupling.c.id, coupling.c.dataverse_id).where(*own, coupling.c.from_result != Result.FAILURE)
    return [(row.id, row.dataverse_id) for row in connection.execute(query.order_by(coupling.c.id).limit(count))]


def kept_back(connection: Connection, mapping: str) -> set[str]:
    """Row ids of pairs of which a conclusion waits for a person already."""
    query = select(conclusion.c.dataverse_id).where(conclusion.c.mapping == mapping, conclusion.c.is_kept)
    return set(connection.execute(query).scalars())


# -- what could not be brought in step ------------------------------------------------------------------------------


def unsettled_of(connection: Connection, mapping: str, keys: Sequence[str]) -> dict[str, str]:
    """By key, the digest of what a record said when it could not go out, unless its pair was in step since."""
    since = sa.and_(
        coupling.c.mapping == mapping,
        coupling.c.local_id == unsettled.c.local_id,
        coupling.c.synchronized_at > unsettled.c.at,
    )
    query = select(unsettled.c.local_id, unsettled.c.digest).where(
        unsettled.c.mapping == mapping, Among(unsettled.c.local_id, "keys"), ~sa.exists().where(since)
    )
    return {row.local_id: row.digest for row in connection.execute(query, {"keys": list(keys)})}


def remember_unsettled(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows of mapping, local_id, digest and at."""
    statement = upsert(connection, unsettled)
    changed = {name: statement.excluded[name] for name in ("digest", "at")}
    connection.execute(
        statement.on_conflict_do_update(index_elements=["mapping", "local_id"], set_=changed), list(rows)
    )
