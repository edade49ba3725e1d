"""Field by field: what a run would write, and what it must not; `remembering.py` says what is kept of it.

Each side is compared with its own base only, raw value with raw value; a transformed value is compared with the
destination's, as the columns keep it, never with a base. So trimming, rounding and cutting cannot make an echo look
like a change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from receiver.core.keeping import equal_as_kept, fitted
from receiver.core.mapping import Conversion, Direction, Transfer
from receiver.core.rule_text import RuleError
from receiver.core.transformation import transformed
from receiver.core.values import Column, Reference, Value, Values, is_empty, same, shown


@dataclass(frozen=True)
class Found:
    """A lookup's value as the destination writes it."""

    value: Value


@dataclass(frozen=True)
class NotCoupled:
    """A lookup that leads to a record which is not coupled; `sentence` names it and says what to do.

    `waits` when the record lies outside the filter of every mapping that could bring it in.
    """

    sentence: str
    reference: Reference | None = None
    waits: bool = False


@dataclass(frozen=True)
class Keep:
    """The destination's value stays: the source's says nothing there; `why` where a person should know."""

    why: str = ""


@dataclass(frozen=True)
class NotTransformed:
    """A transformation rule that cannot be carried out on the value; `sentence` names both."""

    sentence: str


@dataclass(frozen=True)
class NoCounterpart:
    """A value that the other side has no word for: an option without code, a code without option.

    The field is left alone, on both sides, and looked at again each time; `sentence` says which value, and what to do.
    """

    sentence: str


Converted = Found | NotCoupled | Keep | NotTransformed | NoCounterpart


@dataclass(frozen=True)
class Conflict:
    """A bidirectional field that both sides changed, to different values."""

    local_column: str
    dataverse_column: str
    local_value: Value
    dataverse_value: Value

    def __str__(self) -> str:
        return (
            f"{self.local_column} is “{shown(self.local_value)}” here, "
            f"{self.dataverse_column} is “{shown(self.dataverse_value)}” in Sales"
        )


