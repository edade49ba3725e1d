"""Merge: both rows are read; the loser was deactivated, not deleted."""

from __future__ import annotations

from receiver.core.message import ExecutionContext, SynchRequest
from receiver.core.values import Reference, guid


def rows_merged(context: ExecutionContext) -> list[SynchRequest]:
    survivor = context.parameters.get("Target")
    if not isinstance(survivor, Reference):
        return []
    loser = guid(context.parameters.get("SubordinateId"))
    rows = [SynchRequest(survivor.table, survivor.id)]
    return [*rows, SynchRequest(survivor.table, loser)] if loser else rows
