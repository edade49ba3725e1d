"""Coupled Data Synchronization Errors: Skipped couplings, and what a person can do about each.

Source: BC page 5333; reference §4.3, §4.4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from shlex import quote
from typing import Any

from sqlalchemy import and_, func, not_, select, update

from receiver.commands.coupling.pairs import (
    HAS_FAILED,
    IS_SKIPPED,
    Pair,
    directions_to_try,
    mapping_named,
    pages_of,
    selected,
)
from receiver.commands.result import CommandResult, Line, carried_out, line_of, one_each
from receiver.commands.synchronizing.synchronize_now import Choice, check_choice, only_direction, synchronize_now
from receiver.core.mapping import Direction
from receiver.dataverse.columns import CHANGE_COLUMNS
from receiver.dataverse.rows import DataverseRow
from receiver.engine.coalesce import Ask
from receiver.engine.write_lanes import end_failed_of_pairs
from receiver.errors import ReceiverError, RefusedError
from receiver.lanes.held import BUSY, give_back, lanes_held
from receiver.lanes.lane import Lease
from receiver.runs.carry_out import Wanted, carry_out, wanted_from, wanted_to
from receiver.services import Services
from receiver.store import couplings, jobs
from receiver.store.local_tables import LocalTable
from receiver.store.models import coupling as coupling_rows
from receiver.tables import BY_NAME

#: lines that a list shows, as Business Central's page does before *Load More Errors*
FIRST_LINES = 100
BOTH_EXIST = "Both records exist; nothing was done."
BOTH_GONE = "Both records are gone; the coupling is removed."


@dataclass(frozen=True)
class ErrorLine:
    """A coupling that is Skipped, whose last run failed, or whose row or record is gone."""

    mapping: str
    state: str
    local_id: str
    name: str
    record_exists: bool
    dataverse_id: str
    row_exists: bool
    message: str
    failed_on: datetime | None

    @property
    def commands(self) -> tuple[str, ...]:
        """What a person can do about it in a terminal; nothing where the two are well."""
        pair = f"{quote(self.mapping)} {quote(self.local_id)}"
        if self.record_exists != self.row_exists:
            return (f"receiver errors restore {pair}", f"receiver errors delete {pair}", f"receiver uncouple {pair}")
        if self.state == "Coupled" or not self.record_exists:
            return ()
        return (
            f"receiver errors retry {pair}",
            f"receiver errors synchronize {pair} --direction to",
            f"receiver errors synchronize {pair} --direction from",
        )

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        failed_on = self.failed_on and self.failed_on.isoformat()
        return {**vars(self), "failed_on": failed_on, "commands": list(self.commands)}


def listed(services: Services, mapping: str = "", limit: int = FIRST_LINES) -> list[ErrorLine]:
    """Couplings that are Skipped or failed last, of one mapping or of all, Skipped ones first.

    A Skipped pair that is gone on both sides is uncoupled on the way.

    Raises: NotFoundError; what Dataverse raises.
    """
    return list(islice(_listed(services, mapping), limit))


def _listed(services: Services, mapping: str) -> Iterator[ErrorLine]:
    names = _mapping_names(services, mapping)
    for which in (IS_SKIPPED, and_(HAS_FAILED, not_(IS_SKIPPED))):
        for name in names:
            for page in pages_of(services, mapping_named(services, name), which):
                for pair in page:
                    if pair.coupling.is_skipped and pair.local is None and pair.row_is_gone:
                        _uncouple(services, pair, "uncoupled")
                    else:
                        yield _line_of(pair)


def retry(services: Services, mapping: str, keys: Sequence[str], who: str) -> CommandResult:
    """Retry: these couplings are no longer Skipped, and are synchronized where they failed.

    The same failure again makes them Skipped again at once. Raises: NotFoundError.
    """
    pairs = selected(services, mapping_named(services, mapping), keys)
    return _retried(services, pairs, who)


def retry_all(services: Services, who: str, mapping: str = "") -> CommandResult:
    """Retry every coupling that is Skipped or failed last, a page at a time. Raises: NotFoundError."""
    lines: list[Line] = []
    for name in _mapping_names(services, mapping):
        # all of them are found before the first is tried: one that fails again would be found again
        for page in list(pages_of(services, mapping_named(services, name), HAS_FAILED)):
            lines += _retried(services, page, who).lines
    return CommandResult(tuple(lines))


def would_retry(services: Services, mapping: str, keys: Sequence[str] | None) -> CommandResult:
    """What a retry of these, or with None of all, would do. Raises: NotFoundError; what Dataverse raises."""
    if keys is None:
        names = [mapping_named(services, name) for name in _mapping_names(services, mapping)]
        pairs = [pair for found in names for page in pages_of(services, found, HAS_FAILED) for pair in page]
    else:
        pairs = selected(services, mapping_named(services, mapping), keys)
    ready, lines = _that_are_there(pairs)
    return _foretold(services, lines, ready, Ask(), directions_to_try)


def would_synchronize(services: Services, mapping: str, keys: Sequence[str], direction: Choice) -> CommandResult:
    """What `synchronize` would do. Raises: as it does."""
    found = mapping_named(services, mapping)
    going = only_direction(found) or direction
    check_choice(found, going, keys)
    pairs = selected(services, found, keys)
    ready, lines = _that_are_there(pairs)
    ask = Ask(is_click=True, is_forced=going is not Choice.MERGE)
    return _foretold(services, lines, ready, ask, lambda _pair: going.directions)


def _foretold(
    services: Services,
    lines: Sequence[Line],
    pairs: Sequence[Pair],
    ask: Ask,
    directions: Callable[[Pair], Sequence[Direction]],
) -> CommandResult:
    """As if none of them were Skipped."""
    wanted = [_wanted(pair, toward, replace(ask, is_taken_back=True)) for pair in pairs for toward in directions(pair)]
    told = carried_out(services, wanted, is_preview=True)
    return CommandResult((*lines, *told.lines), is_preview=True)


def count(services: Services, mapping: str = "") -> int:
    """How many `retry_all` would try. Raises: NotFoundError."""
    names = _mapping_names(services, mapping)
    query = select(func.count()).where(coupling_rows.c.mapping.in_(names), HAS_FAILED)
    with services.database.reading() as connection:
        return int(connection.execute(query).scalar_one())


def _retried(services: Services, pairs: Sequence[Pair], who: str) -> CommandResult:
    ready, lines = _that_are_there(pairs)
    _take_back(services, ready)
    ask = Ask(why=f"Retry by {who}")
    wanted = [_wanted(pair, toward, ask) for pair in ready for toward in directions_to_try(pair)]
    return CommandResult((*lines, *one_each(carried_out(services, wanted).lines)))


def synchronize(services: Services, mapping: str, keys: Sequence[str], direction: Choice, who: str) -> CommandResult:
    """Synchronize: these couplings are no longer Skipped, and the data of the chosen side is used, by force.

    A one-way mapping goes its own way, whatever was chosen. Raises: NotFoundError; RefusedError, then nothing was done.
    """
    found = mapping_named(services, mapping)
    going = only_direction(found) or direction
    check_choice(found, going, keys)
    pairs = selected(services, found, keys)
    ready, lines = _that_are_there(pairs)
    _take_back(services, ready)
    if ready:
        is_forced = going is not Choice.MERGE
        chosen = [pair.key for pair in ready]
        lines += synchronize_now(services, found.name, chosen, going, who, is_forced=is_forced).lines
    return CommandResult(tuple(lines))


def _that_are_there(pairs: Sequence[Pair]) -> tuple[list[Pair], list[Line]]:
    """The pairs of which nothing is gone, and a line for each other one."""
    gone = [pair for pair in pairs if pair.local is None or pair.row_is_gone]
    return [pair for pair in pairs if pair not in gone], [_one_is_gone(pair) for pair in gone]


def _take_back(services: Services, pairs: Sequence[Pair]) -> None:
    with services.database.writing() as connection:
        for pair in pairs:
            is_this = (coupling_rows.c.mapping == pair.mapping.name, coupling_rows.c.local_id == pair.key)
            connection.execute(update(coupling_rows).where(*is_this).values(is_skipped=False))


def _one_is_gone(pair: Pair) -> Line:
    gone = pair.caption if pair.local is None else pair.row_caption
    said = f"{gone} does not exist any more; nothing was tried."
    named = f"{quote(pair.mapping.name)} {quote(pair.key)}"
    remedy = f"Restore it: receiver errors restore {named}. Or part the two: receiver uncouple {named}"
    return pair.line("Skip", "skipped", said, remedy)


def _wanted(pair: Pair, toward: Direction, ask: Ask) -> Wanted:
    asked = replace(ask, mapping=pair.mapping.name, toward=toward, key=pair.key if toward is Direction.TO else "")
    return Wanted(pair.mapping.dataverse_table, pair.coupling.dataverse_id, asked)


def restore(
    services: Services, mapping: str, keys: Sequence[str], who: str, *, is_preview: bool = False
) -> CommandResult:
    """Restore Records: of a pair of which one record is gone, that one is made anew and coupled.

    A pair that cannot be restored keeps its coupling. Raises: NotFoundError.
    """
    do = _would_restore if is_preview else _restore
    return _for_the_bereft(services, mapping, keys, do, who, is_preview=is_preview)


def _would_restore(_services: Services, pair: Pair, _who: str) -> Line:
    gone = pair.caption if pair.local is None else pair.row_caption
    return pair.line("Insert", "inserted", f"{gone} is gone and would be made anew.")


def _restore(services: Services, pair: Pair, who: str) -> Line:
    _uncouple(services, pair)
    ask = Ask(is_click=True, is_restored=True, may_create=True, why=f"Restore Records by {who}")
    if pair.row is None:
        wanted = wanted_to(services, pair.mapping.name, [pair.key], ask)
    else:
        wanted = wanted_from(pair.mapping.name, pair.mapping.dataverse_table, [pair.row.id], ask)
    (line,) = map(line_of, carry_out(services, wanted))
    if line.decision != "Insert":
        with services.database.writing() as connection:
            couplings.save(connection, pair.coupling, services.clock())
    return line


def delete(
    services: Services, mapping: str, keys: Sequence[str], who: str, *, is_preview: bool = False
) -> CommandResult:
    """Delete Records: of a pair of which one record is gone, the other is deleted, and the coupling.

    Raises: NotFoundError.
    """
    do = _would_delete if is_preview else _delete
    return _for_the_bereft(services, mapping, keys, do, who, is_preview=is_preview)


def _survivor(pair: Pair) -> str:
    return pair.row_caption if pair.local is None else pair.caption


def _would_delete(_services: Services, pair: Pair, _who: str) -> Line:
    return pair.line("Delete", "deleted", f"{_survivor(pair)} would be deleted, and the coupling removed.")


def _delete(services: Services, pair: Pair, who: str) -> Line:
    """In the row's lane, both sides are looked at once more: what cannot be undone is done to what is there now."""
    table, id_ = pair.mapping.dataverse_table, pair.coupling.dataverse_id
    try:
        with lanes_held(services, [(table, id_)]) as held:
            if not held:
                raise RefusedError(BUSY)
            row = services.dataverse.read(table, id_, CHANGE_COLUMNS)
            _check_bereft(services, pair, row)
            if pair.row is not None:
                services.dataverse.delete(table, id_, pair.row.version)  # as the person saw it, not as it is by now
            _uncouple(services, pair, "deleted", deletes_record=pair.local is not None, held=held.values())
    except ReceiverError as error:
        said = f"{_survivor(pair)} could not be deleted, and the coupling stays: {error}"
        return pair.line("Error", "failed", said, "Mend what the message says, then Delete Records again.")
    return pair.line("Delete", "deleted", f"{_survivor(pair)} was deleted by {who}, and the coupling removed.")


