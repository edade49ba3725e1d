"""Catch-up: what notifications missed in a Dataverse table is found, and stored as work with how far it was read.

Change tracking tells once a table, for all its mappings. A row that nobody has looked at at its version makes its lane
ready: a worker reads and decides it as if it had been notified. What is said to be deleted, or is found absent, is only
named: a run reads each by its id, and keeps what cannot be undone to its end (`gone`). Rows in step cost no write.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import chain

from sqlalchemy import Connection

from receiver.core.filters import EVERYTHING, columns_of, matches
from receiver.core.mapping import Direction, TableMapping
from receiver.dataverse.client import TrackedPage
from receiver.dataverse.columns import CHANGE_COLUMNS
from receiver.dataverse.rows import DataverseRow
from receiver.errors import DataverseError
from receiver.lanes.touch import Touch, touch
from receiver.runs.run_pages import OVERLAP
from receiver.services import Services, mappings_of
from receiver.store import runs as stored_runs
from receiver.store import schedules, standings, tracking
from receiver.store import tasks as stored_tasks
from receiver.store.schedules import Due
from receiver.store.tracking import Known, TrackedTable
from receiver.store.verifications import Seen

#: the command of the task that looks at what seems to be gone, and who asks for it
GONE, WHO = "gone", "catch-up"
WISH = "found by catch-up"
#: Dataverse's word for a token that is too old
EXPIRED = "0x80044352"
#: rows that are looked up, and lanes that are made ready, together
TOGETHER = 1000
#: how often a table without change tracking is compared as a whole, which alone finds deletions there
COMPARED_EVERY = timedelta(hours=24)

_UNKNOWN = Known(None, {})


@dataclass(frozen=True)
class Found:
    """Of a page: rows to look at, how many of them nobody had seen at their version, and pairs that may be gone."""

    rows: Sequence[str] = ()
    missed: int = 0
    gone: Mapping[str, Sequence[str]] = field(default_factory=dict)


def tables(services: Services) -> list[str]:
    """The Dataverse tables that an enabled mapping reads, in their order."""
    with services.database.reading() as connection:
        mappings = services.mappings(connection).values()
    return list(dict.fromkeys(one.dataverse_table for one in mappings if _reads(one)))


def _reads(mapping: TableMapping) -> bool:
    return mapping.is_enabled and mapping.direction.allows(Direction.FROM)


def look(services: Services, held: Due) -> str:
    """Look at one table, *held* for it; what was found, in a sentence.

    Raises: LeaseLostError when another has taken it; what Dataverse and the database raise. What was found until then
    is stored, and the next look goes on there.
    """
    services.check_gate()
    with services.database.reading() as connection:
        known = tracking.table_of(connection, held.subject)
        readers = [one for one in mappings_of(services.mappings(connection), held.subject) if _reads(one)]
    return _Look(services, held, known, readers).carry_out()


class _Look:
    """One look at a table while it goes on; *known* is how far it was read before."""

    def __init__(self, services: Services, held: Due, known: TrackedTable, readers: Sequence[TableMapping]) -> None:
        self._services = services
        self._held = held
        self._known = known
        self._readers = readers
        self._columns = frozenset[str]().union(*(columns_of(one.dataverse_filter) for one in readers)) | CHANGE_COLUMNS
        self._since = services.clock()
        self._why_whole = ""
        self._missed = 0
        self._seen = Seen()
        self._held_at = self._since
        #: pairs that were made since are not looked for
        self._last_coupling = 0

    def carry_out(self) -> str:
        if not self._readers:
            return "No mapping reads it."
        if self._known.token and not self._known.owed:
            try:
                return self._changes()
            except DataverseError as error:
                if error.waiting_helps:
                    raise
                self._why_whole = (
                    "its change tracking token has expired"
                    if error.code == EXPIRED
                    else "its change tracking token was refused: the environment was restored, copied or reset"
                )
        elif self._known.mark is not None and not self._is_due_whole():
            return self._since_mark(self._known.mark)
        return self._whole()

    def _is_due_whole(self) -> bool:
        """Of a table that is not tracked."""
        compared = self._known.compared_at
        return bool(self._known.owed) or compared is None or self._since - compared >= COMPARED_EVERY

    def _changes(self) -> str:
        """What change tracking tells since the last look, or since the page where one broke off."""
        at = self._known.position or {"since": self._since.isoformat(), "link": "", "gone": {}, "missed": 0}
        self._since, self._missed = datetime.fromisoformat(at["since"]), at["missed"]
        gone: dict[str, list[str]] = at["gone"]
        try:
            for page in self._tracked(self._known.token, at["link"]):
                found = self._found(page.rows, page.deleted)
                self._missed += found.missed
                gone = {name: [*gone.get(name, ()), *found.gone.get(name, ())] for name in {*gone, *found.gone}}
                if page.link:
                    at = {**at, "link": page.link, "gone": gone, "missed": self._missed}
                    self._store(found.rows, replace(self._known, position=at))
                else:
                    self._store(found.rows, self._read(token=page.token), gone)
        except DataverseError as error:
            if error.waiting_helps or not at["link"]:
                raise
            # a page's link lives shorter than the token: begin anew at that
            self._known, self._since = replace(self._known, position=None), self._services.clock()
            return self._changes()
        return self._said()

    def _whole(self) -> str:
        """All of the table by keys and versions, where there is no token: what differs is looked at, not all read."""
        why = self._known.owed or self._why_whole
        with self._services.database.reading() as connection:
            self._last_coupling = tracking.last_coupling(connection)
        try:
            pages = self._tracked("")
            first = next(pages)
        except DataverseError as error:
            if error.waiting_helps:
                raise
            return self._untracked(why)
        token = ""
        for page in chain([first], pages):
            self._compare(page.rows)
            token = page.token
        return self._compared(why, token, self._known.mark)

    def _untracked(self, why: str) -> str:
        """The same for a table that is not tracked: once a day, since only this finds deletions there."""
        mark = self._known.mark
        for rows in self._by_modifiedon(None):
            self._compare(rows)
            mark = _latest(rows, mark)
        return self._compared(why or "it is not tracked", "", mark)

    def _since_mark(self, mark: datetime) -> str:
        """What changed in a table that is not tracked, by modifiedon, with overlap."""
        newest = mark
        for rows in self._by_modifiedon(mark - OVERLAP):
            found = self._found(rows, ())
            self._missed += found.missed
            self._store(found.rows, self._known)
            newest = _latest(rows, newest) or newest
        self._store((), self._read(token="", mark=newest))
        return self._said()

    def _by_modifiedon(self, since: datetime | None) -> Iterator[list[DataverseRow]]:
        return self._services.dataverse.changed(self._known.name, self._columns, EVERYTHING, since)

    def _tracked(self, token: str, link: str = "") -> Iterator[TrackedPage]:
        return self._services.dataverse.tracked_pages(self._known.name, self._columns, token, link)

    # -- what is found ---------------------------------------------------------------------------------------------

    def _found(self, rows: Sequence[DataverseRow], deleted: Collection[str]) -> Found:
        """Which rows nobody has looked at as they are now, and which of the deleted ones are coupled."""
        wanted, missed, gone = list[str](), 0, dict[str, list[str]]()
        for start in range(0, len(rows), TOGETHER):
            some = rows[start : start + TOGETHER]
            with self._services.database.reading() as connection:
                known = tracking.known_rows(connection, self._known.name, [one.id for one in some])
                told = standings.waiting_rows(connection, self._known.name, [one.id for one in some])
            for row in some:
                own = known.get(row.id, _UNKNOWN)
                is_new = own.seen is None or own.seen != row.version.number
                if self._is_behind(own, row, is_new=is_new) or (is_new and self._is_inside(own, row)):
                    wanted.append(row.id)
                    missed += is_new and row.id not in told
        ids = sorted(deleted)
        for mapping in self._readers if ids else ():
            with self._services.database.reading() as connection:
                kept = tracking.kept_back(connection, mapping.name)
                gone[mapping.name] = [id_ for id_ in _coupled(connection, mapping, ids) if id_ not in kept]
        return Found(wanted, missed + len({id_ for named in gone.values() for id_ in named}), gone)

    def _is_behind(self, known: Known, row: DataverseRow, *, is_new: bool) -> bool:
        """Whether a coupling remembers another version; one that failed at this version is left to its retry."""
        return any(
            known.remembered[one.name] != row.version.number and (is_new or one.name not in known.stuck)
            for one in self._readers
            if one.name in known.remembered
        )

    def _is_inside(self, known: Known, row: DataverseRow, names: Collection[str] | None = None) -> bool:
        """Whether a mapping that does not couple it, of *names* or any, has it inside its filter."""
        return any(
            one.name not in known.remembered and matches(one.dataverse_filter, row.values)
            for one in self._readers
            if names is None or one.name in names
        )

    def _compare(self, rows: Sequence[DataverseRow]) -> None:
        """A page of the whole table: couplings that are behind; new rows as far as they changed since the last look."""
        for start in range(0, len(rows), TOGETHER):
            some, wanted = rows[start : start + TOGETHER], list[str]()
            with self._services.database.reading() as connection:
                known = tracking.known_rows(connection, self._known.name, [one.id for one in some])
            for row in some:
                own = known.get(row.id, _UNKNOWN)
                self._seen.add(own.numbers)
                is_new = own.seen is None or own.seen != row.version.number
                if self._is_behind(own, row, is_new=is_new) or self._is_news(own, row, is_new=is_new):
                    wanted.append(row.id)
                    self._missed += is_new
            self._store(wanted, self._known)

    def _is_news(self, known: Known, row: DataverseRow, *, is_new: bool) -> bool:
        """What was there before the last look was known, and stays out; a filter that was widened lets it in."""
        before, changed = self._known.read_at, row.version.modified_on
        is_later = before is not None and changed is not None and changed >= before - OVERLAP
        creating = {one.name for one in self._readers if not one.synch_only_coupled_records}
        return (is_new and is_later and self._is_inside(known, row)) or self._is_inside(
            known, row, creating.intersection(self._known.opened)
        )

    def _compared(self, why: str, token: str, mark: datetime | None) -> str:
        """The comparison is done: pairs whose row was not there are named."""
        gone = {one.name: self._absent(one) for one in self._readers}
        read = replace(self._read(token, mark), compared_at=self._since)
        self._missed += sum(map(len, gone.values()))
        self._store((), read, gone, pays=True)
        return f"Compared as a whole{f', since {why}' if why else ''}. {self._said()}"

    def _absent(self, mapping: TableMapping) -> list[str]:
        absent, after = list[str](), 0
        with self._services.database.reading() as connection:
            kept = tracking.kept_back(connection, mapping.name)
        while True:
            with self._services.database.reading() as connection:
                page = tracking.coupled_rows(connection, mapping.name, after, TOGETHER)
            if not page:
                return sorted(absent)
            after = page[-1][0]
            known = [(number, id_) for number, id_ in page if number <= self._last_coupling]
            absent += [id_ for number, id_ in known if number not in self._seen and id_ not in kept]
            self._hold_on()

    # -- what is stored --------------------------------------------------------------------------------------------

    def _read(self, token: str, mark: datetime | None = None) -> TrackedTable:
        found_at = self._services.clock() if self._missed else self._known.found_at
        return replace(
            self._known,
            token=token,
            mark=mark,
            read_at=self._since,
            position=None,
            found=self._known.found + self._missed,
            found_at=found_at,
        )

    def _store(
        self,
        rows: Sequence[str],
        read: TrackedTable,
        gone: Mapping[str, Sequence[str]] | None = None,
        *,
        pays: bool = False,
    ) -> None:
        """The work that was found, and how far it was found, in one transaction: neither is known without the other."""
        now = self._services.clock()
        named = {name: sorted(set(ids)) for name, ids in (gone or {}).items() if ids}
        if not rows and read == self._known and not pays:
            self._hold_on()
            return
        in_order = sorted(rows)  # all who touch many lanes do so in one order
        with self._services.database.writing() as connection:
            schedules.hold(connection, self._held, self._until(now))
            for start in range(0, len(in_order), TOGETHER):
                touch(connection, [Touch(read.name, id_, now, WISH) for id_ in in_order[start : start + TOGETHER]])
            for mapping, ids in named.items():
                asked = {"mapping": mapping, "toward": Direction.FROM, "ids": ids}
                stored_tasks.create(connection, GONE, asked, WHO, now)
            tracking.keep_table(connection, read)
            if pays:
                tracking.pay(connection, self._known)
        self._held_at = now
        if rows or named:
            self._services.waker.ring()

    def _hold_on(self) -> None:
        """A long look with nothing to store is still ours. Raises: LeaseLostError."""
        now = self._services.clock()
        if now - self._held_at < timedelta(seconds=self._services.options.lease_seconds / 4):
            return
        with self._services.database.writing() as connection:
            schedules.hold(connection, self._held, self._until(now))
        self._held_at = now

    def _until(self, now: datetime) -> datetime:
        return now + timedelta(seconds=self._services.options.lease_seconds)

    def _said(self) -> str:
        if not self._missed:
            return "Nothing was missed."
        return f"{self._missed} change(s) that no notification had told of."


def _latest(rows: Sequence[DataverseRow], before: datetime | None) -> datetime | None:
    return max((one.version.modified_on for one in rows if one.version.modified_on), default=before)


def _coupled(connection: Connection, mapping: TableMapping, ids: Sequence[str]) -> list[str]:
    found: list[str] = []
    for start in range(0, len(ids), TOGETHER):
        found += stored_runs.coupled_of(connection, mapping, ids[start : start + TOGETHER])
    return found
