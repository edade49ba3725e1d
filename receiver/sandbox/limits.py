"""Service protection: how much one user may ask of one web server within five minutes.

A batch counts as one request, with the time that all of it takes. Source: DP/api-limits.md.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from receiver.sandbox.errors import ApiError


@dataclass(frozen=True)
class Limits:
    """What Dataverse allows by default; the times are in seconds."""

    requests: int = 6000
    execution_seconds: float = 1200.0
    concurrent: int = 52
    window_seconds: float = 300.0


class Protection:
    """Counts requests, and refuses those beyond the limits; without limits it only counts."""

    def __init__(self, limits: Limits | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._lock = threading.Lock()
        self._running = 0
        #: when each request of the window ended, and how long it took
        self._ended: deque[tuple[float, float]] = deque()
        #: since the start
        self.admitted = 0
        self.refused = 0

    def begin(self) -> None:
        """Raises ApiError 429 with Retry-After."""
        with self._lock:
            refusal = self._limits and self._refusal(self._limits)
            if refusal:
                self.refused += 1
                raise refusal
            self._running += 1
            self.admitted += 1

    def end(self, seconds: float) -> None:
        """A request that was let in has been answered."""
        with self._lock:
            self._running -= 1
            if self._limits:
                self._ended.append((self._clock(), seconds))

    def _refusal(self, limits: Limits) -> ApiError | None:
        now = self._clock()
        while self._ended and self._ended[0][0] <= now - limits.window_seconds:
            self._ended.popleft()
        over = f"over time window of {limits.window_seconds:.0f} seconds"
        wait = max(math.ceil(self._ended[0][0] + limits.window_seconds - now), 1) if self._ended else 1
        if self._running + len(self._ended) >= limits.requests:
            said = f"Number of requests exceeded the limit of {limits.requests} {over}."
            return _too_many("0x80072322", said, wait)
        if sum(seconds for _, seconds in self._ended) >= limits.execution_seconds:
            most = f"{limits.execution_seconds * 1000:,.0f} milliseconds"
            said = f"Combined execution time of incoming requests exceeded limit of {most} {over}."
            return _too_many("0x80072321", said, wait)
        if self._running >= limits.concurrent:
            said = f"Number of concurrent requests exceeded the limit of {limits.concurrent}."
            return _too_many("0x80072326", said, 1)
        return None


def _too_many(code: str, said: str, wait: int) -> ApiError:
    return ApiError(429, code, said, {"Retry-After": str(wait)})
