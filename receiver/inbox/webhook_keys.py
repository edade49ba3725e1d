"""The keys that Dataverse may send: those of the setting, and those that the receiver made and keeps hashed.

A key that was made here is known to Dataverse alone; the database has its SHA-256, which suffices to recognise it (it
has 256 random bits, so its hash tells nobody the key). The database also says when a key ends, the setting's included.
"""

from __future__ import annotations

import hmac
import logging
import threading
import time
from collections.abc import Iterable
from hashlib import sha256

from sqlalchemy.exc import SQLAlchemyError

from receiver.errors import ReceiverError, StoreUnavailableError
from receiver.services import Services
from receiver.store import webhook_keys as stored
from receiver.store.database import OF_NOTE

log = logging.getLogger(__name__)

#: how long a server may not know yet of a key that was made or ended
READ_EVERY_SECONDS = 5.0
#: a server writes a key's use at most so often
USED_EVERY_SECONDS = 60.0


def fingerprint(key: str | bytes) -> str:
    return sha256(key.encode() if isinstance(key, str) else key).hexdigest()


def valid(services: Services) -> dict[str, stored.WebhookKey]:
    """By fingerprint: every key that is accepted now. Raises: StoreUnavailableError."""
    now = services.clock()
    return {one.fingerprint: one for one in known(services) if one.ends_at is None or one.ends_at > now}


def known(services: Services) -> list[stored.WebhookKey]:
    """Those of the setting first, then those made here, also ended ones. Raises: StoreUnavailableError."""
    of_setting = [fingerprint(key) for key in services.options.webhook_keys]
    with services.database.reading() as connection:
        kept = stored.load(connection)
    first = [kept.get(one) or stored.WebhookKey(one) for one in of_setting]
    return [*first, *(one for one in kept.values() if one.is_made_here and one.fingerprint not in of_setting)]


class Keys:
    """The door's: recognises a key, and notes now and then that it was used."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._lock = threading.Lock()
        self._valid = tuple(fingerprint(key) for key in services.options.webhook_keys)
        self._are_of_now = False
        self._read_again_at = 0.0
        self._note_again_at: dict[str, float] = {}

    def recognised(self, offered: Iterable[bytes]) -> str:
        """The fingerprint of the valid key among those offered, compared in constant time; empty for none.

        Raises: StoreUnavailableError while it cannot be told: a refusal would be final, Dataverse would not ask again.
        """
        valid_now = self._valid_now()
        hashes = [fingerprint(one) for one in offered if one]
        matches = [one for one in hashes for other in valid_now if hmac.compare_digest(one, other)]
        if hashes and not matches and not self._are_of_now:
            raise StoreUnavailableError
        return matches[0] if matches else ""

    def used(self, one: str) -> None:
        """Note that the key was used: once at first, then not more than once a minute."""
        now = time.monotonic()
        with self._lock:
            if now < self._note_again_at.get(one, 0.0):
                return
            self._note_again_at[one] = now + USED_EVERY_SECONDS
        try:
            with self._services.database.writing(OF_NOTE) as connection:
                stored.note_use(connection, one, self._services.clock())
        except (ReceiverError, SQLAlchemyError) as error:  # what was stored is answered 202 all the same
            log.warning("The use of a key could not be noted: %s", error)

    def _valid_now(self) -> tuple[str, ...]:
        """Without the database, what was valid last stays valid."""
        if time.monotonic() < self._read_again_at:
            return self._valid
        with self._lock:  # the others wait: a key that was made here is not known before the first reading
            if time.monotonic() >= self._read_again_at:
                self._read()
                self._read_again_at = time.monotonic() + READ_EVERY_SECONDS
        return self._valid

    def _read(self) -> None:
        try:
            self._valid = tuple(valid(self._services))
            self._are_of_now = True
        except ReceiverError as error:
            self._are_of_now = False
            log.warning("The keys could not be read: %s", error)
