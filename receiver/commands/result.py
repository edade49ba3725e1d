"""What a command answers: counts, and a line for each record; as a preview, or done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from receiver.core.mapping import Direction
from receiver.errors import StalePreviewError
from receiver.runs.carry_out import Done, Wanted, carry_out, preview
from receiver.services import Services

#: decisions that wrote nothing and want nothing
SAYS_NOTHING = frozenset({"AlreadyEqual", "IgnoreUnchanged", "None"})
#: decisions that failed, or could not be taken
WENT_WRONG = frozenset({"Fail", "Error"})


@dataclass(frozen=True)
class Line:
    """One record: what was decided of it, why, and what it means to do next."""

    mapping: str
    local_id: str
    dataverse_id: str
    decision: str
    counter: str
    reason: str
    sentence: str
    remedy: str = ""
    #: {column of the destination: [before, after]}
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CommandResult:
    """`counts` are the job's counters; `token` belongs to a preview and is empty when its errors block."""

    lines: tuple[Line, ...]
    is_preview: bool = False
    token: str = ""

    @property
    def counts(self) -> dict[str, int]:
        return dict(Counter(line.counter for line in self.lines))

    @property
    def has_errors(self) -> bool:
        return any(line.decision in WENT_WRONG for line in self.lines)

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        lines = [vars(line) for line in self.lines]
        return {"is_preview": self.is_preview, "token": self.token, "counts": self.counts, "lines": lines}


def carried_out(
    services: Services, wanted: Sequence[Wanted], *, is_preview: bool = False, token: str = ""
) -> CommandResult:
    """Do what is asked, or say what would be done. A *token* holds it to the preview that gave it.

    Raises: StalePreviewError when a record involved has changed since; what Dataverse and the database raise.
    """
    if is_preview or token:
        foretold = preview(services, wanted)
        if token and token != foretold.token:
            raise StalePreviewError
        if is_preview:
            lines = one_each(_lines(foretold.done))
            is_blocked = any(line.decision in WENT_WRONG for line in lines)
            return CommandResult(lines, is_preview=True, token="" if is_blocked else foretold.token)
    return CommandResult(_lines(carry_out(services, wanted)))


def _lines(done: Iterable[Done]) -> tuple[Line, ...]:
    return tuple(map(line_of, done))


def line_of(done: Done) -> Line:
    """One record's line; an error that may go away by itself is a line too."""
    wanted, settled = done.wanted, done.settled
    ask = wanted.ask
    if settled is None:
        said = str(done.error or "Nothing was to be done.")
        return Line(ask.mapping, ask.key, wanted.id, "Error" if done.error else "None", "failed", "", said)
    local_id = settled.record or ask.key
    row_id = wanted.id if settled.record or ask.toward is Direction.FROM else ""
    return Line(
        settled.mapping,
        local_id,
        row_id,
        settled.decision,
        settled.counter,
        settled.reason,
        settled.sentence,
        settled.remedy,
        settled.fields,
    )


def one_each(lines: Iterable[Line]) -> tuple[Line, ...]:
    """One line a record: of two that were tried both ways what both say; a failure before what was written."""
    found: dict[tuple[str, str, str], list[Line]] = {}
    for line in lines:
        found.setdefault((line.mapping, line.local_id, line.dataverse_id), []).append(line)
    return tuple(_as_one(own) for own in found.values())


def _as_one(own: Sequence[Line]) -> Line:
    telling = [line for line in own if line.decision not in SAYS_NOTHING] or own[:1]
    first = min(telling, key=lambda line: line.decision not in WENT_WRONG)
    sentences = dict.fromkeys(line.sentence for line in telling)
    fields = {name: values for line in telling for name, values in line.fields.items()}
    return replace(first, sentence=" ".join(sentences), fields=fields)
