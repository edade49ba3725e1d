"""The *Business Central* action as a Custom API: a person wants this row's local record."""

from __future__ import annotations

from receiver.core.message import ExecutionContext, SynchRequest
from receiver.core.values import Reference, guid


def row_clicked(context: ExecutionContext) -> list[SynchRequest]:
    """Bound it names its row in `Target`, unbound in `Table` and `Id`."""
    target = context.parameters.get("Target")
    if isinstance(target, Reference):
        return [SynchRequest(target.table, target.id, is_click=True)]
    table, id_ = context.parameters.get("Table"), guid(context.parameters.get("Id"))
    if isinstance(table, str) and table and id_:
        return [SynchRequest(table.lower(), id_, is_click=True)]
    return []
