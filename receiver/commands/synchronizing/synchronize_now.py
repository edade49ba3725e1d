"""Synchronize Now: bring coupled records in step at once, in the direction that a person chooses.

Source: BC C5330.UpdateMultipleNow; reference §5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from receiver.commands.coupling.chosen_records import (
    called,
    couple_first,
    coupled,
    distinct,
    not_coupled,
    not_coupled_lines,
)
from receiver.commands.coupling.pairs import mapping_named
from receiver.commands.result import SAYS_NOTHING, CommandResult, Line, carried_out
from receiver.core.coupling import Coupling, differs
from receiver.core.decision import Reason
from receiver.core.mapping import Direction, TableMapping
from receiver.core.values import Values
from receiver.engine.coalesce import Ask
from receiver.engine.wording import Settled, is_blanked
from receiver.errors import NotFoundError, RefusedError
from receiver.runs.carry_out import Wanted, preview, wanted_of_pairs
from receiver.services import Services, read_columns
from receiver.store.local_tables import LocalTable
from receiver.tables import BY_NAME


class Choice(StrEnum):
    """What a person may choose for a pair."""

    SEND = "to"
    GET = "from"
    MERGE = "merge"

    @property
    def where(self) -> str:
        """Where records are written, in a question."""
        return {Choice.SEND: "in Sales", Choice.GET: "here"}.get(self, "here and in Sales")

    @property
    def directions(self) -> tuple[Direction, ...]:
        return {Choice.SEND: (Direction.TO,), Choice.GET: (Direction.FROM,)}.get(self, (Direction.TO, Direction.FROM))


@dataclass(frozen=True)
class Choices:
    """What is to be asked of a person about one pair; `default` None: only the person can say."""

    mapping: str
    local_id: str
    dataverse_id: str
    local_changed: bool
    dataverse_changed: bool
    choices: tuple[Choice, ...]
    default: Choice | None
    #: what would be lost, in a sentence; empty where nothing is
    warning: str = ""


@dataclass(frozen=True)
class _Changed:
    """Which sides have left what the coupling remembers."""

    local: bool
    dataverse: bool

    def has(self, toward: Direction) -> bool:
        """Whether the side that would be written has changed."""
        return self.dataverse if toward is Direction.TO else self.local


def choices(services: Services, mapping: str, key: str) -> Choices:
    """The question for one pair, named by its local key or its Dataverse id.

    Raises: NotFoundError where the mapping or one of the two records does not exist, or they are not coupled;
    RefusedError where the mapping is switched off.
    """
    found = mapping_named(services, mapping)
    coupling = _only(services, found, key)
    changed = next(iter(_changes(services, found, [coupling]).values()), None)
    if changed is None:
        raise NotFoundError(
            f"Of {called(found, coupling)} and {found.dataverse_table} {coupling.dataverse_id} one was deleted. "
            "Restore it, or delete the coupling."
        )
    foretold = {toward: _foretold(services, found, coupling, toward) for toward in _directions(found)}
    asked = _question(found, changed, foretold)
    offered, default, warning = _without_blanks(*asked, foretold, was_equal=coupling.local_base is not None)
    ids = (coupling.local_id, coupling.dataverse_id)
    return Choices(found.name, *ids, changed.local, changed.dataverse, offered, default, warning)


def synchronize_now(
    services: Services,
    mapping: str,
    keys: Sequence[str],
    direction: Choice,
    who: str,
    *,
    is_forced: bool = False,
    is_preview: bool = False,
    token: str = "",
) -> CommandResult:
    """Synchronize these records, each named by its local key or its Dataverse id.

    One record is sent, or got, by force. Of several those are skipped whose other side has changed since they were
    last in step, unless *is_forced*. *Merge* lets each side's changes travel, first to Dataverse, then back.
    Raises: NotFoundError, also for one record that is not coupled; RefusedError; StalePreviewError.
    """
    found = mapping_named(services, mapping)
    check_choice(found, direction, keys)
    by_force = is_forced or (len(keys) == 1 and direction is not Choice.MERGE)
    if len(keys) == 1:
        _only(services, found, keys[0])
    pairs = coupled(services, found, keys)
    passed, going = list(not_coupled_lines(found, pairs)), distinct(pairs)
    reasons = _reasons_to_skip(services, found, going, direction, asks_sides=not by_force and len(keys) > 1)
    passed += [_line(found, one, *reasons[one.local_id]) for one in going if one.local_id in reasons]
    going = [one for one in going if one.local_id not in reasons]
    ask = Ask(is_click=True, is_forced=by_force, why=f"Synchronize Now by {who}")
    wanted = [one for toward in direction.directions for one in _wanted(services, found, going, toward, ask)]
    done = carried_out(services, wanted, is_preview=is_preview, token=token)
    return CommandResult((*passed, *done.lines), is_preview=is_preview, token=done.token)


def only_direction(mapping: TableMapping) -> Choice | None:
    """The only choice that a one-way mapping leaves."""
    return {Direction.TO: Choice.SEND, Direction.FROM: Choice.GET}.get(mapping.direction)


def _directions(mapping: TableMapping) -> list[Direction]:
    return [toward for toward in (Direction.TO, Direction.FROM) if mapping.direction.allows(toward)]


def check_choice(mapping: TableMapping, direction: Choice, keys: Sequence[str]) -> None:
    """Raises: RefusedError where the mapping does not go there, or it cannot be asked of so many."""
    if not mapping.is_enabled:
        raise RefusedError(f"{mapping.name} is switched off. Enable it first.")
    if any(not mapping.direction.allows(toward) for toward in direction.directions):
        raise RefusedError(f"{mapping.name} goes {mapping.direction} alone. Choose that direction.")
    if direction is Choice.MERGE and len(keys) > 1:
        raise RefusedError("Several records go in one direction: choose to or from, or merge one at a time.")


# -- the records -----------------------------------------------------------------------------------------------


def _only(services: Services, mapping: TableMapping, key: str) -> Coupling:
    coupling = coupled(services, mapping, [key])[key]
    if coupling is None:
        raise NotFoundError(f"{not_coupled(mapping, key)} {couple_first(mapping, key)}")
    return coupling


def _wanted(
    services: Services, mapping: TableMapping, going: Sequence[Coupling], toward: Direction, ask: Ask
) -> list[Wanted]:
    return wanted_of_pairs(services, mapping, toward, [(one.local_id, one.dataverse_id) for one in going], ask)


# -- what has changed ------------------------------------------------------------------------------------------


def _changes(services: Services, mapping: TableMapping, going: Sequence[Coupling]) -> dict[str, _Changed]:
    """By local key, the sides changed since the pair was last equal; none for a pair of which one was deleted."""
    if not going:
        return {}
    with services.database.reading() as connection:
        columns = read_columns(services.mappings(connection), mapping.dataverse_table)
        local = LocalTable(connection, BY_NAME[mapping.local_table])
        records = {one.id: one.values for one in local.get_all([one.local_id for one in going])}
    rows = services.dataverse.read_many(mapping.dataverse_table, [one.dataverse_id for one in going], columns)
    to, back = mapping.transfers(Direction.TO), mapping.transfers(Direction.FROM)
    here = {one.source for one in to if one.source}, {one.destination for one in back}
    there = {one.source for one in back if one.source}, {one.destination for one in to}
    return {
        one.local_id: _Changed(
            _has_changed(here, records[one.local_id], one.local_base),
            _has_changed(there, rows[one.dataverse_id].values, one.dataverse_base),
        )
        for one in going
        if one.local_id in records and one.dataverse_id in rows
    }


def _has_changed(columns: tuple[set[str], set[str]], values: Values, base: Values | None) -> bool:
    """Of *columns*, the first are sent from here, the second written here; what was never written tells nothing.

    A pair that was never equal counts as changed on both sides.
    """
    if base is None:
        return True
    sent, written = columns
    return differs(base, sent | (written & base.keys()), values)


def _foretold(services: Services, mapping: TableMapping, coupling: Coupling, toward: Direction) -> Settled | None:
    ask = Ask(is_click=True, is_forced=True)
    return preview(services, _wanted(services, mapping, [coupling], toward, ask)).done[0].settled


# -- the question ----------------------------------------------------------------------------------------------


def _question(
    mapping: TableMapping, changed: _Changed, foretold: Mapping[Direction, Settled | None]
) -> tuple[tuple[Choice, ...], Choice | None, str]:
    """Reference §5.2's table: what may be chosen, what is preselected, what a person is warned of."""
    if mapping.direction is not Direction.BIDIRECTIONAL:
        return _one_way_question(mapping.direction, changed, foretold[mapping.direction])
    everything = (Choice.SEND, Choice.GET, Choice.MERGE)
    both = changed.local and changed.dataverse
    if both and _bidirectional_differ(mapping, foretold):
        warning = "Both records have changed, in the same fields too: of each of these one value will be lost."
        return (Choice.SEND, Choice.GET), Choice.SEND, warning
    if both and any(map(_would_change, foretold.values())):
        return everything, Choice.MERGE, "Both records have changed, in different fields."
    if changed.local is changed.dataverse:
        return everything, Choice.MERGE, ""
    return everything, Choice.SEND if changed.local else Choice.GET, ""


