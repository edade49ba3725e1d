"""Secured columns: what the application user's profile lets it read, create and update of them.

The rights are rows, as in Dataverse: one profile, one permission for each column with any right, one masking rule.
Source: DP/column-level-security; PP/field-level-security; PP/create-manage-masking-rules.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import NAMESPACE_URL, uuid5

from receiver.sandbox.storage import Transaction
from receiver.sandbox.table import Column, Kind, Table
from receiver.sandbox.values import Reference

PROFILE, PERMISSION, MASKING_RULE = "fieldsecurityprofile", "fieldpermission", "attributemaskingrule"
PROFILE_ID = "f5000000-0000-4000-8000-000000000001"
NOT_ALLOWED, ALLOWED = 0, 4
NONE_UNMASKED, ALL_UNMASKED = 0, 3
_STAMPS = ("versionnumber", "createdon", "modifiedon", "overriddencreatedon", "exchangerate")
_NAMES = ("firstname", "middlename", "lastname", "fullname", "yomifullname")
_NEVER = frozenset(["statecode", "statuscode", *_STAMPS, *_NAMES])


@dataclass(frozen=True)
class Secured:
    """The application user's rights on one column."""

    read: bool
    create: bool
    update: bool
    masked: str = ""
    unmasked: bool = False

    @property
    def any(self) -> bool:
        return self.read or self.create or self.update


def can_be_secured(table: Table, column: Column) -> bool:
    is_key = column.name == table.id_column or column.name in table.alternate_keys
    return not (is_key or column.is_lookup or column.kind is Kind.GUID or column.name in _NEVER)


def replace_rights(transaction: Transaction, table: str, column: str, rights: Secured | None) -> None:
    """Writes the rows that tell of these rights; none: the column is not secured."""
    for kind in (PERMISSION, MASKING_RULE):
        own_id = _id(kind, table, column)
        if transaction.row(kind, own_id) is not None:
            transaction.remove(kind, own_id)
    if rights is not None:
        _put(transaction, table, column, rights)


def _put(transaction: Transaction, table: str, column: str, rights: Secured) -> None:
    transaction.put(PROFILE, PROFILE_ID, {"fieldsecurityprofileid": PROFILE_ID, "name": "Receiver"})
    if rights.any:
        own_id = _id(PERMISSION, table, column)
        values = {
            "fieldpermissionid": own_id,
            "fieldsecurityprofileid": Reference(PROFILE, PROFILE_ID),
            "entityname": table,
            "attributelogicalname": column,
            "canread": ALLOWED if rights.read else NOT_ALLOWED,
            "cancreate": ALLOWED if rights.create else NOT_ALLOWED,
            "canupdate": ALLOWED if rights.update else NOT_ALLOWED,
            "canreadunmasked": ALL_UNMASKED if rights.unmasked else NONE_UNMASKED,
        }
        transaction.put(PERMISSION, own_id, values)
    if rights.masked:
        own_id = _id(MASKING_RULE, table, column)
        values = {
            "attributemaskingruleid": own_id,
            "name": f"{table} {column}",
            "entityname": table,
            "attributelogicalname": column,
        }
        transaction.put(MASKING_RULE, own_id, values)


def _id(kind: str, table: str, column: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"{kind}/{table}.{column}"))
