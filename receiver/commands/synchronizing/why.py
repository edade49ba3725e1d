"""Why the two of a pair are not in step, in one word: what keeps a run, or a notification, from mending it."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from receiver.commands.coupling.pairs import Pair
from receiver.core.coupling import Result
from receiver.core.mapping import Direction
from receiver.core.values import same

#: nobody told of the change, or what told of it was lost: catch-up or a run mends it
MISSED = "missed"
#: it is on its way, or tried again and again
WAITING = "waiting"
#: its last way failed, a person must mend it
FAILED, SKIPPED = "failed", "skipped"
#: too many at once: it waits for a person
GUARDED = "guarded"
#: only the side changed that the field does not travel from
DIRECTION = "direction"
#: the other side holds less than was sent; or another rule lets the difference be
CUT, RULE = "cut", "rule"


def why(pair: Pair, kind: str, columns: Collection[str], waiting: Collection[str], guarded: Collection[str]) -> str:
    """*columns* are those that differ; *waiting* and *guarded* ids of rows that wait, or are kept back."""
    coupling = pair.coupling
    if coupling.is_skipped:
        return SKIPPED
    if coupling.dataverse_id in guarded:
        return GUARDED
    if Result.FAILURE in (coupling.last_from.result, coupling.last_to.result):
        return FAILED
    if coupling.dataverse_id in waiting:
        return WAITING
    if kind == "different" and columns and not any(_may_travel(pair, name) for name in columns):
        return DIRECTION
    return MISSED


def of_rule(sentences: Collection[str]) -> str:
    """Of what a rule explains."""
    return CUT if any("cut" in one for one in sentences) else RULE


def _may_travel(pair: Pair, name: str) -> bool:
    """Whether a side that left what is remembered of it may send the column to the other."""
    return any(toward in pair.mapping_directions(name) for toward in _moved(pair, name))


def _moved(pair: Pair, name: str) -> Iterator[Direction]:
    """The directions in which the column has something to say."""
    row = next(one for one in pair.mapping.fields if name in (one.local_column, one.dataverse_column))
    sides = (
        (Direction.TO, row.local_column, pair.local, pair.coupling.local_base),
        (Direction.FROM, row.dataverse_column, pair.row, pair.coupling.dataverse_base),
    )
    for toward, column, record, base in sides:
        is_moved = (
            base is None or column is None or record is None or not same(record.values.get(column), base.get(column))
        )
        if is_moved:
            yield toward
