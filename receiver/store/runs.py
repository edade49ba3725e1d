"""What runs of whole mappings ask the database: pages of keys, failed couplings, and how far Dataverse was read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection, exists, literal, or_, select, update

from receiver.core.coupling import VERSION, Result
from receiver.core.mapping import Conversion, Direction, TableMapping
from receiver.store.among import Among
from receiver.store.models import coupling, lane, passed_over, uncoupled
from receiver.store.models import job as job_rows
from receiver.store.models import mapping as mapping_rows
from receiver.tables import BY_NAME

#: records and couplings that are looked at together
PAGE = 500
#: why a row was passed over that failed before it was coupled
FAILED = "FAILED"


def keys_after(connection: Connection, mapping: TableMapping, after: str, count: int = 0) -> list[str]:
    """The next keys of the mapping's local table, ascending."""
    key = _key_of(mapping)
    return list(connection.execute(select(key).where(key > after).order_by(key).limit(count or PAGE)).scalars())


def gone_after(connection: Connection, mapping: TableMapping, after: str) -> list[str]:
    """The next keys that are coupled though their local record is gone; what is Skipped is left alone."""
    is_there = exists().where(_key_of(mapping) == coupling.c.local_id)
    query = select(coupling.c.local_id).where(
        coupling.c.mapping == mapping.name, coupling.c.local_id > after, ~coupling.c.is_skipped, ~is_there
    )
    return list(connection.execute(query.order_by(coupling.c.local_id).limit(PAGE)).scalars())


def gone_pairs_after(connection: Connection, mapping: TableMapping, after: str) -> list[tuple[str, str]]:
    """As `gone_after`, with the row's id, and without what failed on its last way out."""
    is_there = exists().where(_key_of(mapping) == coupling.c.local_id)
    own = (coupling.c.mapping == mapping.name, coupling.c.local_id > after, ~coupling.c.is_skipped, ~is_there)
    query = select(coupling.c.local_id, coupling.c.dataverse_id).where(*own, coupling.c.to_result != Result.FAILURE)
    return [
        (row.local_id, row.dataverse_id) for row in connection.execute(query.order_by(coupling.c.local_id).limit(PAGE))
    ]


def failed_rows_after(connection: Connection, mapping: TableMapping, after: str) -> list[str]:
    """The next Dataverse rows that failed on their last way in, coupled or not, but for those that are Skipped.

    With them those that hold an option without code: there may be one now.
    """
    is_asked = or_(coupling.c.from_result == Result.FAILURE, has_unresolved_option(mapping))
    failed = select(coupling.c.dataverse_id.label("id")).where(
        coupling.c.mapping == mapping.name, is_asked, ~coupling.c.is_skipped
    )
    kept = select(passed_over.c.row_id.label("id")).where(
        passed_over.c.mapping == mapping.name, passed_over.c.reason == FAILED
    )
    both = sa.union(failed, kept).subquery()
    return list(
        connection.execute(select(both.c.id).where(both.c.id > after).order_by(both.c.id).limit(PAGE)).scalars()
    )


def has_unresolved_option(mapping: TableMapping) -> sa.ColumnElement[bool]:
    """Whether a coupling holds a value of a choice, or a code of one, that has no counterpart."""
    kept = sa.cast(coupling.c.unresolved, sa.Text)
    options = (one.local_column for one in mapping.fields if one.conversion is Conversion.OPTION and one.is_enabled)
    return or_(sa.false(), *(kept.contains(f'"{name}"', autoescape=True) for name in options if name))


def remember_failed(connection: Connection, mapping: str, row_ids: Sequence[str], now: datetime) -> None:
    """Rows that could not come in have no coupling to remember it: the next run asks for them again."""
    coupled = select(coupling.c.dataverse_id).where(
        coupling.c.mapping == mapping, Among(coupling.c.dataverse_id, "rows")
    )
    known = select(passed_over.c.row_id).where(passed_over.c.mapping == mapping, Among(passed_over.c.row_id, "rows"))
    left_out = set(connection.execute(sa.union(coupled, known), {"rows": list(row_ids)}).scalars())
    rows = [
        {"mapping": mapping, "row_id": id_, "reason": FAILED, "since": now} for id_ in sorted(set(row_ids) - left_out)
    ]
    if rows:
        connection.execute(sa.insert(passed_over), rows)


def asked_before(connection: Connection, mapping: str, job: int | None, row_ids: Sequence[str]) -> set[str]:
    """Which of these Dataverse rows the run of this job has decided: their coupling, or that they failed, says so."""
    coupled = select(coupling.c.dataverse_id).where(
        coupling.c.mapping == mapping, coupling.c.from_job == job, Among(coupling.c.dataverse_id, "rows")
    )
    began = select(job_rows.c.started_at).where(job_rows.c.id == job).scalar_subquery()
    failed = select(passed_over.c.row_id).where(
        passed_over.c.mapping == mapping,
        passed_over.c.reason == FAILED,
        passed_over.c.since >= began,
        Among(passed_over.c.row_id, "rows"),
    )
    return set(connection.execute(sa.union(coupled, failed), {"rows": list(row_ids)}).scalars())


