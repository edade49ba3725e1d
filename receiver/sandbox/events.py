"""What happened to a row, in the terms a step sees it: one event per message.

A new message is one function here; notifications.py turns events into execution contexts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

from receiver.sandbox.context import (
    NO_ID,
    Bag,
    Entity,
    EntityReference,
    Money,
    OptionSetValue,
    WireDate,
)
from receiver.sandbox.formatting import formatted_in_target
from receiver.sandbox.storage import Row
from receiver.sandbox.table import Column, Kind, Table
from receiver.sandbox.values import Reference

_MODIFIED = ("modifiedon", "modifiedby", "modifiedonbehalfby")
SUPPRESSES_DUPLICATE_DETECTION = ("SuppressDuplicateDetection", False)


@dataclass(frozen=True)
class Call:
    """Who asks for something, and how: one Web API request or one call of the programmatic interface."""

    user_id: str
    tag: str | None = None
    skipped_modes: frozenset[int] = frozenset()
    skipped_steps: frozenset[str] = frozenset()
    row_version: str | None = None
    depth: int = 1
    is_synchronous: bool = False
    runs_plug_ins: bool = True
    request_id: str = field(default_factory=lambda: str(uuid4()))
    correlation_id: str = field(default_factory=lambda: str(uuid4()))


@dataclass(frozen=True)
class Event:
    """One message. `asked` are the caller's parameters, `inputs` those of stage 40."""

    message: str
    table: Table | None
    row_id: str
    call: Call
    inputs: Bag
    asked: Bag
    outputs: Bag = ()
    submitted: frozenset[str] = frozenset()
    before: Row | None = None
    after: Row | None = None

    @property
    def table_name(self) -> str:
        return self.table.name if self.table else "none"

    @property
    def row_name(self) -> str | None:
        row = self.after or self.before
        name = row.get(self.table.name_column) if row and self.table else None
        return None if name is None else str(name)


def created(table: Table, row: Row, submitted: dict[str, Any], call: Call) -> Event:
    """The Target holds what was submitted, nulls too, and every column the platform filled in."""
    filled_in = {name: value for name, value in row.values.items() if name != "versionnumber"}
    values = {**filled_in, "modifiedonbehalfby": None, **submitted}
    asked = Entity(table.name, row.id, _bag(table, {**submitted, table.id_column: row.id}))
    target = Entity(table.name, row.id, _bag(table, values), _formatted_in_target(table, values), call.row_version)
    return Event(
        message="Create",
        table=table,
        row_id=row.id,
        call=call,
        inputs=(("Target", target),),
        asked=(("Target", asked), SUPPRESSES_DUPLICATE_DETECTION),
        outputs=(("id", row.id),),
        submitted=frozenset(submitted),
        after=row,
    )


def updated(table: Table, before: Row, after: Row, submitted: dict[str, Any], call: Call) -> Event:
    """The Target holds what was submitted, what follows from it (fullname, base amounts), and the modified columns."""
    derived = {
        name: after.get(name)
        for name in table.by_name
        if name not in submitted and name != "versionnumber" and after.get(name) != before.get(name)
    }
    marks = {name: after.get(name) for name in _MODIFIED}
    values = {**submitted, table.id_column: after.id, **derived, **marks}
    asked = Entity(table.name, after.id, _bag(table, {**submitted, table.id_column: after.id}), (), call.row_version)
    target = Entity(table.name, after.id, _bag(table, values), (), call.row_version)
    return Event(
        message="Update",
        table=table,
        row_id=after.id,
        call=call,
        inputs=(("Target", target),),
        asked=(("Target", asked), SUPPRESSES_DUPLICATE_DETECTION),
        submitted=frozenset(submitted),
        before=before,
        after=after,
    )


def deleted(table: Table, before: Row, call: Call) -> Event:
    target = (("Target", EntityReference(before.id, table.name)),)
    return Event("Delete", table, before.id, call, target, target, before=before)


def restored(table: Table, row: Row, overridden: dict[str, Any], call: Call) -> Event:
    """The Target holds the id and what the caller overrode, not what came back."""
    target = Entity(table.name, row.id, _bag(table, {**overridden, table.id_column: row.id}))
    inputs: Bag = (("Target", target),)
    outputs: Bag = (("id", row.id),)
    return Event("Restore", table, row.id, call, inputs, inputs, outputs, frozenset(overridden), after=row)


def called(message: str, table: Table | None, row_id: str, parameters: Bag, call: Call) -> Event:
    """A Custom API. Bound: the row is its Target; unbound: no table and no id."""
    target: Bag = (("Target", EntityReference(row_id, table.name)),) if table else ()
    inputs = target + parameters
    return Event(message, table, row_id if table else NO_ID, call, inputs, inputs)


def merged(table: Table, target: Row, loser: Row, content: dict[str, Any], call: Call) -> Event:
    inputs: Bag = (
        ("Target", EntityReference(target.id, table.name)),
        ("SubordinateId", loser.id),
        ("UpdateContent", Entity(table.name, target.id, _bag(table, content))),
        ("PerformParentingChecks", False),
    )
    return Event("Merge", table, target.id, call, inputs, inputs, before=target, after=target)


def on_the_wire(column: Column, value: Any, name: str | None = None) -> Any:
    """A logical value as execution contexts hold it."""
    if isinstance(value, Reference):
        return EntityReference(value.id, value.table, name)
    if isinstance(value, datetime):
        return WireDate(int(value.timestamp() * 1000))
    if value is not None and column.is_choice:
        return OptionSetValue(value)
    if isinstance(value, Decimal) and column.kind is Kind.MONEY:
        return Money(value)
    return value


def _bag(table: Table, values: dict[str, Any]) -> Bag:
    return tuple((name, on_the_wire(table.by_name[name], value)) for name, value in values.items())


def _formatted_in_target(table: Table, values: dict[str, Any]) -> Bag:
    found = [(name, *formatted_in_target(table.by_name[name], value)) for name, value in values.items()]
    return tuple((name, shown) for name, is_formatted, shown in found if is_formatted)
