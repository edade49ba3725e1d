"""The *Business Central* button: the local record of a Dataverse row, created and coupled where the rules allow it.

Source: BC page 5329 and reference §9; what differs stands in docs/differences.md. A coupled record always opens within
three seconds; if bringing it up to date fails or takes longer, a banner says why.
"""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TookTooLongError
from dataclasses import dataclass, field, replace

from receiver.core.coupling import Coupling
from receiver.core.decision import Reason
from receiver.core.mapping import Direction, TableMapping
from receiver.engine.coalesce import Ask
from receiver.engine.process import process
from receiver.engine.wording import OFFERED, Settled
from receiver.engine.work import Chosen, Offer
from receiver.errors import NotFoundError, ReceiverError
from receiver.lanes import lane as lanes
from receiver.lanes.held import kept_only_if_done, leased
from receiver.lanes.lane import Lease
from receiver.services import Services, mappings_of
from receiver.store import couplings
from receiver.store.local_tables import LocalTable
from receiver.tables import BY_NAME

#: as the history tells it
WHY = "Business Central in Sales"
PATIENCE_COUPLED_SECONDS = 3.0
PATIENCE_SECONDS = 10.0
FILTER_NOT_ASKED = frozenset(
    reason.name for reason in (Reason.MAPPING_IS_OFF, Reason.DIRECTION, Reason.NO_FIELDS, Reason.SKIPPED)
)
_ASKED = frozenset(reason.name for reason in OFFERED)
_background = ThreadPoolExecutor(max_workers=4, thread_name_prefix="open")


@dataclass(frozen=True)
class Opened:
    """There it is; `banner` says what went wrong while bringing it up to date, `done` what was made or coupled."""

    mapping: str
    local_table: str
    key: str
    banner: str = ""
    done: str = field(default="", compare=False)


@dataclass(frozen=True)
class Offered:
    """Local records that may be meant: couple with one, or create a new one; `notice` says what came between."""

    offers: tuple[Offer, ...]
    notice: str = ""
    row_called: str = field(default="", compare=False)


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
    services: Services,
    table: str,
    id_: str,
    *,
    may_create: bool,
    chosen: Chosen | None = None,
    creates_new: bool = False,
) -> Answer:
    """Open the local record of a row.

    *chosen* is the offer that was taken, *creates_new* turns all of them down.
    Raises: NotFoundError for a table without mapping, StoreUnavailableError.
    """
    with services.database.reading() as connection:
        mappings = mappings_of(services.mappings(connection), table)
        known = couplings.of_dataverse_row(connection, id_)
    if not mappings:
        raise NotFoundError(f"No Integration Table Mapping reads the table {table}. An administrator can add one.")
    coupled = [one for one in known if one.mapping in {mapping.name for mapping in mappings}]
    if chosen:
        return _couple(services, table, id_, mappings, chosen)
    if coupled:
        opened = _open_coupled(services, table, id_, mappings, coupled)
        meanwhile = creates_new and isinstance(opened, Opened)
        return _told(opened, "Nothing was created: the row has been coupled meanwhile.") if meanwhile else opened
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
        running: Future[list[Settled]] = _background.submit(process, services, lease, Ask(is_click=True, why=WHY))
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
        settled = process(services, lease, Ask(is_click=True, creates_new=creates_new, why=WHY))
    except ReceiverError as error:
        return Refused((), trouble=str(error))
    return _answer(services, settled)


def _answer(services: Services, settled: list[Settled]) -> Answer:
    done = next((outcome for outcome in settled if outcome.record), None)
    if done is not None:
        with services.database.reading() as connection:
            mapping = services.mappings(connection)[done.mapping]
        said = done.sentence if done.decision in {"Insert", "Modify"} else "The two are coupled."
        return Opened(done.mapping, mapping.local_table, done.record, done=said)
    if any(outcome.reason in _ASKED for outcome in settled):
        offers = tuple(offer for outcome in settled for offer in outcome.offers)
        return Offered(offers, row_called=next((one.row_called for one in settled), ""))
    is_gone = any(outcome.reason == "NOT_COUPLED_AND_GONE" for outcome in settled)
    return Refused(tuple(settled), is_gone)


def _couple(services: Services, table: str, id_: str, mappings: list[TableMapping], chosen: Chosen) -> Answer:
    """Couple with the chosen local record and use the Dataverse data, both at once: the person stands in Sales.

    Where either was coupled, changed or deleted since the page was made, nothing is overwritten. Without an answer
    of Dataverse's nothing is coupled either, and the same choice may be made again.
    """
    mapping = next((one for one in mappings if one.name == chosen.mapping), None)
    if mapping is None:
        raise NotFoundError(f"{chosen.mapping} does not read the table {table} any more. Open the row once more.")
    lease = _lease(services, table, id_, PATIENCE_SECONDS)
    if lease is None:
        return Busy()
    between = _came_between(services, mapping, chosen.key, id_)
    try:
        answer = _answer(services, process(services, lease, Ask(is_click=True, chosen=chosen, why=WHY)))
    except ReceiverError as error:
        return Refused((), trouble=f"Nothing was coupled. {error}")
    if isinstance(answer, Offered) and not between:
        between = "The two say something else than when they were shown. This is what they say now."
    return _told(answer, between) if between else answer


def _came_between(services: Services, mapping: TableMapping, key: str, id_: str) -> str:
    """What somebody did with either of the two, whose row's lane is held, since the page was made."""
    shipped = BY_NAME[mapping.local_table]
    called = f"{shipped.caption} {key}"
    with services.database.reading() as connection:
        local = LocalTable(connection, shipped)
        if local.get(key) is None:
            return f"{called} was deleted meanwhile."
        of_record = couplings.find(connection, mapping.name, Direction.TO, key)
        of_row = couplings.find(connection, mapping.name, Direction.FROM, id_)
        if of_record is not None and of_record.dataverse_id == id_:
            return f"Somebody else coupled the two this moment; {called} keeps its data."
        if of_record is not None:
            return f"{called} was coupled to {mapping.dataverse_table} {of_record.dataverse_id} by somebody else."
        if of_row is not None and local.get(of_row.local_id) is not None:
            return f"The row was coupled to {shipped.caption} {of_row.local_id} by somebody else."
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
