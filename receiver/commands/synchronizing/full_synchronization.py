"""Full synchronization of all mappings, in the order in which they need one another, after a review.

Source: BC T5373, P5331; reference §15.5.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import select

from receiver.commands.coupling.pairs import mapping_named
from receiver.core.dependencies import CycleError, needs, ordered
from receiver.core.mapping import Direction, TableMapping
from receiver.errors import NotFoundError, RefusedError
from receiver.runs.mapping_run import parts_of
from receiver.runs.run_pages import Scope
from receiver.runs.run_task import run_parts
from receiver.runs.tasks import Progress, create, under_way
from receiver.services import Services
from receiver.store import couplings
from receiver.store import runs as stored
from receiver.store import tasks as stored_tasks
from receiver.store.models import job

COMMAND = "full-synchronization"
FINISHED, IN_PROCESS, WAITS = "Finished", "In Process", "Waits"
SUCCESS, ERROR = "Success", "Error"


class Recommendation(StrEnum):
    """What a review advises for a mapping."""

    FULL = "Full Synchronization"
    COUPLE = "Couple Records"
    NOTHING = "No Records To Synchronize Now"


@dataclass(frozen=True)
class Line:
    """One mapping in a review, or in a full synchronization: `to` and `from_` say Success or Error of its jobs."""

    mapping: str
    recommendation: Recommendation
    reason: str
    needs: tuple[str, ...] = ()
    status: str = ""
    to: str = ""
    from_: str = ""

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {**vars(self), "needs": list(self.needs)}

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Line:
        kept = {"needs": tuple(plain["needs"]), "recommendation": Recommendation(plain["recommendation"])}
        return cls(**{**plain, **kept})


def review(services: Services, full: Collection[str] = ()) -> list[Line]:
    """A recommendation for each enabled mapping, in the order of a full synchronization; *full* names those decided.

    Raises: RefusedError naming mappings that wait for one another; NotFoundError; what Dataverse raises.
    """
    with services.database.reading() as connection:
        mappings = {name: one for name, one in services.mappings(connection).items() if one.is_enabled}
    if unknown := sorted({name.upper() for name in full} - mappings.keys()):
        raise NotFoundError(f"There is no enabled mapping {unknown[0]}. `receiver mappings list` names them all.")
    try:
        names = ordered(mappings)
    except CycleError as error:
        raise RefusedError(str(error)) from error
    decided = {name.upper() for name in full}
    return [_line(services, mappings[name], mappings, is_decided=name in decided) for name in names]


def _line(services: Services, mapping: TableMapping, all_: Collection[str], *, is_decided: bool) -> Line:
    needed = tuple(name for name in needs(mapping) if name in all_)
    if is_decided:
        return Line(mapping.name, Recommendation.FULL, "A person decided so.", needed)
    here, there = _has_uncoupled_records(services, mapping), _has_uncoupled_rows(services, mapping)
    if here and there and mapping.dataverse_table != "systemuser":
        reason = f"Both sides have records that are not coupled. First: receiver match {mapping.name}."
        return Line(mapping.name, Recommendation.COUPLE, reason, needed)
    if not (here or there) and not _has_couplings(services, mapping):
        return Line(mapping.name, Recommendation.NOTHING, "Neither side has a record.", needed)
    return Line(mapping.name, Recommendation.FULL, "Not both sides have records that are not coupled.", needed)


def _has_uncoupled_records(services: Services, mapping: TableMapping) -> bool:
    with services.database.reading() as connection:
        return stored.is_any_uncoupled(connection, mapping)


def _has_couplings(services: Services, mapping: TableMapping) -> bool:
    with services.database.reading() as connection:
        return bool(stored.coupled_rows_after(connection, mapping, ""))


def _has_uncoupled_rows(services: Services, mapping: TableMapping) -> bool:
    """An environment's own currency is always there: a single one counts as none."""
    spare = 1 if mapping.dataverse_table == "transactioncurrency" else 0
    columns, found = frozenset({"versionnumber"}), 0
    for page in services.dataverse.pages(mapping.dataverse_table, columns, mapping.dataverse_filter, stored.PAGE):
        with services.database.reading() as connection:
            coupled = couplings.of_rows(connection, [one.id for one in page])
        found += sum(mapping.name not in coupled.get(one.id, {}) for one in page)
        if found > spare:
            return True
    return False


def start(services: Services, who: str, full: Collection[str] = ()) -> int:
    """A task that does what the review recommends; its number. Raises: as `review`; RefusedError while one runs."""
    lines = review(services, full)
    if running := under_way(services, COMMAND):
        raise RefusedError(
            f"A full synchronization is under way. To watch: receiver tasks show {running.id}. "
            f"To end it: receiver tasks cancel {running.id}."
        )
    return create(services, COMMAND, {"lines": [one.plain() for one in lines]}, who)


def lines_of(task: stored_tasks.Task) -> list[Line]:
    """How far each mapping is."""
    return [Line.of(one) for one in (task.position or task.arguments)["lines"]]


def carry_out(services: Services, progress: Progress) -> str:
    """The procedure of the task: each mapping once all that it needs is finished."""
    lines = lines_of(progress.task)
    run = (progress.task.position or {}).get("run")
    for at, line in enumerate(lines):
        if line.status in {"", IN_PROCESS}:
            lines[at] = _finished(services, progress, lines, at, run)
            run = None
            progress.advance({"lines": [one.plain() for one in lines], "run": None})
    left = [one.mapping for one in lines if one.status not in {FINISHED, Recommendation.NOTHING}]
    return f"Left to do: {', '.join(left)}." if left else "All mappings are finished."


def _finished(services: Services, progress: Progress, lines: Sequence[Line], at: int, run: Any) -> Line:
    line = lines[at]
    if line.recommendation is not Recommendation.FULL:
        return _with(line, status=line.recommendation)
    status = {one.mapping: one.status for one in lines}
    missing = [name for name in line.needs if status.get(name) not in {FINISHED, Recommendation.NOTHING, None}]
    if missing:
        return _with(line, status=f"{WAITS} for {', '.join(missing)}")
    mapping = mapping_named(services, line.mapping)
    parts = parts_of(mapping, None, Scope.FULL, progress.task.who, may_create=True)
    under_way = [one.plain() for one in lines]
    under_way[at]["status"] = IN_PROCESS
    numbers = run_parts(services, progress, parts, run, lambda position: {"lines": under_way, "run": position})
    said = {part.toward: _said(services, number) for part, number in zip(parts, numbers, strict=True)}
    return _with(line, status=FINISHED, to=said.get(Direction.TO, ""), from_=said.get(Direction.FROM, ""))


def _with(line: Line, **changes: str) -> Line:
    return Line.of({**line.plain(), **changes})


def _said(services: Services, number: int) -> str:
    """One record that failed is an error already, as in Business Central."""
    with services.database.reading() as connection:
        failed = connection.execute(select(job.c.failed).where(job.c.id == number)).scalar_one()
    return ERROR if failed else SUCCESS
