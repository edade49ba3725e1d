"""Verify: both sides of a mapping read page by page, and a proof that they are in step, or where they are not.

Nothing is changed. What differs is read a second time before it is said, since people go on working meanwhile. The
digest is a sum over all pairs compared, so it does not depend on the order in which they were read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import delete, insert, select, update

from receiver.commands.coupling.pairs import PAGE, Pair, mapping_named, pairs_of, with_records
from receiver.commands.synchronizing import why
from receiver.commands.synchronizing.compare import Comparison, Differences, compared, digest_of
from receiver.core.mapping import Direction, TableMapping
from receiver.dataverse.rows import DataverseRow
from receiver.errors import NotFoundError, RefusedError
from receiver.services import Services, read_columns
from receiver.store import couplings, standings, tracking, verifications
from receiver.store.models import finding, verification

#: verifications of a mapping that are kept with their findings
KEPT = 10
KINDS = ("missing", "extra", "unseen", "different", "uncoupled", "explained")
_DIGESTS = 1 << 256


@dataclass(frozen=True)
class Finding:
    """Where the sides are not in step.

    missing: coupled, and the Dataverse row is gone; extra: coupled, and the local record is gone; unseen: coupled, and
    the row is there, but the application user may not see it; different: the
    fields differ; uncoupled: inside the filter of one side, and not coupled; explained: fields differ by a rule, so
    that no run would write them: a text that was cut, a value without counterpart, one that a side alters by itself.
    """

    kind: str
    local_id: str = ""
    dataverse_id: str = ""
    #: {column: [local value, Dataverse value]}
    fields: Differences = field(default_factory=dict)
    #: {column: by which rule}, of an explained one
    reasons: dict[str, str] = field(default_factory=dict)
    #: in one word, as `why.py` has them; empty of what is not coupled
    why: str = ""


@dataclass(frozen=True)
class Verification:
    """What was found; `counts` has *compared*, and a number for each kind that was found."""

    id: int
    mapping: str
    started_at: datetime
    finished_at: datetime | None
    counts: dict[str, int]
    digest: str
    #: whether uncoupled records should have been coupled by themselves
    creates: bool = False

    @property
    def is_in_step(self) -> bool:
        """Uncoupled records count where the mapping would create the other side of them; what is explained never."""
        uncounted = {"explained"} if self.creates else {"explained", "uncoupled"}
        return self.finished_at is not None and not any(self.counts.get(one) for one in KINDS if one not in uncounted)

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        moments = {"started_at": self.started_at.isoformat()}
        if self.finished_at is not None:
            moments["finished_at"] = self.finished_at.isoformat()
        return {**vars(self), **moments, "is_in_step": self.is_in_step}


def verify(services: Services, mapping: str, tell: Callable[[int], None] = lambda _count: None) -> Verification:
    """Compare both sides of a mapping, store what was found, and say it; *tell* hears how many more were looked at.

    Raises: NotFoundError; RefusedError for a mapping that is off; what Dataverse and the database raise.
    """
    found = mapping_named(services, mapping)
    if not found.is_enabled:
        raise RefusedError(f"{found.name} is switched off, so nothing of it is in step. Enable it first.")
    return _Run(services, found, tell).carry_out()


def last(services: Services, mapping: str) -> Verification | None:
    """The newest verification of a mapping that was finished. Raises: NotFoundError."""
    found, is_finished = mapping_named(services, mapping), verification.c.finished_at.is_not(None)
    query = select(verification).where(verification.c.mapping == found.name, is_finished)
    with services.database.reading() as connection:
        row = connection.execute(query.order_by(verification.c.id.desc()).limit(1)).mappings().first()
    return None if row is None else Verification(**row, creates=not found.synch_only_coupled_records)


def stored_one(services: Services, number: int) -> Verification:
    """A verification by its number. Raises: NotFoundError once it has been forgotten."""
    with services.database.reading() as connection:
        row = connection.execute(select(verification).where(verification.c.id == number)).mappings().first()
    if row is None:
        raise NotFoundError(f"Verification {number} has been forgotten: only the last {KEPT} of a mapping are kept.")
    return Verification(**row, creates=not mapping_named(services, row["mapping"]).synch_only_coupled_records)


def findings(services: Services, number: int) -> Iterator[Finding]:
    """What a verification found, in the order found; read a page at a time."""
    after = 0
    while True:
        query = select(finding).where(finding.c.verification == number, finding.c.id > after)
        with services.database.reading() as connection:
            page = connection.execute(query.order_by(finding.c.id).limit(PAGE)).all()
        if not page:
            return
        after = page[-1].id
        for row in page:
            yield Finding(row.kind, row.local_id, row.dataverse_id, row.fields, row.reasons, row.why)


class _Run:
    """One verification while it goes on; what it keeps in memory is a page, and a bit for each coupling."""

    def __init__(self, services: Services, mapping: TableMapping, tell: Callable[[int], None]) -> None:
        self._tell = tell
        self._services = services
        self._mapping = mapping
        with services.database.reading() as connection:
            self._columns = read_columns(services.mappings(connection), mapping.dataverse_table)
        self._counts: Counter[str] = Counter(compared=0)
        self._digest = 0
        self._seen = verifications.Seen()
        self._number = 0

    def carry_out(self) -> Verification:
        started = self._services.clock()
        values = {"mapping": self._mapping.name, "started_at": started, "counts": {}}
        with self._services.database.writing() as connection:
            inserted = insert(verification).values(values).returning(verification.c.id)
            self._number = connection.execute(inserted).scalar_one()
        self._rows_inside_the_filter()
        self._couplings_not_seen()
        if self._mapping.direction.allows(Direction.TO):
            self._uncoupled_records()
        return self._finish(started)

    def _finish(self, started: datetime) -> Verification:
        finished, counts = self._services.clock(), dict(self._counts)
        digest = sha256(self._digest.to_bytes(32)).hexdigest()
        values = {"finished_at": finished, "counts": counts, "digest": digest}
        own = verification.c.mapping == self._mapping.name
        kept = select(verification.c.id).where(own).order_by(verification.c.id.desc()).limit(KEPT).scalar_subquery()
        with self._services.database.writing() as connection:
            connection.execute(update(verification).where(verification.c.id == self._number).values(values))
            connection.execute(delete(verification).where(own, verification.c.id.not_in(kept)))
        creates = not self._mapping.synch_only_coupled_records
        return Verification(self._number, self._mapping.name, started, finished, counts, digest, creates)

    def _rows_inside_the_filter(self) -> None:
        client, mapping = self._services.dataverse, self._mapping
        for page in client.pages(mapping.dataverse_table, self._columns, mapping.dataverse_filter):
            for start in range(0, len(page), PAGE):
                self._rows({row.id: row for row in page[start : start + PAGE]})
                self._tell(len(page[start : start + PAGE]))

    def _rows(self, rows: dict[str, DataverseRow]) -> None:
        with self._services.database.reading() as connection:
            found = couplings.of_rows(connection, list(rows))
            coupled = [own for one in found.values() if (own := one.get(self._mapping.name)) is not None]
            self._seen.add(verifications.numbers_of(connection, self._mapping.name, rows))
            let_go = {
                id_ for name, id_ in couplings.uncoupled_rows(connection, list(rows)) if name == self._mapping.name
            }
        self._pairs(with_records(self._services, self._mapping, coupled, rows))
        if self._mapping.direction.allows(Direction.FROM):
            alone = rows.keys() - {one.dataverse_id for one in coupled} - let_go
            self._keep([Finding("uncoupled", "", id_) for id_ in sorted(alone)])

    def _couplings_not_seen(self) -> None:
        """Pairs whose row has left the filter, or is gone."""
        after = 0
        while True:
            with self._services.database.reading() as connection:
                page = verifications.couplings_after(connection, self._mapping.name, after)
                keys = [key for number, key in page if number not in self._seen]
                found = couplings.of_records(connection, self._mapping.name, keys)
            if not page:
                return
            after = page[-1][0]
            self._pairs(pairs_of(self._services, self._mapping, list(found.values()), self._columns))
            self._tell(len(keys))

    def _uncoupled_records(self) -> None:
        for keys in verifications.uncoupled_records(self._services.database, self._mapping):
            self._keep([Finding("uncoupled", key) for key in keys])
            self._tell(len(keys))

    def _pairs(self, pairs: Sequence[Pair]) -> None:
        for pair in pairs:
            self._digest = (self._digest + digest_of(pair)) % _DIGESTS
        self._counts["compared"] += len(pairs)
        found = self._compared(pairs)
        doubtful = [pair.coupling for pair, own in found if any(one.kind != "explained" for one in own)]
        sure = {id(pair.coupling) for pair, _ in found} - {id(one) for one in doubtful}
        self._keep(self._told(found, sure))
        if not doubtful:
            return
        with self._services.database.reading() as connection:
            now = couplings.of_records(connection, self._mapping.name, [one.local_id for one in doubtful])
        again = pairs_of(self._services, self._mapping, list(now.values()), self._columns)
        found = self._compared(again)
        self._keep(self._told(found, {id(pair.coupling) for pair, _ in found}))

    def _told(self, found: Sequence[tuple[Pair, list[Finding]]], which: set[int]) -> list[Finding]:
        """What was found of these couplings, each with the word for why."""
        told = [(pair, one) for pair, own in found if id(pair.coupling) in which for one in own]
        if not told:
            return []
        with self._services.database.reading() as connection:
            guarded = tracking.kept_back(connection, self._mapping.name)
            ids = [pair.coupling.dataverse_id for pair, _ in told]
            waiting = standings.waiting_rows(connection, self._mapping.dataverse_table, ids)
        return [replace(one, why=_why(pair, one, waiting, guarded)) for pair, one in told]

    def _compared(self, pairs: Sequence[Pair]) -> list[tuple[Pair, list[Finding]]]:
        whole = [pair for pair in pairs if pair.is_whole]
        bereft = [(pair, [_bereft(pair)]) for pair in pairs if not pair.is_whole]
        found = zip(whole, compared(self._services, self._mapping, whole), strict=True)
        return bereft + [(pair, _findings_of(pair, one)) for pair, one in found]

    def _keep(self, found: Sequence[Finding]) -> None:
        if not found:
            return
        self._counts.update(one.kind for one in found)
        rows = [{"verification": self._number, **vars(one)} for one in found]
        with self._services.database.writing() as connection:
            connection.execute(insert(finding), rows)


def _why(pair: Pair, found: Finding, waiting: set[str], guarded: set[str]) -> str:
    if found.kind == "explained":
        return why.of_rule(found.reasons.values())
    return why.why(pair, found.kind, found.fields, waiting, guarded)


def _findings_of(pair: Pair, found: Comparison) -> list[Finding]:
    ids, kept = (pair.key, pair.coupling.dataverse_id), list[Finding]()
    if found.differences:
        kept.append(Finding("different", *ids, found.differences))
    if found.explained:
        kept.append(Finding("explained", *ids, found.explained, found.reasons))
    return kept


def _bereft(pair: Pair) -> Finding:
    ids = (pair.key, pair.coupling.dataverse_id)
    if pair.unread:
        return Finding("unseen", *ids, reasons={"": pair.unread})
    return Finding("missing" if pair.row is None else "extra", *ids)
