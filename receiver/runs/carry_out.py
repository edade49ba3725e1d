"""What a command or a run asks of records, carried out in their lanes: many at a time, or only as a preview.

A notification waits in its lane until a worker comes; what is asked here is done now, by the one who asks, in the same
lanes. What waits in them stays there. Nothing is kept of an ask: who asks must ask again after a crash, which is safe.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from itertools import islice

from sqlalchemy import Connection

from receiver.core.decision import Record
from receiver.core.mapping import Direction, TableMapping
from receiver.core.message import Freshness, freshness
from receiver.core.values import Reference, to_plain_values
from receiver.dataverse.rows import DataverseRow
from receiver.engine.coalesce import Ask
from receiver.engine.known_records import Known
from receiver.engine.look_at_lane import Look, look_at
from receiver.engine.process import work_on
from receiver.engine.wording import Settled, in_words
from receiver.engine.work import Outcome, Work, not_at_once
from receiver.engine.write_dataverse import intended_ids_of, written_to_dataverse
from receiver.engine.write_lanes import write
from receiver.errors import NotAtOnceError, ReceiverError, StoreUnavailableError
from receiver.lanes import lane as lanes
from receiver.lanes.failure import close_gate_after
from receiver.lanes.held import BUSY, leased, leave
from receiver.lanes.lane import Lease
from receiver.services import Services, read_columns
from receiver.store.mappings import Mappings

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
    """Ask for local records, toward Dataverse; an uncoupled one stands in the lane of the row that it would become."""
    with services.database.reading() as connection:
        table = services.mappings(connection)[mapping].dataverse_table
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
    """Do what is asked, some hundred at a time, in any order. Raises: StoreUnavailableError."""
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
    for key in by_lane.keys() - held.keys():
        yield Done(by_lane[key], error=ReceiverError(BUSY))
    pairs = [(by_lane[key], lease) for key, lease in held.items()]
    try:
        settled = _together(services, pairs, started)
    except ReceiverError as error:
        if isinstance(error, StoreUnavailableError):
            raise
        settled = {}
    done = [Done(one, settled[lease.key]) for one, lease in pairs if lease.key in settled]
    left = [(one, lease) for one, lease in pairs if lease.key not in settled]
    try:
        yield from done
        while left:
            yield _alone(services, *left.pop())
    finally:
        leave(services, [lease for _, lease in left])


def _together(services: Services, pairs: Sequence[tuple[Wanted, Lease]], started: datetime) -> dict[str, Settled]:
    """What could be done in one go, by lane; all the rest is done one by one."""
    looks = [look for look in _looks(services, pairs, started, not_at_once) if look is not None]
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
        settled = work_on(services, lease, one.ask)
    except ReceiverError as error:
        leave(services, [lease])
        close_gate_after(services, error)
        return Done(one, error=error)
    return Done(one, settled[0] if settled else None)


def _looks(
    services: Services, pairs: Sequence[tuple[Wanted, Lease]], started: datetime, pull: Callable[[Reference], bool]
) -> Iterator[Look | None]:
    """A look at each, with every row and record read together; None where one must be looked at by itself."""
    with services.database.reading() as connection:
        mappings = services.mappings(connection)
        known = _known(services, connection, mappings, [one for one, _ in pairs])
    rows = _rows(services, mappings, known, pairs)
    read_at = services.clock()
    for one, lease in pairs:
        work = Work(services, mappings, known, pull, rows_read_at=read_at)
        for id_ in {lease.id, _coupled_row(known, one)} - {""}:
            if (lease.table, id_) in rows:
                found = rows[lease.table, id_]
                work.rows[lease.table, id_] = Record(id_, exists=False) if found is None else Record(id_, found.values)
                if found is not None:
                    work.versions[id_] = found.version
        try:
            yield look_at(work, lease, [], started, one.ask)
        except NotAtOnceError:
            yield None


def _known(services: Services, connection: Connection, mappings: Mappings, wanted: Sequence[Wanted]) -> Known:
    known = Known(services.database)
    own = [mappings[name] for name in sorted({one.ask.mapping for one in wanted})]
    known.look_up([one.id for one in wanted], own, connection)
    for mapping in own:
        keys = [one.ask.key for one in wanted if one.ask.mapping == mapping.name and one.ask.key]
        known.look_up_records(mapping.name, keys, mappings, connection)
    return known


def _coupled_row(known: Known, one: Wanted) -> str:
    if one.ask.toward is Direction.FROM:
        return ""
    coupling = known.coupling(one.ask.mapping, Direction.TO, one.ask.key)
    return "" if coupling is None else coupling.dataverse_id


def _rows(
    services: Services, mappings: Mappings, known: Known, pairs: Sequence[tuple[Wanted, Lease]]
) -> dict[tuple[str, str], DataverseRow | None]:
    """The Dataverse rows that the looks need, each table's in as few requests as may be; None: it does not exist."""
    found: dict[tuple[str, str], DataverseRow | None] = {}
    asked: dict[str, set[str]] = {}
    for one, lease in pairs:
        is_late = one.row is not None and freshness(one.row.version, lease.version) == Freshness.LATE
        if one.row is not None and not is_late:
            found[one.table, one.id] = one.row
        elif one.ask.toward is Direction.FROM:
            asked.setdefault(one.table, set()).add(one.id)
        elif _coupled_row(known, one):
            asked.setdefault(one.table, set()).add(_coupled_row(known, one))
    for table, ids in asked.items():
        read = services.dataverse.read_many(table, sorted(ids), read_columns(mappings, table))
        found |= {(table, id_): read.get(id_) for id_ in ids}
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
        for one, look in zip(chunk, _looks(services, pairs, started, _not_pulled), strict=True):
            assert look is not None  # only what is not pulled has to be alone
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
    return in_words(outcome, now.coupling, now.source if now.toward is Direction.TO else now.destination)


def _seen(outcome: Outcome | None) -> bytes:
    if outcome is None:
        return b"nothing"
    now = outcome.now
    sides = [None if side is None else to_plain_values(side.values) for side in (now.source, now.destination)]
    coupled = None if now.coupling is None else (now.coupling.local_id, now.coupling.dataverse_id)
    seen = [now.mapping.name, now.toward, now.source.id, coupled, sides, type(outcome.decision).__name__]
    return json.dumps(seen, sort_keys=True, default=str).encode()
