"""Conclusions that were kept back, too many at once: shown, and carried out once a person has said so."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from receiver.commands.coupling.pairs import mapping_named
from receiver.commands.result import CommandResult, carried_out
from receiver.engine.coalesce import Ask
from receiver.runs.kept_conclusions import meant, wanted_again
from receiver.services import Services
from receiver.store import conclusions


@dataclass(frozen=True)
class Kept:
    """What is kept back of a mapping, in one kind."""

    mapping: str
    kind: str
    count: int
    since: datetime | None

    @property
    def sentence(self) -> str:
        return (
            f"{self.mapping}: {self.count} {meant(self.kind)}; kept back, being too many at once. "
            f"Look at them: receiver mappings confirm {self.mapping}"
        )


def kept_back(services: Services, mapping: str = "") -> list[Kept]:
    """What is kept back, of one mapping or of all. Raises: NotFoundError."""
    name = mapping_named(services, mapping).name if mapping else ""
    with services.database.reading() as connection:
        found = conclusions.kept(connection, name)
    counts = Counter((one.mapping, one.kind) for one in found)
    since = {
        key: min((one.at for one in found if (one.mapping, one.kind) == key and one.at), default=None) for key in counts
    }
    return [Kept(*key, count, since[key]) for key, count in counts.items()]


def confirm(services: Services, mapping: str, who: str, *, is_preview: bool = False) -> CommandResult:
    """Decide each of them once more, and carry it out, or say what would be done: one whose cause has gone goes on.

    Raises: NotFoundError; what Dataverse and the database raise.
    """
    name = mapping_named(services, mapping).name
    with services.database.reading() as connection:
        found = conclusions.kept(connection, name)
    once = list({one.dataverse_id: one for one in found}.values())
    done = carried_out(services, wanted_again(services, once, Ask(why=f"confirmed by {who}")), is_preview=is_preview)
    if not is_preview:
        decided = [line.dataverse_id for line in done.lines if line.decision != "Error"]
        with services.database.writing() as connection:
            conclusions.forget(connection, name, decided)
    return done
