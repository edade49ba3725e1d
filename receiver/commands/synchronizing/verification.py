"""Verify as a task: one mapping after the other, and repaired at once where that is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import Any

from receiver.commands.coupling.pairs import mapping_named
from receiver.commands.synchronizing.repair import repair
from receiver.commands.synchronizing.verify import Verification, stored_one, verify
from receiver.errors import RefusedError
from receiver.runs.tasks import Progress, create
from receiver.services import Services
from receiver.store.tasks import Task

COMMAND = "verify"
#: records repaired between two looks at whether it was cancelled
TOGETHER = 100


def start(services: Services, names: Sequence[str], who: str, *, repairs: bool = False) -> int:
    """A task that verifies these mappings, or every one that is switched on; its number.

    Raises: NotFoundError; RefusedError for a mapping that is off.
    """
    services.check_connected()
    found = [mapping_named(services, name) for name in names]
    if off := next((one.name for one in found if not one.is_enabled), None):
        raise RefusedError(f"{off} is switched off, so nothing of it is in step. Enable it first.")
    if not names:
        with services.database.reading() as connection:
            found = [one for one in services.mappings(connection).values() if one.is_enabled]
    return create(services, COMMAND, {"mappings": [one.name for one in found], "repairs": repairs}, who)


def carry_out(services: Services, progress: Progress) -> str:
    """The procedure of the task. A mapping that was interrupted is verified from its start."""
    asked, at = progress.task.arguments, progress.task.position
    at = at or {"left": asked["mappings"], "verified": [], "repaired": {}, "repairing": None}
    while at["left"]:
        verified = _verified(services, progress, at)
        if asked["repairs"]:
            at = {**at, "repairing": verified.id}
            progress.advance(at)
            at["repaired"][verified.mapping] = _repaired(services, progress, at, verified)
        at = {**at, "left": at["left"][1:], "verified": [*at["verified"], verified.id], "repairing": None}
        progress.advance(at, message=f"{verified.mapping} is verified")
    out = [one.mapping for one in verifications_of(services, progress.task) if not one.is_in_step]
    return f"Not in step: {', '.join(out)}." if out else "All are in step."


def verifications_of(services: Services, task: Task) -> list[Verification]:
    """What a task has found so far."""
    return [stored_one(services, number) for number in (task.position or {}).get("verified", ())]


def repaired_of(task: Task) -> dict[str, dict[str, int]]:
    """By mapping, what became of the records that were repaired."""
    found: dict[str, dict[str, int]] = (task.position or {}).get("repaired", {})
    return found


def _verified(services: Services, progress: Progress, at: dict[str, Any]) -> Verification:
    if at["repairing"] is not None:
        return stored_one(services, at["repairing"])
    name = at["left"][0]
    return verify(services, name, lambda count: progress.advance(at, done=count, message=f"{name}: verified"))


def _repaired(services: Services, progress: Progress, at: dict[str, Any], verified: Verification) -> dict[str, int]:
    counts: Counter[str] = Counter()
    lines = repair(services, verified, progress.task.who)
    while some := list(islice(lines, TOGETHER)):
        counters = [line.counter for line in some]
        counts.update(counters)
        progress.advance(at, counters=counters, message=f"{verified.mapping}: repaired")
    return dict(counts)
