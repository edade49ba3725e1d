"""Access tokens: opaque, short-lived, and all revocable at once."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

LIFETIME_SECONDS = 3599


class Tokens:
    """The tokens that are valid now."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._expiry: dict[str, datetime] = {}

    def issue(self) -> str:
        token = secrets.token_urlsafe(48)
        now = self._now()
        with self._lock:
            self._expiry = {known: expiry for known, expiry in self._expiry.items() if expiry > now}
            self._expiry[token] = now + timedelta(seconds=LIFETIME_SECONDS)
        return token

    def accepts(self, token: str) -> bool:
        with self._lock:
            expiry = self._expiry.get(token)
        return expiry is not None and expiry > self._now()

    def expire(self, token: str) -> None:
        with self._lock:
            self._expiry.pop(token, None)

    def expire_all(self) -> None:
        with self._lock:
            self._expiry.clear()
