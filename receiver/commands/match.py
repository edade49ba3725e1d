"""Match-Based Coupling: couple every uncoupled local record with the one Dataverse row that is equal to it.

core/matching.py says how a row is found. What is coupled may be synchronized at once, and what found no row may be
created in Dataverse; both are settings of the mapping, which a call may overrule. Source: BC codeunit 5360;
reference §7.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from itertools import islice

from receiver.asked import Done, Wanted, carry_out, wanted_from, wanted_to
from receiver.coalesce import Ask
from receiver.commands.coupling_in_bulk import couple
from receiver.commands.match_plan import Choices, Plan, lines_of, matched_line
from receiver.commands.result import CommandResult, Line, carried_out, line_of
from receiver.core.mapping import Direction, TableMapping
from receiver.core.matching import Found, criteria_of, groups_of, search
from receiver.errors import NotFoundError, RefusedError, StalePreviewError
from receiver.match_reading import Sides
from receiver.services import Services
from receiver.store import jobs
from receiver.store.local_tables import LocalTable
from receiver.store.mappings import Mappings
from receiver.tables import BY_NAME

#: hears what is going on, and how many more of it are done
Tell = Callable[[str, int], None]
#: what is asked for together
TOGETHER = 500
_WENT_WELL = frozenset({"Insert", "Modify", "AlreadyEqual", "IgnoreUnchanged"})


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
    with services.database.reading() as connection:
        mappings = services.mappings(connection)
    chosen = _chosen(mappings, names)
    _check_keys(services, chosen, keys)
    plans = (_plan(services, mappings, one, choices or Choices(), keys, tell) for one in chosen)
    if is_preview or token:
        kept = list(plans)
        if token and token != _token(kept):
            raise StalePreviewError
        if is_preview:
            lines = tuple(line for plan in kept for line in _foretold(services, plan))
            return CommandResult(lines, is_preview=True, token=_token(kept))
        return CommandResult(tuple(line for plan in kept for line in _carried_out(services, plan, who, tell)))
    return CommandResult(tuple(line for plan in plans for line in _carried_out(services, plan, who, tell)))


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
            raise NotFoundError(f"There is no {shipped.caption} {key}. It may have been deleted.")


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


def _token(plans: Sequence[Plan]) -> str:
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


def _carried_out(services: Services, plan: Plan, who: str, tell: Tell) -> Iterator[Line]:
    why = f"Match-Based Coupling by {who}"
    with services.database.writing() as connection:
        number = jobs.begin(connection, plan.mapping.name, plan.mapping.direction, services.clock(), "Coupling")
    coupled: dict[str, str] = {}
    matched = iter([one for one in plan.found if one.row])
    lost: dict[str, str] = {}
    while some := list(islice(matched, TOGETHER)):
        refused = couple(services, plan.mapping, [(one.key, one.row) for one in some], number)
        lost |= refused
        coupled |= {one.key: one.row for one in some if one.key not in refused}
        tell(f"{plan.mapping.name}: coupled", len(some))
    lines = list(lines_of(plan, lambda one: _coupled_line(plan, one, lost)))
    _count_failures(services, number, [line for line in lines if line.counter == "failed"])
    yield from lines
    for wanted in _to_create(services, plan, why):
        yield from map(line_of, carry_out(services, wanted))
    if plan.synchronizes and coupled:
        yield from _synchronized(services, plan.mapping, coupled, why, tell)


def _coupled_line(plan: Plan, one: Found, lost: dict[str, str]) -> Line:
    if one.key not in lost:
        return matched_line(plan, one, "was coupled to")
    return Line(plan.mapping.name, one.key, one.row, "Error", "failed", "", lost[one.key], "Match again.")


def _count_failures(services: Services, number: int, failed: Sequence[Line]) -> None:
    for start in range(0, max(len(failed), 1), TOGETHER):
        some = failed[start : start + TOGETHER]
        errors = [jobs.JobError(line.local_id, line.dataverse_id, line.sentence) for line in some]
        with services.database.writing() as connection:
            jobs.add(connection, number, ["failed"] * len(some), errors, services.clock())
    with services.database.writing() as connection:
        jobs.finish(connection, number, services.clock())


def _to_create(services: Services, plan: Plan, why: str) -> Iterator[list[Wanted]]:
    keys = iter([one.key for one in plan.found if plan.is_created(one)])
    while some := list(islice(keys, TOGETHER)):
        yield wanted_to(services, plan.mapping.name, some, Ask(may_create=True, is_click=True, why=why))


# -- what follows ----------------------------------------------------------------------------------------------


def directions_after(mapping: TableMapping) -> tuple[Direction, ...]:
    """Where a pair just coupled is synchronized: the mapping's direction, or who wins; else first to Dataverse."""
    if mapping.direction is not Direction.BIDIRECTIONAL:
        return (mapping.direction,)
    winner = mapping.resolve_update_conflicts.winner
    return (Direction.TO, Direction.FROM) if winner is None else (winner,)


def _synchronized(
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
    while some := dict(islice(pairs, TOGETHER)):
        if toward is Direction.TO:
            wanted = wanted_to(services, mapping.name, list(some), ask)
        else:
            wanted = wanted_from(mapping.name, mapping.dataverse_table, some.values(), ask)
        yield from carry_out(services, wanted)
