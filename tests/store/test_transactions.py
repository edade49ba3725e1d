"""One transaction: what the end of it means when the database is gone by then."""

from __future__ import annotations

import pytest
from lanes.blocking import another_program
from sqlalchemy import text

from receiver.errors import StoreUnavailableError
from receiver.store.database import Database


def end_own_connection(database: Database, url: str) -> None:
    """Write, and lose the connection just before the commit."""
    with database.writing() as connection:
        process = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with another_program(url) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", (process,))


def test_a_database_that_goes_away_before_the_commit_is_away_and_is_used_again_when_it_is_back(
    postgresql_url: str,
) -> None:
    database = Database(postgresql_url)

    with pytest.raises(StoreUnavailableError):
        end_own_connection(database, postgresql_url)

    with database.writing() as connection:
        assert connection.execute(text("SELECT 1")).scalar_one() == 1
    database.dispose()
