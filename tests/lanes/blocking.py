"""Another program that holds locks in the company's PostgreSQL, and who waits for it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy.engine import make_url

PATIENCE_SECONDS = 20.0


@contextmanager
def another_program(url: str, name: str = "nightly report") -> Iterator[psycopg.Connection]:
    """A connection with an open transaction; whatever it did is rolled back in the end."""
    address = make_url(url)
    query = {name: str(value) for name, value in address.query.items()}
    with psycopg.connect(
        dbname=address.database, user=address.username, password=address.password, application_name=name, **query
    ) as connection:
        try:
            yield connection
        finally:
            connection.rollback()


def await_waiting(other: psycopg.Connection, count: int = 1) -> list[str]:
    """The statements that wait for *other*'s locks, as soon as there are so many."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    asking = "SELECT query FROM pg_stat_activity WHERE %s = ANY(pg_blocking_pids(pid))"
    while True:
        found = [row[0] for row in other.execute(asking, (other.info.backend_pid,))]
        if len(found) >= count:
            return found
        assert time.monotonic() < deadline, "nobody waits"
        time.sleep(0.02)