def _check_bereft(services: Services, pair: Pair, row: DataverseRow | None) -> None:
    """Raises: RefusedError where the record that was gone is back, or the other has gone meanwhile."""
    with services.database.reading() as connection:
        local = LocalTable(connection, BY_NAME[pair.mapping.local_table]).get(pair.key)
    if (local is None) != (pair.local is None) or (row is None) != (pair.row is None):
        raise RefusedError("One of the two has come back, or gone, meanwhile. Look at the list again.")
    if row is not None and pair.row is not None and row.version.number != pair.row.version.number:
        raise RefusedError(f"{pair.row_caption} was changed since it was listed. Look at it again.")


def _for_the_bereft(
    services: Services,
    mapping: str,
    keys: Sequence[str],
    do: Callable[[Services, Pair, str], Line],
    who: str,
    *,
    is_preview: bool,
) -> CommandResult:
    lines: list[Line] = []
    for pair in selected(services, mapping_named(services, mapping), keys):
        if pair.unread:
            lines.append(pair.line("Skip", "skipped", f"{pair.row_caption} is there: {pair.unread}"))
        elif pair.is_whole:
            lines.append(pair.line("Skip", "skipped", BOTH_EXIST))
        elif pair.local is None and pair.row is None:
            if not is_preview:
                _uncouple(services, pair, "uncoupled")
            lines.append(pair.line("RemoveCoupling", "uncoupled", BOTH_GONE))
        else:
            lines.append(do(services, pair, who))
    return CommandResult(tuple(lines), is_preview=is_preview)


