"""A neighbour that is away, told once: that it went, now and then that it still is, and that it is back."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

#: how often a standing trouble is told again
STILL_SECONDS = 600.0


class Away:
    """One subject's state, of all threads of a process together.

    *subject* as a sentence begins with it; what is said goes to *log*, in the place of a line for each attempt.
    """

    def __init__(self, log: logging.Logger, subject: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._subject = subject
        self._clock = clock
        self._lock = threading.Lock()
        self._since: float | None = None
        self._told = 0.0
        self._attempts = 0

    def away(self, why: str) -> None:
        """An attempt failed."""
        with self._lock:
            now = self._clock()
            self._attempts += 1
            if self._since is None:
                self._since = self._told = now
                self._log.warning("%s is away: %s", self._subject, why)
            elif now - self._told >= STILL_SECONDS:
                self._told = now
                self._log.warning("%s is still away, %s: %s", self._subject, self._so_far(now), why)

    def back(self) -> None:
        """An attempt went through; costs nothing while all is well."""
        if self._since is None:
            return
        with self._lock:
            if self._since is not None:
                self._log.warning("%s is back, %s.", self._subject, self._so_far(self._clock()))
            self._since, self._attempts = None, 0

    def _so_far(self, now: float) -> str:
        assert self._since is not None  # asked of who is away alone
        minutes, seconds = divmod(round(now - self._since), 60)
        lasted = f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
        return f"after {lasted} and {self._attempts} attempt(s)"