def _without_blanks(
    offered: tuple[Choice, ...],
    default: Choice | None,
    warning: str,
    foretold: Mapping[Direction, Settled | None],
    *,
    was_equal: bool,
) -> tuple[tuple[Choice, ...], Choice | None, str]:
    """What would overwrite filled fields with blanks is not preselected: merging is, or only the person can say."""
    if default is None or default is Choice.MERGE:
        return offered, default, warning
    settled = foretold[default.directions[0]]
    lost = [name for name, (before, after) in (settled.fields if settled else {}).items() if is_blanked(before, after)]
    if not lost:
        return offered, default, warning
    if was_equal and Choice.MERGE in offered:
        return offered, Choice.MERGE, warning
    return offered, None, f"{warning} A blank would overwrite {', '.join(lost)}.".strip()


def _one_way_question(
    toward: Direction, changed: _Changed, foretold: Settled | None
) -> tuple[tuple[Choice, ...], Choice | None, str]:
    choice = Choice.SEND if toward is Direction.TO else Choice.GET
    other = "Dataverse row" if toward is Direction.TO else "local record"
    if changed.local and changed.dataverse:
        if not _would_change(foretold):
            return (choice,), choice, ""
        return (choice,), None, f"Both records have changed: what changed in the {other} will be overwritten."
    if changed.has(toward):
        return (choice,), None, f"The {other} is newer: what changed there will be overwritten."
    return (choice,), choice, ""


