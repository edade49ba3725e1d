"""Who keeps requests from being sent while Dataverse must be left alone: `dataverse.web_api.Gate` over stored gates.

A pause that Dataverse asked for ends by itself. A set-up that a person must mend is looked at again with growing
pauses, by one request of anybody's at a time; the first that goes through opens the gate for all.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from receiver.core.background import is_in_background
from receiver.errors import GateClosedError, ReceiverError, RunsPauseError, SetUpError, SignInError, ThrottledError
from receiver.store import budget, gates, schedules
from receiver.store.database import Database

#: the gate before all requests
EVERYTHING = "everything"
#: requests of runs that are taken from the budget together
TAKEN_TOGETHER = 10
RUNS_PAUSE = "Runs have made as many requests as they may in five minutes; clicks and notifications go on."


class Gatekeeper:
    """One process's; what it knows stands in the database, so all processes keep the same gates."""

    def __init__(
        self, database: Database, clock: Callable[[], datetime], longest_pause_seconds: float, most_of_runs: int = 0
    ) -> None:
        self._database = database
        self._clock = clock
        self._longest = longest_pause_seconds
        #: requests of runs in five minutes; 0: as many as they like
        self._most = most_of_runs
        self._lock = threading.Lock()
        #: requests taken and not made yet, and until when they count
        self._taken = 0
        self._until: datetime | None = None

    def check(self, names: Collection[str] = (EVERYTHING,)) -> None:
        """Raises: GateClosedError while one of these gates is closed."""
        with self._database.reading() as connection:
            found = gates.found(connection, names)
        if found and found[0].until > (now := self._clock()):
            raise _closed(found[0], now)

    def enter(self, names: Collection[str]) -> str:
        """The gate that this request looks behind, to see whether it is open again; empty where none is closed.

        Raises: GateClosedError.
        """
        now = self._clock()
        if self._most and is_in_background():
            self._take(now)
        with self._database.reading() as connection:
            found = gates.found(connection, names)
        if not found:
            return ""
        if found[0].until > now:
            raise _closed(found[0], now)
        with self._database.writing() as connection:
            if not gates.may_look(connection, found[0].name, now):
                raise _closed(found[0], now)  # another looks already
        return found[0].name

    def _take(self, now: datetime) -> None:
        """One request of a run's, of the few that are taken together. Raises: GateClosedError until the window ends."""
        with self._lock:
            if self._taken and self._until is not None and now < self._until:
                self._taken -= 1
                return
            with self._database.writing() as connection:
                taken, until = budget.take(connection, now, TAKEN_TOGETHER, self._most)
            self._taken, self._until = max(taken - 1, 0), until
        if not taken:
            seconds = max((until - now).total_seconds(), 0.0)
            raise RunsPauseError(until, RUNS_PAUSE, seconds=seconds)

    def refused(self, error: ReceiverError) -> None:
        """Close what the answer says: everybody waits for as long as Dataverse asks, or until a person has acted."""
        now = self._clock()
        if isinstance(error, ThrottledError):
            seconds = min(error.retry_after, self._longest)
            reason = str(error)
            if seconds < error.retry_after:
                reason += f" (It asked for {error.retry_after:.0f} seconds; we wait {seconds:.0f} at most.)"
            with self._database.writing() as connection:
                gates.pause(connection, EVERYTHING, now, now + timedelta(seconds=seconds), reason)
                if self._most:
                    budget.halve(connection, now, self._most)
        elif isinstance(error, SetUpError | SignInError):
            name = error.gate if isinstance(error, SetUpError) else EVERYTHING
            with self._database.writing() as connection:
                gates.close(connection, name, now, str(error))

    def passed(self, name: str) -> None:
        """A request that looked behind the gate went through: it is open."""
        self.open_([name])

    def left(self, name: str) -> None:
        """A request that looked behind the gate did not go through: the next may look."""
        with self._database.writing() as connection:
            gates.let_look(connection, name, self._clock())

    def open_(self, names: Sequence[str]) -> None:
        """Open these gates; what waited for them is looked at now."""
        with self._database.writing() as connection:
            was_set_up = any(one.is_set_up for one in gates.found(connection, names))
            gates.open_(connection, names)
            gates.wake(connection, self._clock())
        if was_set_up:  # a pause loses nothing
            with suppress(ReceiverError), self._database.writing() as connection:
                schedules.hasten(connection, self._clock(), "Dataverse can be asked again", schedules.LOOKS)


def _closed(found: gates.Gate, now: datetime) -> GateClosedError:
    seconds = max((found.until - now).total_seconds(), 0.0)
    return GateClosedError(found.until, found.reason, is_set_up=found.is_set_up, seconds=seconds)
