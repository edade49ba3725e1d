"""The sandbox's rows: read from memory, written through to one SQLite file, one transaction at a time."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from receiver.sandbox import exact_json
from receiver.sandbox.schema import Schema
from receiver.sandbox.table import Table
from receiver.sandbox.values import Reference, from_stored, to_stored

_TABLES = """
CREATE TABLE IF NOT EXISTS row (name TEXT, id TEXT, version INTEGER, body TEXT, PRIMARY KEY (name, id));
CREATE TABLE IF NOT EXISTS tombstone (name TEXT, id TEXT, version INTEGER, PRIMARY KEY (name, id));
CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER);
"""
Value = TypeVar("Value")
_FIRST_VERSION = 1_000_000


@dataclass(frozen=True)
class Row:
    """One row at one version. `values` holds no nulls."""

    table: str
    id: str
    version: int
    values: dict[str, Any]

    def get(self, column: str) -> Any:
        return self.values.get(column)

    @property
    def etag(self) -> str:
        return f'W/"{self.version}"'


@dataclass(frozen=True)
class Backup:
    """All rows of one moment, and the version that had been reached."""

    rows: dict[str, dict[str, Row]]
    gone: dict[str, dict[str, int]]
    version: int


class Store:
    """All committed rows. Readers never wait: a writer's rows are seen when it has committed."""

    def __init__(self, schema: Schema, folder: Path | None) -> None:
        self._schema = schema
        self._writing = threading.Lock()
        self._reading = threading.Lock()
        self._mine = threading.local()
        self._rows: dict[str, dict[str, Row]] = {name: {} for name in schema.tables}
        self._gone: dict[str, dict[str, int]] = {name: {} for name in schema.tables}
        self._version = _FIRST_VERSION
        #: how often the rows jumped back: a delta token of before means nothing any more
        self.history = 0
        target = folder / "sandbox.sqlite" if folder else ":memory:"
        self._file = sqlite3.connect(target, check_same_thread=False, isolation_level=None)
        self._file.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;" + _TABLES)
        self._load()

    def close(self) -> None:
        self._file.close()

    @property
    def version(self) -> int:
        """The highest versionnumber given out and committed."""
        return self._version

    @property
    def is_empty(self) -> bool:
        return not any(self._rows.values())

    def row(self, table: str, row_id: str) -> Row | None:
        return self._rows[table].get(row_id)

    def rows(self, table: str) -> list[Row]:
        """In the order of their ids."""
        with self._reading:
            found = list(self._rows[table].values())
        return sorted(found, key=lambda row: row.id)

    def changed_since(self, table: str, version: int) -> tuple[list[Row], dict[str, int], int]:
        """Rows written and ids deleted after that version, and the version now: one consistent moment."""
        with self._reading:
            rows = [row for row in self._rows[table].values() if row.version > version]
            gone = {row_id: at for row_id, at in self._gone[table].items() if at > version}
            now = self._version
        return sorted(rows, key=lambda row: row.id), gone, now

    def backup(self) -> Backup:
        with self._reading:
            return Backup(_copied(self._rows), _copied(self._gone), self._version)

    def restore(self, backup: Backup, *, refuses_tokens: bool = True) -> None:
        """Everything is as it was then; the next version is the one after the backup's. The file follows."""
        with self._writing:
            self.history += refuses_tokens
            with self._reading:
                self._rows |= _copied(backup.rows)
                self._gone |= _copied(backup.gone)
                self._version = backup.version
            transaction = Transaction(self, backup.version)
            transaction.written = {(table, row.id): row for table, rows in self._rows.items() for row in rows.values()}
            self._file.executescript("DELETE FROM row; DELETE FROM tombstone;")
            self._write_file(transaction)
            for table, gone in self._gone.items():
                self._file.executemany(
                    "INSERT INTO tombstone VALUES (?, ?, ?)", [(table, *one) for one in gone.items()]
                )

    def forget_column(self, table: str, column: str) -> None:
        """No row holds it any more, under the version that it has."""
        with self._writing, self._reading:
            for row in list(self._rows[table].values()):
                values = {name: value for name, value in row.values.items() if name != column}
                self._rows[table][row.id] = replace(row, values=values)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Commits when the block ends, forgets everything when it raises; then runs what waits for the commit.

        Inside another one of the same thread it is a part of that one: a change set is written so.
        """
        outer = getattr(self._mine, "transaction", None)
        if outer is not None:
            yield outer
            return
        with self._writing:
            transaction = self._mine.transaction = Transaction(self, self._version)
            try:
                yield transaction
            finally:
                self._mine.transaction = None
            self._commit(transaction)
        for action in transaction.after_commit:
            action()

    def _write_file(self, transaction: Transaction) -> None:
        self._file.execute("BEGIN")
        for (table, row_id), row in transaction.written.items():
            self._write_through(table, row_id, row, transaction)
        self._file.execute("INSERT OR REPLACE INTO counter VALUES ('version', ?)", (transaction.version,))
        self._file.execute("COMMIT")

    def _commit(self, transaction: Transaction) -> None:
        self._write_file(transaction)
        with self._reading:
            for (table, row_id), row in transaction.written.items():
                self._publish(table, row_id, row, transaction)
            self._version = transaction.version

    def _write_through(self, table: str, row_id: str, row: Row | None, transaction: Transaction) -> None:
        self._file.execute("DELETE FROM tombstone WHERE name = ? AND id = ?", (table, row_id))
        if row is not None:
            body = exact_json.dumps({name: to_stored(value) for name, value in row.values.items()})
            self._file.execute("INSERT OR REPLACE INTO row VALUES (?, ?, ?, ?)", (table, row_id, row.version, body))
            return
        self._file.execute("DELETE FROM row WHERE name = ? AND id = ?", (table, row_id))
        if self._schema.tables[table].tracks_changes:
            gone = transaction.deleted[table, row_id]
            self._file.execute("INSERT INTO tombstone VALUES (?, ?, ?)", (table, row_id, gone))

    def _publish(self, table: str, row_id: str, row: Row | None, transaction: Transaction) -> None:
        self._gone[table].pop(row_id, None)
        if row is not None:
            self._rows[table][row_id] = row
            return
        self._rows[table].pop(row_id, None)
        if self._schema.tables[table].tracks_changes:
            self._gone[table][row_id] = transaction.deleted[table, row_id]

    def _load(self) -> None:
        for name, row_id, version, body in self._file.execute("SELECT name, id, version, body FROM row"):
            table = self._schema.tables.get(name)
            if table is not None:
                self._rows[name][row_id] = Row(name, row_id, version, _values(table, body))
        for name, row_id, version in self._file.execute("SELECT name, id, version FROM tombstone"):
            if name in self._gone:
                self._gone[name][row_id] = version
        for (value,) in self._file.execute("SELECT value FROM counter WHERE name = 'version'"):
            self._version = value


def _values(table: Table, body: str) -> dict[str, Any]:
    stored = exact_json.loads(body)
    return {name: from_stored(table.by_name[name], value) for name, value in stored.items() if name in table.by_name}


def _copied(by_table: dict[str, dict[str, Value]]) -> dict[str, dict[str, Value]]:
    return {table: dict(values) for table, values in by_table.items()}


class Transaction:
    """One writer's view: the committed rows under its own writes."""

    def __init__(self, store: Store, version: int) -> None:
        self._store = store
        self.version = version
        self.written: dict[tuple[str, str], Row | None] = {}
        self.deleted: dict[tuple[str, str], int] = {}
        self.after_commit: list[Callable[[], None]] = []

    def row(self, table: str, row_id: str) -> Row | None:
        if (table, row_id) in self.written:
            return self.written[table, row_id]
        return self._store.row(table, row_id)

    def rows(self, table: str) -> list[Row]:
        found = {row.id: row for row in self._store.rows(table)}
        for (name, row_id), row in self.written.items():
            if name != table:
                continue
            found.pop(row_id, None)
            if row is not None:
                found[row_id] = row
        return list(found.values())

    def put(self, table: str, row_id: str, values: dict[str, Any]) -> Row:
        """Writes the row under the next version."""
        self.version += 1
        present = {name: value for name, value in values.items() if value is not None}
        present["versionnumber"] = self.version
        row = Row(table, row_id, self.version, present)
        self.written[table, row_id] = row
        return row

    def change(self, row: Row, values: dict[str, Any]) -> Row:
        return self.put(row.table, row.id, {**row.values, **values})

    def remove(self, table: str, row_id: str) -> None:
        self.version += 1
        self.deleted[table, row_id] = self.version
        self.written[table, row_id] = None

    def pointing_at(self, target: Reference, tables: list[Table]) -> Iterator[tuple[Row, list[str]]]:
        """Every row with lookups to the target, and which lookups those are."""
        for table in tables:
            lookups = [column.name for column in table.columns if column.is_lookup]
            for row in self.rows(table.name):
                pointing = [name for name in lookups if row.get(name) == target]
                if pointing:
                    yield row, pointing
