"""Asking Dataverse for its tables, and keeping what it said for everybody who works with them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection

from receiver.catalogue.described import may
from receiver.dataverse.client import DataverseClient
from receiver.dataverse.column_rights import with_rights
from receiver.dataverse.columns import TABLES
from receiver.dataverse.metadata import Facts, TableFacts, common_facts, facts_of
from receiver.store import descriptions
from receiver.store.database import Database

#: the columns that a mapping may name, of any table
_KNOWN = frozenset(name for table in TABLES.values() for name in table.columns)
#: Dataverse says: about 30 seconds (compose-http-requests-handle-errors)
RIGHTS_TAKE_EFFECT_WITHIN = timedelta(seconds=60)
#: what one kind of column has alone; a look at rights leaves it as it was read
_TYPED = frozenset({"length", "precision", "precision_source", "labels"})


def read(client: DataverseClient, tables: Collection[str]) -> dict[str, TableFacts]:
    """All that is described of these tables. Raises: DataverseError, SignInError, DataverseUnreachableError."""
    found = facts_of(client, tables)
    with_rights(client, found, _KNOWN)
    return found


def read_again(database: Database, client: DataverseClient, tables: Collection[str], now: datetime) -> bool:
    """Ask which columns there are and what we may do with them; whether anything is another than was stored.

    Lengths and labels stay as they were read. Raises: as `read`; StoreUnavailableError.
    """
    found = common_facts(client, tables)
    with_rights(client, found, _KNOWN)
    with database.writing() as connection:
        stored = descriptions.load(connection)
        typed = {name: _with_typed(columns, stored.get(name, {})) for name, columns in found.items()}
        return keep(connection, typed, now)


def keep(connection: Connection, found: Mapping[str, TableFacts], now: datetime) -> bool:
    """Store what was read; whether anything is another than before."""
    stored = descriptions.load(connection)
    kept = {name: _with_patience(columns, stored.get(name, {}), now) for name, columns in found.items()}
    return descriptions.keep(connection, kept, now)


def _with_typed(columns: TableFacts, stored: TableFacts) -> TableFacts:
    return {
        name: {**facts, **{key: kept for key, kept in stored.get(name, {}).items() if key in _TYPED}}
        for name, facts in columns.items()
    }


def _with_patience(columns: TableFacts, stored: TableFacts, now: datetime) -> TableFacts:
    """What may be read that could not be is believed a while later: until then Dataverse may still answer null."""
    return {name: _patient(facts, stored.get(name), now) for name, facts in columns.items()}


def _patient(facts: Facts, before: Facts | None, now: datetime) -> Facts:
    if before is None or may(before, "r") or not may(facts, "r"):
        return facts
    given_at = before.get("given_at") or now.isoformat()
    if now - datetime.fromisoformat(given_at) >= RIGHTS_TAKE_EFFECT_WITHIN:
        return facts
    return {**facts, "given_at": given_at}
