"""Runs of whole mappings: To part first, then From, each with one job row, page by page, to be gone on with anywhere.

A run is nothing but many records asked for (`run_pages.py`, `carry_out.py`); each rule about one record holds here too.
Source: BC C5340; reference §3.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from receiver.core.decision import Reason
from receiver.core.mapping import Direction, TableMapping
from receiver.engine.coalesce import Ask
from receiver.engine.wording import Settled
from receiver.errors import GateClosedError, ReceiverError, RefusedError, SetUpError, SignInError, ThrottledError
from receiver.runs.carry_out import Done, Wanted, carry_out
from receiver.runs.kept_conclusions import finish, is_kept_back, keeper_of_job, parted, told, wanted_again
from receiver.runs.run_pages import Page, Part, Scope, pages
from receiver.services import Services
from receiver.store import jobs
from receiver.store import runs as stored

CAPTIONS = {
    Scope.MODIFIED: "Synchronize Modified Records",
    Scope.FULL: "Run Full Synchronization",
    Scope.UNCONDITIONAL: "Run Unconditional Full Synchronization",
    Scope.GONE: "Records that seemed to be gone",
}
#: records that could not be decided for a reason that may go away are asked for so often, a second or more apart
ATTEMPTS = 4
LOOK_AGAIN_SECONDS = 1.0


@dataclass(frozen=True)
class Position:
    """Where a part stands: its job, the page that was done last, and how far Dataverse has been read without a gap."""

    job: int
    started: datetime
    step: str = ""
    after: str = ""
    mark: datetime | None = None
    #: the first row that could not be decided was changed then: the watermark stays before it
    gap: datetime | None = None
    is_whole: bool = True

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        moments = {name: value.isoformat() for name in _MOMENTS if (value := getattr(self, name)) is not None}
        return {**vars(self), "mark": None, "gap": None, **moments}

    @classmethod
    def of(cls, plain: dict[str, Any]) -> Position:
        return cls(**plain | {name: datetime.fromisoformat(plain[name]) for name in _MOMENTS if plain[name]})


_MOMENTS = ("started", "mark", "gap")


@dataclass(frozen=True)
class Progress:
    """What has just been done; `waits_until` where Dataverse asked for a pause and nothing was."""

    position: Position
    looked_at: int = 0
    done: Sequence[Done] = field(default_factory=tuple)
    waits_until: datetime | None = None


def parts_of(
    mapping: TableMapping,
    direction: Direction | None,
    scope: Scope,
    who: str,
    *,
    may_create: bool = False,
    named: Sequence[str] = (),
) -> list[Part]:
    """What a run consists of, in its order; without *direction* all that the mapping synchronizes.

    *named* are those that a run of `Scope.GONE` looks for.

    Raises: RefusedError for a mapping that is off, a direction that it has not, or force in both directions.
    """
    if not mapping.is_enabled:
        raise RefusedError(f"{mapping.name} is switched off. Enable the mapping, then run it.")
    if direction is not None and not mapping.direction.allows(direction):
        raise RefusedError(
            f"{mapping.name} is not configured for {direction} synchronization: its direction is {mapping.direction}. "
            "Set the direction, or run it the other way."
        )
    if scope is Scope.UNCONDITIONAL and mapping.direction is Direction.BIDIRECTIONAL:
        raise RefusedError(
            f"{mapping.name} is bidirectional: by force, each side would overwrite the other. "
            "Run a full synchronization instead, or set the direction first."
        )
    ask = Ask(is_forced=scope is Scope.UNCONDITIONAL, may_create=may_create, why=f"{CAPTIONS[scope]} by {who}")
    towards = (Direction.TO, Direction.FROM) if direction is None else (direction,)
    found = tuple(sorted(named))
    return [Part(mapping, toward, scope, ask, found) for toward in towards if mapping.direction.allows(toward)]


def wanted_of(services: Services, parts: Iterable[Part]) -> Iterator[Wanted]:
    """All that a run would ask for now: for a preview. Raises: what Dataverse and the database raise."""
    for part in parts:
        for page in pages(services, part):
            yield from page.in_step
            yield from page.wanted


def run_part(services: Services, part: Part, position: Position | None = None) -> Iterator[Progress]:
    """Run one part, from the start or from where it was interrupted; each progress says what was done.

    While Dataverse asks for a pause it waits, and goes on. Raises: RefusedError when the mapping was deleted or
    switched off meanwhile; what else Dataverse and the database raise. The last position then still holds, and the job
    stays open.
    """
    now = _begun(services, part) if position is None else _taken_up(services, part, position)
    if position is None:
        yield Progress(now)
    keeper = keeper_of_job(now.job)
    counted = replace(part, ask=replace(part.ask, job=now.job, keeper=keeper))
    while True:
        try:
            counted = replace(counted, mapping=_as_it_is(services, part))
            for page in pages(services, counted, now.step, now.after):
                if _as_it_is(services, part) != counted.mapping:
                    break  # what it asks for may be another page now
                if page.in_step:
                    yield Progress(now, done=_in_step(services, page.in_step, now))
                for some in _decided(services, page.wanted, now):
                    now = _past(now, some.done)
                    yield replace(some, position=now)
                now = _after(services, part, now, page)
                yield Progress(now, page.looked_at)
            else:
                break
        except (ThrottledError, GateClosedError) as error:
            if _needs_a_person(error):
                raise
            yield from _pauses(services, now, [error])
    message = yield from _concluded(services, counted, now)
    with services.database.writing() as connection:
        if part.toward is Direction.FROM and (mark := _read_up_to(now)) is not None:
            stored.advance_watermark(connection, part.mapping.name, mark)
        jobs.finish(connection, now.job, services.clock(), message)


def _concluded(services: Services, part: Part, now: Position) -> Generator[Progress, None, str]:
    """What was kept to the end: few are carried out now; of many it is told, and they wait for a person."""
    name, keeper = part.mapping.name, part.ask.keeper
    free, held = parted(services, name, keeper)
    for some in _decided(services, wanted_again(services, free, replace(part.ask, keeper="")), now):
        yield replace(some, position=now)
    finish(services, name, keeper, free)
    said = told(name, held)
    if held:
        with services.database.writing() as connection:
            errors = [jobs.JobError("", "", said)]
            jobs.add(connection, now.job, ["skipped"] * sum(held.values()), errors, services.clock())
    return said


def _as_it_is(services: Services, part: Part) -> TableMapping:
    """The mapping as somebody may have changed it since the run began. Raises: RefusedError."""
    with services.database.reading() as connection:
        now = services.mappings(connection).get(part.mapping.name)
    if now is None:
        raise RefusedError(f"{part.mapping.name} was deleted during its run. What the run has done stays.")
    parts_of(now, part.toward, part.scope, "")
    return now


def _begun(services: Services, part: Part) -> Position:
    started = services.clock()
    with services.database.writing() as connection:
        if part.toward is Direction.FROM and part.scope in {Scope.FULL, Scope.UNCONDITIONAL}:
            stored.clear_watermark(connection, part.mapping.name)
        holder = part.ask.job_holder or ""
        number = jobs.begin(connection, part.mapping.name, part.toward, started, "Synchronization", holder)
    return Position(number, started)


def _taken_up(services: Services, part: Part, position: Position) -> Position:
    """Where it was interrupted; its job is counted by who goes on with it."""
    if part.ask.job_holder is not None:
        with services.database.writing() as connection:
            jobs.take(connection, position.job, part.ask.job_holder)
    return position


def _past(now: Position, done: Sequence[Done]) -> Position:
    undecided = [one for one in done if one.error is not None]
    moments = [one.wanted.row.version.modified_on for one in undecided if one.wanted.row is not None]
    gaps = [moment for moment in (*moments, now.gap) if moment is not None]
    return replace(now, gap=min(gaps, default=None), is_whole=now.is_whole and not undecided)


def _after(services: Services, part: Part, now: Position, page: Page) -> Position:
    """The page is done. What change tracking told is forgotten only once all of it was decided."""
    if page.token and now.is_whole:
        with services.database.writing() as connection:
            stored.remember_token(connection, part.mapping.name, page.token)
    marks = [mark for mark in (now.mark, page.mark) if mark is not None]
    return replace(now, step=page.step, after=page.after, mark=max(marks, default=None))


def _read_up_to(now: Position) -> datetime | None:
    """The latest modifiedon of the rows read, not later than the start, and never beyond a gap."""
    if now.mark is None:
        return None
    return min(now.mark, now.started, now.gap or now.mark)


# -- one page ------------------------------------------------------------------------------------------------------


def _decided(services: Services, wanted: Sequence[Wanted], now: Position) -> Iterator[Progress]:
    """Each record decided once; what Dataverse was too busy for is asked again when it may be."""
    for attempt in range(ATTEMPTS):
        again: list[Done] = []
        done: list[Done] = []
        for one in carry_out(services, wanted):
            if is_kept_back(one):
                continue  # it is told of at the end
            if one.error is None or not one.error.waiting_helps or attempt + 1 == ATTEMPTS:
                done.append(one)
            else:
                again.append(one)
        _count_errors(services, now.job, done)
        _remember_failed(services, done)
        yield Progress(now, done=done)
        if not again:
            return
        if stop := next((one.error for one in again if _needs_a_person(one.error)), None):
            raise stop  # it is said once, not of each record
        yield from _pauses(services, now, [one.error for one in again])
        wanted = [one.wanted for one in again]


def _in_step(services: Services, wanted: Sequence[Wanted], now: Position) -> list[Done]:
    """Rows that have nothing to do need no lane: they are only counted."""
    with services.database.writing() as connection:
        holder = wanted[0].ask.job_holder
        jobs.add(connection, now.job, ["unchanged"] * len(wanted), (), services.clock(), holder)
    ask = wanted[0].ask
    said = Settled(
        ask.mapping, ask.toward, "IgnoreUnchanged", "unchanged", Reason.NOTHING_MOVED.name, Reason.NOTHING_MOVED.what
    )
    return [Done(one, said) for one in wanted]


def _count_errors(services: Services, job: int, done: Sequence[Done]) -> None:
    """What could not be decided is counted here; what was decided, where it was written."""
    errors = [jobs.JobError(one.wanted.ask.key or one.wanted.id, "", str(one.error)) for one in done if one.error]
    if errors:
        with services.database.writing() as connection:
            holder = done[0].wanted.ask.job_holder
            jobs.add(connection, job, ["failed"] * len(errors), errors, services.clock(), holder)


def _remember_failed(services: Services, done: Sequence[Done]) -> None:
    failed = [
        one.wanted
        for one in done
        if one.settled and one.wanted.ask.toward is Direction.FROM and (one.settled.error or one.settled.waits)
    ]
    if failed:
        with services.database.writing() as connection:
            ids = [one.id for one in failed]
            stored.remember_failed(connection, failed[0].ask.mapping, ids, services.clock())


def _needs_a_person(error: ReceiverError | None) -> bool:
    """Set-up: waiting alone opens nothing."""
    is_closed = isinstance(error, GateClosedError) and error.is_set_up
    return is_closed or isinstance(error, SetUpError | SignInError)


def _pauses(services: Services, now: Position, met: Iterable[ReceiverError | None]) -> Iterator[Progress]:
    """Wait until the gate opens, or a moment; a progress each second, so that who watches can end it."""
    ends = [one.until for one in met if isinstance(one, GateClosedError)]
    until = max(services.clock() + timedelta(seconds=LOOK_AGAIN_SECONDS), *ends)
    while True:
        try:
            services.check_gate()
        except GateClosedError as closed:
            until = max(until, closed.until)
        left = (until - services.clock()).total_seconds()
        if left <= 0:
            return
        yield Progress(now, waits_until=until)
        time.sleep(min(left, LOOK_AGAIN_SECONDS))
