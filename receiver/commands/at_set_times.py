"""What runs by itself, carried out: a procedure for each row of `runs/schedule.py`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial

from sqlalchemy import Connection

from receiver.commands.connection import check_steps
from receiver.commands.connection.test_connection import last_test, test_connection
from receiver.commands.following import alerts
from receiver.commands.synchronizing import verification
from receiver.errors import ReceiverError, RefusedError
from receiver.runs import catch_up, local_look, schedule
from receiver.runs.tasks import under_way
from receiver.services import Services
from receiver.store import retention, schedules
from receiver.store.schedules import Due

log = logging.getLogger(__name__)
WHO = "schedule"


class NotConnectedWellError(ReceiverError):
    """The test of the connection failed; it is made again shortly."""

    waiting_helps = True


def _verify(services: Services, held: Due) -> str:
    """As a task, which goes on elsewhere when this worker ends."""
    running = under_way(services, verification.COMMAND)
    if running is not None and held.subject in running.arguments["mappings"]:
        return f"It is being verified: receiver tasks show {running.id}"
    number = verification.start(services, [held.subject], WHO)
    return f"Begun: receiver tasks show {number}"


def _test(services: Services, _held: Due) -> str:
    """What is back after it was away may have changed meanwhile. Raises: ReceiverError with what is wrong."""
    before = last_test(services)
    found = test_connection(services)
    if found.said != before.said:
        log.log(logging.INFO if found.is_good else logging.WARNING, "Connection: %s", found.said)
    if found.is_good and before.at is not None and not before.is_good:
        schedule.hasten(services, "the connection works again")
    if not found.is_good:
        raise NotConnectedWellError(found.said)
    return found.said


def _check(services: Services, _held: Due) -> str:
    """Raises: RefusedError naming the first difference."""
    found = check_steps.check(services)
    if found:
        more = f" And {len(found) - 1} more." if len(found) > 1 else ""
        raise RefusedError(f"{found[0].words}{more} All of it: receiver steps check")
    return "All is registered as it is wanted."


def _purge(services: Services, held: Due) -> str:
    """Piece by piece, each in its own transaction."""
    now, options, counted = services.clock(), services.options, dict[str, int]()
    for kinds, days in (
        (retention.OF_INBOX, options.inbox_days),
        (retention.OF_JOBS, options.jobs_days),
        (retention.OF_HISTORY, options.history_days),
    ):
        for what, old in kinds.items():
            before = now - timedelta(days=days)
            counted[what] = _in_pieces(services, held, partial(retention.forget_piece, old=old, before=before))
    packed = _in_pieces(services, held, partial(retention.pack_piece, before=now - retention.PACKED_AFTER))
    forgotten = ", ".join(f"{count} {what}" for what, count in counted.items() if count) or "nothing"
    return f"Forgotten: {forgotten}. {packed} notification(s) packed."


def _in_pieces(services: Services, held: Due, step: Callable[[Connection], int]) -> int:
    def piece() -> int:
        with services.database.writing() as connection:
            schedules.hold(connection, held, services.clock() + timedelta(seconds=services.options.lease_seconds))
            return step(connection)

    return sum(retention.pieces(piece))


AT_SET_TIMES: Mapping[str, schedule.Procedure] = {
    schedule.CATCH_UP: catch_up.look,
    schedule.LOCAL_EDITS: local_look.look,
    schedule.VERIFY: _verify,
    schedule.CONNECTION: _test,
    schedule.REGISTRATION: _check,
    schedule.PURGE: _purge,
    schedule.ALERTS: lambda services, _held: alerts.tell(services),
}
