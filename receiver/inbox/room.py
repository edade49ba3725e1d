"""Whether there is room for one more notification: a flood is refused with 503 before nothing else goes on."""

from __future__ import annotations

import os
import time

from sqlalchemy import func, select

from receiver.services import Services
from receiver.store.models import inbox

LOOK_EACH_SECONDS = 1.0


class Room:
    """Looks at most once a second; in between the last answer counts."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._look_again_at = 0.0
        self._said = ""

    def lacking(self) -> str:
        """Why there is none, in a sentence; empty where there is. Raises: StoreUnavailableError."""
        if time.monotonic() >= self._look_again_at:
            self._look_again_at = time.monotonic() + LOOK_EACH_SECONDS
            self._said = self._too_many() or self._too_full()
        return self._said

    def _too_many(self) -> str:
        most = self._services.options.largest_backlog
        if not most:
            return ""
        some = select(inbox.c.id).where(inbox.c.state == "waiting").limit(most).subquery()
        waiting = select(func.count()).select_from(some)
        with self._services.database.reading() as connection:
            count = connection.execute(waiting).scalar_one()
        return f"{count} notifications wait, and RECEIVER_LARGEST_BACKLOG is {most}." if count >= most else ""

    def _too_full(self) -> str:
        """Of a PostgreSQL's disk nobody here knows."""
        place, least = self._services.database.folder, self._services.options.least_free_disk_mb
        if place is None or not least:
            return ""
        try:
            found = os.statvfs(place)
        except OSError:
            return ""
        free = found.f_bavail * found.f_frsize // 1024**2
        return f"The disk has {free} MB left, and RECEIVER_LEAST_FREE_DISK_MB is {least}." if free < least else ""
