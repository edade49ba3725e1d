"""What a coupling remembers of a run: both sides' values, and what the written side made of them by itself.

What came back from the write is compared with what was sent, as the column keeps it. Equal is no change. Anything else
(a plug-in, a trigger, an autonumber, a default) is that side's own change, and travels back once; if the other side
changes it again, both values are remembered, nothing is sent a third time, and verify tells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from receiver.core.keeping import equal_as_kept
from receiver.core.mapping import Direction, Transfer
from receiver.core.merge import Merged, Sides, local_column
from receiver.core.values import Value, Values


@dataclass(frozen=True)
class Remembered:
    """Of both sides, each in its own raw values; `altered` as in the coupling."""

    source_base: Values
    destination_base: Values
    altered: Mapping[str, Direction | None]

    def here_and_there(self, toward: Direction) -> tuple[Values, Values]:
        """The local record's base and the row's."""
        if toward is Direction.TO:
            return self.source_base, self.destination_base
        return self.destination_base, self.source_base


def remembered(sides: Sides, merged: Merged, sent: Values, destination: Values) -> Remembered:
    """What to remember once *destination* is what that side returned after it was sent *sent*."""
    source_base, destination_base = dict(sides.source_base or {}), dict(sides.destination_base or {})
    altered = dict(sides.altered)
    for one in sides.transfers:
        if one.number in merged.kept:
            continue
        if one.source is not None:
            source_base[one.source] = sides.source.get(one.source)
        held = destination_base[one.destination] = destination.get(one.destination)
        name = local_column(one, sides.toward)
        if _is_altered(one, sides, sent, held):
            altered[name] = _goes_on(one, sides, altered.get(name, sides.toward.back))
        else:
            altered.pop(name, None)
    return Remembered(source_base, destination_base, altered)


def _is_altered(one: Transfer, sides: Sides, sent: Values, held: Value) -> bool:
    """Whether the destination holds another value than it was sent, or than it had where it was sent none."""
    if one.destination in sent:
        expected = sent[one.destination]
    elif one.is_bidirectional:
        expected = None if sides.destination is None else sides.destination.get(one.destination)
    else:
        return False  # nothing was asked of it
    return not equal_as_kept(sides.destination_columns.get(one.destination), expected, held)


def _goes_on(one: Transfer, sides: Sides, known: Direction | None) -> Direction | None:
    """Where an altered value goes: back to its source, unless it is on that way already, or may not go it."""
    return sides.toward.back if one.is_bidirectional and known is sides.toward.back else None
