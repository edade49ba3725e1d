"""What one run works with: the request, its outcome, and the rows it has read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from receiver.core.decision import Decision, Record, Situation
from receiver.core.mapping import Direction
from receiver.core.message import Freshness, Version
from receiver.core.values import Reference
from receiver.dataverse.client import DataverseClient
from receiver.engine.known_records import Known
from receiver.errors import NotAtOnceError
from receiver.services import Services, read_columns
from receiver.store.mappings import Mappings


@dataclass(frozen=True)
class Request:
    """One record to synchronize toward the other side."""

    toward: Direction
    source: Record
    freshness: str = Freshness.NEWER
    is_click: bool = False
    is_forced: bool = False
    #: the person wants a new record, whatever looks alike
    creates_new: bool = False
    #: whatever *Synch. Only Coupled Records* says
    may_create: bool = False
    #: the job that counts it; None: one of its own
    job: int | None = None
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
    rows: dict[tuple[str, str], Record] = field(default_factory=dict)
    #: when the last of them was there; None: none was read
    rows_read_at: datetime | None = None
    versions: dict[str, Version] = field(default_factory=dict)
    pulled: dict[Reference, bool] = field(default_factory=dict)

    @property
    def dataverse(self) -> DataverseClient:
        """Raises: NotAtOnceError where the run must do without; NotConnectedError."""
        if not self.may_ask_dataverse:
            raise NotAtOnceError
        return self.services.dataverse

    def read(self, table: str, id_: str) -> Record:
        """The whole Dataverse row; a record that does not exist says so."""
        if (table, id_) not in self.rows:
            found = self.dataverse.read(table, id_, read_columns(self.mappings, table))
            self.rows_read_at = self.services.clock()
            self.rows[table, id_] = Record(id_, exists=False) if found is None else Record(id_, found.values)
            if found is not None:
                self.versions[id_] = found.version
        return self.rows[table, id_]


def not_at_once(_reference: Reference) -> bool:
    """The `pull` of what is decided together with others. Raises: NotAtOnceError."""
    raise NotAtOnceError
