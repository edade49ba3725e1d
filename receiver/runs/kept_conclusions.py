"""What a run kept back to its end: few are carried out then, many wait for a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from receiver.core.decision import Reason
from receiver.core.mapping import Direction
from receiver.engine.coalesce import Ask
from receiver.engine.guard import limits
from receiver.runs.carry_out import Done, Wanted, wanted_from, wanted_to
from receiver.services import Services
from receiver.store import conclusions
from receiver.store.conclusions import Conclusion


def keeper_of_job(number: int) -> str:
    return f"job {number}"


def is_kept_back(done: Done) -> bool:
    """Whether a run keeps it to its end."""
    return done.settled is not None and done.settled.reason == Reason.HELD_BACK.name


def parted(services: Services, mapping: str, keeper: str) -> tuple[list[Conclusion], Mapping[str, int]]:
    """What may be carried out now, and how many of each kind are too many to be."""
    with services.database.reading() as connection:
        kept = conclusions.kept(connection, mapping, keeper)
        total = conclusions.couplings_of(connection, mapping)
    counted = Counter(one.kind for one in kept)
    crowded = {kind for kind, count in counted.items() if limits(services.options).are_exceeded(count, total)}
    held = {one.dataverse_id for one in kept if one.kind in crowded}
    free = {one.dataverse_id: one for one in kept if one.dataverse_id not in held}
    return list(free.values()), {kind: counted[kind] for kind in sorted(crowded)}


def wanted_again(services: Services, found: Sequence[Conclusion], ask: Ask) -> list[Wanted]:
    """Ask for these once more, without the guard."""
    wanted: list[Wanted] = []
    for toward in Direction.TO, Direction.FROM:
        some = [one for one in found if one.toward is toward]
        if some and toward is Direction.TO:
            wanted += wanted_to(services, some[0].mapping, [one.local_id for one in some], ask)
        elif some:
            with services.database.reading() as connection:
                table = services.mappings(connection)[some[0].mapping].dataverse_table
            wanted += wanted_from(some[0].mapping, table, [one.dataverse_id for one in some], ask)
    return wanted


def told(mapping: str, held: Mapping[str, int]) -> str:
    """What waits, in a sentence; empty where nothing does."""
    if not held:
        return ""
    counts = ", ".join(f"{count} {meant(kind)}" for kind, count in held.items())
    return f"{counts}: too many at once, so they are kept back. Look at them: receiver mappings confirm {mapping}"


def meant(kind: str) -> str:
    """A kind in words."""
    what, _, column = kind.partition(" ")
    return "would be uncoupled or made anew, their other side being gone" if what == "gone" else f"would lose {column}"


def finish(services: Services, mapping: str, keeper: str, done: Iterable[Conclusion]) -> None:
    """What was carried out is kept no more; the rest waits for a person, no longer for the run."""
    with services.database.writing() as connection:
        conclusions.forget(connection, mapping, [one.dataverse_id for one in done])
        conclusions.leave(connection, mapping, keeper)
