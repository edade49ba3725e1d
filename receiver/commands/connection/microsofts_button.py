"""Microsoft's own button *Business Central* of its integration solution: a connection row that leads it to us.

Business Central keeps its web client's address in `nav_connection`, a row for each company; the button adds page 5329
and a filter, and our front door understands these. Source: reference/dataverse.md §5.1, business-central.md §9;
codeunit CRM Integration Management, SetCRMNAVConnectionUrl.
"""

from __future__ import annotations

from urllib.parse import quote

from receiver.button.script import checked
from receiver.commands.connection.button import ButtonResult, metadata
from receiver.errors import RefusedError
from receiver.registration.rows import Action, Delete, Wanted, carry_out, derived_id, plan, quoted, read
from receiver.services import Services

TABLE, DEFAULT_NAME = "nav_connection", "Receiver"
_LONGEST = 250


class NoIntegrationSolutionError(RefusedError):
    """This environment has no table nav_connection: it comes with Microsoft's Business Central integration solution."""


def use_microsofts(
    services: Services,
    public_url: str,
    name: str = DEFAULT_NAME,
    *,
    is_undone: bool = False,
    is_preview: bool = False,
) -> ButtonResult:
    """A connection row of ours; the rows of a Business Central stay as they are. *is_undone* deletes it again.

    Raises: NoIntegrationSolutionError; RefusedError for an address that cannot be kept; what Dataverse raises.
    """
    client = services.dataverse
    table = metadata(client, [TABLE], "EntitySetName", "PrimaryIdAttribute").get(TABLE)
    if table is None:
        raise NoIntegrationSolutionError
    wanted = _connection(str(table["EntitySetName"]), str(table["PrimaryIdAttribute"]), address(public_url, name), name)
    found = read(client, wanted)
    actions: list[Action]
    if is_undone:
        actions = [Delete(wanted.entity_set, found.id, wanted.words)] if found else []
    else:
        actions = plan(found, wanted)
    if not is_preview:
        carry_out(client, actions)
    return ButtonResult(tuple(action.words for action in actions), (), is_preview)


def address(public_url: str, name: str) -> str:
    """As Business Central writes its own. Raises: RefusedError."""
    url = f"{checked(public_url)}/?company={quote(name)}"
    if len(url) > _LONGEST:
        raise RefusedError(f"The address {url} has more than {_LONGEST} characters; {TABLE} keeps no longer one.")
    return url


def _connection(entity_set: str, primary_id: str, url: str, name: str) -> Wanted:
    columns = {"nav_name": name, "nav_dynamicsnavurl": url}
    return Wanted(
        entity_set=entity_set,
        primary_id=primary_id,
        id=derived_id(TABLE),
        words=f"connection of Microsoft's button to {url}",
        lookup=f"nav_dynamicsnavurl eq {quoted(url)}",
        columns=columns,
        body=columns,
        is_in_solution=False,
    )
