"""A Delete: a hint that the row is gone, which one read confirms."""

from __future__ import annotations

from receiver.core.message import ExecutionContext, SynchRequest


def row_deleted(context: ExecutionContext) -> list[SynchRequest]:
    return [SynchRequest(context.table, context.id, is_deletion=True)]
