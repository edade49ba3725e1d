"""What a procedure works with: the database, Dataverse, the clock, and today's mappings."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, select

from receiver.catalogue.described import described
from receiver.core.company import COMPANY_ID, Stamps
from receiver.core.description import Description
from receiver.core.filters import columns_of
from receiver.core.mapping import Conversion, TableMapping
from receiver.core.values import Reference
from receiver.dataverse.client import DataverseClient
from receiver.dataverse.columns import CHANGE_COLUMNS, COMPUTED_COLUMNS, DERIVED_COLUMNS, OPTIONAL_COLUMNS, TABLES
from receiver.dataverse.metadata import TableFacts
from receiver.errors import NotConnectedError
from receiver.store import descriptions
from receiver.store import mappings as stored_mappings
from receiver.store.database import Database
from receiver.store.gatekeeper import Gatekeeper
from receiver.store.group_commit import GroupCommit
from receiver.store.left_behind import LeftBehind
from receiver.store.mappings import Mappings
from receiver.store.wake import Waker
from receiver.tables import BY_NAME


@dataclass(frozen=True)
class Options:
    """The settings that procedures look at; their meaning stands in config.py."""

    trust: str = "image"
    ribbon_message: str = "rcv_OpenInBusinessCentral"
    public_url: str = ""
    webhook_key_header: str = "x-receiver-key"
    #: secrets: nothing prints the options
    webhook_keys: tuple[str, ...] = field(default=(), repr=False)
    organization_id: str = ""
    company_id: str = ""
    owning_team: str = ""
    local_currency: str = "EUR"
    lease_seconds: int = 120
    synchronous_first_read_seconds: float = 5.0
    synchronous_second_read_seconds: float = 150.0
    longest_back_off_seconds: float = 900.0
    longest_pause_seconds: float = 900.0
    guard_records: int = 25
    guard_percent: float = 1.0
    guard_share_percent: float = 50.0
    guard_share_from: int = 5
    largest_body_bytes: int = 1024 * 1024
    history_days: int = 365
    inbox_days: int = 90
    jobs_days: int = 365
    alert_url: str = ""
    alert_key: str = field(default="", repr=False)
    heartbeat_url: str = ""
    largest_backlog: int = 0
    least_free_disk_mb: int = 50
    requests_of_runs: int = 3000


_STAMP = select(*stored_mappings.stamp(), descriptions.newest_change())


class MappingCache:
    """Today's mappings, read anew when one has changed; a query of one number tells."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stamp: tuple[object, ...] = ()
        self._mappings: Mappings = {}
        self._standing: Mappings = {}

    def standing(self, connection: Connection, options: Options) -> Mappings:
        """The mappings that stand still, since this version does not know one of their tables."""
        self.get(connection, options)
        return self._standing

    def get(self, connection: Connection, options: Options) -> Mappings:
        stamp = tuple(connection.execute(_STAMP).one())
        with self._lock:
            if stamp != self._stamp:
                stored = descriptions.load(connection)
                loaded = stored_mappings.load(connection, options.company_id)
                self._standing = {name: one for name, one in loaded.items() if unknown_table(one)}
                self._mappings = {
                    name: in_environment(one, described_in(stored, one), options)
                    for name, one in loaded.items()
                    if name not in self._standing
                }
                self._stamp = stamp
            return self._mappings


@dataclass(frozen=True)
class Services:
    """Made once by `create_app`, handed to every procedure."""

    database: Database
    client: DataverseClient | None
    clock: Callable[[], datetime]
    waker: Waker
    #: writes what comes at the same time in one commit
    notifications: GroupCommit[Any, int]
    options: Options = field(default_factory=Options)
    cache: MappingCache = field(default_factory=MappingCache)
    left_behind: LeftBehind = field(default_factory=LeftBehind)
    #: alerts that this process has logged, and could not tell yet
    logged: set[tuple[str, str, str]] = field(default_factory=set, compare=False)

    @property
    def dataverse(self) -> DataverseClient:
        """Raises: NotConnectedError."""
        if self.client is None:
            raise NotConnectedError
        return self.client

    def check_connected(self) -> None:
        """Raises: NotConnectedError, before anything is begun that would need Dataverse."""
        if self.client is None:
            raise NotConnectedError

    def connected(self, client: DataverseClient) -> Services:
        return replace(self, client=client)

    @property
    def gatekeeper(self) -> Gatekeeper:
        options = self.options
        return Gatekeeper(self.database, self.clock, options.longest_pause_seconds, options.requests_of_runs)

    def check_gate(self) -> None:
        """Raises: GateClosedError while nothing may be sent to Dataverse at all."""
        self.gatekeeper.check()

    def mappings(self, connection: Connection) -> Mappings:
        """Every mapping by name, without the columns that this environment lacks; none that stands still."""
        return self.cache.get(connection, self.options)

    def standing_still(self, connection: Connection) -> Mappings:
        """Every mapping of which this version does not know a table, by name; `unknown_table` says which."""
        return self.cache.standing(connection, self.options)

    def close(self) -> None:
        if self.client is not None:
            self.client.close()
        self.waker.close()
        self.database.dispose()


