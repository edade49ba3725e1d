"""One transaction, and the database that goes away inside it: at whichever moment, it is away."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from lanes.blocking import another_program
from sqlalchemy import text

from receiver.errors import SchemaError, StoreUnavailableError
from receiver.store.database import Database
from receiver.store.local_tables import LocalTable
from receiver.store.schema import migrate
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


def test_a_mistyped_path_is_an_error_that_names_it_and_leaves_nothing_there(tmp_path: Path) -> None:
    mistyped = tmp_path / "reciever" / "receiver.sqlite"
    database = Database(f"sqlite:///{mistyped}")

    for use in (database.reading, database.writing):
        with pytest.raises(SchemaError, match=f"There is no database at {mistyped}") as refused, use():
            pass
        assert "RECEIVER_DATABASE_URL" in str(refused.value)
        assert "receiver migrate" in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_only_a_migration_makes_a_database_and_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "new" / "receiver.sqlite"
    database = Database(f"sqlite:///{file}")
    migrate(database, datetime.now(UTC))
    insert(database)

    modes = {oct(one.stat().st_mode & 0o777) for one in file.parent.iterdir()}
    database.dispose()
    assert (oct(file.parent.stat().st_mode & 0o777), modes) == ("0o700", {"0o600"})
