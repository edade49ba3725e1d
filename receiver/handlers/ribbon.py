"""The *Business Central* action as a Custom API: a person wants this row's local record."""

from __future__ import annotations

import re

from receiver.core.message import ExecutionContext, SynchRequest
from receiver.core.values import Reference, guid

_NAME = re.compile(r"[A-Za-z0-9_]{1,128}")


def row_clicked(context: ExecutionContext) -> list[SynchRequest]:
    """Bound it names its row in `Target`, unbound in `Table` and `Id`."""
    target = context.parameters.get("Target")
    if isinstance(target, Reference):
        return _clicked(target.table, target.id)
    return _clicked(context.parameters.get("Table"), guid(context.parameters.get("Id")))


def _clicked(table: object, id_: str | None) -> list[SynchRequest]:
    is_named = isinstance(table, str) and _NAME.fullmatch(table)
    return [SynchRequest(str(table).lower(), id_, is_click=True)] if is_named and id_ else []
