"""The key that Dataverse sends: list the valid ones, and replace it without losing a notification.

A new key is made, every server learns its hash, then the service endpoint is given the key itself, which is kept
nowhere else. The old ones end a while after a notification has come with the new one.
Source: reference/dataverse.md §9.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from receiver.commands.connection.endpoint_place import place_of
from receiver.commands.connection.register_steps import make_key, registered_key
from receiver.errors import RefusedError
from receiver.inbox import webhook_keys
from receiver.registration.registered import registered
from receiver.registration.rows import Change, carry_out
from receiver.registration.steps import endpoint
from receiver.services import Services
from receiver.store import webhook_keys as stored
from receiver.store.mappings import record_change

#: a delivery lasts a minute at most, and nothing says how long Dataverse's servers keep an endpoint in memory
GRACE_SECONDS = 600
LOOK_EVERY_SECONDS = 1.0
SHOWN = 12


@dataclass(frozen=True)
class KeyLine:
    """A key as people may see it: the start of its SHA-256."""

    fingerprint: str
    #: the setting, or the receiver
    origin: str
    is_valid: bool
    is_registered: bool
    last_used_at: datetime | None
    ends_at: datetime | None

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return dict(vars(self))


@dataclass(frozen=True)
class Rotation:
    """`is_proven`: a notification has come with the new key; then the others end at `ends_at`."""

    fingerprint: str
    is_proven: bool
    ended: tuple[str, ...] = ()
    ends_at: datetime | None = None

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {**vars(self), "ended": list(self.ended)}


def listed(services: Services) -> list[KeyLine]:
    """Every key of the setting and of ours. Raises: StoreUnavailableError."""
    valid, current = webhook_keys.valid(services), registered_key(services)
    return [
        KeyLine(
            one.fingerprint[:SHOWN],
            "made here" if one.is_made_here else "setting",
            one.fingerprint in valid,
            one.fingerprint == current,
            one.last_used_at,
            one.ends_at,
        )
        for one in webhook_keys.known(services)
    ]


def rotate(
    services: Services,
    who: str,
    *,
    wait_seconds: float = 60.0,
    grace_seconds: float = GRACE_SECONDS,
    wait: Callable[[float], None] = time.sleep,
) -> Rotation:
    """Give the endpoint a new key, wait until a notification comes with it, then let the old ones end.

    Where none comes in time, all stay valid; `finish` ends them later. Broken off and started again, it makes another
    new key. Raises: RefusedError when nothing is registered; what Dataverse and the database raise.
    """
    place = place_of(services)
    found = registered(services.dataverse, place).endpoint
    if found is None:
        raise RefusedError(f"There is no service endpoint {place.name} yet. First: receiver steps register.")
    key = make_key(services, wait)
    fingerprint = webhook_keys.fingerprint(key)
    change = Change(endpoint(place, key), found.id, {"authvalue": (None, None)})
    carry_out(services.dataverse, [change])
    with services.database.writing() as connection:
        stored.note_registered(connection, fingerprint, services.clock())
        record_change(connection, who, "webhook key", ("", f"new: {fingerprint[:SHOWN]}"), services.clock())
    waited = 0.0
    while not _is_proven(services, fingerprint) and waited < wait_seconds:
        wait(LOOK_EVERY_SECONDS)
        waited += LOOK_EVERY_SECONDS
    return finish(services, who, grace_seconds=grace_seconds)


def finish(services: Services, who: str, *, grace_seconds: float = GRACE_SECONDS) -> Rotation:
    """Let every key but the one registered last end, once a notification has come with that one.

    Raises: RefusedError when no key was registered from here; StoreUnavailableError.
    """
    current = registered_key(services)
    if not current:
        raise RefusedError("No key was registered from here yet. First: receiver keys rotate.")
    if not _is_proven(services, current):
        return Rotation(current[:SHOWN], is_proven=False)
    now = services.clock()
    ends_at = now + timedelta(seconds=grace_seconds)
    others = [one for one in webhook_keys.valid(services) if one != current]
    with services.database.writing() as connection:
        stored.end(connection, others, ends_at, now)
        if others:
            said = ", ".join(one[:SHOWN] for one in others)
            record_change(connection, who, "webhook key", (said, f"ends {ends_at:%Y-%m-%d %H:%M:%S} UTC"), now)
    return Rotation(current[:SHOWN], True, tuple(one[:SHOWN] for one in others), ends_at if others else None)


def _is_proven(services: Services, fingerprint: str) -> bool:
    """Whether it was used since it was given to the endpoint."""
    found = webhook_keys.valid(services).get(fingerprint)
    if found is None or found.last_used_at is None or found.registered_at is None:
        return False
    return found.is_made_here or found.last_used_at >= found.registered_at
