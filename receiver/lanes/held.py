"""Lanes held by who asks: leased at once, or waited for a while, and given back with what waits in them untouched."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy import Connection

from receiver.errors import BusyError, LeaseLostError, StoreUnavailableError
from receiver.lanes import lane as lanes
from receiver.lanes.lane import Lease
from receiver.services import Services

#: how long a lane that another holds is waited for
PATIENCE_SECONDS = 10.0
LOOK_AGAIN_SECONDS = 0.05
BUSY = "It is being synchronized right now. Try again in a moment."


def leased(services: Services, rows: Iterable[tuple[str, str]], patience: float | None = None) -> dict[str, Lease]:
    """The lanes of these rows (table and id), by key; what another holds is waited for a while, and then left out.

    *patience* is in seconds; None: as long as everybody waits. Raises: StoreUnavailableError.
    """
    services.left_behind.give_back(services.database)
    wanted = {lanes.key_of(*row): row for row in rows}
    held: dict[str, Lease] = {}
    owner = lanes.new_owner()
    deadline = time.monotonic() + (PATIENCE_SECONDS if patience is None else patience)
    try:
        while wanted:
            missing = [row for key, row in wanted.items() if key not in held]
            with _not_left_behind(services, owner), services.database.writing() as connection:
                taken = lanes.lease_named(connection, owner, services.clock(), services.options.lease_seconds, missing)
            held |= {lease.key: lease for lease in taken}
            if len(held) == len(wanted) or time.monotonic() >= deadline:
                break
            time.sleep(LOOK_AGAIN_SECONDS)
    except BaseException:
        leave(services, held.values())
        raise
    return held


@contextmanager
def _not_left_behind(services: Services, owner: str) -> Iterator[None]:
    """Where the answer to a lease is lost, or a later one's of the same owner: what was taken is given back later."""
    try:
        yield
    except StoreUnavailableError:
        services.left_behind.add(owner)
        raise


@contextmanager
def kept_only_if_done(services: Services, held: Iterable[Lease]) -> Iterator[None]:
    """Where anything is raised before the lanes are handed on, or given back, they are given back here."""
    try:
        yield
    except BaseException:
        leave(services, held)
        raise


@contextmanager
def lanes_held(services: Services, rows: Iterable[tuple[str, str]]) -> Iterator[Mapping[str, Lease]]:
    """The lanes of these rows (table and id), by their keys; one that another holds for long is not among them.

    Who writes gives them back within that transaction (`give_back`); where anything is raised, they are given back.
    """
    held = leased(services, rows)
    with kept_only_if_done(services, held.values()):
        yield held


def give_back(connection: Connection, held: Iterable[Lease]) -> None:
    """What waits in the lanes stays there. Raises: LeaseLostError; then nothing may be written."""
    given = [lanes.Release(lease, is_done=False) for lease in held]
    if given:
        lanes.release(connection, given)


def leave(services: Services, held: Iterable[Lease]) -> None:
    """Give back lanes in which nothing was done; one that was lost meanwhile is given back already.

    While the database is away, or another program holds their rows, they are left behind, and given back later.
    """
    left = list(held)
    if not left:
        return
    try:
        with services.database.writing() as connection:
            give_back(connection, left)
    except (StoreUnavailableError, BusyError):
        for lease in left:
            services.left_behind.add(lease.owner, lease.key)
    except LeaseLostError:
        if len(left) > 1:  # one that was lost must not keep the others
            for one in left:
                leave(services, [one])
