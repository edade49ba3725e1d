"""The solution that holds what is ours in an environment, and its publisher: `rcv`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from receiver.dataverse.client import DataverseClient
from receiver.registration.rows import Action, Found, Wanted, derived_id, plan, quoted, read

SOLUTION, PUBLISHER, PREFIX = "receiver", "receiver", "rcv"
#: of the numbers of choices made under the publisher; any that Dataverse accepts (10000 to 99999)
_OPTION_VALUES = 72312


def publisher() -> Wanted:
    body = {
        "friendlyname": "Receiver",
        "customizationprefix": PREFIX,
        "customizationoptionvalueprefix": _OPTION_VALUES,
    }
    return _wanted("publisher", PUBLISHER, body)


def solution(publisher_id: str) -> Wanted:
    bind = {"publisherid@odata.bind": f"/publishers({publisher_id})"}
    return _wanted("solution", SOLUTION, {"friendlyname": "Receiver", "version": "1.0.0.0", **bind})


def _wanted(table: str, name: str, body: Mapping[str, Any]) -> Wanted:
    # Only what it is found by is compared: another's name or address for it is nobody's harm.
    named = {"uniquename": name}
    return Wanted(
        entity_set=f"{table}s",
        primary_id=f"{table}id",
        id=derived_id(table, name),
        words=f"{table} {name}",
        lookup=f"uniquename eq {quoted(name)}",
        columns=named,
        body={**named, **body},
        is_in_solution=False,
    )


def plan_solution(client: DataverseClient) -> list[Action]:
    """What is missing of publisher and solution; these actions go before any that creates in it."""
    wanted = publisher()
    found: Found | None = read(client, wanted)
    holder = solution(found.id if found else wanted.id)
    return [*plan(found, wanted), *plan(read(client, holder), holder)]