def coupled_rows_after(connection: Connection, mapping: TableMapping, after: str) -> list[str]:
    """The next Dataverse rows that the mapping couples, but for those that are Skipped."""
    row_id = coupling.c.dataverse_id
    query = select(row_id).where(coupling.c.mapping == mapping.name, row_id > after, ~coupling.c.is_skipped)
    return list(connection.execute(query.order_by(row_id).limit(PAGE)).scalars())


def coupled_of(
    connection: Connection, mapping: TableMapping, ids: Sequence[str], toward: Direction = Direction.FROM
) -> list[str]:
    """Which of these rows, or toward Dataverse of these local records, the mapping couples."""
    named = coupling.c.local_id if toward is Direction.TO else coupling.c.dataverse_id
    query = select(named).where(coupling.c.mapping == mapping.name, Among(named, "ids")).order_by(named)
    return list(connection.execute(query, {"ids": list(ids)}).scalars())


def in_step(connection: Connection, mapping: TableMapping, versions: Mapping[str, int | None]) -> set[str]:
    """Which of these rows, by id and version, are remembered at just this version, and can have nothing to do."""
    columns = {one.source for one in mapping.transfers(Direction.FROM) if one.source}
    query = (
        select(
            coupling.c.dataverse_id,
            coupling.c.dataverse_base,
            sa.cast(coupling.c.altered, sa.Text),
            lane.c.version_number,
        )
        .join(lane, lane.c.key == literal(f"{mapping.dataverse_table}:") + coupling.c.dataverse_id)
        .join(BY_NAME[mapping.local_table].table, _key_of(mapping) == coupling.c.local_id)
        .where(coupling.c.mapping == mapping.name, Among(coupling.c.dataverse_id, "rows"))
        .where(~coupling.c.is_skipped, coupling.c.from_result != Result.FAILURE)
        .where(sa.cast(coupling.c.unresolved, sa.Text) == "[]")
    )
    return {
        id_
        for id_, base, altered, seen in connection.execute(query, {"rows": list(versions)})
        if base and columns and columns <= base.keys() and base.get(VERSION) == seen == versions[id_]
        if altered == "{}" or Direction.FROM not in json.loads(altered).values()
    }


def uncoupled_of(connection: Connection, mapping: TableMapping, keys: Sequence[str]) -> set[str]:
    """Which of these local records a person uncoupled: nothing couples them by itself."""
    columns = uncoupled.c
    query = select(columns.source_id).where(
        columns.mapping == mapping.name, columns.toward == Direction.TO, Among(columns.source_id, "keys")
    )
    return set(connection.execute(query, {"keys": list(keys)}).scalars())


def is_any_uncoupled(connection: Connection, mapping: TableMapping) -> bool:
    """Whether a local record is not coupled by the mapping."""
    key = _key_of(mapping)
    is_coupled = exists().where(coupling.c.mapping == mapping.name, coupling.c.local_id == key)
    return connection.execute(select(key).where(~is_coupled).limit(1)).first() is not None


def count_of(connection: Connection, mapping: TableMapping) -> int:
    """How many local records the mapping's table has."""
    return connection.execute(select(sa.func.count()).select_from(BY_NAME[mapping.local_table].table)).scalar_one()


def _key_of(mapping: TableMapping) -> sa.Column[str]:
    shipped = BY_NAME[mapping.local_table]
    return shipped.table.c[shipped.key]


# -- how far Dataverse was read ------------------------------------------------------------------------------------


def watermark(connection: Connection, mapping: str) -> datetime | None:
    """Rows changed before it have been read; None: none has."""
    query = select(mapping_rows.c.dataverse_watermark).where(mapping_rows.c.name == mapping)
    mark: datetime | None = connection.execute(query).scalar()
    return mark


def advance_watermark(connection: Connection, mapping: str, to: datetime) -> None:
    """Only forward."""
    mark = mapping_rows.c.dataverse_watermark
    is_behind = or_(mark.is_(None), mark < to)
    connection.execute(
        update(mapping_rows).where(mapping_rows.c.name == mapping, is_behind).values(dataverse_watermark=to)
    )


def clear_watermark(connection: Connection, mapping: str) -> None:
    connection.execute(update(mapping_rows).where(mapping_rows.c.name == mapping).values(dataverse_watermark=None))


def change_token(connection: Connection, mapping: str) -> str:
    """Change tracking's, empty before the first."""
    query = select(mapping_rows.c.change_token).where(mapping_rows.c.name == mapping)
    return connection.execute(query).scalar() or ""


def remember_token(connection: Connection, mapping: str, token: str) -> None:
    connection.execute(update(mapping_rows).where(mapping_rows.c.name == mapping).values(change_token=token))
