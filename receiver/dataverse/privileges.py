"""The privileges that the application user's role needs, listed here alone; `receiver connect` asks for them by name.

docs/role.md is printed from this file. Dataverse names a privilege prv<Kind><Table>, and spells the
table as its schema does; names are compared without regard to case. Source: reference/dataverse.md §4.5;
learn, RetrieveUserPrivileges function: what comes through a team is told at the depth Basic, whatever it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from receiver.core.mapping import Conversion, Direction, TableMapping
from receiver.dataverse.columns import TABLES
from receiver.dataverse.web_api import WebApi

#: the rest is spelled like the table
_SPELLED = {
    "account": "Account",
    "contact": "Contact",
    "systemuser": "User",
    "team": "Team",
    "transactioncurrency": "TransactionCurrency",
}
WHOLE = "Global"
#: needed by whatever is mapped: which tables and columns there are
ALWAYS = {
    "prvReadEntity": "asking which tables this environment has",
    "prvReadAttribute": "asking which columns they have",
    "prvReadTransactionCurrency": "telling currencies by their ISO code",
}
_ALL = ("Create", "Read", "Write", "Delete")
#: needed to register, change and remove the steps; another user may do that
STEPS = (
    "prvReadSdkMessage",
    *(f"prv{kind}{table}" for table in ("Publisher", "Solution") for kind in ("Create", "Read")),
    *(
        f"prv{kind}{table}"
        for table in ("ServiceEndpoint", "SdkMessageProcessingStep", "SdkMessageProcessingStepImage")
        for kind in _ALL
    ),
)
#: needed to install and remove the button; the same other user
BUTTON = (
    "prvPublishCustomization",
    *(f"prv{kind}{table}" for table in ("WebResource", "AppAction") for kind in _ALL),
)
#: needed to delete a row from the errors page; nothing else deletes in Dataverse
DELETING = ("prvDeleteAccount", "prvDeleteContact")


@dataclass(frozen=True)
class Held:
    """What the user has: privilege, in small letters, and the greatest depth."""

    depths: Mapping[str, str]

    def lacks(self, names: Iterable[str]) -> list[str]:
        return [name for name in names if name.lower() not in self.depths]

    def shallow(self, names: Iterable[str]) -> list[str]:
        """Those that are held for less than the whole organisation."""
        return [name for name in names if self.depths.get(name.lower(), WHOLE) != WHOLE]


def privilege(kind: str, table: str) -> str:
    return f"prv{kind}{_SPELLED.get(table, table)}"


def needed(mappings: Iterable[TableMapping]) -> dict[str, str]:
    """What these mappings need, and each one's reason: the first that was found."""
    found = dict(ALWAYS)
    for mapping in mappings:
        if mapping.is_enabled:
            for name, why in _of(mapping):
                found.setdefault(name, why)
    return found


def _of(mapping: TableMapping) -> Iterator[tuple[str, str]]:
    table = mapping.dataverse_table
    yield privilege("Read", table), f"{mapping.name} reads {table}"
    if not mapping.direction.allows(Direction.TO):
        return
    yield privilege("Create", table), f"{mapping.name} creates rows of {table}"
    yield privilege("Write", table), f"{mapping.name} changes rows of {table}"
    for row in mapping.transfers(Direction.TO):
        column = TABLES[table].columns.get(row.destination)
        for target in column.navigation if column is not None else ():
            if row.conversion is Conversion.OWNER:
                yield privilege("Assign", table), f"{mapping.name} sets the owner of {table}"
                continue
            yield privilege("Append", table), f"{mapping.name} sets {table}.{row.destination}"
            if target in _SPELLED:
                yield privilege("AppendTo", target), f"{mapping.name} sets {table}.{row.destination}"


def held_by(client: WebApi, user_id: str) -> Held:
    """Ask Dataverse for the user's privileges. Raises: DataverseError, SignInError, DataverseUnreachableError."""
    answer = client.call("GET", f"systemusers({user_id})/Microsoft.Dynamics.CRM.RetrieveUserPrivileges")
    depths: dict[str, str] = {}
    for one in answer["RolePrivileges"]:
        name, depth = str(one.get("PrivilegeName") or "").lower(), str(one["Depth"])
        if depths.get(name) != WHOLE:
            depths[name] = depth
    return Held({name: depth for name, depth in depths.items() if name})
