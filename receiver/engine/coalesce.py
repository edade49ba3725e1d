"""What all that waits in a lane says of its row: our newest whole image, or only that the row must be read.

The row is the truth, the notification a hint. An image counts as the row only when it is of our own asynchronous
step, registered with today's columns, of a row that was never deleted; everything else costs one read.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row

from receiver.core.decision import Record
from receiver.core.mapping import Direction
from receiver.core.message import (
    ExecutionContext,
    Freshness,
    Image,
    SynchRequest,
    freshness,
    image_alias,
)
from receiver.core.values import Reference, Values
from receiver.dataverse.columns import TABLES as DATAVERSE_TABLES
from receiver.dataverse.columns import from_message
from receiver.dataverse.rows import version_of, with_derived
from receiver.engine.work import Chosen, Request
from receiver.handlers import handler_of
from receiver.lanes.lane import Lease
from receiver.schemas.execution_context import UnreadableError, read_context, read_envelope
from receiver.services import Services, image_columns, read_columns
from receiver.store.mappings import Mappings


@dataclass(frozen=True)
class Read:
    """A stored notification, read: its context, or why it has none, and the requests of it."""

    row: Row[Any]
    context: ExecutionContext | None
    requests: tuple[SynchRequest, ...]
    note: str

    @property
    def is_hint_of_open_transaction(self) -> bool:
        return bool(self.row.is_synchronous) and not self.row.is_click


@dataclass(frozen=True)
class Ask:
    """Why a lane is worked on, beside what waits in it."""

    #: a person stands before the screen, and hears what goes wrong
    is_click: bool = False
    #: another record refers to the row: it is looked at though nothing waits in its lane
    is_wanted: bool = False
    #: use the Dataverse data, whatever the coupling remembers
    is_forced: bool = False
    #: the person was offered records to couple with, and wants a new one
    creates_new: bool = False
    #: the person was offered records to couple with, and took this one
    chosen: Chosen | None = None
    #: a person wants a deleted record back; one that looks like it is asked about first
    is_restored: bool = False
    #: the rows (table and id) that wait for this one, the first asked first
    wanted_by: tuple[tuple[str, str], ...] = ()
    #: a command or a run asks for this mapping alone; what waits in the lane stays there
    mapping: str = ""
    toward: Direction = Direction.FROM
    #: of the local record that goes to Dataverse
    key: str = ""
    #: whatever *Synch. Only Coupled Records* says
    may_create: bool = False
    #: of a preview: as if the coupling were taken back from Skipped
    is_taken_back: bool = False
    #: the job that counts it; None: one of its own
    job: int | None = None
    #: the lease of the task that counts in it
    job_holder: str | None = None
    #: why, as the history tells it
    why: str = ""
    #: nobody named this record: what cannot be taken back is counted
    is_by_itself: bool = False
    #: a run that keeps to its end what cannot be taken back
    keeper: str = ""

    @property
    def is_guarded(self) -> bool:
        """Whether too many conclusions at once are kept back; what a person asked for by name is not."""
        return self.is_by_itself or bool(self.keeper) or not (self.is_click or self.mapping)

    @property
    def looks_anyway(self) -> bool:
        return self.is_click or self.is_wanted or bool(self.mapping)


NOTHING_ASKED = Ask()


def read_notification(services: Services, row: Row[Any]) -> Read:
    try:
        context = read_context(read_envelope(row.body))
    except UnreadableError as error:
        return Read(row, None, (), str(error))
    handler = handler_of(context.message, services.options.ribbon_message)
    if handler is None:
        return Read(row, context, (), f"No handler answers the message {context.message}.")
    note = "; ".join(map(str, context.defects))
    return Read(row, context, tuple(handler(context)), note)


def references_of(read: Iterable[Read]) -> set[str]:
    """The ids of the rows that images refer to: their couplings are asked for together with the row's own."""
    images = (request.image for one in read for request in one.requests if request.image is not None)
    return {value.id for image in images for value in image.values.values() if isinstance(value, Reference)}


def concerns_row(read: list[Read], lease: Lease) -> bool:
    return any(is_own(request, lease) for one in read for request in one.requests)


