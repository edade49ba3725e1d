"""What the door refused, by reason: counted, since when, and followed by catch-up, since what was refused is lost."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter

from receiver.errors import ReceiverError
from receiver.services import Services
from receiver.store import door_refusals, schedules
from receiver.store.database import OF_REFUSALS

log = logging.getLogger(__name__)

WRITE_EVERY_SECONDS = 5.0
#: reasons; the first one nobody outside can bring about
AWAY, FULL, KEY, UNREADABLE, TOO_LARGE, CONTENT, OTHER_ORGANIZATION = (
    "away", "full", "key", "unreadable", "too large", "content", "other organisation"
)  # fmt: skip


class Refusals:
    """Counts refused requests; written now and then, so that a flood of them costs no flood of commits."""

    def __init__(self) -> None:
        self.every_seconds = WRITE_EVERY_SECONDS
        self._lock = threading.Lock()
        self._unwritten: Counter[str] = Counter()
        self._next = 0.0
        self._later: threading.Timer | None = None

    def add(self, services: Services, reason: str) -> None:
        with self._lock:
            self._unwritten[reason] += 1
            is_due = time.monotonic() >= self._next and reason != AWAY
            if is_due:
                self._next = time.monotonic() + self.every_seconds
        if is_due:
            self.write(services)
        self._write_later(services)

    def _write_later(self, services: Services) -> None:
        """What is left is written a little later, though no other request should come."""
        with self._lock:
            if not self._unwritten or self._later is not None:
                return
            self._later = threading.Timer(self.every_seconds, self._written_later, (services,))
            self._later.name, self._later.daemon = "refusals", True
            self._later.start()

    def _written_later(self, services: Services) -> None:
        """Once: while the database stays away, the first request that goes through again writes what is left."""
        with self._lock:
            self._later = None
        self.write(services)

    def write_if_due(self, services: Services) -> None:
        """After a request that went through: what could not be written while the database was away is."""
        if self._unwritten and time.monotonic() >= self._next:
            self._next = time.monotonic() + self.every_seconds
            self.write(services)

    def write(self, services: Services) -> None:
        with self._lock:
            counted, self._unwritten = self._unwritten, Counter()
        if not counted:
            return
        said = ", ".join(f"{count} ({reason})" for reason, count in counted.items())
        log.warning("Requests refused at the door: %s.", said)
        now = services.clock()
        try:
            with services.database.writing(OF_REFUSALS) as connection:
                door_refusals.add(connection, counted, now)
                is_ours = AWAY in counted
                cause = "notifications could not be stored" if is_ours else "notifications were refused"
                if counted.keys() - {OTHER_ORGANIZATION}:
                    schedules.hasten(connection, now, cause, schedules.LOOKS, is_once=not is_ours)
        except ReceiverError as error:
            log.warning("The refusals could not be counted: %s", error)
            with self._lock:
                self._unwritten += counted
