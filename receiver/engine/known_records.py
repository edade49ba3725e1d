"""What the database knows of the records at hand: asked once a run, for one row or for many at a time.

It is what a decision is made upon; settle.py looks again, locked, before it writes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection

from receiver.core.coupling import Coupling
from receiver.core.decision import Record
from receiver.core.mapping import Direction, TableMapping
from receiver.store import couplings, open_writes
from receiver.store.couplings import Couplings, Uncoupled
from receiver.store.database import Database
from receiver.store.local_tables import LocalTable
from receiver.store.mappings import Mappings
from receiver.store.open_writes import OpenWrite
from receiver.tables import BY_NAME


class Known:
    """Couplings by Dataverse row, and the local records coupled; what was not looked up is asked when it is wanted."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._couplings: dict[str, Couplings] = {}
        self._by_record: dict[tuple[str, str], Coupling | None] = {}
        self._uncoupled_rows: dict[tuple[str, str], Uncoupled] = {}
        self._uncoupled_records: dict[tuple[str, str], Uncoupled | None] = {}
        self._open_writes: dict[str, list[OpenWrite]] = {}
        self._records: dict[tuple[str, str], Record | None] = {}
        #: by mapping: couplings whose local record is gone, once they were asked for
        self.bereft: dict[str, list[Coupling]] = {}
        #: conclusions drawn but not yet written, by mapping and kind
        self.concluded: Counter[tuple[str, str]] = Counter()
        #: rows that were deleted once
        self.deleted: set[str] = set()

    def look_up(self, row_ids: Iterable[str], mappings: Sequence[TableMapping], connection: Connection) -> None:
        """Ask for many rows at once: their couplings, and the records that *mappings* couple to them."""
        asked = sorted(set(row_ids) - self._couplings.keys())
        if not asked:
            return
        found = couplings.of_rows(connection, asked)
        self._couplings |= {id_: found.get(id_, {}) for id_ in asked}
        self._uncoupled_rows |= couplings.uncoupled_rows(connection, asked)
        self._open_writes |= open_writes.of_rows(connection, asked)
        for mapping in mappings:
            coupled = [self._couplings[id_].get(mapping.name) for id_ in asked]
            keys = sorted({one.local_id for one in coupled if one is not None})
            self._remember(
                mapping.local_table, keys, LocalTable(connection, BY_NAME[mapping.local_table]).get_all(keys)
            )

    def look_up_records(self, mapping: str, keys: Sequence[str], mappings: Mappings, connection: Connection) -> None:
        """Ask for many local records at once, and for their couplings under a mapping."""
        table = mappings[mapping].local_table
        self._remember(table, keys, LocalTable(connection, BY_NAME[table]).get_all(keys))
        found = couplings.of_records(connection, mapping, keys)
        self._by_record |= {(mapping, key): found.get(key) for key in keys}
        free = [key for key in keys if key not in found]
        uncoupled = couplings.uncoupled_records(connection, mapping, free) if free else {}
        self._uncoupled_records |= {(mapping, key): uncoupled.get(key) for key in keys}

    def of_row(self, row_id: str) -> Couplings:
        """Every coupling of a Dataverse row, by mapping."""
        if row_id not in self._couplings:
            with self._database.reading() as connection:
                self.look_up([row_id], (), connection)
        return self._couplings[row_id]

    def coupling(self, mapping: str, toward: Direction, source_id: str) -> Coupling | None:
        """The coupling of a mapping's source record."""
        if toward is Direction.FROM:
            return self.of_row(source_id).get(mapping)
        if (mapping, source_id) not in self._by_record:
            with self._database.reading() as connection:
                self._by_record[mapping, source_id] = couplings.find(connection, mapping, toward, source_id)
        return self._by_record[mapping, source_id]

    def local_of(self, mappings: Iterable[str], row_id: str) -> tuple[str, str] | None:
        """The first of *mappings* that couples the Dataverse row, and the local record's key."""
        found = self.of_row(row_id)
        return next(((name, found[name].local_id) for name in mappings if name in found), None)

    def uncoupled(self, mapping: str, toward: Direction, source_id: str) -> Uncoupled | None:
        """What is remembered of a mapping's source record that a person uncoupled."""
        if toward is Direction.FROM:
            self.of_row(source_id)
            return self._uncoupled_rows.get((mapping, source_id))
        if (mapping, source_id) not in self._uncoupled_records:
            with self._database.reading() as connection:
                found = couplings.uncoupled_records(connection, mapping, [source_id])
            self._uncoupled_records[mapping, source_id] = found.get(source_id)
        return self._uncoupled_records[mapping, source_id]

    def open_writes(self, row_id: str) -> list[OpenWrite]:
        """What was sent to a Dataverse row and is not known to have arrived, oldest first."""
        self.of_row(row_id)
        return self._open_writes.get(row_id, [])

    def suppose(self, coupling: Coupling) -> None:
        """From now on a coupling that is not stored counts as known: a preview looks at what would be."""
        self._couplings[coupling.dataverse_id] = {**self.of_row(coupling.dataverse_id), coupling.mapping: coupling}
        self._by_record[coupling.mapping, coupling.local_id] = coupling

    def record(self, table: str, key: str) -> Record | None:
        if (table, key) not in self._records:
            with self._database.reading() as connection:
                found = LocalTable(connection, BY_NAME[table]).get_all([key])
            self._remember(table, [key], found)
        return self._records[table, key]

    def forget(self, row_ids: Iterable[str]) -> None:
        """Another run has looked after these rows."""
        for id_ in row_ids:
            self._couplings.pop(id_, None)
            self._open_writes.pop(id_, None)
        self._by_record.clear()

    def _remember(self, table: str, keys: Sequence[str], found: Iterable[Record]) -> None:
        self._records |= dict.fromkeys(((table, key) for key in keys), None)
        self._records |= {(table, one.id): one for one in found}