@dataclass(frozen=True)
class Sides:
    """What a merge looks at. A base is None where the pair was never equal; destination None: to be inserted."""

    transfers: tuple[Transfer, ...]
    toward: Direction
    source: Values
    destination: Values | None
    source_base: Values | None = None
    destination_base: Values | None = None
    unresolved: frozenset[str] = frozenset()
    lookups: Mapping[int, Converted] = field(default_factory=dict)
    #: what each side's columns keep of a value; of one that is not named: all
    source_columns: Mapping[str, Column] = field(default_factory=dict)
    destination_columns: Mapping[str, Column] = field(default_factory=dict)
    is_forced: bool = False
    #: as in the coupling
    altered: Mapping[str, Direction | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Merged:
    """What a merge found. `has_moved`: a mapped field of the source changed."""

    has_moved: bool
    values: Mapping[str, Value] = field(default_factory=dict)
    conflicts: tuple[Conflict, ...] = ()
    failures: tuple[NotCoupled | NotTransformed, ...] = ()
    #: numbers of the transfers whose bases stay: the destination changed there, the way back must still see it
    kept: frozenset[int] = frozenset()
    #: numbers of the transfers whose value the destination has already
    equal: frozenset[int] = frozenset()
    unresolved: frozenset[str] = frozenset()
    #: sentences about values that were left alone
    notes: tuple[str, ...] = ()


def merge(sides: Sides) -> Merged:
    """Compare the sides; nothing is transferred unless a mapped field of the source moved, or by force."""
    moved = frozenset(one.number for one in sides.transfers if _has_moved(one, sides))
    if not moved and not sides.is_forced:
        return Merged(has_moved=False, unresolved=sides.unresolved)
    values: dict[str, Value] = {}
    conflicts: list[Conflict] = []
    failures: list[NotCoupled | NotTransformed] = []
    kept: set[int] = set()
    equal: set[int] = set()
    unresolved: set[str] = set()
    notes: list[str] = []
    for one in sides.transfers:
        if _stays_behind(one, sides, moved):
            kept.add(one.number)
            unresolved |= {local_column(one, sides.toward)} & sides.unresolved
            continue
        converted = _converted(one, sides)
        if isinstance(converted, NoCounterpart):
            kept.add(one.number)
            unresolved.add(local_column(one, sides.toward))
            notes.append(converted.sentence)
            continue
        if isinstance(converted, NotTransformed) or (isinstance(converted, NotCoupled) and not one.clears_on_failure):
            failures.append(converted)
            continue
        if isinstance(converted, NotCoupled):
            unresolved.add(local_column(one, sides.toward))
            converted = Found(None)
        if isinstance(converted, Keep) or (one.not_null and is_empty(converted.value)):
            continue
        if not _differs(one, sides, converted.value):
            equal.add(one.number)
            continue
        if _collides(one, sides):
            conflicts.append(_conflict(one, sides))
        values[one.destination] = fitted(sides.destination_columns.get(one.destination), converted.value)
    return Merged(
        has_moved=bool(moved),
        values=values,
        conflicts=tuple(conflicts),
        failures=tuple(failures),
        kept=frozenset(kept),
        equal=frozenset(equal),
        unresolved=frozenset(unresolved),
        notes=(*notes, *(one.why for one in sides.lookups.values() if isinstance(one, Keep) and one.why)),
    )


def _has_moved(one: Transfer, sides: Sides) -> bool:
    if sides.destination is None:
        return True
    if one.source is None:
        return False
    if sides.source_base is None:
        return True
    if not same(sides.source.get(one.source), sides.source_base.get(one.source)):
        return True
    return bool(sides.unresolved and _is_resolved_now(one, sides)) or bool(sides.altered and _travels_back(one, sides))


def _is_resolved_now(one: Transfer, sides: Sides) -> bool:
    """A cleared lookup whose record has been coupled since is a change, though the value that names it is the same.

    An option without counterpart is a change all the time, since its base stayed; at rest again it is settled.
    """
    found = sides.lookups.get(one.number)
    if local_column(one, sides.toward) not in sides.unresolved or not isinstance(found, Found):
        return False
    return _is_at_its_base(one, sides) if one.conversion is Conversion.OPTION else not is_empty(found.value)


def _travels_back(one: Transfer, sides: Sides) -> bool:
    """The source made something else of what it was sent: that is its change, unless the destination's is younger."""
    if sides.altered.get(local_column(one, sides.toward)) is not sides.toward:
        return False
    return _is_at_its_base(one, sides)


def _is_at_its_base(one: Transfer, sides: Sides) -> bool:
    if sides.destination is None or sides.destination_base is None:
        return False
    return same(sides.destination.get(one.destination), sides.destination_base.get(one.destination))


def _stays_behind(one: Transfer, sides: Sides, moved: frozenset[int]) -> bool:
    """A bidirectional field that the source left alone; an emptiness that says nothing of the destination's value."""
    if sides.destination is None:
        return False
    if sides.toward is Direction.TO and one.source in sides.unresolved and is_empty(sides.source.get(one.source)):
        return True
    if one.is_bidirectional:
        return one.number not in moved and not sides.is_forced
    return _was_never_said(one, sides) or bool(sides.altered and _is_at_odds(one, sides, moved))


def _is_at_odds(one: Transfer, sides: Sides, moved: frozenset[int]) -> bool:
    """A one-way field of which the destination made something else: sent again it would be altered again."""
    is_told = sides.altered.get(local_column(one, sides.toward), sides.toward) is None
    return is_told and one.number not in moved and not sides.is_forced and _is_at_its_base(one, sides)


def _was_never_said(one: Transfer, sides: Sides) -> bool:
    """A one-way field that is empty and was never transferred: writing it would only wipe out what is there."""
    if one.source is None or sides.source_base is None or sides.is_forced:
        return False
    return one.source not in sides.source_base and is_empty(sides.source.get(one.source))


def local_column(one: Transfer, toward: Direction) -> str:
    """By which a coupling names a field; empty for a constant that goes to Dataverse."""
    return one.destination if toward is Direction.FROM else one.source or ""


def _converted(one: Transfer, sides: Sides) -> Converted:
    if one.source is None:
        return Found(one.constant)
    if one.conversion is not Conversion.PLAIN:
        return sides.lookups[one.number]
    try:
        return Found(transformed(one.rule, sides.source.get(one.source)))
    except RuleError as error:
        return NotTransformed(f"{one.source} cannot be transformed by {one.rule}. {error}")


def _differs(one: Transfer, sides: Sides, value: Value) -> bool:
    """Whether the destination would be another: also a value that is all the source can keep of it is none.

    So an amount that Dataverse rounded, or a text that was cut on its way in, is not sent back.
    """
    if sides.destination is None:
        return not is_empty(value)
    held = sides.destination.get(one.destination)
    if equal_as_kept(sides.destination_columns.get(one.destination), value, held):
        return False
    is_plain = one.conversion is Conversion.PLAIN and not one.rule and one.source is not None
    return not (is_plain and equal_as_kept(sides.source_columns.get(one.source or ""), value, held))


def _collides(one: Transfer, sides: Sides) -> bool:
    if sides.destination is None or sides.is_forced or not one.is_bidirectional:
        return False
    return not _is_at_its_base(one, sides)


def _conflict(one: Transfer, sides: Sides) -> Conflict:
    assert one.source is not None  # a constant is never bidirectional
    assert sides.destination is not None
    source, destination = sides.source.get(one.source), sides.destination.get(one.destination)
    if sides.toward is Direction.FROM:
        return Conflict(one.destination, one.source, destination, source)
    return Conflict(one.source, one.destination, source, destination)
