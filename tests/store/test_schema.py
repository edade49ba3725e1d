"""The migrations make what the code describes, on both databases, and can be taken back."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import inspect

from receiver import tables
from receiver.errors import SchemaError
from receiver.store.database import Database
from receiver.store.models import metadata
from receiver.store.schema import VERSION_TABLE, check, migrate

#: SQLite does not say that an index is descending, so there the two cannot be compared
DESCENDING = ("ix_receiver_lane_order", "ix_receiver_inbox_due")
ROOT = Path(__file__).parents[2]


def test_the_migrated_schema_is_the_one_that_the_code_describes(database_url: str) -> None:
    assert tables.TABLES
    database = Database(database_url)
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": True})
        differences = compare_metadata(context, metadata)
    database.dispose()

    assert [
        one for one in differences if not (database.is_sqlite and any(name in str(one) for name in DESCENDING))
    ] == []


def test_the_migrations_can_be_taken_back(database_url: str) -> None:
    database, config = Database(database_url), Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    with database.writing() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        left = set(inspect(connection).get_table_names())
        command.upgrade(config, "head")
    database.dispose()

    assert left <= {VERSION_TABLE}


OWN = "CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT)"


def test_beside_a_companys_own_table_of_that_name_migrate_changes_nothing_and_says_what_to_do(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'own.sqlite'}")
    database.make_file()
    with database.writing() as connection:
        connection.exec_driver_sql(OWN)

    with pytest.raises(SchemaError, match=r"has customer already, which the receiver did not make.*of its own"):
        migrate(database, datetime.now(UTC))

    with database.reading() as connection:
        assert inspect(connection).get_table_names() == ["customer"]
    database.dispose()


def test_the_place_of_its_own_that_migrate_advises_is_one(postgresql_url: str) -> None:
    own = Database(postgresql_url)
    with own.writing() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE SCHEMA receiver")
        connection.exec_driver_sql(OWN)
    advised = Database(f"{postgresql_url}{'&' if '?' in postgresql_url else '?'}options=-csearch_path=receiver")

    with pytest.raises(SchemaError):
        migrate(own, datetime.now(UTC))
    assert migrate(advised, datetime.now(UTC))[0] == "nothing"

    with advised.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM public.customer").scalar() == 0
        assert connection.exec_driver_sql("SELECT count(*) FROM receiver.vendor").scalar() == 0
    own.dispose()
    advised.dispose()


@pytest.mark.parametrize(
    ("version", "said"), [("0001", "Run: receiver migrate"), ("9999", "start that version here too")]
)
def test_another_version_of_the_schema_is_told_with_what_to_do(sqlite_url: str, version: str, said: str) -> None:
    database = Database(sqlite_url)
    with database.writing() as connection:
        connection.exec_driver_sql(f"UPDATE {VERSION_TABLE} SET version_num = '{version}'")

    with pytest.raises(SchemaError, match=said):
        check(database)

    database.dispose()
