"""Local records: one table of the company's database as the engine sees a table."""

from __future__ import annotations

import sqlite3
import string
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import islice
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, RowMapping, delete, insert, select, update
from sqlalchemy.dialects.postgresql import OID, REGCLASS
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.dml import ReturningInsert

from receiver.core.decision import Record
from receiver.core.values import Column, ColumnType, Value, Values, is_empty, same
from receiver.errors import RolledBackError
from receiver.store import triggers
from receiver.store.among import Among
from receiver.store.database import NUMBER_BLOCKS
from receiver.store.refusals import refusal_of, unkeepable
from receiver.store.types import Amount, Moment
from receiver.tables.shipped import NumberSeries, ShippedTable

_TYPES: tuple[tuple[type[Any], ColumnType], ...] = (
    (Amount, ColumnType.DECIMAL),
    (Moment, ColumnType.DATETIME),
    (sa.Boolean, ColumnType.BOOLEAN),
    (sa.Integer, ColumnType.INTEGER),
    (sa.Date, ColumnType.DATE),
    (sa.String, ColumnType.TEXT),
)

_HAS_TRIGGERS = "receiver_has_triggers"
_SQLITE_MASTER = sa.table("sqlite_master", sa.column("type"), sa.column("name"), sa.column("tbl_name"))
_PG_TRIGGER = sa.table("pg_trigger", sa.column("tgrelid", OID), sa.column("tgname"), sa.column("tgisinternal"))


def columns_of(table: sa.Table) -> Mapping[str, Column]:
    """The table's columns as the rules describe columns."""
    return {column.name: _described(column) for column in table.columns}


def _described(column: sa.Column[Any]) -> Column:
    type_ = next(ours for theirs, ours in _TYPES if isinstance(column.type, theirs))
    length = column.type.length if isinstance(column.type, sa.String) else None
    places = column.type.impl.scale if isinstance(column.type, Amount) else None
    return Column(column.name, type_, length, caption=column.info.get("caption", column.name), precision=places)


def _lower(text: str) -> str:
    """A to Z as small letters, as every database does."""
    return text.translate(_SMALL)


_SMALL = {ord(letter): letter.lower() for letter in string.ascii_uppercase}


