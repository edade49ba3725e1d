"""The guard against mass conclusions: what an emptied table or a wrong filter would destroy by the hundred.

A conclusion is what cannot be taken back by the next run: a pair that is gone or removed by rule, a column that is
blanked. A few are everyday; more than the limits at once wait until a person has looked at them.
"""

from __future__ import annotations

from dataclasses import dataclass

from receiver.core.decision import Decision, Insert, Modify, RemoveCoupling, Situation
from receiver.core.values import Values, is_empty

GONE, BLANK = "gone", "blank"


@dataclass(frozen=True)
class Limits:
    """So many conclusions of one kind are too many: more than `most` and than `percent` of the couplings, or a share.

    The share counts, in percent, for mappings with `smallest` couplings and more.
    """

    most: int = 25
    percent: float = 1.0
    share: float = 50.0
    smallest: int = 5

    def are_exceeded(self, count: int, couplings: int) -> bool:
        """Whether *count* conclusions are too many for a mapping that had so many *couplings*."""
        are_many = count > self.most and count * 100 > self.percent * couplings
        return are_many or (couplings >= self.smallest and count * 100 > self.share * couplings)


def conclusions_of(now: Situation, decision: Decision) -> frozenset[str]:
    """The kinds of conclusion that a decision draws: `gone`, or `blank` with the column's name."""
    match decision:
        case RemoveCoupling():
            return frozenset({GONE})
        case Insert() if now.coupling is not None and not now.is_new_pair:
            return frozenset({GONE})  # the other record is made anew
        case Modify(values=values) if now.destination is not None:
            return frozenset(f"{BLANK} {name}" for name in _blanked(values, now.destination.values))
    return frozenset()


def _blanked(values: Values, before: Values) -> list[str]:
    return [name for name, value in values.items() if is_empty(value) and not is_empty(before.get(name))]
