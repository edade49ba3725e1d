"""Column-level security: what the application user may do with the columns that are secured.

A secured column without the right to read comes back as null, not to be told from an empty one. So it counts as not
seen unless a permission to read it is positively known, through a profile of the user's own or of a team's, or because
the user is a system administrator. Source: reference/answers.md §2.4; DP/column-level-security.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from receiver.dataverse.client import DataverseClient
from receiver.dataverse.metadata import TableFacts
from receiver.errors import DataverseError

#: the same in every environment
_ADMINISTRATOR = "627090ff-40a3-4053-8790-584edc5be201"
_ALLOWED = 4
_FORBIDDEN = 403
_RIGHTS = {"r": "canread", "c": "cancreate", "u": "canupdate"}
_ALL = "".join(_RIGHTS)


def secured_columns(tables: Mapping[str, TableFacts], known: Collection[str]) -> set[tuple[str, str]]:
    """Table and name of the secured columns among the *known* names."""
    return {
        (table, name)
        for table, columns in tables.items()
        for name, facts in columns.items()
        if facts.get("secured") and name in known
    }


def with_rights(client: DataverseClient, tables: Mapping[str, TableFacts], known: Collection[str]) -> None:
    """Note in *tables* what we may do with each secured column that a mapping may name; nothing is asked without one.

    `rights` holds r, c, u; `masked` says that reading gives a text in the value's place. A refusal is no right.
    Raises: DataverseError when Dataverse is busy or away, SignInError, DataverseUnreachableError.
    """
    wanted = secured_columns(tables, known)
    if not wanted:
        return
    _, user = client.who_am_i()
    found = dict.fromkeys(wanted, "")
    for permission in _permissions(client, user):
        key = (str(permission.get("entityname")), str(permission.get("attributelogicalname")))
        if key in found:
            allowed = (letter for letter, name in _RIGHTS.items() if permission.get(name) == _ALLOWED)
            found[key] = "".join(sorted({*found[key], *allowed}))
    if any(len(rights) < len(_ALL) for rights in found.values()) and _is_administrator(client, user):
        found = dict.fromkeys(wanted, _ALL)
    masked = _masked(client, wanted)
    for (table, name), rights in found.items():
        tables[table][name]["rights"] = rights
        if (table, name) in masked:
            tables[table][name]["masked"] = True


def _permissions(client: DataverseClient, user: str) -> Iterator[Mapping[str, Any]]:
    profiles = set(_ids(client, f"systemusers({user})/systemuserprofiles_association", "fieldsecurityprofileid"))
    for team in _ids(client, f"systemusers({user})/teammembership_association", "teamid"):
        profiles |= set(_ids(client, f"teams({team})/teamprofiles_association", "fieldsecurityprofileid"))
    if not profiles:
        return
    asked = {
        "$select": f"entityname,attributelogicalname,{','.join(_RIGHTS.values())}",
        "$filter": " or ".join(f"_fieldsecurityprofileid_value eq {one}" for one in sorted(profiles)),
    }
    yield from _allowed_rows(client, "fieldpermissions", asked)


def _is_administrator(client: DataverseClient, user: str) -> bool:
    asked = {"$select": "roleid,_roletemplateid_value"}
    roles = _allowed_rows(client, f"systemusers({user})/systemuserroles_association", asked)
    return any(one.get("_roletemplateid_value") == _ADMINISTRATOR for one in roles)


def _masked(client: DataverseClient, wanted: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Those with a masking rule: they are masked for everybody who does not ask for them one by one, as we do not.

    Where we may not look at the rules, any of them may have one; an environment without such a table has none.
    """
    try:
        rules = list(client.rows("attributemaskingrules", {"$select": "entityname,attributelogicalname"}))
    except DataverseError as error:
        if error.waiting_helps:
            raise
        return wanted if error.status == _FORBIDDEN else set()
    return wanted & {(str(one.get("entityname")), str(one.get("attributelogicalname"))) for one in rules}


def _ids(client: DataverseClient, path: str, column: str) -> list[str]:
    return [str(one[column]) for one in _allowed_rows(client, path, {"$select": column})]


def _allowed_rows(client: DataverseClient, path: str, asked: Mapping[str, str]) -> list[dict[str, Any]]:
    """None where we may not ask: what is not known is no right."""
    try:
        return list(client.rows(path, asked))
    except DataverseError as error:
        if error.waiting_helps:
            raise
        return []
