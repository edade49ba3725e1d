"""What both sides have, and what nobody may take: rows, records, names, and who is coupled with whom."""

from __future__ import annotations

from dataclasses import dataclass, field

from simulation.world import MAPPINGS, World
from sqlalchemy import select

from receiver.store.models import history, pending_coupling

#: by table; people change them and never blank them
NAMES = {"customer": "name", "vendor": "name", "contact": "surname"}
NAMES_THERE = {"account": "name", "contact": "lastname"}
Pair = tuple[str, str, str]


@dataclass
class Possessions:
    """Looks at both sides whenever they are at rest, and compares with the time before."""

    world: World
    things: set[str] = field(default_factory=set)
    pairs: set[Pair] = field(default_factory=set)
    #: those that have a name
    named: set[str] = field(default_factory=set)

    def check(self) -> None:
        now = self._things()
        destroyed = self.things - now - self.world.deleted - self.world.renamed.keys()
        assert not destroyed, f"nobody deleted {sorted(destroyed)}"
        self._check_pairs(now)
        self._check_names()
        self._check_origins(now)
        self.things, self.pairs = now, self.coupled()
        self.world.deleted.clear()

    def follow(self, key: str, new: str) -> None:
        """A record has got another key."""
        self.pairs = {(mapping, new if own == key else own, row_id) for mapping, own, row_id in self.pairs}

    def coupled(self) -> set[Pair]:
        return {(name, one.local_id, one.dataverse_id) for name in MAPPINGS for one in self.world.couplings(name)}

    def _things(self) -> set[str]:
        world = self.world
        records = {key for table in NAMES for key in world.records(table)}
        return records | {id_ for table in NAMES_THERE for id_ in world.rows(table)}

    def _check_pairs(self, now: set[str]) -> None:
        """A coupling ends by a person, or because one of the two is gone; a new key keeps it."""
        world = self.world
        for mapping, key, row_id in sorted(self.pairs - self.coupled() - world.parted):
            is_gone = not {key, row_id} <= now or {key, row_id} & world.deleted
            assert is_gone, f"{mapping}: {key} and {row_id} were parted by nobody"

    def _check_names(self) -> None:
        """What a mapping creates without a name, since its field is switched off, has none from the beginning."""
        names = {one["no"]: one[name] for table, name in NAMES.items() for one in self.world.locals(table)}
        for table, name in NAMES_THERE.items():
            names |= {str(one[f"{table}id"]): one[name] for one in self.world.sandbox.rows(table)}
        blank = {id_ for id_, name in names.items() if not name}
        assert not blank & self.named, f"the names of {sorted(blank & self.named)} were blanked by nobody"
        self.named = names.keys() - blank

    def _check_origins(self, now: set[str]) -> None:
        """People made it, or the history says that the receiver did, or it knows that it may have."""
        with self.world.services.database.reading() as connection:
            query = select(history.c.local_id, history.c.dataverse_id).where(history.c.decision == "Insert")
            inserted = {id_ for row in connection.execute(query) for id_ in row}
            pending = set(connection.execute(select(pending_coupling.c.dataverse_id)).scalars())
        unknown = now - self.world.made_by_people - inserted - pending
        assert not unknown, f"nobody knows who made {sorted(unknown)}"
