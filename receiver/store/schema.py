"""The schema's version: bring it up to date, or say that it is not."""

from __future__ import annotations

import logging
import sys
import warnings
from datetime import datetime
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

import migrations
from receiver.errors import SchemaError, StoreUnavailableError
from receiver.store import mappings
from receiver.store.database import OF_MIGRATION, Database

#: the company may have an alembic_version of its own
VERSION_TABLE = "receiver_schema_version"
#: gunicorn takes this as "the application cannot be loaded" and ends, instead of starting it again for ever
DO_NOT_START_AGAIN = 3
log = logging.getLogger(__name__)


def migrate(database: Database, now: datetime) -> tuple[str, str]:
    """Upgrade to this version's schema and bring in shipped mappings; the revisions before and after."""
    with database.writing(OF_MIGRATION) as connection:
        before = _current(connection)
        config = _config()
        config.attributes["connection"] = connection
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Alembic's own
            command.upgrade(config, "head")
        mappings.install_defaults(connection, now)
        return before or "nothing", _current(connection) or "nothing"


def check(database: Database) -> None:
    """Raises: SchemaError when the schema is older or newer than this version's."""
    with database.reading() as connection:
        current, wanted = _current(connection), _wanted()
    if current != wanted:
        said = f"The database is at schema {current or 'nothing'}, this version needs {wanted}. Run: receiver migrate"
        raise SchemaError(said)


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
    return MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()


def _wanted() -> str | None:
    return ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    return config