def names_deletion(read: list[Read], lease: Lease) -> bool:
    """A Delete among what waits always means one read: 404 is deleted, a row found is that row."""
    return any(request.is_deletion and is_own(request, lease) for one in read for request in one.requests)


def is_own(request: SynchRequest, lease: Lease) -> bool:
    return (request.table, request.id) == (lease.table, lease.id)


def source_of(
    services: Services, lease: Lease, read: list[Read], mappings: Mappings, *, has_tombstone: bool, ask: Ask
) -> Request:
    """The row as far as the notifications tell: our newest whole image, or a hint that wants the row read."""
    own = [request for one in read for request in one.requests if is_own(request, lease)]
    clicked = ask.is_click or any(request.is_click for request in own)
    hint = Request(
        Direction.FROM,
        Record(lease.id, is_whole=False),
        is_click=clicked,
        is_forced=ask.is_forced,
        creates_new=ask.creates_new,
        chosen=ask.chosen,
        why=ask.why or _why(lease, read),
    )
    is_hint = not own or any(request.image is None for request in own)
    if is_hint or has_tombstone or lease.wish or ask.looks_anyway or services.options.trust == "read":
        return hint
    alias = image_alias("post", image_columns(mappings, lease.table))
    images = [request.image for request in own if request.image is not None and request.image.alias == alias]
    if len(images) != len(own):
        return hint
    columns = read_columns(mappings, lease.table)
    try:
        rows = [_whole_row(image, lease.table, columns) for image in images]
    except ValueError:
        return hint  # a value that its column cannot hold: the Web API says what the row really has
    newest = _newest(rows)
    if newest is None:
        return hint
    return Request(
        Direction.FROM,
        Record(lease.id, newest),
        freshness(version_of(newest), lease.version),
        lease.version,
        is_click=clicked,
        why=hint.why,
    )


def _why(lease: Lease, read: list[Read]) -> str:
    numbers = ", ".join(str(one.row.id) for one in read[-3:])
    return f"notification {numbers}" if numbers else lease.wish


def images_of(read: Iterable[Read], lease: Lease, mappings: Mappings) -> list[Values]:
    """The states of the row that its notifications told of, as far as they are whole and can be read."""
    alias, found = image_alias("post", image_columns(mappings, lease.table)), list[Values]()
    for request in (request for one in read for request in one.requests if is_own(request, lease)):
        if request.image is not None and request.image.alias == alias:
            with suppress(ValueError):
                found.append(_whole_row(request.image, lease.table, read_columns(mappings, lease.table)))
    return found


def _whole_row(image: Image, table: str, columns: frozenset[str]) -> Values:
    """All columns of the list that the image was registered with; one that is absent in it is null."""
    described = DATAVERSE_TABLES[table].columns
    values = {name: from_message(described[name], image.values.get(name)) for name in columns}
    return with_derived(values, columns)


def _newest(rows: list[Values]) -> Values | None:
    """The newest of several images of one row, as they came; None where the row must be read.

    An image proves none of the others late: one with a far version would hide all that waits with it.
    """
    best = rows[0]
    for row in rows[1:]:
        compared = freshness(version_of(row), version_of(best))
        if compared == Freshness.UNCERTAIN:
            return None
        best = row if compared == Freshness.NEWER else best
    return best


def may_conclude_gone(services: Services, lease: Lease, read: list[Read], started: datetime, ask: Ask) -> bool:
    """From inside an open transaction a row cannot be seen yet: only the second look may say *gone*."""
    if lease.wish or ask.looks_anyway:
        return True
    return any(not one.is_hint_of_open_transaction or due_again(services, one, started) is None for one in read)


def due_again(services: Services, one: Read, started: datetime) -> datetime | None:
    """When a synchronous step's row is looked at next; None once the second look has been taken."""
    options = services.options
    received: datetime = one.row.received_at
    for seconds in (options.synchronous_first_read_seconds, options.synchronous_second_read_seconds):
        if started < received + timedelta(seconds=seconds):
            return received + timedelta(seconds=seconds)
    return None
