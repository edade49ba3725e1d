"""An outcome in words and figures: what pages, logs and callers show of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from receiver.core.coupling import Coupling
from receiver.core.decision import (
    AlreadyEqual,
    Candidate,
    Decision,
    Fail,
    IgnoreUnchanged,
    Insert,
    Modify,
    Reason,
    Record,
    RemoveCoupling,
    Situation,
    Skip,
)
from receiver.core.mapping import Direction
from receiver.core.values import Value, from_plain, is_empty, same, to_plain
from receiver.engine.work import Offer, Outcome
from receiver.tables import BY_NAME

#: what people call a row, as far as mapped columns tell
NAMED_BY = ("name", "firstname", "lastname", "currencyname")
WORDS: dict[type[Any], tuple[str, str]] = {
    Insert: ("Insert", "inserted"),
    Modify: ("Modify", "modified"),
    AlreadyEqual: ("AlreadyEqual", "unchanged"),
    IgnoreUnchanged: ("IgnoreUnchanged", "unchanged"),
    RemoveCoupling: ("RemoveCoupling", "uncoupled"),
    Skip: ("Skip", "skipped"),
    Fail: ("Fail", "failed"),
}

#: the questions that a person in Sales answers by choosing
OFFERED = frozenset({Reason.MATCHES_FOUND, Reason.TWIN_EXISTS, Reason.CHOICE_IS_GONE})


@dataclass(frozen=True)
class Settled:
    """What became of one mapping: the words and figures that pages, logs and callers show."""

    mapping: str
    toward: Direction
    decision: str
    counter: str
    reason: str
    sentence: str
    remedy: str = ""
    #: key of the local record that is coupled now; empty if none is
    record: str = ""
    #: {column: [before, after]} of what was written
    fields: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    waits: bool = False
    candidates: tuple[Candidate, ...] = ()
    #: the same for a person in Sales, with what would be overwritten
    offers: tuple[Offer, ...] = ()
    #: the row, where a person clicked: table, name and id
    row_called: str = ""

    @property
    def is_failing(self) -> bool:
        """Whether it makes its notification a failed one."""
        return _is_failing(self.decision, self.reason)

    def plain(self) -> dict[str, Any]:
        names = ("mapping", "toward", "decision", "reason", "sentence", "remedy", "record", "fields")
        return {name: getattr(self, name) for name in names}


def failing(outcomes: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Of a notification's outcomes, as they are kept, those that make it a failed one."""
    return [one for one in outcomes if _is_failing(one.get("decision"), one.get("reason"))]


def _is_failing(decision: object, reason: object) -> bool:
    return decision == "Fail" or reason == Reason.SKIPPED.name


def in_words(
    outcome: Outcome, coupling: Coupling | None, record: Record | None, *, is_preview: bool = False
) -> Settled:
    """What was done, or *is_preview*: what would be."""
    now, decision = outcome.now, outcome.decision
    word, counter = WORDS[type(decision)]
    became_skipped = isinstance(decision, Fail) and coupling is not None and coupling.is_skipped
    reason: Reason | None = getattr(decision, "reason", None)
    return Settled(
        mapping=now.mapping.name,
        toward=now.toward,
        decision=word,
        counter="skipped" if became_skipped else counter,
        reason="" if reason is None else reason.name,
        sentence=_sentence(outcome, record, is_preview=is_preview),
        remedy="" if reason is None else reason.remedy.format(mapping=now.mapping.name),
        record="" if isinstance(decision, RemoveCoupling) or coupling is None or record is None else coupling.local_id,
        fields=changed_fields(now, decision),
        error=error_of(now, decision) if isinstance(decision, Fail) else "",
        candidates=now.candidates if reason in {Reason.MATCHES_FOUND, Reason.TWIN_EXISTS} else now.namesakes,
        offers=outcome.offers if reason in OFFERED else (),
        row_called=_row_called(outcome) if now.is_click else "",
        waits=getattr(decision, "reason", None) in {Reason.MUST_BE_COUPLED, Reason.WAITING_FOR_PARENT},
    )


def error_of(now: Situation, decision: Fail) -> str:
    said = decision.reason.what.format(mapping=now.mapping.name)
    return ": ".join(filter(None, (said, "; ".join(decision.details))))


