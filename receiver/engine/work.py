"""What one run works with: the request, its outcome, and the rows it has read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from typing import Any

from receiver.core.decision import Candidate, Decision, Record, Situation
from receiver.core.mapping import Direction
from receiver.core.message import Freshness, Version
from receiver.core.values import Reference
from receiver.dataverse.answers import Asked
from receiver.dataverse.client import DataverseClient
from receiver.dataverse.rows import DataverseRow
from receiver.engine.known_records import Known
from receiver.errors import AnswerClass, DataverseError, NotAtOnceError, OutOfSightError, ReceiverError
from receiver.services import Services, read_columns
from receiver.store.mappings import Mappings


@dataclass(frozen=True)
class Offer:
    """A local record that may be meant, and what it would take over from the row: {column: [before, after]}."""

    mapping: str
    key: str
    name: str
    fields: Mapping[str, Any]
    #: the decision, if that cannot be carried out: why
    trouble: str = ""
    #: the two were coupled once, and a person parted them
    was_let_go: bool = False

    @cached_property
    def digest(self) -> str:
        """Another as soon as anything else would be overwritten than what was shown."""
        shown = json.dumps([self.fields, self.trouble], sort_keys=True, default=str)
        return sha256(shown.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Chosen:
    """The offer that a person took, as it was shown."""

    mapping: str
    key: str
    digest: str


@dataclass(frozen=True)
class Request:
    """One record to synchronize toward the other side."""

    toward: Direction
    source: Record
    freshness: str = Freshness.NEWER
    #: the version of the row that was seen last
    seen: Version | None = None
    is_click: bool = False
    is_forced: bool = False
    #: the person wants a new record, whatever looks alike
    creates_new: bool = False
    #: the person took one of those that were offered
    chosen: Chosen | None = None
    #: whatever *Synch. Only Coupled Records* says
    may_create: bool = False
    #: the other direction was asked for, and this side won a conflict
    is_turned: bool = False
    #: it stands for a deleted record, by a person's wish
    is_restored: bool = False
    #: of a preview: as if the coupling were taken back from Skipped
    is_taken_back: bool = False
    #: the job that counts it; None: one of its own
    job: int | None = None
    #: the lease of the task that counts in it
    job_holder: str | None = None
    #: as the history tells it
    why: str = ""


@dataclass(frozen=True)
class Outcome:
    """What was decided of one record, and what Dataverse answered if it was written there."""

    request: Request
    now: Situation
    decision: Decision
    #: the Dataverse row as it came back from our write
    written: Record | None = None
    #: what a person may couple with, where that is the question
    offers: tuple[Offer, ...] = ()
    #: the kinds of conclusion that are drawn with it, or kept back; the run that keeps them
    conclusions: frozenset[str] = frozenset()
    keeper: str = ""


@dataclass(frozen=True)
class Trouble:
    """The attempts that a lane was charged with, and the last one's error in words."""

    attempts: int = 0
    said: str = ""

    def is_again(self, error: DataverseError) -> bool:
        """Whether this is the same answer for the third time."""
        return self.attempts + 1 >= PASSING_TIMES and self.said.startswith(error.sameness)


NO_TROUBLE = Trouble()
#: the same passing answer so often, while others go through, is the record's own
PASSING_TIMES = 3


@dataclass
class Work:
    """One run over one Dataverse row: each row is read once, whoever asks."""

    services: Services
    mappings: Mappings
    #: what the database knows; runs that are decided together share it
    known: Known
    #: brings a missing parent in, in the parent's own lane; the answer: it lies outside every mapping's filter
    pull: Callable[[Reference], bool]
    #: False where many rows are decided together: none of them may keep the others waiting for Dataverse
    may_ask_dataverse: bool = True
    #: nothing is written, whatever is found out
    is_preview: bool = False
    #: what went wrong with this lane before
    trouble: Trouble = field(default_factory=lambda: NO_TROUBLE)
    #: by mapping, direction and source: what looks like a record, where many were asked for together
    look_alikes: dict[tuple[str, Direction, str], list[Record]] = field(default_factory=dict)
    #: by mapping and key: the key that a local record has now, and the records that may be it
    renamed: dict[tuple[str, str], str] = field(default_factory=dict)
    namesakes: dict[tuple[str, str], tuple[Candidate, ...]] = field(default_factory=dict)
    rows: dict[tuple[str, str], Record] = field(default_factory=dict)
    #: when the last of them was there; None: none was read
    rows_read_at: datetime | None = None
    versions: dict[str, Version] = field(default_factory=dict)
    pulled: dict[Reference, bool] = field(default_factory=dict)
    #: the rows (table and id) that wait for this one: to pull one of them would go round in a circle
    wanted_by: Sequence[tuple[str, str]] = ()

    @property
    def dataverse(self) -> DataverseClient:
        """Raises: NotAtOnceError where the run must do without; NotConnectedError."""
        if not self.may_ask_dataverse:
            raise NotAtOnceError
        return self.services.dataverse

    def read(self, table: str, id_: str) -> Record:
        """The whole Dataverse row; a record that does not exist says so."""
        if (table, id_) not in self.rows:
            found = self._asked(table, id_)
            self.rows_read_at = self.services.clock()
            self.know(table, id_, found)
        return self.rows[table, id_]

    def know(self, table: str, id_: str, found: DataverseRow | ReceiverError | None) -> None:
        """What a read by this id said. Raises: an error that is not this row's own."""
        if isinstance(found, ReceiverError):
            if found.waiting_helps:
                raise found
            is_hidden = isinstance(found, OutOfSightError)
            self.rows[table, id_] = Record(id_, is_whole=False, unread=str(found), is_out_of_sight=is_hidden)
        elif found is None:
            self.rows[table, id_] = Record(id_, exists=False)
        else:
            self.rows[table, id_] = Record(id_, found.values)
            self.versions[id_] = found.version

    def _asked(self, table: str, id_: str) -> DataverseRow | ReceiverError | None:
        try:
            return self.dataverse.read(table, id_, read_columns(self.mappings, table))
        except DataverseError as error:
            return self.judged(error, Asked("read", table, id_))

    def judged(self, error: DataverseError, asked: Asked) -> DataverseError:
        """The error, as this record's own where the same passing answer came three times while others went through."""
        if error.answer is not AnswerClass.PASSING or not self.trouble.is_again(error):
            return error
        if not self.services.dataverse.serves(asked):
            return error
        own = f"It came {PASSING_TIMES} times, while others of {asked.table} went through: it is this record's own. "
        own += "Show it to whoever runs the environment."
        return DataverseError(error.status, error.code, error.says, AnswerClass.DATA, own)


def not_at_once(_reference: Reference) -> bool:
    """The `pull` of what is decided together with others. Raises: NotAtOnceError."""
    raise NotAtOnceError
