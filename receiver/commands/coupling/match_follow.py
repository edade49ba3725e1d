"""What follows match-based coupling: pairs just coupled are synchronized the way of their mapping."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

from receiver.commands.result import Line, line_of
from receiver.core.mapping import Direction, TableMapping
from receiver.engine.coalesce import Ask
from receiver.runs.carry_out import Done, carry_out, wanted_of_pairs
from receiver.services import Services

#: hears what is going on, and how many more of it are done
Tell = Callable[[str, int], None]
#: what is asked for together
TOGETHER = 500
_WENT_WELL = frozenset({"Insert", "Modify", "AlreadyEqual", "IgnoreUnchanged"})


def directions_after(mapping: TableMapping) -> tuple[Direction, ...]:
    """Where a pair just coupled is synchronized: the mapping's direction, or who wins; else first to Dataverse."""
    if mapping.direction is not Direction.BIDIRECTIONAL:
        return (mapping.direction,)
    winner = mapping.resolve_update_conflicts.winner
    return (Direction.TO, Direction.FROM) if winner is None else (winner,)


def synchronized(
    services: Services, mapping: TableMapping, coupled: dict[str, str], why: str, tell: Tell
) -> Iterator[Line]:
    """The first direction overwrites, as in Business Central; the second brings in only what the first did not say."""
    left = coupled
    for number, toward in enumerate(directions_after(mapping)):
        asked = Ask(is_forced=number == 0, why=why)
        good: dict[str, str] = {}
        for done in _each(services, mapping, toward, left, asked):
            line = line_of(done)
            if line.decision in _WENT_WELL:
                good |= {line.local_id: left[line.local_id]} if line.local_id in left else {}
            tell(f"{mapping.name}: synchronized", 1)
            yield line
        left = good


def _each(
    services: Services, mapping: TableMapping, toward: Direction, coupled: dict[str, str], ask: Ask
) -> Iterator[Done]:
    pairs = iter(coupled.items())
    while some := list(islice(pairs, TOGETHER)):
        yield from carry_out(services, wanted_of_pairs(services, mapping, toward, some, ask))