def _sentence(outcome: Outcome, record: Record | None, *, is_preview: bool) -> str:
    """What happened, and which values were left alone."""
    merged = getattr(outcome.decision, "merged", None)
    said = _foretold(outcome, record) if is_preview else ""
    return " ".join((said or _what_happened(outcome, record), *(merged.notes if merged is not None else ())))


def _foretold(outcome: Outcome, record: Record | None) -> str:
    """What would be written; empty where nothing would be."""
    now, decision = outcome.now, outcome.decision
    caption, row = BY_NAME[now.mapping.local_table].caption, _row_called(outcome)
    local = f"{caption} {record.id}" if record else caption
    if isinstance(decision, Insert) and now.toward is Direction.FROM:
        number = "; it gets its number when it is made" if BY_NAME[now.mapping.local_table].series else ""
        return f"A new {caption} would be created from {row}, and the two would be coupled{number}."
    if isinstance(decision, Insert):
        return f"A new {now.mapping.dataverse_table} would be created from {local}, and the two would be coupled."
    if not isinstance(decision, Modify):
        return ""
    source, destination = (row, local) if now.toward is Direction.FROM else (local, row)
    changed = changed_fields(now, decision)
    blanked = [name for name, (before, after) in changed.items() if is_blanked(before, after)]
    lost = f" A blank would overwrite {', '.join(blanked)}." if blanked else ""
    return f"{destination} would be updated from {source}: {', '.join(changed)}.{lost}"


def is_blanked(before: Any, after: Any) -> bool:
    """Whether a value, as `changed_fields` has it, is overwritten with nothing."""
    return is_empty(from_plain(after)) and not is_empty(from_plain(before))


def _what_happened(outcome: Outcome, record: Record | None) -> str:
    now, decision = outcome.now, outcome.decision
    row = _row_called(outcome)
    local = f"{BY_NAME[now.mapping.local_table].caption} {record.id}" if record else "no local record"
    source, destination = (row, local) if now.toward is Direction.FROM else (local, row)
    if isinstance(decision, Insert):
        return f"{destination} was created from {source}, and the two are coupled."
    if isinstance(decision, Modify):
        return f"{destination} was updated from {source}: {', '.join(decision.values)}."
    if isinstance(decision, AlreadyEqual):
        return f"{local} and {row} are equal already."
    assert isinstance(decision, IgnoreUnchanged | RemoveCoupling | Skip | Fail)  # what else there is was carried on
    what = decision.reason.what.format(mapping=now.mapping.name)
    said = "; ".join(detail.rstrip(".") for detail in getattr(decision, "details", ()))
    pair = f"{row}, coupled to {_coupled_to(outcome)}" if now.coupling else row
    return f"{pair}: {what}" + (f": {said}." if said else ".")


def _coupled_to(outcome: Outcome) -> str:
    now = outcome.now
    assert now.coupling is not None  # asked of pairs alone
    return f"{BY_NAME[now.mapping.local_table].caption} {now.coupling.local_id}"


def _row_called(outcome: Outcome) -> str:
    """The row by table, name if it is known, and id."""
    now = outcome.now
    row = now.source if now.toward is Direction.FROM else outcome.written or now.destination
    values = row.values if row is not None else {}
    name = " ".join(str(values[column]) for column in NAMED_BY if not is_empty(values.get(column)))
    return " ".join(filter(None, (now.mapping.dataverse_table, name and f"“{name}”", _row_id(outcome))))


def _row_id(outcome: Outcome) -> str:
    now = outcome.now
    if now.toward is Direction.FROM:
        return now.source.id
    return outcome.written.id if outcome.written else destination_id(now)


def destination_id(now: Situation) -> str:
    return now.coupling.destination_id(now.toward) if now.coupling else ""


def changed_fields(now: Situation, decision: Decision) -> dict[str, Any]:
    """{column: [before, after]} of what the decision writes."""
    if not isinstance(decision, Insert | Modify):
        return {}
    before = now.destination.values if now.destination else {}
    after: dict[str, Value] = dict(decision.values)
    changed = {name: value for name, value in after.items() if not same(before.get(name), value)}
    return {name: [to_plain(before.get(name)), to_plain(value)] for name, value in changed.items()}
