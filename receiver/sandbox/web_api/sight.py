"""Rows out of the application user's sight: another business unit's, or no longer shared.

Lists leave them out without a word; by id they are refused, which tells that they exist. People and notifications see
them all. Source: DP/webapi/query/filter-rows.md; SA/user-permissions/client-errors.md.
"""

from __future__ import annotations

from collections.abc import Iterable

from receiver.sandbox.errors import ApiError
from receiver.sandbox.organization import Organization
from receiver.sandbox.seed import APPLICATION_USER
from receiver.sandbox.storage import Row
from receiver.sandbox.table import Table


def is_hidden(organization: Organization, table: str, row_id: str) -> bool:
    return (table, row_id) in organization.hidden


def has_hidden(organization: Organization, table: Table) -> bool:
    return any(name == table.name for name, _ in organization.hidden)


def in_sight(organization: Organization, rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if not is_hidden(organization, row.table, row.id)]


def require(organization: Organization, table: Table, row_id: str, right: str) -> None:
    """*right* is ReadAccess, WriteAccess, DeleteAccess or AppendToAccess. A row that is gone hides nothing.

    Raises ApiError.
    """
    if is_hidden(organization, table.name, row_id) and organization.store.row(table.name, row_id) is not None:
        text = (
            f"Principal with id {APPLICATION_USER} does not have {right} right(s) for record with id {row_id} "
            f"of entity {table.name}"
        )
        raise ApiError(403, "0x80048306", text)
