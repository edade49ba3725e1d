"""Undo: the last change of a coupled record is taken back on both sides, as one ordinary change.

The values before are written here, and the engine carries them to Dataverse, all in the record's lane: whoever hears of
the edit meanwhile waits, and finds both sides equal. It is done only where both sides still hold what the change wrote,
so nobody's later work is lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from sqlalchemy import func, select, update

from receiver.commands.coupling.pairs import Pair, mapping_named, pairs_of
from receiver.commands.following.history import Entry, last
from receiver.commands.result import CommandResult, Line, line_of
from receiver.commands.synchronizing.compare import compared, converted_from
from receiver.core.company import COMPANY_ID
from receiver.core.mapping import Conversion, Direction, FieldMapping
from receiver.core.values import Value, Values, from_plain, same, shown, to_plain
from receiver.engine.coalesce import Ask
from receiver.engine.process import attempted
from receiver.errors import ReceiverError, RefusedError
from receiver.lanes.held import leased, leave
from receiver.lanes.lane import Lease
from receiver.runs.carry_out import Done, Wanted
from receiver.services import Services, read_columns
from receiver.store import couplings
from receiver.store.local_tables import LocalTable
from receiver.store.models import history
from receiver.tables import BY_NAME


@dataclass(frozen=True)
class _TakingBack:
    """An entry, the pair as it is now, and the local values to write."""

    entry: Entry
    pair: Pair
    values: Values

    @property
    def now(self) -> Values:
        assert self.pair.local is not None  # else it was refused
        return {name: self.pair.local.values.get(name) for name in self.values}

    @property
    def why(self) -> str:
        return f"undo of change {self.entry.id}"


def undo(services: Services, table: str, id_: str, who: str, *, is_preview: bool = False) -> CommandResult:
    """Take the last change of a record back; *table* and *id_* as in `history.listed`.

    Raises: NotFoundError; RefusedError naming the field and both values where a side was changed since, for a mapping
    that goes one way, and for what cannot be taken back.
    """
    entry = _mapped(last(services, table, id_))
    _check_it_can_be_taken_back(services, entry)
    if is_preview:
        return CommandResult((_foretold(_taking_back(services, entry)),), is_preview=True)
    with _held(services, entry) as lease:
        asked = _taking_back(services, entry)
        _write(services, asked, asked.now, asked.values)
        done = _carried_on(services, asked, lease, who)
    if done.settled is not None and done.settled.decision == "Modify":
        _note(services, entry)
    return CommandResult((line_of(done),))


def _mapped(entry: Entry) -> Entry:
    """Our company id is no value of the record: it stays."""
    return replace(entry, fields={name: values for name, values in entry.fields.items() if name != COMPANY_ID})


def _check_it_can_be_taken_back(services: Services, entry: Entry) -> None:
    mapping = mapping_named(services, entry.mapping)
    if entry.undone_by is not None:
        raise RefusedError(f"Change {entry.id} was taken back already.")
    if entry.decision != "Modify":
        raise RefusedError(
            f"The last change of {mapping.name} {entry.local_id} made the record, which cannot be undone. "
            "Uncouple the two, then delete the one that is not wanted."
        )
    if not entry.fields:
        raise RefusedError(f"Change {entry.id} made the row our company's and changed no value: nothing is taken back.")
    if mapping.direction is not Direction.BIDIRECTIONAL:
        raise RefusedError(
            f"{mapping.name} goes {mapping.direction} alone, so an undo could not change both sides. "
            "Change the value where it comes from."
        )


def _taking_back(services: Services, entry: Entry) -> _TakingBack:
    """Raises: RefusedError."""
    pair = _pair(services, entry)
    fields = {_column(one, entry.direction): one for one in pair.mapping.fields if one.is_enabled}
    for column in entry.fields:
        _check_field(pair, fields.get(column), column, entry.direction)
    own = {name: fields[name] for name in entry.fields}
    before = {name: from_plain(values[0]) for name, values in entry.fields.items()}
    if entry.direction is Direction.TO:
        before = _local_values(services, pair, own, before)
    _check_both_sides_hold_it(services, pair, entry, own)
    return _TakingBack(entry, pair, before)


def _pair(services: Services, entry: Entry) -> Pair:
    with services.database.reading() as connection:
        mappings = services.mappings(connection)
        coupling = couplings.find(connection, entry.mapping, Direction.TO, entry.local_id)
    mapping = mappings[entry.mapping]
    if coupling is None or coupling.dataverse_id != entry.dataverse_id:
        raise RefusedError(f"{entry.mapping} {entry.local_id} is no longer coupled to {entry.dataverse_id}.")
    (pair,) = pairs_of(services, mapping, [coupling], read_columns(mappings, mapping.dataverse_table))
    if pair.unread:
        raise RefusedError(f"{pair.row_caption} is there, and cannot be read: {pair.unread}")
    if pair.local is None or pair.row is None:
        gone = pair.caption if pair.local is None else pair.row_caption
        raise RefusedError(f"{gone} was deleted. Restore the record before a change of it is taken back.")
    return pair


def _column(one: FieldMapping, toward: Direction) -> str:
    return (one.local_column if toward is Direction.FROM else one.dataverse_column) or ""


def _check_field(pair: Pair, one: FieldMapping | None, column: str, toward: Direction) -> None:
    if one is None or one.local_column is None:
        raise RefusedError(f"{column} of {pair.caption} is not mapped any more, so its change cannot be taken back.")
    is_said_by_us = toward is Direction.TO and one.conversion is Conversion.PLAIN and not one.transformation_rule
    if one.direction is not Direction.BIDIRECTIONAL and not is_said_by_us:
        raise RefusedError(
            f"{column} of {pair.caption} goes {one.direction} alone: change it where it comes from, "
            "the undo would not change both sides."
        )


def _local_values(
    services: Services, pair: Pair, fields: Mapping[str, FieldMapping], before: Values
) -> dict[str, Value]:
    """What these values of Dataverse are here."""
    assert pair.row is not None  # else it was refused
    there = converted_from(services, pair, {**pair.row.values, **before})
    found: dict[str, Value] = {}
    for column, one in fields.items():
        assert one.local_column is not None  # else it was refused
        if one.direction is Direction.BIDIRECTIONAL:
            if one.local_column not in there:
                raise RefusedError(f"{column} of {pair.row_caption} was {shown(before[column])}, which is not here.")
            found[one.local_column] = there[one.local_column]
        else:
            found[one.local_column] = before[column]
    return found


def _check_both_sides_hold_it(services: Services, pair: Pair, entry: Entry, fields: Mapping[str, FieldMapping]) -> None:
    side = pair.local if entry.direction is Direction.FROM else pair.row
    assert side is not None  # else it was refused
    for column, (_, plain) in entry.fields.items():
        after, now = from_plain(plain), side.values.get(column)
        if not same(after, now):
            raise RefusedError(
                f"{column} of {pair.caption if side is pair.local else pair.row_caption} is “{shown(now)}”, no longer "
                f"“{shown(after)}”: it was changed since, and that would be lost."
            )
    (found,) = compared(services, pair.mapping, [pair])
    for one in fields.values():
        if one.local_column in found.differences:
            here, there = (shown(from_plain(value)) for value in found.differences[one.local_column])
            raise RefusedError(
                f"{one.local_column} of {pair.caption} is “{here}” here and “{there}” in Dataverse: it was changed "
                "since, and that would be lost. Synchronize the record first."
            )


def _write(services: Services, asked: _TakingBack, held: Values, values: Values) -> None:
    """Raises: RefusedError when the record no longer holds *held*; RecordError."""
    with services.database.writing() as connection:
        local = LocalTable(connection, BY_NAME[asked.pair.mapping.local_table])
        found = local.get(asked.entry.local_id, lock=True)
        if found is None or any(not same(found.values.get(name), value) for name, value in held.items()):
            raise RefusedError(
                f"{asked.pair.caption} was changed this very moment; nothing was taken back. Look again."
            )
        local.modify(asked.entry.local_id, values)


def _carried_on(services: Services, asked: _TakingBack, lease: Lease, who: str) -> Done:
    """To Dataverse, in the lane that is held; where that fails, the record is again as it was before the undo."""
    entry = asked.entry
    ask = Ask(
        mapping=entry.mapping, toward=Direction.TO, key=entry.local_id, is_click=True, why=f"{asked.why} by {who}"
    )
    wanted = Wanted(asked.pair.mapping.dataverse_table, entry.dataverse_id, ask)
    try:
        (settled,) = attempted(services, lease, ask)
    except ReceiverError as error:
        _write(services, asked, asked.values, asked.now)
        return Done(wanted, error=error)
    if settled.decision != "Modify":
        _write(services, asked, asked.values, asked.now)
    return Done(wanted, settled)


def _foretold(asked: _TakingBack) -> Line:
    fields = {name: [to_plain(asked.now[name]), to_plain(value)] for name, value in asked.values.items()}
    said = f"{asked.pair.caption} and {asked.pair.row_caption} would get {', '.join(fields)} back as before."
    return Line(asked.entry.mapping, asked.entry.local_id, asked.entry.dataverse_id, "Modify", "modified", "", said,
                fields=fields)  # fmt: skip


def _note(services: Services, entry: Entry) -> None:
    """The entry was taken back by the one that the engine has just written."""
    newest = select(func.max(history.c.id)).where(
        history.c.mapping == entry.mapping, history.c.local_id == entry.local_id, history.c.id > entry.id
    )
    with services.database.writing() as connection:
        number = connection.execute(newest).scalar()
        connection.execute(update(history).where(history.c.id == entry.id).values(undone_by=number))


@contextmanager
def _held(services: Services, entry: Entry) -> Iterator[Lease]:
    """The record's lane, so that nobody synchronizes it meanwhile. Raises: RefusedError when it stays busy."""
    row = (mapping_named(services, entry.mapping).dataverse_table, entry.dataverse_id)
    held = leased(services, [row])
    if not held:
        raise RefusedError(f"{entry.mapping} {entry.local_id} is being synchronized right now. Try again shortly.")
    try:
        yield from held.values()
    finally:
        leave(services, held.values())  # unless it was given back with what was written
