"""Looking at lanes: what waits in one, what the database knows of its row, and what is decided of it.

Nothing is written here, neither to Dataverse nor to the database; so a preview is a look and no more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, select

from receiver.core.coupling import Coupling, has_moved
from receiver.core.decision import Record
from receiver.core.mapping import Direction, TableMapping
from receiver.core.message import Freshness
from receiver.core.values import Values
from receiver.engine.changed_keys import follow
from receiver.engine.coalesce import (
    Ask,
    Read,
    concerns_row,
    images_of,
    may_conclude_gone,
    names_deletion,
    read_notification,
    references_of,
    source_of,
)
from receiver.engine.come_back import come_back
from receiver.engine.guard import guarded
from receiver.engine.known_records import Known
from receiver.engine.settle import waits_of
from receiver.engine.synchronize import synchronize
from receiver.engine.unknown_outcomes import conclude
from receiver.engine.work import Outcome, Request, Work
from receiver.lanes.lane import Lease
from receiver.services import Services, mappings_of
from receiver.store.among import Among
from receiver.store.mappings import Mappings
from receiver.store.models import tombstone

#: why a lane is ready again: what the company's database made of a value goes to Dataverse
TRAVELS_BACK = "the database here made something else of a value"
#: why the lane of a row that holds a value without counterpart is: there may be one now
COUNTERPART = "the table of codes is another"
#: why it is once Dataverse has won a conflict: what was changed here beside it is still to be sent
REST = "the other side won a conflict, and the rest of the record goes to Dataverse"
#: wishes that the local record goes to Dataverse
GOES_OUT = frozenset({TRAVELS_BACK, COUNTERPART, REST})


@dataclass(frozen=True)
class Look:
    """A lane looked at: what waits in it, and what was decided of its row; no outcome where nothing is to be said."""

    work: Work
    lease: Lease
    read: list[Read]
    own: list[TableMapping]
    source: Request
    outcomes: list[Outcome]
    is_gone: bool
    ask: Ask

    @property
    def waits(self) -> list[tuple[str, str]]:
        return [wanted for outcome in self.outcomes for wanted in waits_of(outcome)]


def known_of(
    services: Services, connection: Connection, mappings: Mappings, lanes_read: Sequence[tuple[Lease, list[Read]]]
) -> Known:
    """All that the database is asked of these lanes' rows, before anything is decided."""
    known, tables = Known(services.database), {lease.table for lease, _ in lanes_read}
    own = [mapping for table in sorted(tables) for mapping in mappings_of(mappings, table)]
    rows = {lease.id for lease, _ in lanes_read if mappings_of(mappings, lease.table)}
    known.look_up(rows | references_of([one for _, read in lanes_read for one in read]), own, connection)
    known.deleted |= deleted_of(connection, rows)
    return known


def deleted_of(connection: Connection, row_ids: Iterable[str]) -> set[str]:
    """Which of these rows were deleted once: their old images must be believed no more."""
    return set(connection.execute(_DELETED, {"rows": sorted(row_ids)}).scalars())


_DELETED = select(tombstone.c.row_id).where(Among(tombstone.c.row_id, "rows"))


def look_at(work: Work, lease: Lease, read: list[Read], started: datetime, ask: Ask) -> Look:
    """Decide for each mapping of the lane's row, or for the one that is asked for."""
    own = mappings_of(work.mappings, lease.table)
    if ask.mapping:
        own = [mapping for mapping in own if mapping.name == ask.mapping]
    source = Request(Direction.FROM, Record(lease.id, is_whole=False))
    outcomes: list[Outcome] = []
    if own and (concerns_row(read, lease) or lease.wish or ask.looks_anyway):
        _conclude_open_writes(work, lease, read)
        for mapping in own:
            come_back(work, mapping, lease.id)
            follow(work, mapping, lease.id, ask.key if ask.toward is Direction.TO else "")
        source = _source(work, lease, read, ask)
        outcomes = [
            guarded(work, synchronize(work, mapping, _sent_back(work, mapping, lease, read, ask) or source), ask)
            for mapping in own
        ]
    row = work.rows.get((lease.table, lease.id))
    is_gone = bool(outcomes) and row is not None and not row.exists
    if is_gone and not may_conclude_gone(work.services, lease, read, started, ask):
        return Look(work, lease, read, own, source, [], False, ask)
    return Look(work, lease, read, own, source, outcomes, is_gone, ask)


def _conclude_open_writes(work: Work, lease: Lease, read: list[Read]) -> None:
    """What waits in the lane is evidence too, when a command or a run leaves it there."""
    if work.known.open_writes(lease.id):
        told = read or [read_notification(work.services, row) for row in lease.notifications]
        images, was_deleted = images_of(told, lease, work.mappings), names_deletion(told, lease)
        conclude(work, lease.table, lease.id, images, was_deleted=was_deleted)


def _source(work: Work, lease: Lease, read: list[Read], ask: Ask) -> Request:
    if ask.mapping:
        return _asked_source(work, lease, ask)
    has_tombstone = lease.id in work.known.deleted
    source = source_of(work.services, lease, read, work.mappings, has_tombstone=has_tombstone, ask=ask)
    is_read = (lease.table, lease.id) in work.rows  # what was sent is held against it: no older image counts then
    return _read_source(work, lease, source) if is_read or names_deletion(read, lease) else source


def _sent_back(work: Work, mapping: TableMapping, lease: Lease, read: list[Read], ask: Ask) -> Request | None:
    """The local record, if the lane is ready for no other reason than that it is to go out again."""
    if lease.wish not in GOES_OUT or read or ask.looks_anyway:
        return None
    coupling = work.known.coupling(mapping.name, Direction.FROM, lease.id)
    record = None if coupling is None else work.known.record(mapping.local_table, coupling.local_id)
    if coupling is None or record is None:
        return None
    sent = [one.source for one in mapping.transfers(Direction.TO) if one.source] if lease.wish == REST else ()
    if not _goes_out(coupling, record.values) and not has_moved(coupling, sent, record.values):
        return None
    return Request(Direction.TO, record, why=lease.wish)


def _goes_out(coupling: Coupling, values: Values) -> bool:
    """Whether the record has a value that was altered as it came in, or a code that had no option."""
    return has_moved(coupling, coupling.unresolved, values) or Direction.TO in coupling.altered.values()


def _asked_source(work: Work, lease: Lease, ask: Ask) -> Request:
    """What a command or a run asks for, whatever waits in the lane: that stays there."""
    if ask.toward is Direction.TO:
        key = work.renamed.get((ask.mapping, ask.key), ask.key)
        source = work.known.record(work.mappings[ask.mapping].local_table, key) or Record(key, exists=False)
    else:
        source = work.rows.get((lease.table, lease.id), Record(lease.id, is_whole=False))
    return Request(
        ask.toward,
        source,
        is_click=ask.is_click,
        is_forced=ask.is_forced,
        creates_new=ask.creates_new,
        may_create=ask.may_create,
        is_restored=ask.is_restored,
        is_taken_back=ask.is_taken_back,
        job=ask.job,
        job_holder=ask.job_holder,
        why=ask.why,
    )


def _read_source(work: Work, lease: Lease, source: Request) -> Request:
    row = work.read(lease.table, lease.id)
    return replace(source, source=row, freshness=Freshness.NEWER)
