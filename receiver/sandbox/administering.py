"""What an environment's administrator does to it, offered to tests; nothing of it outlives `stop()`.

Rows out of sight, secured and further columns, further options, plug-ins, numbers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from receiver.sandbox.column_security import Secured, can_be_secured, replace_rights
from receiver.sandbox.customizations import PlugIn
from receiver.sandbox.events import Call
from receiver.sandbox.organization import Organization, put_back
from receiver.sandbox.recycle_bin import put_configuration
from receiver.sandbox.seed import SALES_MANAGER
from receiver.sandbox.storage import Backup
from receiver.sandbox.table import Column, Kind, Target, base_amount
from receiver.sandbox.values import guid_of

_USUAL_LENGTH = 100


class Administering(ABC):
    """The half of a sandbox that changes what the environment is, not what its rows hold."""

    @property
    @abstractmethod
    def organization(self) -> Organization:
        """Raises RuntimeError when the sandbox is not started."""

    def hide(self, table: str, row_id: str) -> None:
        """Puts the row out of the application user's sight: no list shows it, by id it is refused with 403.

        With it goes the right to read the whole table, which change tracking needs. Raises ApiError.
        """
        self.organization.hidden.add((self.organization.schema.table(table).name, guid_of(row_id)))

    def show(self, table: str, row_id: str) -> None:
        self.organization.hidden.discard((table, guid_of(row_id)))

    def secure(
        self,
        table: str,
        column: str,
        *,
        read: bool = False,
        create: bool = False,
        update: bool = False,
        masked: str = "",
        unmasked: bool = False,
    ) -> None:
        """Column security, with these rights for the application user. Without read the column reads as null.

        *masked*: what is read instead of any value; it implies read. *unmasked*: the value itself may be asked for with
        `UnMaskedData=true`. Raises ValueError for a column that cannot be secured.
        """
        found = self.organization.schema.table(table)
        if not can_be_secured(found, found.by_name[column]):
            raise ValueError(f"{table}.{column} cannot be secured in Dataverse.")
        self._replace_rights(table, column, Secured(read or bool(masked), create, update, masked, unmasked))

    def unsecure(self, table: str, column: str) -> None:
        self._replace_rights(table, column, None)

    def _replace_rights(self, table: str, column: str, rights: Secured | None) -> None:
        with self.organization.rows.transaction() as transaction:
            replace_rights(transaction, table, column, rights)
        if rights is None:
            self.organization.secured.pop((table, column), None)
        else:
            self.organization.secured[table, column] = rights

    def add_column(
        self,
        table: str,
        name: str,
        kind: str = "String",
        *,
        options: Mapping[int, str] | None = None,
        lookup_to: str = "",
        navigation: str = "",
        **more: Any,
    ) -> None:
        """*kind* is the metadata's AttributeType, *more* are `Column`'s fields; a money column brings its base amount.

        A lookup leads to one table, by the name of the column unless another is given. Raises ApiError, ValueError.
        """
        more.setdefault("length", _USUAL_LENGTH if kind in (Kind.TEXT, Kind.MEMO) else 0)
        more.setdefault("scale", {Kind.MONEY: 4, Kind.DECIMAL: 2}.get(Kind(kind), 0))
        targets = (Target(lookup_to, navigation or name),) if lookup_to else ()
        column = Column(name, Kind(kind), options=tuple((options or {}).items()), targets=targets, **more)
        self.organization.schema.put_column(table, column)
        if column.kind is Kind.MONEY:
            self.organization.schema.put_column(table, base_amount(name))

    def change_column(self, table: str, name: str, **changes: Any) -> None:
        """*changes* are `Column`'s fields: length, precision, precision_source, access, required. Raises ApiError."""
        self.organization.schema.change_column(table, name, **changes)

    def remove_column(self, table: str, name: str) -> None:
        """With what rows hold in it; their versions stay as they are."""
        self.organization.schema.remove_column(table, name)
        self.organization.store.forget_column(table, name)

    def add_option(self, table: str, column: str, value: int, label: str, state: int = 0) -> None:
        """*state* is that of a status reason. An option that exists gets this label. Raises ApiError."""
        self.organization.schema.put_option(table, column, value, label, state)

    def rename_option(self, table: str, column: str, value: int, label: str) -> None:
        """Raises ApiError, and KeyError when there is no such option."""
        _ = dict(self.organization.schema.table(table).by_name[column].options)[value]
        self.organization.schema.put_option(table, column, value, label)

    def remove_option(self, table: str, column: str, value: int) -> None:
        """Rows that hold it keep it, and it is refused from now on."""
        options = self.organization.schema.table(table).by_name[column].options
        kept = tuple(option for option in options if option[0] != value)
        self.organization.schema.change_column(table, column, options=kept)

    @property
    def keep_deleted_days(self) -> int:
        """For how many days the recycle bin keeps what is deleted from now on; 0 switches it off."""
        return self.organization.recycle_bin.days

    @keep_deleted_days.setter
    def keep_deleted_days(self, days: int) -> None:
        organization = self.organization
        organization.recycle_bin.days = days
        with organization.rows.transaction() as transaction:
            put_configuration(organization.schema, transaction, days)

    def restore(self, table: str, row_id: str, values: dict[str, Any] | None = None) -> None:
        """Brings the row back from the recycle bin as a person does, with these columns instead of its own.

        Raises ApiError.
        """
        found = self.organization.schema.table(table)
        overridden = self.organization.logical(found, values or {})
        self.organization.rows.restore(found, guid_of(row_id), overridden, Call(SALES_MANAGER))

    def backup(self) -> Backup:
        """All rows as they are now, for `restore_backup` of this sandbox or of another."""
        return self.organization.store.backup()

    def restore_backup(self, backup: Backup, *, refuses_tokens: bool = True) -> None:
        """Rows jump back, and nobody is told; versions go on from the backup's, moments from now.

        Steps and jobs are those of the backup; the recycle bin is empty. Delta tokens given out
        before are refused, or else answered as if nothing had happened: with what their numbers say.
        """
        put_back(self.organization, backup, refuses_tokens=refuses_tokens)

    def plug_in(self, table: str, run: PlugIn) -> None:
        """Runs it inside each create, update and delete of the table, whoever writes, before the row is kept.

        It may change the values that are written, or raise ApiError. A client may bypass it, as it may any plug-in.
        """
        self.organization.customizations.plug_ins[self.organization.schema.table(table).name].append(run)

    def remove_plug_ins(self, table: str) -> None:
        self.organization.customizations.plug_ins.pop(table, None)

    def autonumber(self, table: str, column: str, form: str, first: int = 1000) -> None:
        """Fills the column of a new row for which nothing was sent, as with "ACC-{:05d}"; an empty *form* ends it."""
        self.organization.customizations.number(self.organization.schema.table(table).name, column, form, first)
