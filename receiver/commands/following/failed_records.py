"""What failed and is no coupling's trouble: notifications that ended so, and records that could not be made.

Together with the couplings that failed this is everything that stands; what has gone through since is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from shlex import quote
from typing import Any

from sqlalchemy import Connection, Row, select

from receiver.commands.coupling.pairs import mapping_named
from receiver.core.coupling import Coupling, Result
from receiver.core.mapping import Direction, TableMapping
from receiver.engine.wording import failing
from receiver.services import Services
from receiver.store import couplings
from receiver.store.local_tables import LocalTable
from receiver.store.mappings import Mappings
from receiver.store.models import history, inbox, job, job_error
from receiver.tables import BY_NAME

#: the newest errors that are looked at: an older one that still stands comes again
LOOKED_AT = 1000


@dataclass(frozen=True)
class FailedRecord:
    """One record, why it failed last and when, and the command that tries it again."""

    #: empty where no mapping came to it
    mapping: str
    #: of the Dataverse row, or the local key
    id: str
    sentence: str
    command: str
    failed_on: datetime

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {**vars(self), "failed_on": self.failed_on.isoformat()}


def listed(services: Services, mapping: str, limit: int) -> list[FailedRecord]:
    """Of one mapping or of all, newest first. Raises: NotFoundError."""
    name = mapping_named(services, mapping).name if mapping else ""
    with services.database.reading() as connection:
        mappings = services.mappings(connection)
        told = {one.id: one for one in _of_notifications(connection, name)}
        made = [one for one in _not_made(connection, mappings, name) if one.id not in told]
    return sorted((*told.values(), *made), key=lambda one: one.failed_on, reverse=True)[:limit]


def _of_notifications(connection: Connection, mapping: str) -> Iterator[FailedRecord]:
    """The newest of each row; a coupling that failed is told by itself."""
    columns = (inbox.c.id, inbox.c.table_name, inbox.c.row_id, inbox.c.note, inbox.c.outcome, inbox.c.finished_at)
    query = select(*columns, inbox.c.received_at).where(inbox.c.state == "failed")
    newest = {
        row.row_id: row
        for row in reversed(connection.execute(query.order_by(inbox.c.id.desc()).limit(LOOKED_AT)).all())
    }
    coupled = couplings.of_rows(connection, sorted(newest))
    for id_, row in newest.items():
        failed = failing(row.outcome or ())
        if any(_tells(coupled.get(id_, {}).get(one["mapping"])) for one in failed):
            continue
        if mapping and mapping not in {one["mapping"] for one in failed}:
            continue
        said = " ".join(one["sentence"] for one in failed) or row.note or "It failed."
        remedy = " ".join(dict.fromkeys(one.get("remedy") or "" for one in failed)).strip()
        sentence = f"Notification {row.id} of {row.table_name} {row.row_id}: {said} {remedy}".strip()
        names = ", ".join(one["mapping"] for one in failed)
        yield FailedRecord(names, id_, sentence, f"receiver inbox retry {row.id}", row.finished_at or row.received_at)


def _tells(coupling: Coupling | None) -> bool:
    """Whether a coupling stands in the list of failures itself."""
    if coupling is None:
        return False
    return coupling.is_skipped or Result.FAILURE in {coupling.last_from.result, coupling.last_to.result}


def _not_made(connection: Connection, mappings: Mappings, mapping: str) -> Iterator[FailedRecord]:
    """Records that a run or a command could not make, and that were not made since."""
    columns = (job.c.mapping, job.c.direction, job_error.c.source, job_error.c.message, job_error.c.at)
    query = select(*columns).join(job, job.c.id == job_error.c.job).where(job_error.c.source != "")
    if mapping:
        query = query.where(job.c.mapping == mapping)
    rows = connection.execute(query.order_by(job_error.c.id.desc()).limit(LOOKED_AT)).all()
    newest = {(row.mapping, row.direction, row.source): row for row in reversed(rows) if row.mapping in mappings}
    for name in {name for name, _, _ in newest}:
        for toward in Direction.TO, Direction.FROM:
            own = {source: row for (of, way, source), row in newest.items() if (of, way) == (name, toward)}
            for source in _still_missing(connection, mappings[name], toward, own):
                yield _not_made_record(mappings[name], toward, own[source])


def _still_missing(
    connection: Connection, mapping: TableMapping, toward: Direction, rows: Iterable[str]
) -> Iterator[str]:
    """Of these sources those that are not coupled, and of which nothing went through; local ones that are there."""
    ids = sorted(rows)
    known = history.c.local_id if toward is Direction.TO else history.c.dataverse_id
    went = select(known).where(history.c.mapping == mapping.name, known.in_(ids))
    gone_through = set(connection.execute(went).scalars())
    if toward is Direction.TO:
        coupled = set(couplings.of_records(connection, mapping.name, ids))
        local = LocalTable(connection, BY_NAME[mapping.local_table])
        there = {one.id for one in local.get_all(ids)}
    else:
        coupled = {id_ for id_, own in couplings.of_rows(connection, ids).items() if mapping.name in own}
        there = set(ids)
    yield from (id_ for id_ in ids if id_ in there and id_ not in coupled | gone_through)


def _not_made_record(mapping: TableMapping, toward: Direction, row: Row[Any]) -> FailedRecord:
    what, side = (
        (BY_NAME[mapping.local_table].caption, "to") if toward is Direction.TO else (mapping.dataverse_table, "from")
    )
    command = f"receiver create {side} {quote(mapping.name)} {quote(row.source)}"
    return FailedRecord(mapping.name, row.source, f"{what} {row.source}: {row.message}", command, row.at)
