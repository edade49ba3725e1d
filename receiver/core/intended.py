"""What a write meant to leave behind: by it our own older write is known as ours, though its answer was lost.

Until the outcome of a write is known, what it would have left in both bases is kept. On the next look the row read is
held against it, field by field: what is as we sent it is our doing, and the pair was equal then; what is neither as it
was nor as we sent it is Dataverse's own change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from receiver.core.coupling import VERSION, Coupling
from receiver.core.keeping import equal_as_kept
from receiver.core.mapping import Transfer
from receiver.core.merge import Merged, Sides
from receiver.core.remembering import remembered
from receiver.core.values import NO_VALUES, Column, Values, same


@dataclass(frozen=True)
class Intended:
    """Both bases as they would be, of the fields that were sent; of a create, of every field."""

    local: Values
    dataverse: Values
    unresolved: frozenset[str] = frozenset()


def intended_by(sides: Sides, merged: Merged, values: Values) -> Intended:
    """What a write of *values* toward Dataverse means to leave behind; *sides* has no destination for a create."""
    left = remembered(sides, merged, values, {**(sides.destination or {}), **values})
    local, dataverse = left.source_base, left.destination_base
    if sides.destination is None:
        return Intended(local, dataverse, merged.unresolved)
    sent = [one for one in sides.transfers if one.destination in values]
    return Intended(
        {one.source: local.get(one.source) for one in sent if one.source},
        {one.destination: dataverse.get(one.destination) for one in sent},
        merged.unresolved,
    )


def as_kept(one: Intended, row: Values, columns: Mapping[str, Column]) -> Intended:
    """The same, with what *row* holds where its column would hold just that of what was sent: rounded, it is ours."""
    held = {name: row.get(name) for name in one.dataverse if name in row}
    is_kept = {name for name, value in held.items() if equal_as_kept(columns.get(name), one.dataverse[name], value)}
    return replace(one, dataverse={**one.dataverse, **{name: held[name] for name in is_kept}})


def after_create(pending: Coupling, attempts: Sequence[Intended], row: Values) -> Coupling:
    """The coupling of a row that we created: remembered as the attempt that it looks most like, the later of two."""
    if not attempts:
        return pending
    likeness = [sum(same(row.get(name), value) for name, value in one.dataverse.items()) for one in attempts]
    made = attempts[max(range(len(attempts)), key=lambda at: (likeness[at], at))]
    return replace(pending, local_base=made.local, dataverse_base=made.dataverse, unresolved=made.unresolved)


def after_update(
    coupling: Coupling, transfers: Sequence[Transfer], one: Intended, row: Values, images: Sequence[Values] = ()
) -> Coupling:
    """The coupling once *row* was read: whether our update arrived, and then which fields were equal by it.

    *images* are states of the row that notifications told of: one that has all that we sent proves that it arrived,
    whatever was changed since. Without it, a field that is neither as it was nor as we sent it is ours to have changed
    only if another field says that we arrived. *transfers* are those toward Dataverse.
    """
    base = coupling.dataverse_base or NO_VALUES
    sent = [transfer for transfer in transfers if transfer.destination in one.dataverse]
    telling = {
        transfer.destination
        for transfer in sent
        if not same(one.dataverse[transfer.destination], base.get(transfer.destination))
    }
    was_seen = any(_has_all(image, one.dataverse, telling) for image in images)
    if not was_seen and not any(same(row.get(name), one.dataverse[name]) for name in telling):
        return coupling
    equal = [
        transfer
        for transfer in sent
        if was_seen
        or transfer.destination not in telling
        or not same(row.get(transfer.destination), base.get(transfer.destination))
    ]
    local = {transfer.source: one.local.get(transfer.source) for transfer in equal if transfer.source}
    dataverse = {transfer.destination: one.dataverse[transfer.destination] for transfer in equal}
    kept = {name: value for name, value in base.items() if name != VERSION}
    return replace(
        coupling,
        local_base={**(coupling.local_base or NO_VALUES), **local},
        dataverse_base={**kept, **dataverse},
        unresolved=one.unresolved,
    )


def _has_all(image: Values, sent: Values, names: set[str]) -> bool:
    return bool(names) and all(same(image.get(name), sent[name]) for name in names)
