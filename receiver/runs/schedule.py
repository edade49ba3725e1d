"""What runs by itself, and when. To add something: a row in `SHIPPED`, and its procedure in `commands/procedures.py`.

Nothing else has a timer of its own. Each row of the database is claimed as lanes are, so of twenty workers one does it;
a time that was missed is made up once. Cron text is read by croniter, in UTC; an H is a number of the subject's own, so
that what runs for many is spread.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from croniter import CroniterError, croniter
from sqlalchemy import Connection

from receiver.core.background import in_background
from receiver.errors import (
    BusyError,
    GateClosedError,
    LeaseLostError,
    NotFoundError,
    ReceiverError,
    RefusedError,
    RunsPauseError,
    SchemaError,
    StoreUnavailableError,
)
from receiver.lanes import lane as lanes
from receiver.runs import catch_up, local_look
from receiver.services import Services
from receiver.store import gates, schedules, tracking
from receiver.store.mappings import record_change
from receiver.store.schedules import LOOKS, Due, Setting

log = logging.getLogger(__name__)

#: what met something that may go away by itself is tried again after so long, however rarely it runs
TRIED_AGAIN = timedelta(seconds=15)


@dataclass(frozen=True)
class Shipped:
    """One thing that runs by itself."""

    what: str
    cron: str
    #: as people read it
    meaning: str
    #: for what it runs, each by itself: Dataverse tables, mappings, or once (an empty name)
    subjects: Callable[[Services], Sequence[str]] = lambda _services: ("",)
    #: it does nothing before there is a connection
    needs_connection: bool = True
    #: it runs at once where nobody knows when it ran last
    runs_at_once: bool = True
    #: it is short, waits for nothing long, and what it asks of Dataverse is not counted with runs
    is_short: bool = False


def _mappings(services: Services) -> list[str]:
    with services.database.reading() as connection:
        return [one.name for one in services.mappings(connection).values() if one.is_enabled]


CATCH_UP, LOCAL_EDITS, VERIFY = "catch-up", "local-edits", "verify"
CONNECTION, REGISTRATION, PURGE, ALERTS = "connection", "registration", "purge", "alerts"

SHIPPED: Mapping[str, Shipped] = {
    one.what: one
    for one in (
        Shipped(
            CATCH_UP,
            "H/5 * * * *",
            "Changes in Dataverse that no notification told of are found, by change tracking.",
            catch_up.tables,
        ),
        Shipped(
            LOCAL_EDITS,
            "H/5 * * * *",
            "Local edits and deletions that nobody told of are found, a page of records at a time.",
            local_look.mappings,
        ),
        Shipped(VERIFY, "H H(1-4) * * *", "Both sides of a mapping are compared.", _mappings, runs_at_once=False),
        Shipped(
            CONNECTION,
            "*/2 * * * *",
            "The connection is tested, and Dataverse's tables are described anew.",
            is_short=True,
        ),
        Shipped(
            REGISTRATION, "H * * * *", "Steps, images and the key are compared with what is wanted.", is_short=True
        ),
        Shipped(
            PURGE, "H * * * *", "What is kept for a time only is deleted; bodies are packed.", needs_connection=False
        ),
        Shipped(
            ALERTS,
            "* * * * *",
            "What is not well, and well again, is told outside.",
            needs_connection=False,
            is_short=True,
        ),
    )
}

#: once one of these goes well again, Dataverse is there again
ASKS_DATAVERSE = frozenset({CATCH_UP, CONNECTION})

#: carries one out for its subject, and says in a sentence what came of it
Procedure = Callable[[Services, Due], str]


@dataclass(frozen=True)
class Line:
    """What runs by itself for one subject, as people read it."""

    due: Due
    cron: str
    is_paused: bool
    meaning: str

    def is_late(self, now: datetime) -> bool:
        """Whether it should have run twice since its time."""
        if self.is_paused:
            return False
        following = next_time(self.cron, self.due.what, self.due.subject, self.due.next_at)
        return now > max(following, self.due.next_at + timedelta(minutes=2))


def next_time(cron: str, what: str, subject: str, after: datetime) -> datetime:
    """When it runs next. Raises: RefusedError for text that is no cron text."""
    try:
        found: datetime = croniter(cron, after, hash_id=f"{what} {subject}").get_next(datetime)
    except (CroniterError, ValueError, KeyError) as error:
        raise RefusedError(
            f"“{cron}” cannot be understood: {error}. Minute, hour, day, month and weekday were expected, such as "
            "“*/5 * * * *”; an H in the place of a number spreads what runs for many."
        ) from error
    return found


# -- by the worker -------------------------------------------------------------------------------------------------


def keep_rows(services: Services) -> None:
    """A row for all that runs by itself today; what is new runs at once, or at its next time."""
    now = services.clock()
    with services.database.reading() as connection:
        cron = _cron(connection)
    wanted = [
        Due(one.what, subject, now if one.runs_at_once else next_time(cron[one.what], one.what, subject, now))
        for one in SHIPPED.values()
        for subject in one.subjects(services)
    ]
    with services.database.reading() as connection:
        there = {(one.what, one.subject) for one in schedules.listed(connection)}
    if there != {(one.what, one.subject) for one in wanted}:
        with services.database.writing() as connection:
            schedules.keep(connection, wanted)


def run_next(services: Services, procedures: Mapping[str, Procedure]) -> bool:
    """Carry out what has been due longest; whether there was anything. Raises: StoreUnavailableError."""
    now, owner = services.clock(), lanes.new_owner()
    known = [what for what in procedures if services.client is not None or not SHIPPED[what].needs_connection]
    with services.database.reading() as connection:
        set_ = schedules.settings(connection)
        paused = [one.what for one in set_.values() if one.is_paused]
        if not schedules.is_any_due(connection, now, paused, known):
            return False
    with services.database.writing() as connection:
        held = schedules.lease(connection, owner, now, services.options.lease_seconds, paused, known)
    if held is None:
        return False
    said, is_good, again = _carried_out(services, procedures, held)
    ended = services.clock()
    cron = (set_.get(held.what) or Setting(held.what)).cron or SHIPPED[held.what].cron
    regular = next_time(cron, held.what, held.subject, max(ended, held.next_at))
    with services.database.writing() as connection:
        if is_good and not held.is_good and held.what in ASKS_DATAVERSE:
            gates.wake_troubled(connection, ended)
        schedules.finish(connection, held, ended, min(regular, again) if again else regular, said, is_good=is_good)
    return True


def _carried_out(
    services: Services, procedures: Mapping[str, Procedure], held: Due
) -> tuple[str, bool, datetime | None]:
    """What was said, whether it went well, and when it is tried again before its time.

    Raises: StoreUnavailableError and the like: the lease then says when another takes it.
    """
    try:
        with nullcontext() if SHIPPED[held.what].is_short else in_background():
            return procedures[held.what](services, held), True, None
    except RunsPauseError as error:
        return held.said, held.is_good, error.until  # it goes on then
    except (StoreUnavailableError, SchemaError, BusyError):
        raise
    except LeaseLostError as error:
        return str(error), True, None
    except GateClosedError as error:
        return str(error), False, max(error.until, services.clock() + timedelta(seconds=1))
    except ReceiverError as error:
        if error.waiting_helps:
            return str(error), False, services.clock() + TRIED_AGAIN
        return str(error), False, None
    except Exception as error:
        log.exception("%s %s met something nobody foresaw.", held.what, held.subject)
        said = f"Something that nobody foresaw ({type(error).__name__}) stopped it; the log tells where."
        return said, False, None


def hasten(
    services: Services,
    cause: str,
    whats: Collection[str] = LOOKS,
    subjects: Collection[str] | None = None,
    *,
    is_news: bool = True,
) -> None:
    """Have them run now, out of turn: after an outage, say."""
    with services.database.writing() as connection:
        schedules.hasten(connection, services.clock(), cause, whats, subjects, is_news=is_news)


def owe(connection: Connection, tables: Collection[str], why: str, now: datetime, opened: Sequence[str] = ()) -> None:
    """These Dataverse tables are compared as a whole, soon."""
    tracking.owe(connection, tables, why, opened)
    schedules.hasten(connection, now, why, [CATCH_UP], tables)


# -- by people -----------------------------------------------------------------------------------------------------


def listed(services: Services) -> list[Line]:
    """All that runs by itself, as it was planned last."""
    with services.database.reading() as connection:
        set_, cron, found = schedules.settings(connection), _cron(connection), schedules.listed(connection)
    return [
        Line(one, cron[one.what], one.what in set_ and set_[one.what].is_paused, SHIPPED[one.what].meaning)
        for one in sorted(found, key=lambda one: (list(SHIPPED).index(one.what), one.subject))
        if one.what in SHIPPED
    ]


def set_(services: Services, what: str, who: str, *, cron: str | None = None, is_paused: bool | None = None) -> Setting:
    """Change when something runs, or pause it; empty cron text is the shipped one.

    Raises: NotFoundError; RefusedError for text that is no cron text.
    """
    shipped = _named(what)
    if cron:
        next_time(cron, what, "", services.clock())
    now = services.clock()
    with services.database.writing() as connection:
        before = schedules.settings(connection).get(what) or Setting(what)
        changed = replace(
            before,
            cron=before.cron if cron is None else cron if cron != shipped.cron else "",
            is_paused=before.is_paused if is_paused is None else is_paused,
        )
        if changed != before:
            _keep(connection, changed, before, who, now)
    services.waker.ring()
    return changed


def _keep(connection: Connection, changed: Setting, before: Setting, who: str, now: datetime) -> None:
    schedules.change(connection, changed)
    record_change(connection, who, f"schedule {changed.what}", (_in_words(before), _in_words(changed)), now)
    for one in schedules.listed(connection):
        if one.what == changed.what:
            cron = changed.cron or SHIPPED[one.what].cron
            schedules.plan(connection, one.what, one.subject, next_time(cron, one.what, one.subject, now))


def _in_words(one: Setting) -> str:
    return f"{one.cron or SHIPPED[one.what].cron}{', paused' if one.is_paused else ''}"


def run_now(services: Services, what: str, subject: str = "") -> int:
    """Have it run now, for all it runs for or for one *subject*; how many will.

    Raises: NotFoundError; RefusedError while it is paused.
    """
    _named(what)
    keep_rows(services)
    with services.database.reading() as connection:
        subjects = {one.subject.lower(): one.subject for one in schedules.listed(connection) if one.what == what}
    if subject and subject.lower() not in subjects:
        raise NotFoundError(f"{what} does not run for {subject}. `receiver schedule list` names what it runs for.")
    named = [subjects[subject.lower()]] if subject else list(subjects.values())
    with services.database.writing() as connection:
        if what in (set_ := schedules.settings(connection)) and set_[what].is_paused:
            raise RefusedError(f"{what} is paused, and runs for nobody. To go on: receiver schedule resume {what}")
        for one in named:
            schedules.plan(connection, what, one, services.clock())
    services.waker.ring()
    return len(named)


def _named(what: str) -> Shipped:
    if what not in SHIPPED:
        raise NotFoundError(f"Nothing called {what} runs by itself. `receiver schedule list` names all that does.")
    return SHIPPED[what]


def _cron(connection: Connection) -> dict[str, str]:
    set_ = schedules.settings(connection)
    return {what: (set_[what].cron if what in set_ else "") or one.cron for what, one in SHIPPED.items()}
