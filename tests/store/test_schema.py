"""The migrations make what the code describes, on both databases, and can be taken back."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import inspect

from receiver import tables
from receiver.store.database import Database
from receiver.store.models import metadata
from receiver.store.schema import VERSION_TABLE

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
