"""What a command or a run asks of records, carried out in their lanes: many at a time, or only as a preview.

A notification waits in its lane until a worker comes; what is asked here is done now, by the one who asks, in the same
lanes. What waits in them stays there. Nothing is kept of an ask: who asks must ask again after a crash, which is safe.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from itertools import islice

from sqlalchemy import Connection

from receiver.core.decision import Record
from receiver.core.mapping import Direction, TableMapping
from receiver.core.message import Freshness, freshness
from receiver.core.values import Reference, Values, to_plain_values
from receiver.dataverse.rows import DataverseRow
from receiver.engine.candidates import look_ahead
from receiver.engine.coalesce import Ask
from receiver.engine.known_records import Known
from receiver.engine.look_at_lane import Look, deleted_of, look_at
from receiver.engine.process import Answered, attempted
from receiver.engine.wording import Settled, in_words
from receiver.engine.work import Outcome, Work, not_at_once
from receiver.engine.write_dataverse import intended_ids_of, other_lanes_held, written_to_dataverse
from receiver.engine.write_lanes import write
from receiver.errors import ReceiverError, RefusedError, StoreUnavailableError, TaskLostError
from receiver.lanes import lane as lanes
from receiver.lanes.held import BUSY, leased, leave
from receiver.lanes.lane import Lease
from receiver.services import Services, read_columns
from receiver.store.mappings import Mappings

log = logging.getLogger(__name__)

#: lanes that share a request to Dataverse and a transaction; more, where the rows have just been read
TOGETHER, READ_TOGETHER = 100, 500


@dataclass(frozen=True)
class Wanted:
    """One record asked for, under one mapping (`ask.mapping`), by its Dataverse row."""

    table: str
    id: str
    ask: Ask
    #: the row, if it was just read
    row: DataverseRow | None = None

    @property
    def lane(self) -> str:
        return lanes.key_of(self.table, self.id)


@dataclass(frozen=True)
class Done:
    """What became of it; `error` where it could not be decided or written, and nothing was."""

    wanted: Wanted
    settled: Settled | None = None
    error: ReceiverError | None = None


def wanted_from(mapping: str, table: str, ids: Iterable[str], ask: Ask) -> list[Wanted]:
    """Ask for Dataverse rows, toward the local table."""
    own = replace(ask, mapping=mapping, toward=Direction.FROM)
    return [Wanted(table, id_, own) for id_ in ids]


def wanted_to(services: Services, mapping: str, keys: Sequence[str], ask: Ask) -> list[Wanted]:
    """Ask for local records, toward Dataverse; an uncoupled one stands in the lane of the row that it would become.

    Raises: RefusedError when the mapping was deleted meanwhile.
    """
    with services.database.reading() as connection:
        table = _named(services.mappings(connection), mapping).dataverse_table
        known = Known(services.database)
        known.look_up_records(mapping, keys, services.mappings(connection), connection)
    coupled = {key: known.coupling(mapping, Direction.TO, key) for key in keys}
    intended = intended_ids_of(services, mapping, [key for key, one in coupled.items() if one is None])
    return [
        Wanted(
            table,
            one.dataverse_id if one else intended[key],
            replace(ask, mapping=mapping, toward=Direction.TO, key=key),
        )
        for key, one in coupled.items()
    ]


def wanted_of_pairs(
    services: Services, mapping: TableMapping, toward: Direction, pairs: Iterable[tuple[str, str]], ask: Ask
) -> list[Wanted]:
    """Ask for coupled pairs (local key and Dataverse id) in one direction."""
    if toward is Direction.TO:
        return wanted_to(services, mapping.name, [key for key, _ in pairs], ask)
    return wanted_from(mapping.name, mapping.dataverse_table, [id_ for _, id_ in pairs], ask)


def carry_out(services: Services, wanted: Iterable[Wanted]) -> Iterator[Done]:
    """Do what is asked, some hundred at a time, in any order.

    Raises: StoreUnavailableError; TaskLostError when another counts in the job by now.
    """
    for chunk in _chunks(wanted):
        yield from _carried_out(services, chunk)


def _chunks(wanted: Iterable[Wanted]) -> Iterator[list[Wanted]]:
    """At most `TOGETHER`, and no lane twice in one."""
    rest, waiting = iter(wanted), list[Wanted]()
    while True:
        waiting = waiting or list(islice(rest, 1))
        most = READ_TOGETHER if waiting and waiting[0].row is not None else TOGETHER
        taken = [*waiting, *islice(rest, max(most - len(waiting), 0))]
        chunk = {one.lane: one for one in reversed(taken)}
        if not chunk:
            return
        chosen = {id(one) for one in chunk.values()}
        waiting = [one for one in taken if id(one) not in chosen]
        yield list(chunk.values())


def _carried_out(services: Services, chunk: Sequence[Wanted]) -> Iterator[Done]:
    started, held = services.clock(), leased(services, [(one.table, one.id) for one in chunk])
    by_lane = {one.lane: one for one in chunk}
    busy = [Done(by_lane[key], error=ReceiverError(BUSY)) for key in by_lane.keys() - held.keys()]
    left = [(by_lane[key], lease) for key, lease in held.items()]
    try:
        yield from busy
        settled = _together_if_possible(services, left, started)
        done = [Done(one, settled[lease.key]) for one, lease in left if lease.key in settled]
        left = [(one, lease) for one, lease in left if lease.key not in settled]
        yield from done
        while left:
            yield _alone(services, *left.pop())
    finally:
        leave(services, [lease for _, lease in left])


def _together_if_possible(
    services: Services, pairs: Sequence[tuple[Wanted, Lease]], started: datetime
) -> dict[str, Settled]:
    """What could be done in one go, by lane. Raises: StoreUnavailableError."""
    try:
        return _together(services, pairs, started)
    except (StoreUnavailableError, TaskLostError):
        raise
    except Exception as error:  # noqa: BLE001  # whatever it is, the record that it belongs to meets it again by itself
        log.debug("%d records are worked on one by one: %s", len(pairs), error)
        return {}


def _together(services: Services, pairs: Sequence[tuple[Wanted, Lease]], started: datetime) -> dict[str, Settled]:
    """What could be done in one go, by lane; all the rest is done one by one."""
    looks = [look for look in _looks(services, pairs, started, not_at_once) if isinstance(look, Look)]
    with other_lanes_held(services, looks):
        answers = iter(written_to_dataverse([(look.work, outcome) for look in looks for outcome in look.outcomes]))
        good: list[Look] = []
        for look in looks:
            own = list(islice(answers, len(look.outcomes)))
            outcomes = [answer for answer in own if not isinstance(answer, Exception)]
            if len(outcomes) == len(own):
                good.append(replace(look, outcomes=outcomes))
        if not good:
            return {}
        with services.database.writing() as connection:
            settled = write(connection, services, good, started)
    return {look.lease.key: own[0] for look, own in zip(good, settled, strict=True) if own}


def _alone(services: Services, one: Wanted, lease: Lease) -> Done:
    try:
        settled = attempted(services, lease, one.ask)
    except ReceiverError as error:
        leave(services, [lease])
        if isinstance(error, TaskLostError):
            raise
        return Done(one, error=error)
    return Done(one, settled[0] if settled else None)


def _looks(
    services: Services,
    pairs: Sequence[tuple[Wanted, Lease]],
    started: datetime,
    pull: Callable[[Reference], bool],
    *,
    is_preview: bool = False,
) -> Iterator[Look | ReceiverError]:
    """A look at each, with every row and record read together; or what stands in the way of looking at it so."""
    with services.database.reading() as connection:
        mappings = services.mappings(connection)
        known = _known(services, connection, mappings, [one for one, _ in pairs])
    rows = _rows(services, mappings, known, pairs)
    look_alikes = _look_alikes(Work(services, mappings, known, pull), [one for one, _ in pairs], rows)
    read_at = services.clock()
    for one, lease in pairs:
        work = Work(
            services, mappings, known, pull, is_preview=is_preview, look_alikes=look_alikes, rows_read_at=read_at
        )
        try:
            for id_ in {lease.id, _coupled_row(known, one)} - {""}:
                if (lease.table, id_) in rows:
                    work.know(lease.table, id_, rows[lease.table, id_])
            yield look_at(work, lease, [], started, one.ask)
        except ReceiverError as error:
            yield error


def _look_alikes(
    work: Work, wanted: Sequence[Wanted], rows: Mapping[tuple[str, str], Answered]
) -> dict[tuple[str, Direction, str], list[Record]]:
    """What looks like those that may be created, asked for by page and not by record."""
    sources: dict[tuple[str, Direction], dict[str, Values]] = {}
    for one in wanted:
        mapping, toward = work.mappings[one.ask.mapping], one.ask.toward
        id_ = one.ask.key if toward is Direction.TO else one.id
        is_looked_for = not one.ask.creates_new and not one.ask.is_restored
        if not is_looked_for or (mapping.synch_only_coupled_records and not one.ask.may_create):
            continue
        if work.known.coupling(mapping.name, toward, id_) is None:
            found = (
                work.known.record(mapping.local_table, id_) if toward is Direction.TO else rows.get((one.table, id_))
            )
            if isinstance(found, Record | DataverseRow):
                sources.setdefault((mapping.name, toward), {})[id_] = found.values
    for (name, toward), values in sources.items():
        look_ahead(work, work.mappings[name], toward, values)
    return work.look_alikes


def _known(services: Services, connection: Connection, mappings: Mappings, wanted: Sequence[Wanted]) -> Known:
    known = Known(services.database)
    own = [_named(mappings, name) for name in sorted({one.ask.mapping for one in wanted})]
    ids = {one.id for one in wanted}
    known.look_up(ids, own, connection)
    known.deleted |= deleted_of(connection, ids)
    for mapping in own:
        keys = [one.ask.key for one in wanted if one.ask.mapping == mapping.name and one.ask.key]
        known.look_up_records(mapping.name, keys, mappings, connection)
    return known


def _named(mappings: Mappings, name: str) -> TableMapping:
    if name not in mappings:
        raise RefusedError(f"The mapping {name} was deleted meanwhile. What was done stays.")
    return mappings[name]


def _coupled_row(known: Known, one: Wanted) -> str:
    if one.ask.toward is Direction.FROM:
        return ""
    coupling = known.coupling(one.ask.mapping, Direction.TO, one.ask.key)
    return "" if coupling is None else coupling.dataverse_id


def _rows(
    services: Services, mappings: Mappings, known: Known, pairs: Sequence[tuple[Wanted, Lease]]
) -> dict[tuple[str, str], Answered]:
    """The Dataverse rows that the looks need, each table's in as few requests as may be; None: it does not exist."""
    found: dict[tuple[str, str], Answered] = {}
    asked: dict[str, set[str]] = {}
    for one, lease in pairs:
        if one.row is not None and freshness(one.row.version, lease.version) in {Freshness.NEWER, Freshness.SAME}:
            found[one.table, one.id] = one.row
        elif one.ask.toward is Direction.FROM:
            asked.setdefault(one.table, set()).add(one.id)
        elif _coupled_row(known, one):
            asked.setdefault(one.table, set()).add(_coupled_row(known, one))
    for table, ids in asked.items():
        found |= {
            (table, id_): row
            for id_, row in services.dataverse.look_up(table, ids, read_columns(mappings, table)).items()
        }
    return found


