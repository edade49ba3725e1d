"""Couplings that a person makes or removes: the lanes of their rows are held, so that nobody synchronizes meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from sqlalchemy import Connection

from receiver import lanes
from receiver.errors import LeaseLostError
from receiver.lanes import Lease
from receiver.services import Services

#: how long lanes that others hold are waited for
PATIENCE_SECONDS = 10.0
LOOK_AGAIN_SECONDS = 0.05
BUSY = "It is being synchronized right now. Try again in a moment."


@contextmanager
def lanes_held(services: Services, rows: Sequence[tuple[str, str]]) -> Iterator[Mapping[str, Lease]]:
    """The lanes of these rows (table and id), by their keys; one that another holds for long is not among them.

    Who writes gives them back within that transaction (`give_back`); where anything is raised, they are given back.
    """
    held = _leased(services, rows)
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


def _leased(services: Services, rows: Sequence[tuple[str, str]]) -> dict[str, Lease]:
    wanted = {lanes.key_of(*row): row for row in rows}
    held: dict[str, Lease] = {}
    deadline, owner = time.monotonic() + PATIENCE_SECONDS, lanes.new_owner()
    while wanted:
        missing = [row for key, row in wanted.items() if key not in held]
        with services.database.writing() as connection:
            taken = lanes.lease_named(connection, owner, services.clock(), services.options.lease_seconds, missing)
        held |= {lease.key: lease for lease in taken}
        if len(held) == len(wanted) or time.monotonic() > deadline:
            break
        time.sleep(LOOK_AGAIN_SECONDS)
    return held
