"""Whether the two records of a pair say the same: by the transfers and the merge of a run by force.

Both directions of a mapping are asked, so a field of either way counts. What a run would never write makes no
difference: a one-way field that is empty and was never transferred, a lookup that is cleared on purpose, a value that
is all the other side can keep. What no run may mend is told with the rule that stands in the way.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from typing import Any

from receiver.commands.coupling.pairs import Pair
from receiver.core.decision import Record, Situation, sides_of
from receiver.core.keeping import REPLACED, lost
from receiver.core.mapping import Conversion, Direction, TableMapping, Transfer
from receiver.core.merge import Merged, NoCounterpart, NotCoupled, Sides, local_column, merge
from receiver.core.transformation import transformed
from receiver.core.values import Reference, Value, Values, is_empty, same, to_plain
from receiver.engine.known_records import Known
from receiver.engine.synchronize import with_meanings
from receiver.engine.work import Work
from receiver.services import Services
from receiver.store.mappings import Mappings

#: {local column, or Dataverse column where there is none: [local value, Dataverse value]}
Differences = dict[str, list[Any]]
WAYS = (Direction.FROM, Direction.TO)


@dataclass(frozen=True)
class Comparison:
    """What differs of a pair, and what differs by a rule: by which, in a sentence for each column."""

    differences: Differences = field(default_factory=dict)
    explained: Differences = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)


def compared(services: Services, mapping: TableMapping, pairs: Sequence[Pair]) -> list[Comparison]:
    """A comparison for each pair, both of whose records exist; without differences it is in step."""
    work = _work(services, mapping, pairs)
    return [_comparison(work, pair) for pair in pairs]


def digest_of(pair: Pair) -> int:
    """A number that is another as soon as a mapped value of either side is; it tells none of the values."""
    sides = zip((pair.local, pair.row), pair.mapping.mapped_columns, strict=True)
    said = [{name: to_plain(side.values.get(name)) for name in names} for side, names in sides if side is not None]
    text = json.dumps([pair.key, pair.coupling.dataverse_id, *said], default=str)
    return int.from_bytes(sha256(text.encode()).digest())


def _work(services: Services, mapping: TableMapping, pairs: Sequence[Pair]) -> Work:
    """All that the lookups of these pairs ask of the database, asked at once."""
    with services.database.reading() as connection:
        mappings = services.mappings(connection)
        known = Known(services.database)
        known.look_up(
            {value.id for pair in pairs if pair.row for value in _references(pair.row.values)}, (), connection
        )
        for name, keys in _keys_named(mapping, pairs, mappings).items():
            known.look_up_records(name, sorted(keys), mappings, connection)
    return Work(services, mappings, known, lambda _reference: False)


def _references(values: Mapping[str, Value]) -> Iterable[Reference]:
    return (value for value in values.values() if isinstance(value, Reference))


def _keys_named(mapping: TableMapping, pairs: Sequence[Pair], mappings: Mappings) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for one in mapping.transfers(Direction.TO):
        if one.conversion in {Conversion.LOOKUP, Conversion.OWNER} and one.source:
            keys = {str(pair.local.values.get(one.source) or "") for pair in pairs if pair.local} - {""}
            for name in one.related if keys else ():
                if name in mappings:
                    found.setdefault(name, set()).update(keys)
    return found


def _comparison(work: Work, pair: Pair) -> Comparison:
    found = Comparison()
    ways = {toward: _way(work, pair, toward) for toward in WAYS if pair.mapping.direction.allows(toward)}
    if not pair.coupling.altered and all(way.is_plainly_in_step for way in ways.values()):
        return found  # nearly every pair
    for way in ways.values():
        for one in way.sides.transfers:
            back = ways[way.sides.toward.back].of(one) if one.is_bidirectional else None
            if back is None or way.sides.toward is Direction.FROM:
                _compare(pair, (way, one), back, found)
    return found


@dataclass(frozen=True)
class _Way:
    """A run by force in one direction, and what it would write."""

    sides: Sides
    merged: Merged

    @property
    def is_plainly_in_step(self) -> bool:
        merged = self.merged
        if merged.values or merged.failures or merged.kept:
            return False
        source, destination = self.sides.source, self.sides.destination or {}
        for one in self.sides.transfers:
            value, held = source.get(one.source or ""), destination.get(one.destination)
            is_doubtful = isinstance(value, str) and (value != held or REPLACED in value)
            if (is_doubtful or one.rule) and _lost(self, one):
                return False
        return True

    def of(self, other: Transfer) -> tuple[_Way, Transfer] | None:
        """The same field mapping, this way round."""
        one = self._by_number.get(other.number)
        return None if one is None else (self, one)

    @cached_property
    def _by_number(self) -> Mapping[int, Transfer]:
        return {one.number: one for one in self.sides.transfers}


#: a field mapping as a run in one direction sees it
Seen = tuple[_Way, Transfer]


def _way(work: Work, pair: Pair, toward: Direction) -> _Way:
    assert pair.local is not None  # only pairs that exist are compared
    assert pair.row is not None
    row = Record(pair.row.id, pair.row.values)
    source, destination = (row, pair.local) if toward is Direction.FROM else (pair.local, row)
    sides = _sides(work, pair, toward, source, destination)
    return _Way(sides, merge(sides))


def _compare(pair: Pair, seen: Seen, back: Seen | None, found: Comparison) -> None:
    """A field that goes both ways is in step if either way finds nothing to write."""
    (way, one), both = seen, [seen, *([back] if back else [])]
    name = _named(one, way.sides.toward)
    reason = next(filter(None, (_left_alone(*each) for each in both)), "") or _at_odds(pair, seen)
    if not reason:
        is_equal = back is not None and back[1].number in back[0].merged.equal
        if _differs(one, way.sides, way.merged) and not is_equal:
            found.differences[name] = _values(one, way.sides)
            return
        reason = next(filter(None, (_lost(*each) for each in both)), "")
    if reason:
        found.explained[name], found.reasons[name] = _values(one, way.sides), reason


def _left_alone(way: _Way, one: Transfer) -> str:
    converted = way.sides.lookups.get(one.number)
    return converted.sentence if isinstance(converted, NoCounterpart) else ""


def _at_odds(pair: Pair, seen: Seen) -> str:
    """A value that was altered where it was written, and has nowhere to go; until somebody edits one of the two."""
    (way, one), altered = seen, pair.coupling.altered
    sides, name = way.sides, local_column(one, way.sides.toward)
    is_told = name in altered and altered[name] is None and one.source is not None
    if not is_told or sides.source_base is None or sides.destination_base is None or sides.destination is None:
        return ""
    is_at_rest = same(sides.source.get(one.source or ""), sides.source_base.get(one.source or "")) and same(
        sides.destination.get(one.destination), sides.destination_base.get(one.destination)
    )
    said = "both sides make" if one.is_bidirectional else "the side that it is sent to makes"
    return f"{said} something else of what they are sent; the next edit travels" if is_at_rest else ""


def _lost(way: _Way, one: Transfer) -> str:
    """What the destination could not keep of a text that is in step otherwise."""
    if one.number not in way.merged.equal or one.conversion is not Conversion.PLAIN or one.source is None:
        return ""
    value = way.sides.source.get(one.source)
    if is_empty(value) and not one.rule:
        return ""
    return lost(way.sides.destination_columns.get(one.destination), transformed(one.rule, value))


def _sides(work: Work, pair: Pair, toward: Direction, source: Record, destination: Record) -> Sides:
    now = Situation(pair.mapping, toward, source, pair.coupling, destination, is_forced=True)
    return sides_of(with_meanings(work, now))


def converted_from(services: Services, pair: Pair, row: Values) -> Values:
    """The local record's values if its Dataverse row had the values *row*; a lookup that leads nowhere is left out."""
    assert pair.local is not None  # only pairs that exist are asked about
    assert pair.row is not None
    work = _work(services, pair.mapping, [replace(pair, row=replace(pair.row, values=row))])
    sides = _sides(work, pair, Direction.FROM, Record(pair.row.id, row), pair.local)
    unknown = {one.destination for one in sides.transfers if isinstance(sides.lookups.get(one.number), NotCoupled)}
    values = {**pair.local.values, **merge(sides).values}
    return {name: value for name, value in values.items() if name not in unknown}


def _differs(one: Transfer, sides: Sides, merged: Merged) -> bool:
    if isinstance(sides.lookups.get(one.number), NotCoupled) and not one.clears_on_failure:
        return True
    return one.destination in merged.values and not _was_never_said(one, sides)


def _was_never_said(one: Transfer, sides: Sides) -> bool:
    if one.is_bidirectional or one.source is None or sides.source_base is None:
        return False
    return one.source not in sides.source_base and is_empty(sides.source.get(one.source))


def _named(one: Transfer, toward: Direction) -> str:
    return one.destination if toward is Direction.FROM else one.source or one.destination


def _values(one: Transfer, sides: Sides) -> list[Any]:
    assert sides.destination is not None  # it exists
    source = one.constant if one.source is None else sides.source.get(one.source)
    values = [to_plain(source), to_plain(sides.destination.get(one.destination))]
    return values[::-1] if sides.toward is Direction.FROM else values