@dataclass(frozen=True)
class Preview:
    """What would become of what is asked, now; `token` is void as soon as any record involved has changed."""

    done: tuple[Done, ...]
    token: str


def preview(services: Services, wanted: Iterable[Wanted]) -> Preview:
    """The same looks, and nothing written. Raises: what Dataverse and the database raise."""
    started, done, digest = services.clock(), list[Done](), sha256()
    for chunk in _chunks(wanted):
        pairs = [(one, _unheld(one)) for one in chunk]
        for one, look in zip(chunk, _looks(services, pairs, started, _not_pulled, is_preview=True), strict=True):
            if isinstance(look, ReceiverError):
                digest.update(str(look).encode())
                done.append(Done(one, error=look))
                continue
            (outcome,) = look.outcomes or (None,)
            digest.update(_seen(outcome))
            done.append(Done(one, None if outcome is None else _foretold(outcome)))
    return Preview(tuple(done), digest.hexdigest())


def _unheld(one: Wanted) -> Lease:
    return Lease(one.lane, one.table, one.id, "", 0, 0, "", None, ())


def _not_pulled(_reference: Reference) -> bool:
    return False


def _foretold(outcome: Outcome) -> Settled:
    now = outcome.now
    record = now.source if now.toward is Direction.TO else now.destination
    return in_words(outcome, now.coupling, record, is_preview=True)


def _seen(outcome: Outcome | None) -> bytes:
    if outcome is None:
        return b"nothing"
    now = outcome.now
    sides = [None if side is None else to_plain_values(side.values) for side in (now.source, now.destination)]
    coupled = None if now.coupling is None else (now.coupling.local_id, now.coupling.dataverse_id)
    seen = [now.mapping.name, now.toward, now.source.id, coupled, sides, type(outcome.decision).__name__]
    return json.dumps(seen, sort_keys=True, default=str).encode()
