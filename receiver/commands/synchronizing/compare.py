"""Whether the two records of a pair say the same: by the transfers and the merge of a run by force.

Both directions of a mapping are asked, so a field of either way counts. What a run would never write makes no
difference: a one-way field that is empty and was never transferred, a lookup that is cleared on purpose.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

from receiver.commands.coupling.pairs import Pair
from receiver.core.decision import Record, Situation, sides_of
from receiver.core.mapping import Conversion, Direction, TableMapping, Transfer
from receiver.core.merge import Merged, NotCoupled, Sides, merge
from receiver.core.values import Reference, Value, Values, is_empty, to_plain
from receiver.engine.known_records import Known
from receiver.engine.lookups import Lookups
from receiver.engine.synchronize import limits_of
from receiver.engine.work import Work
from receiver.services import Services
from receiver.store.mappings import Mappings

#: {local column, or Dataverse column where there is none: [local value, Dataverse value]}
Differences = dict[str, list[Any]]


def differences_of(services: Services, mapping: TableMapping, pairs: Sequence[Pair]) -> list[Differences]:
    """What differs in each pair, both of whose records exist; empty where it is in step."""
    work = _work(services, mapping, pairs)
    return [_differences(work, pair) for pair in pairs]


def digest_of(pair: Pair) -> int:
    """A number that is another as soon as a mapped value of either side is; it tells none of the values."""
    fields = [one for one in pair.mapping.fields if one.is_enabled]
    sides = [None if side is None else side.values for side in (pair.local, pair.row)]
    columns = [[one.local_column for one in fields], [one.dataverse_column for one in fields]]
    said = [
        {name: to_plain(values.get(name)) for name in sorted({name for name in names if name})}
        for values, names in zip(sides, columns, strict=True)
        if values is not None
    ]
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


def _differences(work: Work, pair: Pair) -> Differences:
    found: Differences = {}
    for toward in (Direction.FROM, Direction.TO):
        if pair.mapping.direction.allows(toward):
            found |= _one_way(work, pair, toward, skips_bidirectional=toward is Direction.TO)
    return found


def _one_way(work: Work, pair: Pair, toward: Direction, *, skips_bidirectional: bool) -> Differences:
    assert pair.local is not None  # only pairs that exist are compared
    assert pair.row is not None
    row = Record(pair.row.id, pair.row.values)
    source, destination = (row, pair.local) if toward is Direction.FROM else (pair.local, row)
    sides = _sides(work, pair, toward, source, destination)
    merged = merge(sides)
    return {
        _named(one, toward): _values(one, sides)
        for one in sides.transfers
        if not (one.is_bidirectional and skips_bidirectional) and _differs(one, sides, merged)
    }


def _sides(work: Work, pair: Pair, toward: Direction, source: Record, destination: Record) -> Sides:
    limits = limits_of(pair.mapping, toward)
    now = Situation(pair.mapping, toward, source, pair.coupling, destination, limits=limits, is_forced=True)
    options = work.services.options
    lookups = Lookups(work, pair.mapping, source.values, destination.values, options.local_currency)
    return sides_of(replace(now, lookups=lookups.resolve(toward)))


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
