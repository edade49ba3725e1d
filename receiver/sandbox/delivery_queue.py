"""Asynchronous deliveries: sent by several threads at once, in no promised order, some time after the commit."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import requests

from receiver.sandbox.delivery import Parcel, new_session
from receiver.sandbox.faults import Faults

Carry = Callable[[requests.Session, Parcel], None]


@dataclass(order=True)
class _Waiting:
    due: float
    order: int
    parcel: Parcel

    def __post_init__(self) -> None:
        self.is_held = False


class DeliveryQueue:
    """Parcels waiting to be sent, and the threads that send them."""

    def __init__(self, carry: Carry, faults: Faults, threads: int) -> None:
        self._carry = carry
        self._faults = faults
        self._heap: list[_Waiting] = []
        self._changed = threading.Condition()
        self._unfinished = 0
        self._is_open = True
        self._order = itertools.count()
        self._threads = [
            threading.Thread(target=self._work, name=f"sandbox-delivery-{number}", daemon=True)
            for number in range(threads)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """What is being sent is finished; what waits is forgotten."""
        with self._changed:
            self._is_open = False
            self._changed.notify_all()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def put(self, parcel: Parcel) -> None:
        copies = 2 if self._faults.strikes("duplicate") else 1
        with self._changed:
            for _ in range(copies):
                self._add(parcel)
            self._release_when_enough_are_held()
            self._changed.notify_all()

    def settle(self, timeout: float) -> bool:
        """Waits until nothing is waiting or being sent; held parcels go at once. False when time ran out."""
        with self._changed:
            self._release()
            return self._changed.wait_for(lambda: self._unfinished == 0, timeout)

    @property
    def unfinished(self) -> int:
        return self._unfinished

    def _add(self, parcel: Parcel) -> None:
        delay = self._faults.delay_seconds if self._faults.strikes("delay_seconds") else 0.0
        waiting = _Waiting(time.monotonic() + delay, next(self._order), parcel)
        if self._faults.reorder:
            waiting.is_held = True
            waiting.due += self._faults.reorder_seconds
        heapq.heappush(self._heap, waiting)
        self._unfinished += 1

    def _release_when_enough_are_held(self) -> None:
        held = sum(waiting.is_held for waiting in self._heap)
        if held and held >= self._faults.reorder:
            self._release()

    def _release(self) -> None:
        """Held parcels leave now, shuffled."""
        held = [waiting for waiting in self._heap if waiting.is_held]
        now = time.monotonic()
        for place, waiting in enumerate(self._faults.shuffled(held)):
            waiting.due, waiting.order, waiting.is_held = now, place, False
        heapq.heapify(self._heap)
        self._changed.notify_all()

    def _work(self) -> None:
        with new_session() as session:
            while (parcel := self._next()) is not None:
                try:
                    self._carry(session, parcel)
                finally:
                    with self._changed:
                        self._unfinished -= 1
                        self._changed.notify_all()

    def _next(self) -> Parcel | None:
        """Blocks until a parcel is due; None when the sandbox stops."""
        with self._changed:
            while self._is_open:
                if not self._heap:
                    self._changed.wait()
                    continue
                remaining = self._heap[0].due - time.monotonic()
                if remaining <= 0:
                    return heapq.heappop(self._heap).parcel
                self._changed.wait(remaining)
        return None