def _uncouple(
    services: Services, pair: Pair, counter: str = "", *, deletes_record: bool = False, held: Iterable[Lease] = ()
) -> None:
    """Raises: RefusedError when the pair was coupled anew meanwhile; RecordError."""
    now, toward = services.clock(), Direction.TO if pair.row is None else Direction.FROM
    with services.database.writing() as connection:
        found = couplings.find(connection, pair.mapping.name, Direction.TO, pair.key, lock=True)
        if found is None or found.dataverse_id != pair.coupling.dataverse_id:
            raise RefusedError(f"{pair.caption} was coupled anew meanwhile; nothing was done. Look at the list again.")
        local = LocalTable(connection, BY_NAME[pair.mapping.local_table])
        if pair.local is None and local.get(pair.key) is not None:
            raise RefusedError(f"{pair.caption} has come back meanwhile; nothing was done. Look at the list again.")
        if deletes_record:
            local.delete(pair.key)
        couplings.remove(connection, found)
        end_failed_of_pairs(connection, pair.mapping, [found.dataverse_id], now)
        give_back(connection, held)
        if counter:
            jobs.record(connection, pair.mapping.name, toward, (now, now), [counter], [])


def find_deleted(services: Services, mapping: str = "", *, marks: bool = False) -> list[ErrorLine]:
    """Find for Deleted: couplings, Skipped or not, whose record or row is gone; *marks* makes those Skipped.

    Unlike Business Central's it asks of every mapping and of both sides, and a record that only left the filter is
    none that is gone. Raises: NotFoundError; what Dataverse raises.
    """
    lines: list[ErrorLine] = []
    for name in _mapping_names(services, mapping):
        for page in pages_of(services, mapping_named(services, name)):
            gone = [pair for pair in page if pair.local is None or pair.row_is_gone]
            lines += map(_line_of, gone)
            if marks and gone:
                _mark(services, gone)
    return lines


