"""What a database was asked for last is closed with it, also where a thread outlives `dispose`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, text

from receiver.store.database import Database

WAYS: dict[str, Callable[[Database], AbstractContextManager[Connection]]] = {
    "reading": Database.reading,
    "writing": Database.writing,
    "writing alone": Database.writing_alone,
    "a connection of its own": lambda database: database.engine.connect(),
}


@contextmanager
def opened(url: str) -> Iterator[Database]:
    database = Database(url)
    try:
        yield database
    finally:
        database.dispose()


def driver(connection: Connection) -> psycopg.Connection[Any]:
    found = connection.connection.driver_connection
    assert isinstance(found, psycopg.Connection)
    return found


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_connection_given_back_after_the_end_is_closed(
    postgresql_url: str, way: Callable[[Database], AbstractContextManager[Connection]]
) -> None:
    """A request that outlives the server's stop, say: its connection went to a pool that nobody closed any more."""
    with opened(postgresql_url) as database:
        with way(database) as connection:
            connection.execute(text("SELECT 1"))
            kept = driver(connection)
            database.dispose()

        with closing(kept):
            assert kept.closed


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_connection_asked_for_after_the_end_is_closed(
    postgresql_url: str, way: Callable[[Database], AbstractContextManager[Connection]]
) -> None:
    with opened(postgresql_url) as database:
        database.dispose()
        with way(database) as connection:
            connection.execute(text("SELECT 1"))
            kept = driver(connection)

        with closing(kept):
            assert kept.closed


def test_before_the_end_connections_are_kept(postgresql_url: str) -> None:
    with opened(postgresql_url) as database:
        with database.writing_alone() as first:
            kept = driver(first)
        with database.writing_alone() as second:
            assert driver(second) is kept
        with database.reading() as connection:
            of_pool = driver(connection)
        with database.reading() as connection:
            assert driver(connection) is of_pool

    assert kept.closed
    assert of_pool.closed
