"""Many keys as one parameter: those that are there, whatever their count, and no key is taken for another."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, event, or_, select

from receiver.store.among import Among
from receiver.store.database import Database
from receiver.store.local_tables import LocalTable
from receiver.store.models import lane
from receiver.tables import BY_NAME

CUSTOMER = BY_NAME["customer"]
LONGER = "C00010".ljust(CUSTOMER.table.c.no.type.length, "X")

ASKED = [
    ("none", [], []),
    ("one", ["C00010"], ["C00010"]),
    ("several, and one twice", ["C00020", "C00010", "C00010"], ["C00010", "C00020"]),
    ("one that is nowhere", ["C00010", "nowhere"], ["C00010"]),
    ("one that is longer than the column", [f"{LONGER}more"], []),
    ("signs that mean something to a database", ["C'0\\0\"{}%s:x", "C00010"], ["C00010"]),
    ("more than a statement could have parameters", ["C00020", *map(str, range(2000))], ["C00020"]),
]


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    database = Database(database_url)
    with database.writing() as writer:
        for _ in range(2):
            LocalTable(writer, CUSTOMER).insert({"name": "Firm"})
        writer.execute(CUSTOMER.table.insert().values(no=LONGER, name="Firm"))
    with database.reading() as reader:
        yield reader
    database.dispose()


@pytest.mark.parametrize(("keys", "found"), [row[1:] for row in ASKED], ids=[row[0] for row in ASKED])
def test_a_statement_made_once_finds_the_records_of_however_many_keys(
    connection: Connection, keys: list[str], found: list[str]
) -> None:
    assert [one.id for one in LocalTable(connection, CUSTOMER).get_all(keys)] == found


def test_two_lists_in_one_statement_are_two(connection: Connection) -> None:
    table = CUSTOMER.table
    either = select(table.c.no).where(or_(Among(table.c.no, "keys"), Among(table.c.name, "names")))
    asked = {"keys": ["C00010"], "names": []}
    assert list(connection.execute(either, asked).scalars()) == ["C00010"]
    assert len(connection.execute(either, {**asked, "names": ["Firm"]}).all()) == 3


def test_sqlite_looks_them_up_and_not_through_all_there_is(sqlite_url: str) -> None:
    database, asked = Database(sqlite_url), list[str]()
    event.listen(database.engine, "before_cursor_execute", lambda *told: asked.append(told[2]))
    with database.reading() as reader:
        reader.execute(select(lane.c.key).where(Among(lane.c.key, "keys")), {"keys": ["account:1"]})
        plan = reader.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked[-1]}", ("account:1",)).all()
    database.dispose()
    assert "SEARCH" in plan[0][3]
