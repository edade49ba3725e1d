"""Repair: what a verification found, asked of the engine; its rules decide, as for any other record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

from receiver.commands.coupling.pairs import PAGE, mapping_named
from receiver.commands.result import Line, line_of
from receiver.commands.synchronizing.verify import Finding, Verification, findings
from receiver.core.mapping import Direction, TableMapping
from receiver.engine.coalesce import Ask
from receiver.runs.carry_out import Wanted, carry_out, wanted_from, wanted_to
from receiver.runs.kept_conclusions import finish, is_kept_back, parted, told, wanted_again
from receiver.services import Services

REMEDY = "Set Resolve Update Conflicts on {mapping} and repair again, or synchronize the record in one direction."


def repair(services: Services, verified: Verification, who: str) -> Iterator[Line]:
    """Carry out what brings both sides in step, a page at a time; a line for each record asked for.

    A pair with a deleted record is decided by *Resolve Deletion Conflicts*, a difference by what both sides changed;
    one that neither side's base explains goes the way of a one-way mapping, or of *Resolve Update Conflicts*. Uncoupled
    records are created only where the mapping creates by itself. Raises: what Dataverse and the database raise.
    """
    mapping, found = mapping_named(services, verified.mapping), findings(services, verified.id)
    keeper = f"verification {verified.id}"
    ask = Ask(why=f"{keeper}, repaired by {who}", keeper=keeper)
    while page := list(islice(found, PAGE)):
        lone = [one for one in page if one.kind == "missing"]
        lone += [one for one in page if one.kind == "uncoupled" and one.local_id and verified.creates]
        yield from _lines(services, _to(services, mapping, lone, ask))
        lone = [one for one in page if one.kind == "extra"]
        lone += [one for one in page if one.kind == "uncoupled" and one.dataverse_id and verified.creates]
        yield from _lines(services, _from(mapping, lone, ask))
        yield from _merged(services, mapping, [one for one in page if one.kind == "different"], ask)
    yield from _concluded(services, mapping, ask)


def _concluded(services: Services, mapping: TableMapping, ask: Ask) -> Iterator[Line]:
    """What was kept to the end: few are carried out now, many wait for a person."""
    free, held = parted(services, mapping.name, ask.keeper)
    yield from _lines(services, wanted_again(services, free, replace(ask, keeper="")))
    finish(services, mapping.name, ask.keeper, free)
    if held:
        yield Line(mapping.name, "", "", "Skip", "skipped", "HELD_BACK", told(mapping.name, held))


def _to(services: Services, mapping: TableMapping, found: Sequence[Finding], ask: Ask) -> list[Wanted]:
    return wanted_to(services, mapping.name, [one.local_id for one in found], ask) if found else []


def _from(mapping: TableMapping, found: Sequence[Finding], ask: Ask) -> list[Wanted]:
    return wanted_from(mapping.name, mapping.dataverse_table, [one.dataverse_id for one in found], ask)


def _lines(services: Services, wanted: Sequence[Wanted]) -> Iterator[Line]:
    return (line_of(done) for done in carry_out(services, wanted) if not is_kept_back(done))


def _merged(services: Services, mapping: TableMapping, found: Sequence[Finding], ask: Ask) -> Iterator[Line]:
    """First what either side changed, both ways; then by force what is different without a change."""
    quiet = {one.dataverse_id: one for one in found}
    for toward in (Direction.FROM, Direction.TO):
        if not mapping.direction.allows(toward):
            continue
        kept = list(quiet.values())
        wanted = _from(mapping, kept, ask) if toward is Direction.FROM else _to(services, mapping, kept, ask)
        for done in carry_out(services, wanted):
            if is_kept_back(done):
                quiet.pop(done.wanted.id, None)
            elif done.settled is None or done.settled.counter != "unchanged":
                quiet.pop(done.wanted.id, None)
                yield line_of(done)
    yield from _forced(services, mapping, list(quiet.values()), ask)


def _forced(services: Services, mapping: TableMapping, found: Sequence[Finding], ask: Ask) -> Iterator[Line]:
    is_one_way = mapping.direction is not Direction.BIDIRECTIONAL
    toward = mapping.direction if is_one_way else mapping.resolve_update_conflicts.winner
    forced = replace(ask, is_forced=True)
    if toward is Direction.FROM:
        yield from _lines(services, _from(mapping, found, forced))
    elif toward is Direction.TO:
        yield from _lines(services, _to(services, mapping, found, forced))
    else:
        for one in found:
            said = f"Neither side changed {', '.join(one.fields)} since the last synchronization: nobody says who wins."
            remedy = REMEDY.format(mapping=mapping.name)
            yield Line(mapping.name, one.local_id, one.dataverse_id, "Skip", "skipped", "", said, remedy, one.fields)
