"""The *Business Central* button: the local record of a Dataverse row, created and coupled where the rules allow it.

Source: BC page 5329 and reference §9; what differs stands in docs/differences.md. A coupled record always opens within
three seconds; if bringing it up to date fails or takes longer, a banner says why.
"""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TookTooLongError
from dataclasses import dataclass, replace

from receiver.core.coupling import Coupling
from receiver.core.decision import Candidate, Reason
from receiver.core.mapping import Direction, TableMapping
from receiver.engine.coalesce import Ask
from receiver.engine.process import process
from receiver.engine.wording import Settled
from receiver.errors import NotFoundError, ReceiverError
from receiver.lanes import lane as lanes
from receiver.lanes.held import kept_only_if_done, leased
from receiver.lanes.lane import Lease
from receiver.lanes.waits import wake_waiting
from receiver.services import Services, mappings_of
from receiver.store import couplings
from receiver.store.local_tables import LocalTable
from receiver.tables import BY_NAME

PATIENCE_COUPLED_SECONDS = 3.0
PATIENCE_SECONDS = 10.0
FILTER_NOT_ASKED = frozenset(
    reason.name for reason in (Reason.MAPPING_IS_OFF, Reason.DIRECTION, Reason.NO_FIELDS, Reason.SKIPPED)
)
_background = ThreadPoolExecutor(max_workers=4, thread_name_prefix="open")


@dataclass(frozen=True)
class Opened:
    """There it is; `banner` says what went wrong while bringing it up to date."""

    mapping: str
    local_table: str
    key: str
    banner: str = ""


@dataclass(frozen=True)
class Offered:
    """Local records that may be meant: couple with one, or create a new one; `notice` says what came between."""

    candidates: tuple[Candidate, ...]
    notice: str = ""


@dataclass(frozen=True)
class MayCreate:
    """It would be created; the person has not said yes yet."""


@dataclass(frozen=True)
class Busy:
    """Another worker holds the lane; asking again in a moment will do."""


@dataclass(frozen=True)
class Refused:
    """Why not, a line for each mapping; `is_gone` when the row does not exist."""

    outcomes: tuple[Settled, ...]
    is_gone: bool = False
    trouble: str = ""


Answer = Opened | Offered | MayCreate | Busy | Refused


def open_record(
    services: Services, table: str, id_: str, *, may_create: bool, couple_with: str = "", creates_new: bool = False
) -> Answer:
    """Open the local record of a row.

    *couple_with* is `MAPPING:key` of an offered candidate, *creates_new* turns the offer down.
    Raises: NotFoundError for a table without mapping, StoreUnavailableError.
    """
    with services.database.reading() as connection:
        mappings = mappings_of(services.mappings(connection), table)
        known = couplings.of_dataverse_row(connection, id_)
    if not mappings:
        raise NotFoundError(f"No Integration Table Mapping reads the table {table}. An administrator can add one.")
    coupled = [one for one in known if one.mapping in {mapping.name for mapping in mappings}]
    if coupled and not couple_with:
        return _open_coupled(services, table, id_, mappings, coupled)
    if couple_with:
        return _couple(services, table, id_, mappings, couple_with)
    creators = [one for one in mappings if _may_create(one)]
    if creators and not may_create:
        return MayCreate()
    return _create(services, table, id_, creates_new=creates_new)


def _may_create(mapping: TableMapping) -> bool:
    return mapping.is_enabled and mapping.direction.allows(Direction.FROM) and not mapping.synch_only_coupled_records


def _open_coupled(
    services: Services, table: str, id_: str, mappings: list[TableMapping], coupled: list[Coupling]
) -> Answer:
    begun = time.monotonic()
    coupled = _existing(services, mappings, coupled) or coupled
    lease = _lease(services, table, id_, PATIENCE_COUPLED_SECONDS)
    if lease is None:
        return _opened(mappings, coupled, {}, "It is being synchronized right now; what you see may change.")
    with kept_only_if_done(services, [lease]):
        running: Future[list[Settled]] = _background.submit(process, services, lease, Ask(is_click=True))
    try:
        settled = running.result(max(PATIENCE_COUPLED_SECONDS - (time.monotonic() - begun), 0))
    except TookTooLongError:
        return _opened(mappings, coupled, {}, "Dataverse takes long to answer; it is brought up to date meanwhile.")
    except Exception as error:  # noqa: BLE001  # whatever it was, `process` has recorded it, and a coupled record opens
        return _opened(mappings, coupled, {}, f"It could not be brought up to date: {error}")
    outcomes = {outcome.mapping: outcome for outcome in settled}
    still = _existing(services, mappings, _coupled_now(services, id_))
    return _opened(mappings, still, outcomes, "") if still else _answer(services, settled)


def _coupled_now(services: Services, id_: str) -> list[Coupling]:
    with services.database.reading() as connection:
        return couplings.of_dataverse_row(connection, id_)


def _existing(services: Services, mappings: list[TableMapping], coupled: list[Coupling]) -> list[Coupling]:
    """The couplings by these mappings whose local record is there."""
    tables = {mapping.name: BY_NAME[mapping.local_table] for mapping in mappings}
    with services.database.reading() as connection:
        own = [one for one in coupled if one.mapping in tables]
        return [one for one in own if LocalTable(connection, tables[one.mapping]).get(one.local_id)]