class LocalTable:
    """One local table within one connection; a record's id is its key as text."""

    def __init__(self, connection: Connection, shipped: ShippedTable) -> None:
        self._connection = connection
        self._shipped = shipped
        self._table = shipped.table
        self._key = shipped.table.c[shipped.key]

    def get(self, id_: str, *, lock: bool = False) -> Record | None:
        query = select(self._table).where(self._key == id_)
        row = self._connection.execute(query.with_for_update() if lock else query).mappings().first()
        return None if row is None else self._record(row)

    def get_all(self, ids: Sequence[str], *, lock: bool = False) -> list[Record]:
        """The records that are there; *lock* holds them, in the order of their keys, until the transaction ends."""
        if not ids:
            return []
        query = select(self._table).where(Among(self._key, "keys")).order_by(self._key)
        query = query.with_for_update() if lock else query
        found = self._connection.execute(query, {"keys": list(ids)}).mappings()
        return [self._record(row) for row in found]

    def insert(self, values: Values) -> Record:
        """Insert a new record and give it the next number of its series; see `insert_all`."""
        return self.insert_all([values])[0]

    def insert_all(self, many: Sequence[Values]) -> list[Record]:
        """Insert new records and give them the next numbers of their series; all or none.

        Raises: LostRaceError when a key is there already, RecordError for values that the database refuses.
        """
        written = [{name: self._written(name, value) for name, value in values.items()} for values in many]
        with self._one_record():
            if self._shipped.series is not None:
                for row, number in zip(written, self._next_numbers(self._shipped.series, len(many)), strict=True):
                    row[self._shipped.key] = number
            inserted: dict[str, Record] = {}
            for columns in {frozenset(row) for row in written}:
                rows = [row for row in written if row.keys() == columns]
                inserting = _inserting(self._table, self._connection.dialect.name)
                found = self._connection.execute(inserting, rows).mappings()
                inserted |= {record.id: record for record in self._as_kept(found.all())}
        return [inserted[str(row[self._shipped.key])] for row in written]

    def modify(self, id_: str, values: Values) -> Record:
        """Change these columns; what the database kept comes back.

        Raises: RecordError.
        """
        written = {name: self._written(name, value) for name, value in values.items()}
        returned = _returned(self._table, self._connection.dialect.name)
        changed = update(self._table).where(self._key == id_).values(written).returning(*returned)
        with self._one_record():
            return self._as_kept([self._connection.execute(changed).mappings().one()])[0]

    def delete(self, id_: str) -> None:
        """Delete the record; one that is gone already is as good. Raises: RecordError when others refer to it."""
        with self._one_record():
            self._connection.execute(delete(self._table).where(self._key == id_))

    def alike(self, column: str, values: Sequence[str]) -> list[Record]:
        """Records that may be equal to one of these values in a column, texts without regard to case; never too few."""
        found = self._table.c[column]
        if not isinstance(found.type, sa.String):
            query = select(self._table).where(sa.cast(found, sa.String).in_(values))
        else:
            # SQLite knows the case of A to Z alone, and so may PostgreSQL
            spelt = {_lower(text) for value in values for text in (value, value.lower(), value.upper())}
            query = select(self._table).where(sa.func.lower(found).in_(sorted(spelt)))
        return [self._record(row) for row in self._connection.execute(query.order_by(self._key)).mappings()]

    def equal(self, values: Values) -> list[Record]:
        """Records with these values in all of the columns, empty ones too; at most ten."""
        columns = {name: self._table.c[name] for name in values}
        told = [columns[name] == value for name, value in values.items() if not is_empty(value)]
        if not told:
            return []
        query = select(self._table).where(*told).order_by(self._key)
        found = (self._record(row) for row in self._connection.execute(query).mappings())
        same_in_all = (one for one in found if all(same(one.values[name], value) for name, value in values.items()))
        return list(islice(same_in_all, 10))

    @contextmanager
    def _one_record(self) -> Iterator[None]:
        """What is refused leaves nothing behind, and the transaction goes on.

        Raises: RecordError, LostRaceError; RolledBackError where nothing of the transaction is left.
        """
        savepoint = self._connection.begin_nested()
        try:
            yield
            savepoint.commit()
        except DBAPIError as error:
            if error.connection_invalidated:
                raise  # there is no savepoint left, and nothing that was refused
            refused = refusal_of(error, self._shipped.caption)
            if self._is_rolled_back():
                raise RolledBackError(str(refused or "")) from error
            savepoint.rollback()
            if refused is None:
                raise
            raise refused from error
        except (UnicodeError, OverflowError) as error:
            savepoint.rollback()
            raise unkeepable(error, self._shipped.caption) from error
        except BaseException:
            savepoint.rollback()
            raise

    def _is_rolled_back(self) -> bool:
        """SQLite's RAISE(ROLLBACK) in a trigger takes the whole transaction back, and its savepoints are gone."""
        driver = self._connection.connection.driver_connection
        return isinstance(driver, sqlite3.Connection) and not driver.in_transaction

    def _as_kept(self, returned: Sequence[RowMapping]) -> list[Record]:
        """The records as the database keeps them: what a trigger made of them afterwards, `RETURNING` does not show."""
        if not any(row[_HAS_TRIGGERS] for row in returned):
            return [self._record(row) for row in returned]
        return self.get_all([str(row[self._shipped.key]) for row in returned])

    def _record(self, row: Mapping[Any, Any]) -> Record:
        values: dict[str, Value] = {str(name): value for name, value in row.items() if name != _HAS_TRIGGERS}
        return Record(str(row[self._shipped.key]), values)

    def _written(self, name: str, value: Value) -> Any:
        """Empty text is how a local text column says *no value*."""
        is_text = isinstance(self._table.c[name].type, sa.String)
        return "" if value is None and is_text else value

    def _next_numbers(self, series: NumberSeries, count: int) -> list[str]:
        """The next numbers that no record has; used ones are skipped."""
        blocks = self._connection.get_execution_options()[NUMBER_BLOCKS]
        free: list[str] = []
        while (missing := count - len(free)) > 0:
            numbers = [series.number(one) for one in blocks.take(self._connection, self._table.name, missing)]
            looking = select(self._key).where(Among(self._key, "keys"))
            used = set(self._connection.execute(looking, {"keys": numbers}).scalars())
            free += [number for number in numbers if number not in used]
        return free


@cache
def _inserting(table: sa.Table, dialect: str) -> ReturningInsert[Any]:
    return insert(table).returning(*_returned(table, dialect))


@cache
def _returned(table: sa.Table, dialect: str) -> Sequence[sa.ColumnElement[Any]]:
    """The row, and whether the table has a trigger that runs once the row was returned, which may change it."""
    named = sa.literal(table.name, sa.String)
    if dialect == "sqlite":
        found = select(_SQLITE_MASTER.c.name).where(
            _SQLITE_MASTER.c.type == "trigger", _SQLITE_MASTER.c.tbl_name == named
        )
    else:
        found = select(_PG_TRIGGER.c.tgname).where(
            _PG_TRIGGER.c.tgrelid == sa.cast(sa.cast(named, REGCLASS), OID),
            _PG_TRIGGER.c.tgname != triggers.NAME,
            sa.not_(_PG_TRIGGER.c.tgisinternal),
        )
    return (*table.columns, found.exists().label(_HAS_TRIGGERS))
