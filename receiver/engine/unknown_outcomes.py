"""Before anything is decided of a row: what became of writes to it whose answer never came.

The row is read and held against what was sent (core/intended.py). What is concluded is written in a transaction of its
own, in the row's lane; then the pair is decided like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from receiver.core.coupling import Coupling
from receiver.core.decision import Record
from receiver.core.intended import after_create, after_update, as_kept
from receiver.core.mapping import Direction, TableMapping
from receiver.core.values import Values
from receiver.engine.synchronize import columns_of_sides
from receiver.engine.work import Work
from receiver.lanes.touch import Touch, touch
from receiver.lanes.waits import wake_waiting
from receiver.store import couplings, open_writes
from receiver.store.local_tables import LocalTable
from receiver.store.open_writes import OpenWrite, Pending
from receiver.tables import BY_NAME


def conclude(work: Work, table: str, row_id: str, images: Sequence[Values] = (), *, was_deleted: bool = False) -> None:
    """Settle what is open of a Dataverse row, whose lane is held; *images* are what its notifications told of it.

    *was_deleted*: Dataverse says that it was there. Raises: what Dataverse and the database raise.
    """
    attempts = work.known.open_writes(row_id)
    if not attempts:
        return
    row = work.read(table, row_id)
    found: list[Coupling] = []
    if work.is_preview or row.unread:
        return  # nothing is concluded of a row that could not be read
    attempts = [_as_kept(work, one, row.values) for one in attempts] if row.exists else attempts
    with work.services.database.writing() as connection:
        for name in sorted({one.mapping for one in attempts}):
            mapping, own = work.mappings.get(name), [one for one in attempts if one.mapping == name]
            if mapping is None:
                open_writes.end_pending(connection, name, row_id)
            elif row.exists:
                found += _of_row(work, connection, mapping, row, own, images)
            elif was_deleted or not _is_being_created(connection, mapping, own[0]):
                open_writes.end_pending(connection, name, row_id)
    work.known.forget([row_id])
    for coupling in found:
        work.known.suppose(coupling)


def _as_kept(work: Work, one: OpenWrite, row: Values) -> OpenWrite:
    mapping = work.mappings.get(one.mapping)
    if mapping is None:
        return one
    _, columns = columns_of_sides(work.services, mapping, Direction.TO, row)
    return replace(one, intended=as_kept(one.intended, row, columns))


def _of_row(
    work: Work,
    connection: Connection,
    mapping: TableMapping,
    row: Record,
    attempts: Sequence[OpenWrite],
    images: Sequence[Values],
) -> list[Coupling]:
    """The pair as it is remembered from now on; none where the row is nobody's."""
    pending = open_writes.pending_of_row(connection, mapping.name, row.id)
    coupling = couplings.find(connection, mapping.name, Direction.FROM, row.id, lock=True)
    now = work.services.clock()
    if coupling is not None:
        after = _updated(mapping, coupling, attempts, row, images)
        if after != coupling:
            couplings.save(connection, after, now)
        elif not _may_still_arrive(work, row.id, attempts):
            open_writes.forget(connection, mapping.name, row.id)
        return [after]
    if pending is None:
        open_writes.forget(connection, mapping.name, row.id)
        return []
    return _completed(work, connection, mapping, pending, row, attempts)


def _updated(
    mapping: TableMapping, coupling: Coupling, attempts: Sequence[OpenWrite], row: Record, images: Sequence[Values]
) -> Coupling:
    for one in attempts:
        coupling = after_update(coupling, mapping.transfers(Direction.TO), one.intended, row.values, images)
    return coupling


def _may_still_arrive(work: Work, row_id: str, attempts: Sequence[OpenWrite]) -> bool:
    """While the row has the version that a write asks for, a slow one may yet be carried out."""
    version = work.versions[row_id].number
    return any(one.version is not None and one.version == version for one in attempts)


def _is_being_created(connection: Connection, mapping: TableMapping, one: OpenWrite) -> bool:
    """A row that is not there yet, of a record that is: the create is tried again under the same id."""
    if open_writes.pending_of_row(connection, mapping.name, one.dataverse_id) is None:
        return False
    return LocalTable(connection, BY_NAME[mapping.local_table]).get(one.local_id) is not None


def _completed(
    work: Work,
    connection: Connection,
    mapping: TableMapping,
    pending: Pending,
    row: Record,
    attempts: Sequence[OpenWrite],
) -> list[Coupling]:
    """The pending coupling becomes one, if its record is there, has no other and was not uncoupled since."""
    made = Coupling(mapping.name, pending.local_id, row.id)
    before = couplings.find(connection, mapping.name, Direction.TO, pending.local_id, lock=True)
    if LocalTable(connection, BY_NAME[mapping.local_table]).get(pending.local_id) is None:
        open_writes.end_pending(connection, mapping.name, row.id)
        return []  # the row stands for itself from now on, like any other
    if _is_taken(work, mapping, pending, before) or _was_uncoupled(connection, made, attempts[-1].at):
        _leave_alone(connection, made, work.services.clock())
        return []
    if before is not None:
        couplings.remove(connection, before)
    coupling = after_create(made, [one.intended for one in attempts if one.intended.dataverse], row.values)
    now = work.services.clock()
    couplings.save(connection, coupling, now)
    wake_waiting(connection, [(mapping.dataverse_table, row.id)], now)
    touch(connection, [Touch(mapping.dataverse_table, row.id, now, "created, though no answer came")])
    return [coupling]


def _is_taken(work: Work, mapping: TableMapping, pending: Pending, coupling: Coupling | None) -> bool:
    """Another row is coupled to the record: not the deleted one that this one restores, or that one is back."""
    if coupling is None:
        return False
    if coupling.dataverse_id != pending.replaced_id:
        return True
    return work.read(mapping.dataverse_table, coupling.dataverse_id).exists


def _was_uncoupled(connection: Connection, made: Coupling, since: datetime) -> bool:
    remembered = couplings.uncoupled_records(connection, made.mapping, [made.local_id]).get(made.local_id)
    return remembered is not None and remembered.at >= since


def _leave_alone(connection: Connection, made: Coupling, now: datetime) -> None:
    """A row that we made of a record which a person coupled otherwise: it must not come back as a second record."""
    open_writes.end_pending(connection, made.mapping, made.dataverse_id)
    who = f"the receiver, since {made.local_id} was coupled or uncoupled meanwhile,"
    couplings.remember_uncoupling(connection, made, who[:100], now, [Direction.FROM])
