"""One outcome carried out: what became of the local record and of the coupling."""

from __future__ import annotations

from dataclasses import dataclass

from receiver.core.coupling import Coupling
from receiver.core.decision import AlreadyEqual, Fail, Modify, Record
from receiver.core.mapping import Direction
from receiver.engine.wording import Settled
from receiver.engine.work import Outcome


@dataclass(frozen=True)
class Written:
    """One outcome carried out: the local record and the coupling as they are from now on, None where there is none."""

    outcome: Outcome
    record: Record | None
    coupling: Coupling | None
    settled: Settled

    @property
    def row(self) -> tuple[str, str]:
        """Table and id of the Dataverse row."""
        now = self.outcome.now
        id_ = now.source.id if self.coupling is None else self.coupling.dataverse_id
        return now.mapping.dataverse_table, id_

    @property
    def is_remembered(self) -> bool:
        """Whether the coupling is another than before."""
        return self.coupling is not None and self.coupling != self.outcome.now.stored

    @property
    def travels_back(self) -> bool:
        """Whether the company's database made something else of what was written here, and that is still to go out."""
        is_inward = self.outcome.now.toward is Direction.FROM and not isinstance(self.outcome.decision, Fail)
        return is_inward and self.coupling is not None and Direction.TO in self.coupling.altered.values()

    @property
    def leaves_rest(self) -> bool:
        """Whether a record was to be sent, Dataverse won a conflict, and other changes of it are still to go out."""
        request, decision = self.outcome.request, self.outcome.decision
        is_inward = request.is_turned and request.toward is Direction.FROM
        return is_inward and isinstance(decision, Modify | AlreadyEqual) and bool(decision.merged.kept)

    @property
    def couples(self) -> bool:
        """Whether the row had no coupling, or one that was only intended."""
        before = self.outcome.now.stored
        if not self.is_remembered or self.coupling is None:
            return False
        return before is None or before.local_base is None or is_other_pair(before, self.coupling)


def is_other_pair(before: Coupling, after: Coupling | None) -> bool:
    return after is not None and (before.local_id, before.dataverse_id) != (after.local_id, after.dataverse_id)