def _mark(services: Services, pairs: Sequence[Pair]) -> None:
    keys = [pair.key for pair in pairs]
    is_one = (coupling_rows.c.mapping == pairs[0].mapping.name, coupling_rows.c.local_id.in_(keys))
    with services.database.writing() as connection:
        connection.execute(update(coupling_rows).where(*is_one).values(is_skipped=True))


def _line_of(pair: Pair) -> ErrorLine:
    exist = pair.local is not None, not pair.row_is_gone
    said = (
        pair.message
        or pair.unread
        or ("" if all(exist) else f"{pair.row_caption if exist[0] else pair.caption} was deleted.")
    )
    state = "Skipped" if pair.coupling.is_skipped else "Failed" if pair.message else "Coupled"
    return ErrorLine(
        pair.mapping.name,
        state,
        pair.key,
        pair.name,
        exist[0],
        pair.coupling.dataverse_id,
        exist[1],
        said,
        pair.failed_on,
    )


def _mapping_names(services: Services, mapping: str) -> list[str]:
    """The one that is named, or every mapping that couples something. Raises: NotFoundError."""
    if mapping:
        return [mapping_named(services, mapping).name]
    with services.database.reading() as connection:
        coupled = set(connection.execute(select(coupling_rows.c.mapping).distinct()).scalars())
        return [name for name in services.mappings(connection) if name in coupled]
