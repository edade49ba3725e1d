"""What a run of a whole mapping asks for: page by page, and nothing that cannot have anything to do.

Toward Dataverse a record has changed when it differs from what its coupling remembers; toward the company's database
the watermark says which rows may have. A page says where the next one begins, so that a run can go on after a crash.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection

from receiver.core.coupling import Coupling, Result, has_moved
from receiver.core.decision import Record
from receiver.core.filters import matches
from receiver.core.mapping import Direction, TableMapping
from receiver.core.values import is_empty
from receiver.dataverse.client import Tracked
from receiver.dataverse.columns import CHANGE_COLUMNS
from receiver.dataverse.rows import DataverseRow
from receiver.engine.coalesce import Ask
from receiver.errors import DataverseError
from receiver.runs.carry_out import Wanted, wanted_from, wanted_to
from receiver.services import Services, read_columns
from receiver.store import couplings
from receiver.store import runs as stored
from receiver.store.local_tables import LocalTable
from receiver.tables import BY_NAME

#: a row may be committed this much later than its modifiedon says: Dataverse ends a transaction within two minutes
OVERLAP = timedelta(minutes=2)
#: versions that are looked up together
VERSIONS_TOGETHER = 2500


class Scope(StrEnum):
    """How much a run looks at."""

    #: what may have changed since the last run
    MODIFIED = "modified"
    #: everything inside the filter; the watermark is cleared first. What is remembered at the version that its row
    #: has is not read again
    FULL = "full"
    #: the same by force: every record is transferred, whatever is remembered of it
    UNCONDITIONAL = "unconditional"
    #: pairs that catch-up was told of, or found, one side of which seems to be gone
    GONE = "gone"


@dataclass(frozen=True)
class Part:
    """One mapping run in one direction: what is asked, and with which `ask`."""

    mapping: TableMapping
    toward: Direction
    scope: Scope
    ask: Ask
    #: of `Scope.GONE`: local keys toward Dataverse, row ids toward the company's database; ascending
    named: tuple[str, ...] = ()

    @property
    def may_create(self) -> bool:
        return self.ask.may_create or not self.mapping.synch_only_coupled_records


@dataclass(frozen=True)
class Page:
    """`step` and `after` say where the page ends; `mark`: Dataverse has been read up to there."""

    step: str
    after: str
    wanted: list[Wanted] = field(default_factory=list)
    looked_at: int = 0
    mark: datetime | None = None
    #: rows that were looked at, and have nothing to do
    in_step: list[Wanted] = field(default_factory=list)
    #: change tracking's, once everything that it told of has been decided
    token: str = ""


def pages(services: Services, part: Part, step: str = "", after: str = "") -> Iterator[Page]:
    """The pages behind *step* and *after*, where the last one ended. Raises: what Dataverse and the database raise."""
    steps = _GONE_STEPS if part.scope is Scope.GONE else _TO_STEPS if part.toward is Direction.TO else _FROM_STEPS
    names = list(steps)
    for name in names[names.index(step or names[0]) :]:
        yield from steps[name](services, part, after if name == step else "")


# -- toward Dataverse ----------------------------------------------------------------------------------------------


def _records(services: Services, part: Part, after: str) -> Iterator[Page]:
    """Local records that changed, failed, or are new, keys ascending."""
    for keys in _key_pages(services, part, stored.keys_after, after):
        yield Page("records", keys[-1], wanted_of_records(services, part, keys), len(keys))


def wanted_of_records(services: Services, part: Part, keys: Sequence[str]) -> list[Wanted]:
    """What is asked for of these local records toward Dataverse: those that have anything to say."""
    with services.database.reading() as connection:
        records = LocalTable(connection, BY_NAME[part.mapping.local_table]).get_all(keys)
        coupled = couplings.of_records(connection, part.mapping.name, keys)
        uncoupled = stored.uncoupled_of(connection, part.mapping, keys)
    free = [one for one in records if one.id not in uncoupled or one.id in coupled]
    asked = [one.id for one in free if _is_asked(part, one, coupled.get(one.id))]
    return wanted_to(services, part.mapping.name, asked, part.ask)


def _is_asked(part: Part, record: Record, coupling: Coupling | None) -> bool:
    """A record that failed is asked for again whatever the filter says: the filter's answer ends the failure."""
    if coupling is not None and coupling.last_to.result is Result.FAILURE and not coupling.is_skipped:
        return True
    if not matches(part.mapping.local_filter, record.values):
        return False
    if coupling is None:
        return part.may_create
    return part.scope is not Scope.MODIFIED or _has_changed(part.mapping, record, coupling)