def _opened(mappings: list[TableMapping], coupled: list[Coupling], outcomes: dict[str, Settled], banner: str) -> Opened:
    """A coupled mapping whose filter the row matches, else any coupled one in mapping order."""
    by_name = {one.mapping: one for one in coupled}
    order = [mapping for mapping in mappings if mapping.name in by_name]
    chosen = min(order, key=lambda mapping: _distance(outcomes.get(mapping.name)))
    outcome = outcomes.get(chosen.name)
    if outcome is not None and outcome.decision in {"Skip", "Fail"}:
        banner = f"It was not brought up to date. {outcome.sentence} {outcome.remedy}".strip()
    return Opened(chosen.name, chosen.local_table, by_name[chosen.name].local_id, banner)


def _distance(outcome: Settled | None) -> int:
    """0: the row matches the mapping's filter; 1: the filter was not asked; 2: outside."""
    if outcome is None or outcome.reason in FILTER_NOT_ASKED:
        return 1
    return 2 if outcome.reason in {Reason.OUTSIDE_FILTER.name, Reason.OTHER_COMPANY.name} else 0


def _create(services: Services, table: str, id_: str, *, creates_new: bool) -> Answer:
    lease = _lease(services, table, id_, PATIENCE_SECONDS)
    if lease is None:
        return Busy()
    try:
        settled = process(services, lease, Ask(is_click=True, creates_new=creates_new))
    except ReceiverError as error:
        return Refused((), trouble=str(error))
    return _answer(services, settled)


def _answer(services: Services, settled: list[Settled]) -> Answer:
    done = next((outcome for outcome in settled if outcome.record), None)
    if done is not None:
        with services.database.reading() as connection:
            mapping = services.mappings(connection)[done.mapping]
        return Opened(done.mapping, mapping.local_table, done.record)
    offered = tuple(candidate for outcome in settled for candidate in outcome.candidates)
    if offered:
        return Offered(offered)
    is_gone = any(outcome.reason == "NOT_COUPLED_AND_GONE" for outcome in settled)
    return Refused(tuple(settled), is_gone)


def _couple(services: Services, table: str, id_: str, mappings: list[TableMapping], chosen: str) -> Answer:
    """Couple with the chosen local record, then use the Dataverse data: the person stands in Sales.

    Where somebody coupled one of the two meanwhile, that coupling stays and nothing is overwritten by force.
    """
    name, _, key = chosen.partition(":")
    mapping = next((one for one in mappings if one.name == name), None)
    if mapping is None or not _may_create(mapping):
        raise NotFoundError(f"{name or 'That mapping'} couples no {table} by itself.")
    lease = _lease(services, table, id_, PATIENCE_SECONDS)
    if lease is None:
        return Busy()
    try:
        with kept_only_if_done(services, [lease]):
            taken = _chosen(services, mapping, key, id_)
        answer = _answer(services, process(services, lease, Ask(is_click=True, is_forced=not taken)))
    except ReceiverError as error:
        return Refused((), trouble=str(error))
    return _told(answer, taken) if taken else answer


def _chosen(services: Services, mapping: TableMapping, key: str, id_: str) -> str:
    """Couple the two, whose row's lane is held; else what came between, in a sentence. Raises: LostRaceError."""
    shipped, now = BY_NAME[mapping.local_table], services.clock()
    called = f"{shipped.caption} {key}"
    with services.database.writing() as connection:
        local = LocalTable(connection, shipped)
        if local.get(key, lock=True) is None:
            return f"{called} was deleted meanwhile."
        of_record = couplings.find(connection, mapping.name, Direction.TO, key, lock=True)
        of_row = couplings.find(connection, mapping.name, Direction.FROM, id_, lock=True)
        if of_record is not None and of_record.dataverse_id == id_:
            return f"Somebody else coupled the two this moment; {called} keeps its data."
        if of_record is not None:
            return f"{called} was coupled to {mapping.dataverse_table} {of_record.dataverse_id} by somebody else."
        if of_row is not None and local.get(of_row.local_id) is not None:
            return f"The row was coupled to {shipped.caption} {of_row.local_id} by somebody else."
        if of_row is not None:
            couplings.remove(connection, of_row)  # its record is gone, and this one takes its place
        couplings.save(connection, Coupling(mapping.name, key, id_), now)
        wake_waiting(connection, [(mapping.dataverse_table, id_)], now)
    return ""


def _told(answer: Answer, notice: str) -> Answer:
    """The second of two who chose hears of it, whatever came of it."""
    match answer:
        case Opened():
            return replace(answer, banner=f"{notice} {answer.banner}".strip())
        case Offered():
            return replace(answer, notice=notice)
        case Refused():
            return replace(answer, trouble=f"{notice} {answer.trouble}".strip())
    return answer


def _lease(services: Services, table: str, id_: str, patience: float) -> Lease | None:
    """The row's lane, as soon as nobody else holds it; None when that took longer than *patience* seconds."""
    return leased(services, [(table, id_)], patience).get(lanes.key_of(table, id_))
