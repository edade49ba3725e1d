"""Couplings that a person makes or removes: the lanes of their rows are held, so that nobody synchronizes meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from sqlalchemy import Connection

from receiver import lanes
from receiver.asked import leased
from receiver.errors import LeaseLostError
from receiver.lanes import Lease
from receiver.services import Services

BUSY = "It is being synchronized right now. Try again in a moment."


@contextmanager
def lanes_held(services: Services, rows: Sequence[tuple[str, str]]) -> Iterator[Mapping[str, Lease]]:
    """The lanes of these rows (table and id), by their keys; one that another holds for long is not among them.

    Who writes gives them back within that transaction (`give_back`); where anything is raised, they are given back.
    """
    held = leased(services, rows)
    try:
        yield held
    except BaseException:
        with suppress(LeaseLostError), services.database.writing() as connection:
            give_back(connection, held.values())
        raise


def give_back(connection: Connection, held: Iterable[Lease]) -> None:
    """What waits in the lanes stays there. Raises: LeaseLostError; then nothing may be written."""
    given = [lanes.Release(lease, is_done=False) for lease in held]
    if given:
        lanes.release(connection, given)
