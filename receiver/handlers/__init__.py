"""What each message of Dataverse's means: `ExecutionContext -> list[SynchRequest]`, pure.

To answer a new message: one module here and its line in `HANDLERS`. A request names a row and what is known of it;
which mappings it concerns is not a handler's business. Read `row_changed.py` first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from receiver.core.message import ExecutionContext, SynchRequest
from receiver.handlers.merge import rows_merged
from receiver.handlers.ribbon import row_clicked
from receiver.handlers.row_changed import related_rows, row_changed, rows_changed, state_changed
from receiver.handlers.row_deleted import row_deleted

Handler = Callable[[ExecutionContext], list[SynchRequest]]

HANDLERS: Mapping[str, Handler] = {
    "Create": row_changed,
    "Update": row_changed,
    "Upsert": row_changed,
    "Assign": row_changed,
    "SetState": state_changed,
    "SetStateDynamicEntity": state_changed,
    "CreateMultiple": rows_changed,
    "UpdateMultiple": rows_changed,
    "UpsertMultiple": rows_changed,
    "Associate": related_rows,
    "Disassociate": related_rows,
    "Delete": row_deleted,
    "Restore": row_changed,
    "Merge": rows_merged,
}


def handler_of(message: str, ribbon_message: str) -> Handler | None:
    """The handler of *message*; None: nothing is to be done about it."""
    return row_clicked if message == ribbon_message else HANDLERS.get(message)
