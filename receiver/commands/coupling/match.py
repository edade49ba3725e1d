"""Match-Based Coupling: couple every uncoupled local record with the one Dataverse row that is equal to it.

core/matching.py says how a row is found. What is coupled may be synchronized at once, and what found no row may be
created in Dataverse; both are settings of the mapping, which a call may overrule. Source: BC codeunit 5360;
reference §7.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice

from receiver.commands.coupling.chosen_records import unknown_records
from receiver.commands.coupling.coupling_in_bulk import couple
from receiver.commands.coupling.match_follow import Tell, synchronized
from receiver.commands.coupling.match_plan import Choices, Plan, lines_of, matched_line
from receiver.commands.result import CommandResult, Line, carried_out, line_of
from receiver.core.mapping import TableMapping
from receiver.core.matching import Found, criteria_of, groups_of, search
from receiver.engine.coalesce import Ask
from receiver.errors import NotFoundError, RefusedError, StalePreviewError
from receiver.runs.carry_out import Wanted, carry_out, wanted_to
from receiver.runs.match_reading import Sides
from receiver.services import Services
from receiver.store import couplings, jobs
from receiver.store.local_tables import LocalTable
from receiver.store.mappings import Mappings
from receiver.tables import BY_NAME

#: what is asked for together
TOGETHER = 500


def match(
    services: Services,
    names: Sequence[str],
    who: str,
    choices: Choices | None = None,
    *,
    keys: Sequence[str] | None = None,
    is_preview: bool = False,
    token: str = "",
    tell: Tell = lambda _what, _count: None,
) -> CommandResult:
    """Couple what matches under the named mappings, or every enabled one, of the local records *keys* or of all.

    A preview writes nothing; its *token* holds the next call to what it found.
    Raises: NotFoundError; RefusedError for a mapping that is switched off; StalePreviewError; DataverseError.
    """
    plans = plans_of(services, names, choices or Choices(), keys, tell)
    if is_preview or token:
        kept = list(plans)
        if token and token != token_of(kept):
            raise StalePreviewError
        if is_preview:
            lines = tuple(line for plan in kept for line in _foretold(services, plan))
            return CommandResult(lines, is_preview=True, token=token_of(kept))
        return CommandResult(tuple(_carried_out(services, kept, who, tell)))
    return CommandResult(tuple(_carried_out(services, plans, who, tell)))


def plans_of(
    services: Services,
    names: Sequence[str],
    choices: Choices,
    keys: Sequence[str] | None,
    tell: Tell = lambda _what, _count: None,
) -> Iterator[Plan]:
    """What the search finds for each mapping, one after the other. Raises: as `match`."""
    with services.database.reading() as connection:
        mappings = services.mappings(connection)
    chosen = _chosen(mappings, names)
    _check_keys(services, chosen, keys)
    return (_plan(services, mappings, one, choices, keys, tell) for one in chosen)


def _carried_out(services: Services, plans: Iterable[Plan], who: str, tell: Tell) -> Iterator[Line]:
    return (line for plan in plans for piece in pieces(services, plan, who, tell) for line in piece.lines)


def _chosen(mappings: Mappings, names: Sequence[str]) -> list[TableMapping]:
    if not names:
        return [one for one in mappings.values() if one.is_enabled]
    wanted = {name.upper(): name for name in names}
    for upper, name in wanted.items():
        if upper not in mappings:
            raise NotFoundError(f"There is no mapping {name}. `receiver mappings list` names them all.")
        if not mappings[upper].is_enabled:
            raise RefusedError(f"{upper} is switched off. Enable it: receiver mappings set {upper} --enabled on")
    return [one for one in mappings.values() if one.name in wanted]


def _check_keys(services: Services, chosen: Sequence[TableMapping], keys: Sequence[str] | None) -> None:
    if keys is None:
        return
    if len(chosen) != 1:
        raise RefusedError("Records are named under one mapping: name that mapping alone.")
    shipped = BY_NAME[chosen[0].local_table]
    with services.database.reading() as connection:
        there = {one.id for one in LocalTable(connection, shipped).get_all(keys)}
    for key in keys:
        if key not in there:
            raise unknown_records(chosen[0], [key])


def _plan(
    services: Services,
    mappings: Mappings,
    mapping: TableMapping,
    choices: Choices,
    keys: Sequence[str] | None,
    tell: Tell,
) -> Plan:
    criteria = criteria_of(mapping)
    if not criteria:
        return Plan(mapping, choices)
    for one in criteria:
        if set(one.related) - mappings.keys():
            raise RefusedError(
                f"{mapping.name} cannot be matched on {one.local_column}, which needs the mapping "
                f"{' or '.join(one.related)}. Switch Match on this Field off for its field mapping {one.number}."
            )
    sides = Sides(services, mappings, mapping, criteria)
    rows = sides.rows(lambda count: tell(f"{mapping.name}: rows read", count))
    coupled = sides.coupled()
    records = sides.records(coupled, keys, lambda count: tell(f"{mapping.name}: records compared", count))
    return Plan(mapping, choices, rows, tuple(search(rows, groups_of(criteria), records, coupled)))


def token_of(plans: Sequence[Plan]) -> str:
    """Of a preview: another as soon as the search finds anything else."""
    found = sha256()
    for plan in plans:
        found.update(repr((plan.mapping.name, plan.synchronizes, plan.creates_new)).encode())
        for one in plan.found:
            found.update(repr((one.key, one.row, one.why, one.rows, one.other)).encode())
    return found.hexdigest()


def _foretold(services: Services, plan: Plan) -> Iterator[Line]:
    """The lines as they would be; what would be synchronized afterwards is known once it is coupled."""
    yield from lines_of(plan, lambda one: matched_line(plan, one, "would be coupled to"))
    for wanted in _to_create(services, plan, ""):
        yield from carried_out(services, wanted, is_preview=True).lines


@dataclass(frozen=True)
class Piece:
    """What comes next or has been done: pairs (key and row) about to be coupled, or the lines of what was."""

    job: int
    going: Mapping[str, str] = field(default_factory=dict)
    lines: tuple[Line, ...] = ()


def pieces(services: Services, plan: Plan, who: str, tell: Tell, job: int | None = None) -> Iterator[Piece]:
    """Carry a plan out: each piece is announced before it is coupled, so that it can be gone on with.

    *job* counts what is coupled, if it was begun before.
    """
    why = f"Match-Based Coupling by {who}"
    number = _begun(services, plan.mapping) if job is None else job
    matched = iter([one for one in plan.found if one.row])
    while some := {one.key: one for one in islice(matched, TOGETHER)}:
        going = {key: one.row for key, one in some.items()}
        yield Piece(number, going)
        lost = couple(services, plan.mapping, list(going.items()), number)
        lines = [_coupled_line(plan, one, lost) for one in some.values()]
        _count_failures(services, number, lines)
        tell(f"{plan.mapping.name}: coupled", len(some))
        coupled = {key: row for key, row in going.items() if key not in lost}
        yield Piece(number, lines=(*lines, *_synchronized_if_wanted(services, plan, coupled, why, tell)))
    alone = list(lines_of(plan))
    _count_failures(services, number, alone)
    with services.database.writing() as connection:
        jobs.finish(connection, number, services.clock())
    yield Piece(number, lines=tuple(alone))
    for wanted in _to_create(services, plan, why):
        yield Piece(number, lines=tuple(map(line_of, carry_out(services, wanted))))


def finished(services: Services, plan: Plan, who: str, going: Mapping[str, str], tell: Tell) -> tuple[Line, ...]:
    """What was left of a piece that was interrupted: pairs that it coupled, and did not synchronize any more."""
    with services.database.reading() as connection:
        found = couplings.of_records(connection, plan.mapping.name, list(going))
    left = {
        key: one.dataverse_id for key, one in found.items() if one.dataverse_id == going[key] and one.local_base is None
    }
    lines = [matched_line(plan, Found(key, row), "was coupled to") for key, row in left.items()]
    return (*lines, *_synchronized_if_wanted(services, plan, left, f"Match-Based Coupling by {who}", tell))


def _begun(services: Services, mapping: TableMapping) -> int:
    with services.database.writing() as connection:
        return jobs.begin(connection, mapping.name, mapping.direction, services.clock(), "Coupling")


def _synchronized_if_wanted(
    services: Services, plan: Plan, coupled: dict[str, str], why: str, tell: Tell
) -> Iterator[Line]:
    return synchronized(services, plan.mapping, coupled, why, tell) if plan.synchronizes else iter(())


def _coupled_line(plan: Plan, one: Found, lost: dict[str, str]) -> Line:
    if one.key not in lost:
        return matched_line(plan, one, "was coupled to")
    return Line(plan.mapping.name, one.key, one.row, "Error", "failed", "", lost[one.key], "Match again.")


def _count_failures(services: Services, number: int, lines: Sequence[Line]) -> None:
    failed = [line for line in lines if line.counter == "failed"]
    for start in range(0, len(failed), TOGETHER):
        some = failed[start : start + TOGETHER]
        errors = [jobs.JobError(line.local_id, line.dataverse_id, line.sentence) for line in some]
        with services.database.writing() as connection:
            jobs.add(connection, number, ["failed"] * len(some), errors, services.clock())


def _to_create(services: Services, plan: Plan, why: str) -> Iterator[list[Wanted]]:
    keys = iter([one.key for one in plan.found if plan.is_created(one)])
    while some := list(islice(keys, TOGETHER)):
        yield wanted_to(
            services, plan.mapping.name, some, Ask(may_create=True, is_click=True, creates_new=True, why=why)
        )