def described_in(stored: Mapping[str, TableFacts], mapping: TableMapping) -> Description:
    """The mapping's Dataverse table, by what is stored of each table."""
    return described(mapping.dataverse_table, stored.get(mapping.dataverse_table))


def in_environment(mapping: TableMapping, description: Description, options: Options) -> TableMapping:
    """The mapping as this environment can serve it; before the first connection the optional columns are lacking.

    A field whose column is lacking, or may not be seen, is left out, and the others go on: its bases stay, so that it
    goes on from them. Where a filter needs a column that is lacking and is not optional, or one that may not be seen,
    the mapping stands still: without the condition it would let everything through.
    """
    lacking, unseen = description.lacking, description.unseen
    missing = columns_of(mapping.dataverse_filter) & ((lacking - OPTIONAL_COLUMNS) | unseen)
    served = mapping.without_columns(lacking | unseen)
    template = {name: one for name, one in served.dataverse_template.items() if name not in description.not_created}
    found = replace(
        served,
        described=description,
        dataverse_template=template,
        is_enabled=served.is_enabled and not missing,
        hidden=mapping.dataverse_columns() & unseen,
    )
    return _stamped(found, options)


def _stamped(mapping: TableMapping, options: Options) -> TableMapping:
    """The mapping with what its rows carry of this company; under the Team model no owner is mapped."""
    columns = mapping.described.columns
    column = columns.get(COMPANY_ID)
    company = Reference(next(iter(column.navigation)), options.company_id) if column is not None else None
    team = Reference("team", options.owning_team) if options.owning_team else None
    stamps = Stamps(
        company if options.company_id else None,
        COMPANY_ID not in columns_of(mapping.dataverse_filter),
        team if "ownerid" in columns else None,
    )
    fields = tuple(row for row in mapping.fields if team is None or row.conversion is not Conversion.OWNER)
    return replace(mapping, stamps=stamps, fields=fields)


def unknown_table(mapping: TableMapping) -> str:
    """Which of its tables this version does not know, and what to do, as a person reads it; empty: it knows both."""
    if mapping.local_table not in BY_NAME:
        unknown = f"the local table {mapping.local_table}"
    elif mapping.dataverse_table not in TABLES:
        unknown = f"the Dataverse table {mapping.dataverse_table}"
    else:
        return ""
    return (
        f"{mapping.name} stands still: this version of the receiver does not know {unknown}. "
        f"Start a version that does, or switch {mapping.name} off."
    )


def mappings_of(mappings: Mappings, table: str) -> list[TableMapping]:
    """A table's mappings, in their order: an account may fall under several."""
    return [mapping for mapping in mappings.values() if mapping.dataverse_table == table]


def image_columns(mappings: Mappings, table: str) -> frozenset[str]:
    """Today's list: what every enabled mapping of the table reads, and what tells versions apart.

    Columns that may not be seen stand in it, so that steps stay as they are registered when a right comes or goes.
    """
    return _asked_columns(mappings_of(mappings, table))


def read_columns(mappings: Mappings, table: str) -> frozenset[str]:
    """What a read asks for and an image is believed: today's list and what derives from it, without what is unseen."""
    own = mappings_of(mappings, table)
    return _read_columns(_asked_columns(own), frozenset[str]().union(*(one.hidden for one in own)))


def _asked_columns(own: Sequence[TableMapping]) -> frozenset[str]:
    return _image_columns(tuple(one.dataverse_columns() | one.hidden for one in own if one.is_enabled))


@lru_cache
def _image_columns(of_mappings: tuple[frozenset[str], ...]) -> frozenset[str]:
    named = frozenset[str]().union(*of_mappings)
    parts = frozenset[str]().union(*(COMPUTED_COLUMNS.get(name, frozenset()) for name in named))
    return frozenset(DERIVED_COLUMNS.get(name, name) for name in named | parts) | CHANGE_COLUMNS


@lru_cache
def _read_columns(named: frozenset[str], hidden: frozenset[str]) -> frozenset[str]:
    asked = named - hidden
    return asked | {name for name, lookup in DERIVED_COLUMNS.items() if lookup in asked}
