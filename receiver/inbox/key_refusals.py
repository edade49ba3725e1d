"""How many requests came without a valid key."""

from __future__ import annotations

import logging
import threading
import time

from receiver.errors import ReceiverError
from receiver.lanes import lane as lanes
from receiver.services import Services
from receiver.store.database import OF_NOTE
from receiver.store.models import connection as connection_state

log = logging.getLogger(__name__)

COUNT_EVERY_SECONDS = 5.0


class KeyRefusals:
    """Counts requests without a valid key; written now and then, so that a flood of them costs no flood of commits."""

    def __init__(self) -> None:
        self.every_seconds = COUNT_EVERY_SECONDS
        self._lock = threading.Lock()
        self._unwritten = 0
        self._next = 0.0

    def add(self, services: Services) -> None:
        with self._lock:
            self._unwritten += 1
            if time.monotonic() < self._next:
                return
            self._next = time.monotonic() + self.every_seconds
        self.write(services)

    def write(self, services: Services) -> None:
        with self._lock:
            count, self._unwritten = self._unwritten, 0
        if not count:
            return
        log.warning("%s request(s) without a valid key were refused.", count)
        try:
            with services.database.writing(OF_NOTE) as connection:
                statement = lanes.upsert(connection, connection_state).values(id=1, refused_keys=count)
                total = {"refused_keys": connection_state.c.refused_keys + count}
                connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=total))
        except ReceiverError as error:
            log.warning("The refusals could not be counted: %s", error)
            with self._lock:
                self._unwritten += count
