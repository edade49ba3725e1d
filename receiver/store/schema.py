"""The schema's version: bring it up to date, or say that it is not."""

from __future__ import annotations

import logging
import sys
import warnings
from datetime import datetime
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, String, column, inspect, select, table

import migrations
from receiver.errors import SchemaError, StoreUnavailableError
from receiver.store import mappings
from receiver.store.database import OF_MIGRATION, Database
from receiver.store.models import metadata

#: the company may have an alembic_version of its own
VERSION_TABLE = "receiver_schema_version"
#: gunicorn takes this as "the application cannot be loaded" and ends, instead of starting it again for ever
DO_NOT_START_AGAIN = 3
_VERSION = select(table(VERSION_TABLE, column("version_num", String)).c.version_num)
log = logging.getLogger(__name__)


def migrate(database: Database, now: datetime) -> tuple[str, str]:
    """Upgrade to this version's schema and bring in shipped mappings; the revisions before and after.

    Nothing else makes a database where there is none.

    Raises: SchemaError, and nothing is changed, beside tables of these names that are not ours.
    """
    database.make_file()
    with database.writing(OF_MIGRATION) as connection:
        before = _current(connection)
        if before is None:
            _refuse_foreign_tables(connection)
        config = _config()
        config.attributes["connection"] = connection
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Alembic's own
            command.upgrade(config, "head")
        mappings.install_defaults(connection, now)
        return before or "nothing", _current(connection) or "nothing"


def _refuse_foreign_tables(connection: Connection) -> None:
    taken = sorted(metadata.tables.keys() & set(inspect(connection).get_table_names()))
    if taken:
        place = (
            "a file" if connection.dialect.name == "sqlite" else "a database, or a schema by ?options=-csearch_path=…,"
        )
        raise SchemaError(
            f"The database has {', '.join(taken)} already, which the receiver did not make: nothing was changed. "
            f"Give the receiver {place} of its own in RECEIVER_DATABASE_URL, then run receiver migrate again."
        )


def check(database: Database) -> None:
    """Raises: SchemaError when the schema is older or newer than this version's."""
    with database.reading() as connection:
        current, wanted = _current(connection), _wanted()
    if current == wanted:
        return
    at = f"The database is at schema {current or 'nothing'}, this version needs {wanted}."
    if current is not None and current > (wanted or ""):
        raise SchemaError(f"{at} A newer receiver has changed it: start that version here too.")
    raise SchemaError(f"{at} Run: receiver migrate")


def refuse_old(database: Database) -> None:
    """End the process with the command to run; a database that is away only delays: the doors answer 503 meanwhile."""
    try:
        check(database)
    except SchemaError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(DO_NOT_START_AGAIN) from None
    except StoreUnavailableError as error:
        log.warning("%s Notifications are answered 503 until it can.", error)


def _current(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.execute(_VERSION).scalar()


@cache
def _wanted() -> str | None:
    return ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    return config