def _has_changed(mapping: TableMapping, record: Record, coupling: Coupling) -> bool:
    if coupling.local_base is None:
        return True
    mapped = [one.source for one in mapping.transfers(Direction.TO) if one.source]
    if any(column in coupling.unresolved and not is_empty(record.values.get(column)) for column in mapped):
        return True  # it named a record that was not coupled then; the look says whether it is now
    if Direction.TO in coupling.altered.values():
        return True  # the company's database made something else of what came in: that travels back once
    return has_moved(coupling, mapped, record.values)


def _deleted_records(services: Services, part: Part, after: str) -> Iterator[Page]:
    """Couplings whose local record is gone: Resolve Deletion Conflicts decides."""
    for keys in _key_pages(services, part, stored.gone_after, after):
        yield Page("deleted records", keys[-1], wanted_to(services, part.mapping.name, keys, part.ask))


# -- toward the company's database ---------------------------------------------------------------------------------


def _failed_rows(services: Services, part: Part, after: str) -> Iterator[Page]:
    for ids in _key_pages(services, part, stored.failed_rows_after, after):
        yield Page("failed rows", ids[-1], _from(part, ids))


def _rows(services: Services, part: Part, after: str) -> Iterator[Page]:
    """Rows inside the filter that changed since the watermark, or since where a run was interrupted."""
    mapping = part.mapping
    with services.database.reading() as connection:
        columns = read_columns(services.mappings(connection), mapping.dataverse_table)
        mark = datetime.fromisoformat(after) if after else stored.watermark(connection, mapping.name)
        # where a run came to its end before, most rows are remembered as they are: first only their versions are read
        is_again = part.scope is Scope.FULL and stored.change_token(connection, mapping.name) != ""
    since = mark - OVERLAP if mark and (after or part.scope is Scope.MODIFIED) else None
    read, size = (CHANGE_COLUMNS, VERSIONS_TOGETHER) if is_again else (columns, stored.PAGE)
    for page in services.dataverse.changed(mapping.dataverse_table, read, mapping.dataverse_filter, since):
        for start in range(0, len(page), size):
            read_now = page[start : start + size]
            newest = max((one.version.modified_on for one in read_now if one.version.modified_on), default=mark)
            mark = newest if mark is None or newest is None else max(mark, newest)
            rows = _not_asked_before(services, part, read_now)
            same, others = _parted(services, part, rows, columns) if is_again else ([], rows)
            wanted = _of_rows(services, part, others)
            yield Page("rows", mark.isoformat() if mark else "", wanted, len(read_now), mark, in_step=same)


def _not_asked_before(services: Services, part: Part, rows: Sequence[DataverseRow]) -> list[DataverseRow]:
    """A row that failed is asked for once in a run: a second failure would make its pair Skipped."""
    left = _ids_not_asked_before(services, part, [one.id for one in rows])
    return [one for one in rows if one.id in left]


def _ids_not_asked_before(services: Services, part: Part, ids: Sequence[str]) -> set[str]:
    if not ids:
        return set()
    with services.database.reading() as connection:
        return set(ids) - stored.asked_before(connection, part.mapping.name, part.ask.job, ids)


def _parted(
    services: Services, part: Part, rows: Sequence[DataverseRow], columns: frozenset[str]
) -> tuple[list[Wanted], list[DataverseRow]]:
    """What is in step, of rows of which only the version was read; and the others, now read whole."""
    with services.database.reading() as connection:
        same = stored.in_step(connection, part.mapping, {one.id: one.version.number for one in rows})
    left = [one.id for one in _that_may_come(services, part, [one for one in rows if one.id not in same])]
    read = services.dataverse.read_many(part.mapping.dataverse_table, left, columns)
    return _from(part, [one.id for one in rows if one.id in same]), list(read.values())


