"""Create, update, delete and the special messages: the one way by which rows change in the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import uuid4

from receiver.sandbox import events, filling
from receiver.sandbox.context import NO_ID, Bag
from receiver.sandbox.customizations import Customizations
from receiver.sandbox.errors import (
    ApiError,
    duplicate_key,
    invalid_argument,
    restore_refused,
    row_missing,
    unknown_property,
    version_mismatch,
)
from receiver.sandbox.events import Call, Event
from receiver.sandbox.filling import Author
from receiver.sandbox.keeping import Keeping
from receiver.sandbox.pipeline import Pipeline
from receiver.sandbox.recycle_bin import RecycleBin, without_dangling
from receiver.sandbox.registration import (
    CUSTOM_API,
    REGISTRATION_TABLES,
    STEP,
    Registry,
    put_custom_api,
    remove_images,
)
from receiver.sandbox.schema import Schema
from receiver.sandbox.seed import BASE_CURRENCY, BUSINESS_UNIT
from receiver.sandbox.settings import SandboxSettings
from receiver.sandbox.storage import Row, Store, Transaction
from receiver.sandbox.table import Kind, Table
from receiver.sandbox.values import Reference, check, guid_of

_STATE_COLUMNS = frozenset({"statecode", "statuscode"})
_INACTIVE = {"statecode": 1, "statuscode": 2}


class Rows:
    """Every write, in one transaction each, with its steps run."""

    def __init__(
        self,
        settings: SandboxSettings,
        schema: Schema,
        store: Store,
        registry: Registry,
        pipeline: Pipeline,
        keeping: Keeping,
        customizations: Customizations,
        recycle_bin: RecycleBin,
    ) -> None:
        self._settings = settings
        self._schema = schema
        self._store = store
        self._registry = registry
        self._pipeline = pipeline
        self._keeping = keeping
        self._customizations = customizations
        self._bin = recycle_bin

    def create(self, table: Table, submitted: dict[str, Any], call: Call, row_id: str | None = None) -> Row:
        """Raises ApiError."""
        with self.transaction() as transaction:
            return self._create(transaction, table, submitted, call, row_id)

    def create_all(self, table: Table, many: list[dict[str, Any]], call: Call) -> list[Row]:
        """All or none; the steps of Create run once for each row."""
        with self.transaction() as transaction:
            return [self._create(transaction, table, submitted, call, None) for submitted in many]

    def update(
        self, table: Table, row_id: str, submitted: dict[str, Any], call: Call, version: int | None = None
    ) -> Row:
        """Raises ApiError: no such row, or another version than the expected one."""
        with self.transaction() as transaction:
            return self._update(transaction, table, row_id, submitted, call, version)

    def update_all(self, table: Table, many: list[dict[str, Any]], call: Call) -> None:
        with self.transaction() as transaction:
            for submitted in many:
                row_id = submitted.pop(table.id_column, None)
                self._update(transaction, table, guid_of(row_id), submitted, call, None)

    def upsert(
        self, table: Table, row_id: str, submitted: dict[str, Any], call: Call, version: int | None = None
    ) -> tuple[Row, bool]:
        """The row, and whether it was created."""
        with self.transaction() as transaction:
            if transaction.row(table.name, row_id) is None and version is None:
                return self._create(transaction, table, submitted, call, row_id), True
            return self._update(transaction, table, row_id, submitted, call, version), False

    def delete(self, table: Table, row_id: str, call: Call, version: int | None = None) -> None:
        """Lookups that point at the row are cleared. Raises ApiError."""
        with self.transaction() as transaction:
            before = _existing(transaction, table, row_id, version)
            if table.name == "transactioncurrency" and row_id == BASE_CURRENCY:
                raise invalid_argument("The base currency of an organization cannot be deleted.")
            self._plugged_in("Delete", table, row_id, before.values, call)
            if table.name == STEP:
                remove_images(transaction, row_id)
            self._remove_links(transaction, Reference(table.name, row_id), call)
            transaction.remove(table.name, row_id)
            self._bin.keep(transaction, table, before)
            self._run(transaction, events.deleted(table, before, call))

    def restore(self, table: Table, row_id: str, overridden: dict[str, Any], call: Call) -> Row:
        """Brings a deleted row back under its id, with what it held and the columns given; only Restore's steps run.

        Raises ApiError when it is not in the recycle bin, or when its id or one of its keys is taken.
        """
        found = self._bin.find(table, row_id)
        if found is None:
            raise row_missing(table.name, row_id)
        with self.transaction() as transaction:
            accepted = self._accepted(transaction, table, overridden, "c")
            accepted.pop(table.id_column, None)
            values = {**found.values, **accepted}
            if transaction.row(table.name, row_id) is not None:
                raise restore_refused("0x80049939", f"A record with the id {row_id} exists already in {table.name}.")
            try:
                self._keeping.refuse_taken_keys(transaction, table, row_id, values)
            except ApiError as problem:
                raise restore_refused("0x80049929", problem.message) from None
            values = filling.of_changed_row(table, values, {}, self._author(call))
            row = transaction.put(
                table.name, row_id, self._keeping.kept(transaction, table, without_dangling(transaction, values))
            )
            transaction.after_commit.append(lambda: self._bin.forget(table.name, row_id))
            self._run(transaction, events.restored(table, row, accepted, call))
        return row

    def merge(self, table: Table, target_id: str, loser_id: str, content: dict[str, Any], call: Call) -> None:
        """The loser is deactivated and its children move to the target, as updates of their own."""
        inner = replace(call, depth=call.depth + 1)
        with self.transaction() as transaction:
            target = _existing(transaction, table, target_id, None)
            loser = _existing(transaction, table, loser_id, None)
            accepted = self._accepted(transaction, table, content, "u")
            if accepted:
                target = self._update(transaction, table, target_id, accepted, inner, None)
            for child, lookups in list(self._children(transaction, Reference(table.name, loser_id))):
                moved = dict.fromkeys(lookups, Reference(table.name, target_id))
                self._update(transaction, self._schema.table(child.table), child.id, moved, inner, None)
            self._update(transaction, table, loser_id, dict(_INACTIVE), inner, None)
            marked = {"merged": True, "masterid": Reference(table.name, target_id)}
            transaction.change(_existing(transaction, table, loser_id, None), marked)
            self._run(transaction, events.merged(table, target, loser, accepted, call))

    def call_custom_api(self, message: str, table: Table | None, row_id: str, parameters: Bag, call: Call) -> None:
        """Bound when a table is given: then the row must exist. Raises ApiError."""
        with self.transaction() as transaction:
            if table is not None:
                _existing(transaction, table, row_id, None)
            self._run(transaction, events.called(message, table, row_id or NO_ID, parameters, call))

    def put(self, table: Table, row_id: str, submitted: dict[str, Any], call: Call) -> Row:
        """Writes the row as given, whatever was there, and tells nobody."""
        silent = replace(call, skipped_modes=frozenset({0, 1}), runs_plug_ins=False)
        with self.transaction() as transaction:
            if transaction.row(table.name, row_id) is None:
                return self._create(transaction, table, submitted, silent, row_id)
            return self._update(transaction, table, row_id, submitted, silent, None)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        with self._store.transaction() as transaction:
            yield transaction
            if any(table in REGISTRATION_TABLES for table, _ in transaction.written):
                transaction.after_commit.insert(0, self._registry.forget)

    def _create(
        self,
        transaction: Transaction,
        table: Table,
        submitted: dict[str, Any],
        call: Call,
        row_id: str | None,
    ) -> Row:
        own_id = submitted.get(table.id_column) or row_id or str(uuid4())
        if transaction.row(table.name, own_id) is not None:
            raise duplicate_key(table.name)
        accepted = self._customizations.numbered(table, self._accepted(transaction, table, submitted, "c"))
        accepted = self._plugged_in("Create", table, own_id, accepted, call)
        self._keeping.refuse_taken_keys(transaction, table, own_id, accepted)
        values = filling.of_new_row(table, own_id, accepted, self._author(call))
        row = transaction.put(table.name, own_id, self._keeping.kept(transaction, table, values))
        if table.name == CUSTOM_API:
            put_custom_api(transaction, row.values)
        self._run(transaction, events.created(table, row, accepted, call))
        return row

    def _update(
        self,
        transaction: Transaction,
        table: Table,
        row_id: str,
        submitted: dict[str, Any],
        call: Call,
        version: int | None,
    ) -> Row:
        """A state change mixed with other columns is two updates. Source: DP/special-update-operation-behavior.md."""
        row = _existing(transaction, table, row_id, version)
        accepted = self._accepted(transaction, table, submitted, "u")
        accepted = self._plugged_in("Update", table, row_id, accepted, call)
        self._keeping.refuse_taken_keys(transaction, table, row_id, accepted)
        state = {name: value for name, value in accepted.items() if name in _STATE_COLUMNS}
        others = {name: value for name, value in accepted.items() if name not in _STATE_COLUMNS}
        for part in [part for part in (others, state) if part] or [{}]:
            row = self._update_part(transaction, table, row, part, call)
        return row

    def _update_part(
        self, transaction: Transaction, table: Table, before: Row, part: dict[str, Any], call: Call
    ) -> Row:
        values = filling.of_changed_row(table, before.values, part, self._author(call))
        after = transaction.put(table.name, before.id, self._keeping.kept(transaction, table, values))
        self._run(transaction, events.updated(table, before, after, part, call))
        return after

    def _run(self, transaction: Transaction, event: Event) -> None:
        if event.table is None or event.table.notifies:
            self._pipeline.run(transaction, event)

    def _plugged_in(
        self, message: str, table: Table, row_id: str, values: dict[str, Any], call: Call
    ) -> dict[str, Any]:
        return self._customizations.applied(message, table, row_id, values) if call.runs_plug_ins else values

    def _accepted(
        self, transaction: Transaction, table: Table, submitted: dict[str, Any], operation: str
    ) -> dict[str, Any]:
        """The submitted columns that this operation may write; the others Dataverse ignores without a word."""
        accepted = {}
        for name, value in submitted.items():
            column = table.by_name.get(name)
            if column is None:
                raise unknown_property(name, table.name)
            check(table, column, value)
            if isinstance(value, Reference):
                self._refuse_dangling(transaction, value)
            if operation in column.access and column.kind is not Kind.BIG_INTEGER:
                accepted[name] = value
        return accepted

    def _refuse_dangling(self, transaction: Transaction, reference: Reference) -> None:
        self._schema.table(reference.table)
        if transaction.row(reference.table, reference.id) is None:
            raise row_missing(reference.table, reference.id)

    def _remove_links(self, transaction: Transaction, target: Reference, call: Call) -> None:
        """The rows get a new version but no step runs: only change tracking will tell."""
        for row, lookups in list(self._children(transaction, target)):
            table = self._schema.table(row.table)
            cleared = dict.fromkeys(lookups)
            values = filling.of_changed_row(table, row.values, cleared, self._author(call))
            transaction.put(row.table, row.id, self._keeping.kept(transaction, table, values))

    def _children(self, transaction: Transaction, target: Reference) -> Iterator[tuple[Row, list[str]]]:
        """Rows whose writable lookups point at the target."""
        tables = [table for table in self._schema.tables.values() if table.name != "asyncoperation"]
        for row, lookups in transaction.pointing_at(target, tables):
            columns = self._schema.table(row.table).by_name
            writable = [name for name in lookups if "u" in columns[name].access]
            if writable:
                yield row, writable

    def _author(self, call: Call) -> Author:
        return Author(
            user_id=call.user_id,
            business_unit_id=BUSINESS_UNIT,
            base_currency_id=BASE_CURRENCY,
            at=self._settings.now().replace(microsecond=0),
        )


def _existing(transaction: Transaction, table: Table, row_id: str, version: int | None) -> Row:
    row = transaction.row(table.name, row_id)
    if row is None:
        raise row_missing(table.name, row_id)
    if version is not None and row.version != version:
        raise version_mismatch(table.name)
    return row
