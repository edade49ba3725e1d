"""One transaction, and the database that goes away inside it: at whichever moment, it is away."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from lanes.blocking import another_program
from sqlalchemy import text

from receiver.errors import StoreUnavailableError
from receiver.store.database import Database
from receiver.store.local_tables import LocalTable
from receiver.tables import BY_NAME

#: ends the connection of whoever inserts a record
ENDING = """
    CREATE FUNCTION end_it() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$;
    CREATE TRIGGER ends BEFORE INSERT ON customer FOR EACH ROW EXECUTE FUNCTION end_it()
    """


def insert(database: Database) -> None:
    with database.writing() as connection:
        LocalTable(connection, BY_NAME["customer"]).insert({"name": "Firm"})


def lose_the_commit(database: Database) -> None:
    with database.writing() as connection:
        process = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with another_program(database.url.render_as_string(hide_password=False)) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", (process,))


@pytest.mark.parametrize("write", [insert, lose_the_commit], ids=["at a record", "at the commit"])
def test_a_database_that_goes_away_inside_a_transaction_is_away_and_is_used_again_when_it_is_back(
    postgresql_url: str, write: Callable[[Database], None]
) -> None:
    database = Database(postgresql_url)
    with database.writing() as connection:
        connection.exec_driver_sql(ENDING)

    with pytest.raises(StoreUnavailableError):
        write(database)

    with database.writing() as connection:
        connection.exec_driver_sql("DROP TRIGGER ends ON customer")
    insert(database)
    database.dispose()
