"""What the application user sees and may write of secured columns.

Without the right to read, a value reads as null: nothing tells it from an empty one. Source: DP/column-level-security.
"""

from __future__ import annotations

from typing import Any

from receiver.sandbox.errors import ApiError
from receiver.sandbox.organization import Organization
from receiver.sandbox.seed import APPLICATION_USER
from receiver.sandbox.storage import Row
from receiver.sandbox.table import Table

_REFUSALS = {True: ("create", "0x8004f502"), False: ("update", "0x8004f507")}


def seen(organization: Organization, row: Row, column: str) -> Any:
    """The value as conditions and orders see it: masks change nothing for them."""
    rights = organization.secured.get((row.table, column))
    return row.get(column) if rights is None or rights.read else None


def mask_of(organization: Organization, row: Row, column: str, *, unmasked: bool) -> str | None:
    """The text that is shown instead of the value; None where the value itself is. *unmasked*: it was asked for."""
    rights = organization.secured.get((row.table, column))
    if rights is None or not rights.masked or (unmasked and rights.unmasked) or row.get(column) is None:
        return None
    return rights.masked


def require_for_values(organization: Organization, table: Table, values: dict[str, Any], *, is_new: bool) -> None:
    """A secured column is refused for being named, whatever is written. Raises ApiError."""
    operation, code = _REFUSALS[is_new]
    for name in values:
        rights = organization.secured.get((table.name, name))
        if rights is not None and not getattr(rights, operation):
            text = (
                f"Caller user with Id {APPLICATION_USER} does not have {operation} permissions to a {name} secured "
                f"attribute on entity {table.name}. The requested operation could not be completed."
            )
            raise ApiError(403, code, text)
