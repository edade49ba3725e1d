"""*In step as of*: for each mapping up to when both sides are known to be in step, or what keeps it from being so.

Put together from what is stored alone: how far catch-up has read, what waits, what failed, what a person must look at,
what the last checks found. Nothing is asked of Dataverse, so it answers while Dataverse is away, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from receiver.commands.following import failed_records
from receiver.commands.mappings.confirm import Kept, kept_back
from receiver.commands.synchronizing.verify import KINDS, Verification, last
from receiver.core.mapping import Direction, TableMapping
from receiver.inbox import refusals
from receiver.runs import schedule
from receiver.runs.schedule import CATCH_UP, CONNECTION, LOCAL_EDITS, REGISTRATION, Line
from receiver.services import Services, unknown_table
from receiver.store import door_refusals, gates, registrations, standings, tracking
from receiver.store.tracking import LocalLook, TrackedTable

#: what waits no longer than this is on its way
ON_ITS_WAY = timedelta(seconds=60)
WORKER_IS_LATE_AFTER = timedelta(seconds=60)
#: how many times the longest silence of a week is too long
TOO_SILENT = 4
WEEK = timedelta(days=7)

DOOR_WORDS = {
    refusals.KEY: "Requests without a valid key were refused from {since} to {last} UTC, and none with ours has come "
    "since: somebody else's, or the key in Dataverse is not ours any more; registering gives it anew.",
    refusals.OTHER_ORGANIZATION: "Another environment sends here and is refused, from {since} to {last} UTC: a copy, "
    "perhaps.",
}
DOOR_REMEDIES = {
    refusals.KEY: "receiver steps register",
    refusals.OTHER_ORGANIZATION: "In that environment switch the steps off, or delete the service endpoint.",
}


@dataclass(frozen=True)
class Hindrance:
    """What keeps a mapping, or everything, from being in step; `remedy` is a command or what a person does."""

    #: missed, waiting, parked, guarded, failed, skipped, unverified, different, steps, keys, silent, away, worker, off
    kind: str
    sentence: str
    since: datetime | None = None
    remedy: str = ""

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {**vars(self), "since": self.since and self.since.isoformat()}


@dataclass(frozen=True)
class Standing:
    """One mapping: *in step as of*, None where nobody knows, and what keeps it from being in step today."""

    mapping: str
    as_of: datetime | None
    hindrances: tuple[Hindrance, ...] = ()

    @property
    def is_in_step(self) -> bool:
        return self.as_of is not None and not self.hindrances

    @property
    def sentence(self) -> str:
        if self.is_in_step:
            return f"in step as of {self.as_of:%Y-%m-%d %H:%M:%S} UTC"
        known = f", last known to be as of {self.as_of:%Y-%m-%d %H:%M:%S} UTC" if self.as_of else ""
        return f"NOT known to be in step{known}"

    @property
    def but_for_all(self) -> str:
        """The same where something concerns all mappings: what was known is not known of now."""
        return self.sentence if not self.is_in_step else self.sentence.replace("in step", "last known to be in step")

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "mapping": self.mapping,
            "is_in_step": self.is_in_step,
            "as_of": self.as_of and self.as_of.isoformat(),
            "sentence": self.sentence,
            "hindrances": [one.plain() for one in self.hindrances],
        }


@dataclass(frozen=True)
class Status:
    """All mappings, and what concerns all of them."""

    standings: tuple[Standing, ...]
    of_all: tuple[Hindrance, ...]

    @property
    def is_in_step(self) -> bool:
        return not self.of_all and all(one.is_in_step for one in self.standings)

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "is_in_step": self.is_in_step,
            "hindrances": [one.plain() for one in self.of_all],
            "mappings": [one.plain() for one in self.standings],
        }


def status(services: Services) -> Status:
    """How things stand, by what is stored. Raises: StoreUnavailableError."""
    known = _Known(services)
    standings = tuple(known.standing(one) for one in known.mappings)
    return Status(standings, tuple(known.of_all()))


class _Known:
    """What is stored, read once for all mappings."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.now = services.clock()
        self._lines = {(one.due.what, one.due.subject): one for one in schedule.listed(services)}
        self._kept = kept_back(services)
        self._failed = failed_records.listed(services, "", failed_records.LOOKED_AT)
        with services.database.reading() as connection:
            everything = services.mappings(connection)
            self.mappings = [one for one in everything.values() if one.is_enabled]
            self._standing_still = [one for one in services.standing_still(connection).values() if one.is_enabled]
            self._tables = tracking.tables(connection)
            self._local = {one.name: tracking.local_of(connection, one.name) for one in self.mappings}
            self._gates = gates.found(connection)
            self._door = door_refusals.listed(connection)
            self._keys_since = door_refusals.key_since(connection, self.now)
            self._check = registrations.last_check(connection)
            self._unheard = registrations.tables(connection)
            self._couplings = standings.couplings(connection)
            self._waiting = standings.waiting(connection, self.now)
            self._parked = standings.parked(connection)
            self._worker_seen = standings.worker_seen(connection)

    # -- one mapping -----------------------------------------------------------------------------------------------

    def standing(self, mapping: TableMapping) -> Standing:
        found = [
            *self._not_looked(mapping),
            *self._missed(mapping),
            *self._of_lanes(mapping),
            *self._of_people(mapping),
            *self._of_checks(mapping),
            *self._silent(mapping),
        ]
        return Standing(mapping.name, self._as_of(mapping), tuple(found))

    def _as_of(self, mapping: TableMapping) -> datetime | None:
        """The end of what both looks know, and not beyond the oldest that still waits."""
        known = [one.read_at for one in self._looks(mapping)]
        if any(one is None for one in known):
            return None
        waits = self._waiting.get(mapping.dataverse_table)
        return min([one for one in known if one is not None] + ([waits[1]] if waits else []), default=None)

    def _looks(self, mapping: TableMapping) -> list[TrackedTable | LocalLook]:
        found: list[TrackedTable | LocalLook] = []
        if mapping.direction.allows(Direction.FROM):
            found.append(self._tables.get(mapping.dataverse_table, TrackedTable(mapping.dataverse_table)))
        if mapping.direction.allows(Direction.TO):
            found.append(self._local[mapping.name])
        return found

    def _lines_of(self, mapping: TableMapping) -> Iterator[Line]:
        wanted = {
            Direction.FROM: (CATCH_UP, mapping.dataverse_table),
            Direction.TO: (LOCAL_EDITS, mapping.name),
        }
        for toward, key in wanted.items():
            if mapping.direction.allows(toward) and key in self._lines:
                yield self._lines[key]

    def _not_looked(self, mapping: TableMapping) -> Iterator[Hindrance]:
        for line in self._lines_of(mapping):
            what, due = line.due.what, line.due
            if line.is_paused:
                yield Hindrance("paused", f"{what} is paused.", due.last_at, f"receiver schedule resume {what}")
            elif not due.is_good:
                yield Hindrance("away", f"{what}: {due.said}", due.last_at, "receiver doctor")
            elif line.is_late(self.now):
                yield Hindrance(
                    "late", f"{what} should have run at {_said(due.next_at)}.", due.next_at, "receiver worker"
                )
        never = [one for one in self._looks(mapping) if one.read_at is None]
        for one in never:
            side = "Dataverse" if isinstance(one, TrackedTable) else "The local table"
            what = CATCH_UP if isinstance(one, TrackedTable) else LOCAL_EDITS
            yield Hindrance("missed", f"{side} has not been looked through yet.", None, f"receiver schedule run {what}")

    def _missed(self, mapping: TableMapping) -> Iterator[Hindrance]:
        """What was refused or not told since the last look at the table."""
        if not mapping.direction.allows(Direction.FROM):
            return
        known = self._tables.get(mapping.dataverse_table, TrackedTable(mapping.dataverse_table))
        remedy = f"receiver schedule run {CATCH_UP} {mapping.dataverse_table}"
        for one in self._door.values():
            is_lost = one.reason in {refusals.AWAY, refusals.FULL, refusals.UNREADABLE, refusals.TOO_LARGE}
            if is_lost and (known.read_at is None or known.read_at < one.last_at):
                said = f"Changes may have been missed from {_said(one.since)} to {_said(one.last_at)} ({one.reason})."
                yield Hindrance("missed", said, one.since, remedy)
        unheard = self._unheard.get(mapping.dataverse_table)
        if unheard and unheard.unheard_since and (known.read_at is None or known.read_at < unheard.registered_at):
            said = f"Steps were off, lacking or new until {_said(unheard.registered_at)}."
            yield Hindrance("missed", said, unheard.unheard_since, remedy)
        if known.owed:
            yield Hindrance("missed", f"It is still to be compared as a whole: {known.owed}.", None, remedy)

    def _of_lanes(self, mapping: TableMapping) -> Iterator[Hindrance]:
        count, oldest = self._waiting.get(mapping.dataverse_table, (0, self.now))
        if count and self.now - oldest > ON_ITS_WAY:
            said = f"{count} row(s) of {mapping.dataverse_table} wait, the oldest since {_said(oldest)}."
            yield Hindrance("waiting", said, oldest, "receiver doctor")
        parked, since, why = self._parked.get(mapping.dataverse_table, (0, None, ""))
        if parked:
            said = f"{parked} row(s) of {mapping.dataverse_table} are tried again and again. The last one said: {why}"
            yield Hindrance("parked", said, since, "receiver errors list")

    def _of_people(self, mapping: TableMapping) -> Iterator[Hindrance]:
        name = mapping.name
        for kept in self._kept:
            if kept.mapping == name:
                yield _guarded(kept)
        failed, skipped = (self._couplings.get((name, state), 0) for state in ("failed", "skipped"))
        others = [one for one in self._failed if one.mapping == name]
        if failed or others:
            since = min((one.failed_on for one in others), default=None)
            yield Hindrance(
                "failed", f"{failed + len(others)} record(s) failed.", since, f"receiver errors list {name}"
            )
        if skipped:
            said = f"{skipped} pair(s) are Skipped: nothing synchronizes them."
            yield Hindrance("skipped", said, None, f"receiver errors list {name}")

    def _of_checks(self, mapping: TableMapping) -> Iterator[Hindrance]:
        verified = last(self._services, mapping.name)
        if verified is None:
            yield Hindrance("unverified", "It was never verified.", None, f"receiver verify {mapping.name}")
        elif not verified.is_in_step:
            yield _different(verified)
        drifts = [] if self._check is None else [one for one in self._check.drifts if mapping.name in one["mappings"]]
        if drifts and self._check is not None:
            more = f" And {len(drifts) - 1} more." if len(drifts) > 1 else ""
            yield Hindrance("steps", f"{drifts[0]['words']}{more}", self._check.checked_at, str(drifts[0]["remedy"]))

    def _silent(self, mapping: TableMapping) -> Iterator[Hindrance]:
        """No notification for much longer than usual, while catch-up found changes that none had told of."""
        known = self._tables.get(mapping.dataverse_table)
        if known is None or known.found_at is None or self.now - known.found_at > WEEK:
            return
        with self._services.database.reading() as connection:
            came = standings.received(connection, mapping.dataverse_table, self.now - WEEK)
        longest = standings.longest_silence(came)
        if longest is not None and known.found_at > (newest := came[-1]) and self.now - newest > TOO_SILENT * longest:
            said = (
                f"No notification of {mapping.dataverse_table} has come since {_said(newest)}, four times as long as "
                "ever in the last week, and catch-up found changes that none had told of."
            )
            yield Hindrance("silent", said, newest, "receiver steps check")

    # -- all of them -----------------------------------------------------------------------------------------------

    def of_all(self) -> Iterator[Hindrance]:
        for one in self._standing_still:
            yield Hindrance("off", unknown_table(one))
        if self._worker_seen is None or self.now - self._worker_seen > WORKER_IS_LATE_AFTER:
            said = (
                f"No worker has been seen since {_said(self._worker_seen)}." if self._worker_seen else "No worker runs."
            )
            yield Hindrance("worker", said, self._worker_seen, "receiver worker")
        for gate in self._gates:
            said = f"Nothing is sent to Dataverse ({gate.name}): {gate.reason}"
            remedy = f'receiver gates open "{gate.name}"'
            mended = f"receiver doctor names what to mend; then: {remedy}"
            yield Hindrance("away", said, gate.closed_at, mended if gate.is_set_up else remedy)
        for what in (CONNECTION, REGISTRATION):
            line = self._lines.get((what, ""))
            if line is not None and not line.due.is_good and not line.is_paused:
                yield Hindrance(
                    "steps" if what == REGISTRATION else "away", line.due.said, line.due.last_at, "receiver doctor"
                )
        for refused in self._door.values():
            is_told = refused.reason == refusals.OTHER_ORGANIZATION and refused.is_standing(self.now)
            if is_told or (refused.reason == refusals.KEY and self._keys_since is not None):
                said = DOOR_WORDS[refused.reason].format(since=_said(refused.since), last=_said(refused.last_at))
                yield Hindrance("keys", said, refused.since, DOOR_REMEDIES[refused.reason])


def _guarded(kept: Kept) -> Hindrance:
    return Hindrance("guarded", kept.sentence, kept.since, f"receiver mappings confirm {kept.mapping}")


def _different(found: Verification) -> Hindrance:
    counted = ", ".join(
        f"{found.counts[kind]} {kind}" for kind in KINDS if found.counts.get(kind) and kind != "explained"
    )
    said = f"The verification of {_said(found.started_at)} found {counted}; the next one says whether it still stands."
    return Hindrance("different", said, found.started_at, f"receiver verify {found.mapping} --list")


def _said(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"
