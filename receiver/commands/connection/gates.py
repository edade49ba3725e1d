"""The gates before Dataverse: which are closed, why, and opening one by hand."""

from __future__ import annotations

from collections.abc import Sequence

from receiver.errors import NotFoundError
from receiver.services import Services
from receiver.store import gates
from receiver.store.gates import Gate


def closed(services: Services) -> list[Gate]:
    """The one that stays closed longest first. Raises: StoreUnavailableError."""
    with services.database.reading() as connection:
        return gates.found(connection)


def open_gates(services: Services, names: Sequence[str]) -> list[str]:
    """Open these, all where none is named; the next request says whether the reason has gone. The names opened.

    Raises: NotFoundError for a gate that is not closed.
    """
    known = [one.name for one in closed(services)]
    unknown = [name for name in names if name not in known]
    if unknown:
        closed_now = ", ".join(known) or "none"
        raise NotFoundError(f"There is no closed gate {', '.join(unknown)}. Closed now: {closed_now}.")
    services.gatekeeper.open_(names or known)
    return list(names) or known
