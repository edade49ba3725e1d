"""Keeps back conclusions that are too many at once (core/guard.py): by the hour, or to the end of a run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from receiver.core.decision import Reason, Skip
from receiver.core.guard import GONE, Limits, conclusions_of
from receiver.engine.coalesce import Ask
from receiver.engine.work import Outcome, Work
from receiver.services import Options
from receiver.store import conclusions


def limits(options: Options) -> Limits:
    return Limits(options.guard_records, options.guard_percent, options.guard_share_percent, options.guard_share_from)


def guarded(work: Work, outcome: Outcome, ask: Ask) -> Outcome:
    """The outcome, or in its place that it is kept back. What a person asked for by name is not guarded."""
    kinds = conclusions_of(outcome.now, outcome.decision)
    if not kinds or not ask.is_guarded:
        return outcome
    if ask.keeper:
        return _kept(outcome, kinds, ask.keeper)
    crowded = frozenset(kind for kind in kinds if _is_crowded(work, outcome.now.mapping.name, kind))
    if crowded:
        return _kept(outcome, crowded, "")
    for kind in kinds:
        work.known.concluded[outcome.now.mapping.name, kind] += 1
    return replace(outcome, conclusions=kinds)


def _is_crowded(work: Work, mapping: str, kind: str) -> bool:
    """Whether one more would be too many: with those of this hour, and of this transaction."""
    with work.services.database.reading() as connection:
        drawn, waiting = conclusions.lately(connection, mapping, kind, work.services.clock())
        total = conclusions.couplings_of(connection, mapping)
    if waiting:
        return True
    count = drawn + work.known.concluded[mapping, kind] + 1
    had = total + drawn if kind == GONE else total  # those are couplings no more
    return limits(work.services.options).are_exceeded(count, had)


def _kept(outcome: Outcome, kinds: Iterable[str], keeper: str) -> Outcome:
    named = tuple(sorted(kinds))
    return replace(outcome, decision=Skip(Reason.HELD_BACK, named), conclusions=frozenset(named), keeper=keeper)
