"""Local changes: a trigger on the company's own table, so that an edit of it goes to Dataverse within a second."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection

from receiver.commands.coupling.pairs import mapping_named
from receiver.core.mapping import Direction, TableMapping
from receiver.errors import LocalSetUpError, RefusedError
from receiver.services import Services
from receiver.store import triggers
from receiver.tables import BY_NAME

NOT_OFFERED = (
    "SQLite has no way for a trigger to tell a worker: local changes are offered on PostgreSQL. "
    "Here, have a timer start: receiver mappings run MAPPING --direction to"
)


@dataclass(frozen=True)
class LocalChange:
    """Whether edits of a mapping's local table are told; `sql` is what installs the trigger."""

    mapping: str
    table: str
    is_installed: bool
    sql: str


def show(services: Services, name: str = "") -> list[LocalChange]:
    """The named mapping, or every one that goes to Dataverse. Raises: NotFoundError, RefusedError."""
    _check_database(services)
    with services.database.reading() as connection:
        mappings = services.mappings(connection)
        installed = triggers.installed(connection)
    if not name:
        return [_shown(one, installed) for one in mappings.values() if one.direction.allows(Direction.TO)]
    return [_shown(mapping_named(services, name), installed)]


def install(services: Services, name: str) -> LocalChange:
    """From now on edits of the mapping's local table are told; done twice, it is done once.

    Raises: NotFoundError; RefusedError on SQLite, for a mapping that does not go to Dataverse, for a table that
    is not ours to change; StoreUnavailableError for one in use.
    """
    _check_database(services)
    mapping = mapping_named(services, name)
    if not mapping.direction.allows(Direction.TO):
        raise RefusedError(f"{mapping.name} goes {mapping.direction} alone: no edit of its records goes to Dataverse.")
    shipped = BY_NAME[mapping.local_table]
    _changed(services, mapping, lambda connection: triggers.install(connection, shipped.table, shipped.key))
    return show(services, name)[0]


def remove(services: Services, name: str) -> LocalChange:
    """Edits are told no more; one that was not is none. Raises: as `install`."""
    _check_database(services)
    mapping = mapping_named(services, name)
    _changed(services, mapping, lambda connection: triggers.remove(connection, BY_NAME[mapping.local_table].table))
    return show(services, name)[0]


def _check_database(services: Services) -> None:
    if services.database.is_sqlite:
        raise RefusedError(NOT_OFFERED)


def _changed(services: Services, mapping: TableMapping, change: Callable[[Connection], None]) -> None:
    table = mapping.local_table
    try:
        with services.database.writing() as connection:
            change(connection)
    except LocalSetUpError as error:
        raise RefusedError(
            f"The receiver's database user may not change {table}. Let the table's owner run what "
            f"`receiver local-changes show {mapping.name} --sql` prints."
        ) from error


def _shown(mapping: TableMapping, installed: frozenset[str]) -> LocalChange:
    shipped = BY_NAME[mapping.local_table]
    sql = f"{triggers.FUNCTION.strip()};\n{triggers.trigger_on(shipped.table, shipped.key)};"
    return LocalChange(mapping.name, mapping.local_table, mapping.local_table in installed, sql)