def _would_change(foretold: Settled | None) -> bool:
    """What cannot be foretold may change anything."""
    return foretold is None or foretold.decision not in SAYS_NOTHING


def _bidirectional_differ(mapping: TableMapping, foretold: Mapping[Direction, Settled | None]) -> bool:
    written = {toward: set(one.fields) for toward, one in foretold.items() if one is not None}
    if not any(written.values()):
        return all(map(_would_change, foretold.values()))
    return any(
        one.is_bidirectional and one.destination in fields
        for toward, fields in written.items()
        for one in mapping.transfers(toward)
    )


# -- what is passed by -----------------------------------------------------------------------------------------


def _reasons_to_skip(
    services: Services, mapping: TableMapping, going: Sequence[Coupling], direction: Choice, *, asks_sides: bool
) -> dict[str, tuple[str, str, str]]:
    """Reason, sentence and remedy, by local key."""
    found: dict[str, tuple[str, str, str]] = {}
    for key, changed in _changes(services, mapping, going).items() if asks_sides else ():
        toward = direction.directions[0]
        if changed.has(toward):
            side = "Dataverse row" if toward is Direction.TO else "local record"
            said = f"the {side} has changed since the two were last in step"
            found[key] = ("DESTINATION_CHANGED", said, "Synchronize it by itself, or by force.")
    skipped = Reason.SKIPPED
    return found | {one.local_id: (skipped.name, skipped.what, skipped.remedy) for one in going if one.is_skipped}


def _line(mapping: TableMapping, coupling: Coupling, reason: str, said: str, remedy: str) -> Line:
    sentence = f"{called(mapping, coupling)}: {said}."
    ids = (coupling.local_id, coupling.dataverse_id)
    return Line(mapping.name, *ids, "Skip", "skipped", reason, sentence, remedy)
