"""Coupled pairs seen from both sides: which of the two records are still there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from sqlalchemy import ColumnElement, Connection, Row, or_, select, true

from receiver.commands.result import Line
from receiver.core.coupling import Coupling, Result
from receiver.core.decision import Record
from receiver.core.mapping import Direction, TableMapping
from receiver.dataverse.columns import CHANGE_COLUMNS
from receiver.dataverse.rows import DataverseRow
from receiver.engine.look_alikes import name_of
from receiver.errors import NotFoundError, ReceiverError, RefusedError
from receiver.services import Services, unknown_table
from receiver.store import couplings
from receiver.store.local_tables import LocalTable
from receiver.store.models import coupling as coupling_rows
from receiver.store.models import job
from receiver.tables import BY_NAME

#: couplings looked at together
PAGE = 500


@dataclass(frozen=True)
class Pair:
    """A coupling, its mapping, and both records; None where one does not exist any more, or could not be read."""

    mapping: TableMapping
    coupling: Coupling
    local: Record | None
    row: DataverseRow | None
    failed_on: datetime | None = None
    #: the row is there, and cannot be read: why
    unread: str = ""

    @property
    def row_is_gone(self) -> bool:
        return self.row is None and not self.unread

    @property
    def is_whole(self) -> bool:
        """Whether both records can be looked at."""
        return self.local is not None and self.row is not None

    @property
    def key(self) -> str:
        return self.coupling.local_id

    @property
    def name(self) -> str:
        """What people call the local record; empty when it is gone."""
        return "" if self.local is None else name_of(self.local, BY_NAME[self.mapping.local_table].named_by)

    @property
    def caption(self) -> str:
        return f"{BY_NAME[self.mapping.local_table].caption} {self.key}"

    @property
    def row_caption(self) -> str:
        return f"{self.mapping.dataverse_table} {self.coupling.dataverse_id}"

    @property
    def message(self) -> str:
        """The last error, the one toward Dataverse first, as Business Central shows it."""
        runs = (self.coupling.last_to, self.coupling.last_from)
        return next((run.error for run in runs if run.result is Result.FAILURE), "")

    def mapping_directions(self, column: str) -> set[Direction]:
        """The directions in which a column, of either side, travels."""
        named = [row.number for row in self.mapping.fields if column in (row.local_column, row.dataverse_column)]
        return {
            toward
            for toward in (Direction.TO, Direction.FROM)
            if self.mapping.direction.allows(toward)
            if any(one.number in named for one in self.mapping.transfers(toward))
        }

    def line(self, decision: str, counter: str, sentence: str, remedy: str = "") -> Line:
        return Line(self.mapping.name, self.key, self.coupling.dataverse_id, decision, counter, "", sentence, remedy)


def mapping_named(services: Services, name: str) -> TableMapping:
    """The mapping as this environment can serve it. Raises: NotFoundError; RefusedError for one that stands still."""
    with services.database.reading() as connection:
        found = services.mappings(connection).get(name.upper())
        stands = services.standing_still(connection).get(name.upper())
    if stands is not None:
        raise RefusedError(unknown_table(stands))
    if found is None:
        raise NotFoundError(f"There is no mapping {name}. `receiver mappings list` names them all.")
    return found


def pairs_of(
    services: Services,
    mapping: TableMapping,
    found: Sequence[Coupling],
    columns: frozenset[str] = CHANGE_COLUMNS,
) -> list[Pair]:
    """Both sides of couplings of one mapping, read together; of the rows these columns.

    Raises: what Dataverse raises.
    """
    ids = sorted({one.dataverse_id for one in found})
    return with_records(services, mapping, found, services.dataverse.look_up(mapping.dataverse_table, ids, columns))


def with_records(
    services: Services,
    mapping: TableMapping,
    found: Sequence[Coupling],
    rows: Mapping[str, DataverseRow | ReceiverError | None],
) -> list[Pair]:
    """The pairs of couplings whose rows were read already. Raises: an error of a row's that may pass by itself."""
    with services.database.reading() as connection:
        local = LocalTable(connection, BY_NAME[mapping.local_table])
        records = {one.id: one for one in local.get_all(sorted({one.local_id for one in found}))}
        failed = _failed_on(connection, found)
    return [
        Pair(mapping, one, records.get(one.local_id), *_row_of(rows[one.dataverse_id], _newest(one, failed)))
        for one in found
    ]


def _row_of(
    read: DataverseRow | ReceiverError | None, failed_on: datetime | None
) -> tuple[DataverseRow | None, datetime | None, str]:
    if isinstance(read, ReceiverError):
        if read.waiting_helps:
            raise read
        return None, failed_on, str(read)
    return read, failed_on, ""


def selected(services: Services, mapping: TableMapping, keys: Sequence[str]) -> list[Pair]:
    """The pairs of these local records, in their order. Raises: NotFoundError naming one that is not coupled."""
    with services.database.reading() as connection:
        found = couplings.of_records(connection, mapping.name, keys)
    for key in keys:
        if key not in found:
            caption = BY_NAME[mapping.local_table].caption
            raise NotFoundError(f"{caption} {key} is not coupled by {mapping.name}. `receiver errors list` names them.")
    return pairs_of(services, mapping, [found[key] for key in dict.fromkeys(keys)])


EVERY = true()
IS_SKIPPED = coupling_rows.c.is_skipped
HAS_FAILED = or_(IS_SKIPPED, coupling_rows.c.from_result == Result.FAILURE, coupling_rows.c.to_result == Result.FAILURE)


def pages_of(services: Services, mapping: TableMapping, which: ColumnElement[bool] = EVERY) -> Iterator[list[Pair]]:
    """The pairs of a mapping *which* are wanted, by id; a page at a time, each read when it is wanted."""
    after = 0
    while True:
        query = select(coupling_rows.c.id, coupling_rows.c.local_id).order_by(coupling_rows.c.id).limit(PAGE)
        query = query.where(coupling_rows.c.mapping == mapping.name, which)
        with services.database.reading() as connection:
            page = connection.execute(query.where(coupling_rows.c.id > after)).all()
            found = couplings.of_records(connection, mapping.name, [row.local_id for row in page])
        if not page:
            return
        after = page[-1].id
        yield pairs_of(services, mapping, [found[row.local_id] for row in page if row.local_id in found])


def _failed_on(connection: Connection, found: Iterable[Coupling]) -> dict[int, datetime]:
    runs = [run for one in found for run in (one.last_to, one.last_from)]
    numbers = iter(sorted({run.job for run in runs if run.job is not None and run.result is Result.FAILURE}))
    ended: dict[int, datetime] = {}
    while some := list(islice(numbers, PAGE)):
        rows: Iterable[Row[tuple[int, datetime]]] = connection.execute(
            select(job.c.id, job.c.finished_at).where(job.c.id.in_(some))
        )
        ended |= {row.id: row.finished_at for row in rows}
    return ended


def _newest(one: Coupling, ended: dict[int, datetime]) -> datetime | None:
    runs = (one.last_to, one.last_from)
    found = [ended[run.job] for run in runs if run.result is Result.FAILURE and run.job in ended]
    return max(found, default=None)


def directions_to_try(pair: Pair) -> list[Direction]:
    """Where the pair failed, as far as its mapping still goes there; else where the mapping goes."""
    allowed = [toward for toward in (Direction.TO, Direction.FROM) if pair.mapping.direction.allows(toward)]
    failed = [toward for toward in allowed if pair.coupling.last(toward).result is Result.FAILURE]
    return failed or allowed
