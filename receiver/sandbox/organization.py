"""One environment: its tables, rows, steps and faults, put together."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from receiver.sandbox import seed
from receiver.sandbox.collation import Collation
from receiver.sandbox.column_security import Secured
from receiver.sandbox.customizations import Customizations
from receiver.sandbox.events import Call
from receiver.sandbox.faults import Faults
from receiver.sandbox.keeping import Keeping
from receiver.sandbox.limits import Protection
from receiver.sandbox.notifications import Environment
from receiver.sandbox.pipeline import Pipeline
from receiver.sandbox.publishing import mark_unpublished
from receiver.sandbox.recycle_bin import RecycleBin
from receiver.sandbox.registration import Registry, put_messages, replace_steps
from receiver.sandbox.rows import Rows
from receiver.sandbox.schema import Schema, make_schema, metadata_id
from receiver.sandbox.settings import SandboxSettings
from receiver.sandbox.storage import Backup, Store
from receiver.sandbox.table import Table
from receiver.sandbox.tokens import Tokens
from receiver.sandbox.values import Reference, from_python


@dataclass(frozen=True)
class RequestMade:
    """One call of the Web API, as the log keeps it."""

    method: str
    path: str
    status: int
    at: datetime
    milliseconds: int


@dataclass(frozen=True)
class Organization:
    """What the Web API, the pages and the programmatic interface all work with."""

    settings: SandboxSettings
    schema: Schema
    store: Store
    registry: Registry
    pipeline: Pipeline
    rows: Rows
    tokens: Tokens
    faults: Faults
    collation: Collation
    customizations: Customizations
    recycle_bin: RecycleBin
    protection: Protection
    requests: deque[RequestMade] = field(default_factory=deque)
    stopping: threading.Event = field(default_factory=threading.Event)
    withheld: set[str] = field(default_factory=set)
    """Names of privileges, such as prvWriteAccount, that the application user's role lacks."""
    hidden: set[tuple[str, str]] = field(default_factory=set)
    """Rows, by table and id, that the application user may not see."""
    secured: dict[tuple[str, str], Secured] = field(default_factory=dict)
    """Secured columns, by table and name."""
    untracked: set[str] = field(default_factory=set)
    """Tables whose change tracking somebody switched off."""

    def name_of(self, reference: Reference) -> str | None:
        row = self.store.row(reference.table, reference.id)
        name = row.get(self.schema.table(reference.table).name_column) if row else None
        return None if name is None else str(name)

    def logical(self, table: Table, values: dict[str, Any]) -> dict[str, Any]:
        """Python values as logical ones. Raises ApiError, KeyError for an unknown column."""
        return {name: from_python(table.by_name[name], value) for name, value in values.items()}


def make_organization(settings: SandboxSettings, folder: Path | None) -> Organization:
    """Opens the rows in the folder, and fills an empty one."""
    schema = make_schema(with_company_id=settings.with_company_id)
    store = Store(schema, folder)
    registry = Registry(store)
    faults = Faults()
    environment = Environment(
        id=settings.organization_id,
        business_unit_id=seed.BUSINESS_UNIT,
        name_columns={table.name: table.name_column for table in schema.tables.values()},
        versionnumber_in_images=settings.versionnumber_in_images,
    )
    pipeline = Pipeline(settings, store, registry, environment, faults)
    collation, customizations = Collation(settings.language), Customizations()
    keeping = Keeping(settings.organization_id, collation, mark_unpublished)
    recycle_bin = RecycleBin(settings.now)
    organization = Organization(
        settings=settings,
        schema=schema,
        store=store,
        registry=registry,
        pipeline=pipeline,
        rows=Rows(settings, schema, store, registry, pipeline, keeping, customizations, recycle_bin),
        tokens=Tokens(settings.now),
        faults=faults,
        collation=collation,
        customizations=customizations,
        recycle_bin=recycle_bin,
        protection=Protection(settings.limits),
        requests=deque(maxlen=settings.log_length),
    )
    _fill(organization)
    return organization


def put_back(organization: Organization, backup: Backup, *, refuses_tokens: bool) -> None:
    """The rows of the backup, those of registrations and jobs too; the environment keeps its own id."""
    own_id = organization.settings.organization_id
    organization.store.restore(backup, refuses_tokens=refuses_tokens)
    organization.recycle_bin.empty()
    organization.registry.forget()
    with organization.rows.transaction() as transaction:
        for row in transaction.rows("organization"):
            if row.id != own_id:
                transaction.remove("organization", row.id)
                transaction.put("organization", own_id, {**row.values, "organizationid": own_id})


def _fill(organization: Organization) -> None:
    settings = organization.settings
    if organization.store.is_empty:
        rows = seed.foundation(settings.organization_id, settings.client_id, settings.language)
        rows += seed.company() if settings.seeded else []
        for table_name, row_id, values in rows:
            table = organization.schema.table(table_name)
            organization.rows.put(table, row_id, organization.logical(table, values), Call(seed.SALES_MANAGER))
    organization.pipeline.fail_interrupted_jobs()
    with organization.rows.transaction() as transaction:
        put_messages(organization.schema, transaction)
        for table in organization.schema.tables.values():
            row_id = metadata_id(table.name)
            if transaction.row("entity", row_id) is None:
                transaction.put("entity", row_id, {"entityid": row_id, "name": table.name, "logicalname": table.name})
        if settings.service_endpoint is not None:
            replace_steps(transaction, settings.service_endpoint, settings.steps)
