"""The solution that holds what is ours in an environment, and its publisher: `rcv`."""

from __future__ import annotations

from receiver.dataverse.client import DataverseClient
from receiver.registration.rows import Action, Found, Wanted, derived_id, plan, quoted, read

SOLUTION, PUBLISHER, PREFIX = "receiver", "receiver", "rcv"
#: of the numbers of choices made under the publisher; any that Dataverse accepts (10000 to 99999)
_OPTION_VALUES = 72312


def publisher() -> Wanted:
    # Only what it is found by is compared: another's name or address for it is nobody's harm.
    body = {
        "uniquename": PUBLISHER,
        "friendlyname": "Receiver",
        "customizationprefix": PREFIX,
        "customizationoptionvalueprefix": _OPTION_VALUES,
    }
    return Wanted(
        entity_set="publishers",
        primary_id="publisherid",
        id=derived_id("publisher", PUBLISHER),
        words=f"publisher {PUBLISHER}",
        lookup=f"uniquename eq {quoted(PUBLISHER)}",
        columns={"uniquename": PUBLISHER},
        body=body,
        is_in_solution=False,
    )


def solution(publisher_id: str) -> Wanted:
    body = {
        "uniquename": SOLUTION,
        "friendlyname": "Receiver",
        "version": "1.0.0.0",
        "publisherid@odata.bind": f"/publishers({publisher_id})",
    }
    return Wanted(
        entity_set="solutions",
        primary_id="solutionid",
        id=derived_id("solution", SOLUTION),
        words=f"solution {SOLUTION}",
        lookup=f"uniquename eq {quoted(SOLUTION)}",
        columns={"uniquename": SOLUTION},
        body=body,
        is_in_solution=False,
    )


def plan_solution(client: DataverseClient) -> list[Action]:
    """What is missing of publisher and solution; these actions go before any that creates in it."""
    wanted = publisher()
    found: Found | None = read(client, wanted)
    holder = solution(found.id if found else wanted.id)
    return [*plan(found, wanted), *plan(read(client, holder), holder)]
