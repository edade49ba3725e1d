"""The coupling: which two records belong together, and what both looked like when they were last equal."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from receiver.core.mapping import Direction
from receiver.core.values import Values, same

#: in a Dataverse side's base: the version of the row that the base is all of
VERSION = "versionnumber"


class Result(StrEnum):
    """Of the last run in one direction."""

    NONE = ""
    SUCCESS = "Success"
    FAILURE = "Failure"


@dataclass(frozen=True)
class LastRun:
    """What became of the last run in one direction; `error` is empty unless it failed."""

    result: Result = Result.NONE
    job: int | None = None
    error: str = ""


@dataclass(frozen=True)
class Coupling:
    """A coupling row. A base is None until the pair was once equal; it holds each side's own raw values."""

    mapping: str
    local_id: str
    dataverse_id: str
    local_base: Values | None = None
    dataverse_base: Values | None = None
    #: local columns whose value has no counterpart, or whose lookup found nothing and was cleared: never sent as empty
    unresolved: frozenset[str] = frozenset()
    #: local columns of which the side that was written made something else, and the way on which that still has to
    #: travel back; None: it does not, since the field goes one way or the other side changes it again
    altered: Mapping[str, Direction | None] = field(default_factory=dict)
    is_skipped: bool = False
    last_from: LastRun = field(default_factory=LastRun)
    last_to: LastRun = field(default_factory=LastRun)

    def source_base(self, toward: Direction) -> Values | None:
        return self.dataverse_base if toward is Direction.FROM else self.local_base

    def destination_base(self, toward: Direction) -> Values | None:
        return self.source_base(toward.back)

    def destination_id(self, toward: Direction) -> str:
        return self.local_id if toward is Direction.FROM else self.dataverse_id

    def last(self, toward: Direction) -> LastRun:
        return self.last_from if toward is Direction.FROM else self.last_to


def notes_of(coupling: Coupling) -> dict[str, str]:
    """What a person should know of a field, by its local column."""
    left_alone = dict.fromkeys(
        sorted(coupling.unresolved),
        "a value without counterpart was left alone. It follows as soon as there is one.",
    )
    at_odds = [name for name, way in coupling.altered.items() if way is None]
    said = "what it is written to makes something else of it. Nothing is sent again until somebody edits it."
    return left_alone | dict.fromkeys(sorted(at_odds), said)


def with_run(coupling: Coupling, toward: Direction, run: LastRun) -> Coupling:
    if toward is Direction.FROM:
        return replace(coupling, last_from=run)
    return replace(coupling, last_to=run)


def with_job(coupling: Coupling, toward: Direction, job: int) -> Coupling:
    """The last run's job has its number."""
    last = coupling.last(toward)
    return with_run(coupling, toward, LastRun(last.result, job, last.error))


def after_failure(coupling: Coupling, toward: Direction, error: str) -> Coupling:
    """The coupling after a decided failure: the same failure twice in a row in one direction makes it Skipped.

    Another value, number or id in its words makes it no other failure; another field, reason or code of Dataverse does.
    Source: BC T5331.SetLastSynchResultFailed; reference §4.1.
    """
    last = coupling.last(toward)
    again = last.result is Result.FAILURE and bool(error) and _what_failed(last.error) == _what_failed(error)
    failed = with_run(coupling, toward, LastRun(Result.FAILURE, None, error))
    return replace(failed, is_skipped=coupling.is_skipped or again)


#: a text as people read it; an id; a number, but not within a name or a code such as address1_city or 0x80040217
_PASSING_WORDS = re.compile(
    r"“[^”]*”|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?<![\w.])[+-]?\d[\d.,:]*(?![\w])", re.IGNORECASE
)


def _what_failed(error: str) -> str:
    """The failure without what may be another each time: values, numbers, ids."""
    return _PASSING_WORDS.sub("…", error)


def has_moved(coupling: Coupling, columns: Iterable[str], values: Values) -> bool:
    """Whether the local record's *values* are others than the coupling remembers, in one of these columns."""
    return differs(coupling.local_base or {}, columns, values)


def differs(base: Values, columns: Iterable[str], values: Values) -> bool:
    """Whether a side's *values* are others than the *base* that is remembered of it, in one of these columns."""
    return any(not same(values.get(name), base.get(name)) for name in columns)


def at_version(base: Values, row: Values, columns: Collection[str], read: Collection[str]) -> Values:
    """A Dataverse side's base with the row's version, if it holds *columns* and nothing but what the row has now.

    *read* is what is read of the row: of a field that was switched off, or that does not come in, the base may hold
    what the row had long ago. With the version, its change would be overlooked once the field comes in again.
    """
    if VERSION in columns:
        return base
    held = base.keys() - {VERSION}
    is_whole = held >= set(columns) and held <= set(read)
    is_now = is_whole and all(same(base[name], row.get(name)) for name in held)
    known = {VERSION: row[VERSION]} if is_now and row.get(VERSION) is not None else {}
    return {**{name: base[name] for name in base if name != VERSION}, **known}