def _of_rows(services: Services, part: Part, rows: Sequence[DataverseRow]) -> list[Wanted]:
    found = {one.id: one for one in _that_may_come(services, part, rows)}
    return [replace(one, row=found[one.id]) for one in _from(part, list(found))]


def _that_may_come(services: Services, part: Part, rows: Sequence[DataverseRow]) -> list[DataverseRow]:
    """What is not coupled, and may not be created, is left out without a word, as in Business Central."""
    kept = list(rows)
    if not part.may_create:
        with services.database.reading() as connection:
            coupled = couplings.of_rows(connection, [one.id for one in rows])
        kept = [one for one in rows if part.mapping.name in coupled.get(one.id, {})]
    return kept


def _deleted_rows(services: Services, part: Part, after: str) -> Iterator[Page]:
    """Coupled rows that were deleted in Dataverse; where the table is not tracked, only a full run finds them."""
    with services.database.reading() as connection:
        token = stored.change_token(connection, part.mapping.name) if part.scope is Scope.MODIFIED else ""
    found = _tracked(services, part, token) if token else None
    if found is not None:
        yield from _told_rows(services, part, found.deleted)
    else:
        found = _tracked(services, part, "")
        if found is not None or part.scope is not Scope.MODIFIED:
            yield from _missing_rows(services, part, found, after)
    if found is not None:
        yield Page("deleted rows", "", token=found.token)


def _tracked(services: Services, part: Part, token: str) -> Tracked | None:
    """None for a token that has expired, and where the environment does not track the table."""
    try:
        return services.dataverse.tracked(part.mapping.dataverse_table, token)
    except DataverseError as error:
        if error.waiting_helps:
            raise
    return None


def _told_rows(services: Services, part: Part, deleted: Collection[str]) -> Iterator[Page]:
    ids = sorted(deleted)
    for start in range(0, len(ids), stored.PAGE):
        with services.database.reading() as connection:
            coupled = stored.coupled_of(connection, part.mapping, ids[start : start + stored.PAGE])
        left = _ids_not_asked_before(services, part, coupled)
        yield Page("deleted rows", "", _from(part, sorted(left)))


def _missing_rows(services: Services, part: Part, there: Tracked | None, after: str) -> Iterator[Page]:
    """Coupled rows that do not exist; *there* tells which do, else each is asked for."""
    table, columns = part.mapping.dataverse_table, frozenset({"versionnumber"})
    for ids in _key_pages(services, part, stored.coupled_rows_after, after):
        present = there.present if there is not None else services.dataverse.read_many(table, ids, columns).keys()
        left = _ids_not_asked_before(services, part, [one for one in ids if one not in present])
        yield Page("deleted rows", ids[-1], _from(part, sorted(left)))


def _from(part: Part, ids: Sequence[str]) -> list[Wanted]:
    return wanted_from(part.mapping.name, part.mapping.dataverse_table, ids, part.ask)


def _key_pages(
    services: Services, part: Part, keys_after: Callable[[Connection, TableMapping, str], list[str]], after: str
) -> Iterator[list[str]]:
    """Keys or ids behind *after*, ascending; each page is read when it is wanted, none is empty."""
    while True:
        with services.database.reading() as connection:
            keys = keys_after(connection, part.mapping, after)
        if not keys:
            return
        yield keys
        after = keys[-1]


# -- what seems to be gone -----------------------------------------------------------------------------------------


def _named(services: Services, part: Part, after: str) -> Iterator[Page]:
    """Only those that are still coupled; each is looked for once more by whoever decides."""
    left = [one for one in part.named if one > after]
    for start in range(0, len(left), stored.PAGE):
        some = left[start : start + stored.PAGE]
        with services.database.reading() as connection:
            still = stored.coupled_of(connection, part.mapping, some, part.toward)
        if part.toward is Direction.TO:
            wanted = wanted_to(services, part.mapping.name, still, part.ask)
        else:
            wanted = _from(part, sorted(_ids_not_asked_before(services, part, still)))
        yield Page("gone", some[-1], wanted, len(some))


#: a record whose key was changed is found by the pair that lacks it, before it is taken for a new one
_TO_STEPS = {"deleted records": _deleted_records, "records": _records}
_GONE_STEPS = {"gone": _named}
_FROM_STEPS = {"failed rows": _failed_rows, "rows": _rows, "deleted rows": _deleted_rows}
