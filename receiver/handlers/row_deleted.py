"""A Delete: a hint that the row is gone, which one read confirms."""

from __future__ import annotations

from receiver.core.message import ExecutionContext, SynchRequest
from receiver.handlers.row_changed import row_named


def row_deleted(context: ExecutionContext) -> list[SynchRequest]:
    reference = row_named(context)
    return [SynchRequest(reference.table, reference.id, is_deletion=True)] if reference else []
