"""Working on leased lanes: everything that waits in one becomes one look at its row, one decision a mapping.

Deciding may talk to Dataverse and holds no transaction. Then record, coupling, job row, notifications' states and the
lane's release are written in one transaction: after any crash either all or none.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from receiver.core.decision import Reason
from receiver.core.values import Reference
from receiver.dataverse.columns import TABLES
from receiver.dataverse.rows import DataverseRow
from receiver.engine.coalesce import NOTHING_ASKED, Ask, read_notification
from receiver.engine.look_at_lane import GOES_OUT, Look, known_of, look_at
from receiver.engine.stale import is_described_anew
from receiver.engine.wording import Settled
from receiver.engine.work import Outcome, Trouble, Work, not_at_once
from receiver.engine.write_dataverse import other_lanes_held, written_to_dataverse
from receiver.engine.write_lanes import write
from receiver.errors import (
    DataverseError,
    LeaseLostError,
    MovedError,
    NotAtOnceError,
    ParentIsBusyError,
    ReceiverError,
    UnforeseenError,
)
from receiver.lanes.failure import record_failure
from receiver.lanes.held import leased
from receiver.lanes.lane import Lease, key_of
from receiver.services import Services, read_columns
from receiver.store.mappings import Mappings

log = logging.getLogger(__name__)

#: what was said of a row that was asked for by its id
Answered = DataverseRow | ReceiverError | None
#: by table and id
Rows = dict[tuple[str, str], Answered]
#: lanes that are worth a look together
TOGETHER_FROM = 2
DECISIONS_A_LANE = 3
DEEPEST_PULL = 3


def process(services: Services, lease: Lease, ask: Ask = NOTHING_ASKED) -> list[Settled]:
    """Work on everything that waits in a leased lane, and give the lane back.

    The answer is empty when the lane is to be tried again. Raises: nothing of this lane's making, but what a click
    must hear of, and what makes the record that wants this one wait; both after they were recorded.
    """
    try:
        return attempted(services, lease, ask)
    except LeaseLostError:
        log.warning("Lane %s was taken over by another worker; nothing of this run was written.", lease.key)
        return []
    except ReceiverError as error:
        record_failure(services, lease, error)
        if ask.is_click or (ask.is_wanted and error.waiting_helps):
            raise
        return []


def attempted(services: Services, lease: Lease, ask: Ask) -> list[Settled]:
    """One lane by itself; notifications, clicks and runs share it.

    Raises: what stands in the way, as a ReceiverError; what nobody foresaw is logged. The lane is then still held.
    """
    try:
        return _work_on(services, lease, ask)
    except ReceiverError:
        raise
    except Exception as error:
        log.exception("Lane %s failed in a way nobody foresaw.", lease.key)
        raise UnforeseenError(type(error).__name__) from error


def process_together(services: Services, leases: Sequence[Lease]) -> list[Lease]:
    """Work on many lanes in one transaction; the lanes that must be worked on by themselves come back.

    Those are the ones that need Dataverse, and one that has no company. Where anything goes wrong, all come back and
    nothing was written: each by itself meets what is its own.
    """
    return _together(services, leases, lambda _mappings: {})


def process_read(services: Services, leases: Sequence[Lease]) -> list[Lease]:
    """The same for lanes whose row must be read, since something else than an image asks for it: a hundred a request.

    Those that must be worked on by themselves, or cannot be read now, come back.
    """
    asked = [one for one in leases if _wants_row(services, one)]
    others = [one for one in leases if one not in asked]
    return others + _together(services, asked, partial(_rows_of, services, asked))


def _rows_of(services: Services, leases: Sequence[Lease], mappings: Mappings) -> Rows:
    rows: Rows = {}
    for table in sorted({one.table for one in leases}):
        ids = [one.id for one in leases if one.table == table]
        found = services.dataverse.look_up(table, ids, read_columns(mappings, table))
        rows |= {(table, id_): row for id_, row in found.items()}
    return rows


def _wants_row(services: Services, lease: Lease) -> bool:
    is_wished = bool(lease.wish) and lease.wish not in GOES_OUT
    return is_wished and bool(lease.id) and lease.table in TABLES and services.client is not None


def _together(services: Services, leases: Sequence[Lease], read_rows: Callable[[Mappings], Rows]) -> list[Lease]:
    if len(leases) < TOGETHER_FROM:
        return list(leases)
    started = services.clock()
    alone: list[Lease] = []
    looked_at: list[Look] = []
    try:
        lanes_read = [(lease, [read_notification(services, row) for row in lease.notifications]) for lease in leases]
        with services.database.reading() as connection:
            mappings = services.mappings(connection)
            known = known_of(services, connection, mappings, lanes_read)
        rows, read_at = read_rows(mappings), services.clock()
        for lease, read in lanes_read:
            work = Work(services, mappings, known, not_at_once, may_ask_dataverse=False)
            try:
                if (lease.table, lease.id) in rows:
                    work.rows_read_at = read_at
                    work.know(lease.table, lease.id, rows[lease.table, lease.id])
                looked_at.append(look_at(work, lease, read, started, NOTHING_ASKED))
            except (NotAtOnceError, DataverseError):
                alone.append(lease)
        with services.database.writing() as connection:
            write(connection, services, looked_at, started)
    except Exception as error:  # noqa: BLE001  # whatever it is, the lane that it belongs to meets it again and records it
        log.debug("%d lanes are worked on one by one: %s", len(leases), error)
        return list(leases)
    return alone


def _work_on(services: Services, lease: Lease, ask: Ask) -> list[Settled]:
    """One lane from the look to the last write; decided anew where something moved in between.

    Raises: what stands in the way; the lane is then still held.
    """
    started = services.clock()
    read = [read_notification(services, row) for row in lease.notifications]
    trouble = Trouble(lease.attempts, lease.last_error)
    for _ in range(DECISIONS_A_LANE):
        with services.database.reading() as connection:
            mappings = services.mappings(connection)
            known = known_of(services, connection, mappings, [(lease, read)])
        pull = partial(_pull, services, (*ask.wanted_by, (lease.table, lease.id)))
        work = Work(services, mappings, known, pull, wanted_by=ask.wanted_by, trouble=trouble)
        try:
            look = look_at(work, lease, read, started, ask)
            with other_lanes_held(services, [look]):
                look = replace(look, outcomes=_written(look))
                with services.database.writing() as connection:
                    return write(connection, services, [look], started)[0]
        except MovedError:
            continue
        except DataverseError as error:
            if not is_described_anew(services, lease.table, error):
                raise
    raise MovedError("The record changed each time it was about to be written; it is tried again shortly.")


def _written(look: Look) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for answer in written_to_dataverse([(look.work, outcome) for outcome in look.outcomes]):
        if isinstance(answer, Exception):
            raise answer
        outcomes.append(answer)
    return outcomes


def _pull(services: Services, wanted_by: tuple[tuple[str, str], ...], reference: Reference) -> bool:
    """Bring a missing parent in, in its own lane and transaction; whether it lies outside every mapping's filter.

    Raises: ParentIsBusyError when another worker holds the parent's lane: a worker that holds one lane never waits
    for another.
    """
    if len(wanted_by) > DEEPEST_PULL:
        return False
    held = leased(services, [(reference.table, reference.id)], patience=0.0)
    if not held:
        raise ParentIsBusyError(key_of(reference.table, reference.id))
    (lease,) = held.values()
    settled = process(services, lease, Ask(is_wanted=True, wanted_by=wanted_by))
    reasons = (Reason.OUTSIDE_FILTER, Reason.OTHER_COMPANY, Reason.MAPPING_IS_OFF, Reason.DIRECTION)
    outside = {reason.name for reason in reasons}
    return bool(settled) and all(outcome.reason in outside for outcome in settled)
