"""The decision table, printed from the code: what `decide` answers, question by question.

Each line changes one thing of a situation that would otherwise be transferred. docs/rules.md is this output.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from receiver.core.company import COMPANY_ID, Stamps
from receiver.core.coupling import Coupling
from receiver.core.decision import Candidate, CoupleWith, Decision, ReadWholeSource, Reason, Record, Situation, decide
from receiver.core.filters import parse
from receiver.core.mapping import (
    Conversion,
    DeletionConflict,
    Direction,
    FieldMapping,
    MatchExists,
    TableMapping,
    UpdateConflict,
)
from receiver.core.merge import Keep, NotCoupled
from receiver.core.message import Freshness
from receiver.core.values import Reference

Change = Callable[[Situation], Situation]
_FIELDS = (
    FieldMapping(1, "name", "name"),
    FieldMapping(2, "phone", "phone"),
    FieldMapping(3, "parent", "parent", conversion=Conversion.LOOKUP, related=("PARENT",)),
)
#: a pattern that takes more steps on a long text than are taken
_HEAVY = "REGEX_REPLACE('a.*x|a', '')"
_HEAVY_FIELDS = tuple(
    FieldMapping(number, "name", "name", one_way, transformation_rule=_HEAVY, transformation_direction=one_way)
    for number, one_way in ((1, Direction.TO), (2, Direction.FROM))
)
_EQUAL = {"name": "Old", "phone": "1", "active": "yes"}


@dataclass(frozen=True)
class Line:
    """A situation in words, and how it differs from the plain one."""

    given: str
    change: Change


def plain_situation(toward: Direction) -> Situation:
    """Coupled, both sides there, and a mapped field of the source has changed."""
    mapping = TableMapping(
        "PAIRS",
        "local",
        "remote",
        Direction.BIDIRECTIONAL,
        _FIELDS,
        synch_only_coupled_records=False,
        local_filter=parse("active = 'yes'"),
        dataverse_filter=parse("active = 'yes'"),
    )
    coupling = Coupling("PAIRS", "L", "D", _EQUAL, _EQUAL)
    source = Record("D" if toward is Direction.FROM else "L", {**_EQUAL, "name": "New"})
    return Situation(mapping, toward, source, coupling, Record("other", _EQUAL), lookups={3: Keep()})


def _mapping(**changes: Any) -> Change:
    return lambda now: replace(now, mapping=replace(now.mapping, **changes))


def _now(**changes: Any) -> Change:
    return lambda now: replace(now, **changes)


def _source(**values: str) -> Change:
    return lambda now: replace(now, source=replace(now.source, values={**now.source.values, **values}))


def _destination(**values: str) -> Change:
    return lambda now: replace(now, destination=Record("other", {**_EQUAL, **values}))


def _both(*changes: Change) -> Change:
    def changed(now: Situation) -> Situation:
        for change in changes:
            now = change(now)
        return now

    return changed


def _gone(now: Situation) -> Situation:
    return replace(now, source=Record(now.source.id, exists=False))


def _foreign(now: Situation) -> Situation:
    values = {**now.source.values, COMPANY_ID: Reference("company", "theirs")}
    mapping = replace(now.mapping, stamps=Stamps(Reference("company", "ours")))
    return replace(now, mapping=mapping, source=replace(now.source, values=values))


def _too_long(now: Situation) -> Situation:
    return replace(now, source=replace(now.source, values={**now.source.values, "name": "a" * 2000}))


def _skipped(now: Situation) -> Situation:
    assert now.coupling is not None  # the plain situation is coupled
    return replace(now, coupling=replace(now.coupling, is_skipped=True))


def _partial(now: Situation) -> Situation:
    return replace(now, source=replace(now.source, is_whole=False))


def _unread(side: str, *, is_out_of_sight: bool) -> Change:
    """The *side*, source or destination, could not be read, which a read of its id said."""

    def changed(now: Situation) -> Situation:
        record: Record = getattr(now, side)
        lost = replace(record, is_whole=False, unread="It cannot be read.", is_out_of_sight=is_out_of_sight)
        return _now(**{side: lost})(now)

    return changed


def _wins(*, source: bool) -> Change:
    """Resolve Update Conflicts set so that the source, or the destination, wins."""

    def changed(now: Situation) -> Situation:
        side = now.toward if source else now.toward.back
        strategy = UpdateConflict.SEND if side is Direction.TO else UpdateConflict.GET
        return _mapping(resolve_update_conflicts=strategy)(now)

    return changed


def _one_way(now: Situation) -> Situation:
    return _mapping(direction=now.toward)(now)


def _other_way(now: Situation) -> Situation:
    return _mapping(direction=now.toward.back)(now)


_UNCOUPLED = _now(coupling=None, destination=None)
_ONLY_COUPLED = _mapping(synch_only_coupled_records=True)
_DESTINATION_GONE = _now(destination=None)
_RESTORE = _mapping(resolve_deletion_conflicts=DeletionConflict.RESTORE)
_DELETE_COUPLING = _mapping(resolve_deletion_conflicts=DeletionConflict.DELETE_COUPLING)
_COLLISION = _both(_source(name="New"), _destination(name="Other"))
_LOST_PARENT = _now(lookups={3: NotCoupled("Couple the parent first.")})
_WAITING_PARENT = _now(lookups={3: NotCoupled("The parent is outside the filter.", waits=True)})

_LOOKS_ALIKE = _now(is_click=True, candidates=(Candidate("PAIRS", "L2", "New"),))

_ONE_ALIKE = _now(candidates=(Candidate("PAIRS", "L2", "New"),))
_TWO_ALIKE = _now(candidates=(Candidate("PAIRS", "L2", "New"), Candidate("PAIRS", "L3", "New")))
_NAMESAKES = _now(namesakes=(Candidate("PAIRS", "L2", "Old"), Candidate("PAIRS", "L3", "Old")))
_COUPLES, CREATE = _mapping(when_a_match_exists=MatchExists.COUPLE), MatchExists.CREATE
_TWIN = _both(_DESTINATION_GONE, _RESTORE, _ONE_ALIKE)

LINES = (
    Line("the mapping is switched off", _mapping(is_enabled=False)),
    Line("the mapping goes only the other way", _other_way),
    Line("no field mapping is enabled", _mapping(fields=())),
    Line("the coupling is Skipped", _skipped),
    Line("the application user may not see the source", _unread("source", is_out_of_sight=True)),
    Line("the application user may not see the destination", _unread("destination", is_out_of_sight=True)),
    Line("Dataverse refuses for good to say what the source is", _unread("source", is_out_of_sight=False)),
    Line("only some columns of the source are known", _partial),
    Line("two versions of the source within one second", _now(freshness=Freshness.UNCERTAIN)),
    Line("the image is older than what was seen", _now(freshness=Freshness.LATE)),
    Line("the source is gone; nothing was coupled", _both(_UNCOUPLED, _gone)),
    Line("the source is gone; Resolve Deletion Conflicts is blank", _gone),
    Line("the source is gone; Delete coupling", _both(_gone, _DELETE_COUPLING)),
    Line("the source is gone; Restore records", _both(_gone, _RESTORE)),
    Line("the source is gone; Restore records, one-way mapping", _both(_gone, _RESTORE, _one_way)),
    Line("both records are gone", _both(_DESTINATION_GONE, _gone)),
    Line("the row belongs to another company", _foreign),
    Line("the source is outside the filter", _source(active="no")),
    Line("the coupled destination is gone; blank", _DESTINATION_GONE),
    Line("the coupled destination is gone; Delete coupling", _both(_DESTINATION_GONE, _DELETE_COUPLING)),
    Line("the coupled destination is gone; Restore records", _both(_DESTINATION_GONE, _RESTORE, _ONLY_COUPLED)),
    Line("not coupled; Synch. Only Coupled Records on", _both(_UNCOUPLED, _ONLY_COUPLED)),
    Line("the same; it was asked to be created", _both(_UNCOUPLED, _ONLY_COUPLED, _now(may_create=True))),
    Line("not coupled; Synch. Only Coupled Records off", _UNCOUPLED),
    Line("not coupled; a person uncoupled it", _both(_UNCOUPLED, _now(uncoupled_by="Ann on 2026-11-22"))),
    Line("the same, and a person clicks", _both(_UNCOUPLED, _now(uncoupled_by="Ann on 2026-11-22", is_click=True))),
    Line("not coupled; a person clicks, and an uncoupled record looks alike", _both(_UNCOUPLED, _LOOKS_ALIKE)),
    Line("not coupled; an uncoupled record looks alike, and the mapping says ask", _both(_UNCOUPLED, _ONE_ALIKE)),
    Line("the same; the mapping says couple", _both(_UNCOUPLED, _ONE_ALIKE, _COUPLES)),
    Line("the same, but there are two", _both(_UNCOUPLED, _TWO_ALIKE, _COUPLES)),
    Line("the same; the mapping says create", _both(_UNCOUPLED, _TWO_ALIKE, _mapping(when_a_match_exists=CREATE))),
    Line("several look alike, and a person chose one of them", _both(_UNCOUPLED, _TWO_ALIKE, _now(chosen="L3"))),
    Line("the same; the chosen one is coupled or gone by now", _both(_UNCOUPLED, _TWO_ALIKE, _now(chosen="L4"))),
    Line("the coupled destination is gone; Restore records; an uncoupled record looks alike", _TWIN),
    Line("a coupled record is gone; several uncoupled ones say what it said", _both(_gone, _NAMESAKES)),
    Line("not coupled; its parent is not coupled", _both(_UNCOUPLED, _LOST_PARENT)),
    Line("not coupled; its parent is outside every filter", _both(_UNCOUPLED, _WAITING_PARENT)),
    Line("a transformation rule cannot be carried out", _both(_too_long, _mapping(fields=_HEAVY_FIELDS))),
    Line("no mapped field changed", _source(name="Old")),
    Line("only the destination changed", _both(_source(name="Old"), _destination(name="Other"))),
    Line("a field of the source changed", lambda now: now),
    Line("both changed the same field to the same value", _destination(name="New")),
    Line("both changed, different fields", _destination(phone="2")),
    Line("both changed the same field; Resolve Update Conflicts is blank", _COLLISION),
    Line("both changed the same field; the source wins", _both(_COLLISION, _wins(source=True))),
    Line("both changed the same field; the destination wins", _both(_COLLISION, _wins(source=False))),
    Line(
        "both changed the same field; the destination wins, one-way mapping",
        _both(_COLLISION, _wins(source=False), _one_way),
    ),
    Line("both changed the same field; forced", _both(_COLLISION, _now(is_forced=True))),
)


def decision_table() -> str:
    """A Markdown table: the situation, what `decide` answers, and why."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield "# The rules"
    yield ""
    yield "Printed from the code by `receiver rules`; a test keeps this page fresh."
    yield ""
    yield "The plain situation: a coupled pair under a Bidirectional mapping, both records there and inside their"
    yield "filters, and a mapped field of the source has changed since both were last equal. Each line changes that in"
    yield "one respect. The answers are the same toward either side."
    yield ""
    yield "| Given | Decision | Why |"
    yield "|---|---|---|"
    for line in LINES:
        decision = _agreed(line)
        yield f"| {line.given} | {_called(decision)} | {_why(decision)} |"
    yield ""
    yield "What removes a coupling, makes a record anew or blanks a column is then counted (`receiver/core/guard.py`)."
    yield f"Of too many at once `Skip` is made: {Reason.HELD_BACK.what}."
    yield ""


def _agreed(line: Line) -> Decision:
    """What both directions answer. Raises: ValueError when a rule holds one way and not the other."""
    answers = [decide(line.change(plain_situation(toward))) for toward in (Direction.FROM, Direction.TO)]
    if _called(answers[0]) != _called(answers[1]) or _why(answers[0]) != _why(answers[1]):
        raise ValueError(f"“{line.given}” is decided differently in the two directions: {answers}")
    return answers[0]


def _called(decision: Decision) -> str:
    values = getattr(decision, "values", None)
    named = f"({', '.join(sorted(values))})" if values else ""
    return f"`{type(decision).__name__}`{named}"


def _why(decision: Decision) -> str:
    if isinstance(decision, ReadWholeSource):
        return "a partial row may be skipped, never transferred"
    if isinstance(decision, CoupleWith):
        return "they are a pair, and decided anew as such"
    reason: Reason | None = getattr(decision, "reason", None)
    return "" if reason is None else reason.what.format(mapping="the mapping")
