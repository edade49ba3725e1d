"""Switches that make the sandbox misbehave, as Dataverse and the network between do now and then.

Counts: 0 is off, n means the next n, -1 means until switched off. A new fault is one field here and one
question where it bites; the Faults page shows it by itself.
"""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field, fields
from typing import Any

ALWAYS = -1


@dataclass
class Faults:
    """All switches; set them at any time, from any thread."""

    seed: int = field(default=1, metadata={"label": "Seed of everything random", "group": "Chance"})
    chance: float = field(
        default=1.0, metadata={"label": "Chance that a webhook fault strikes (0 to 1)", "group": "Chance"}
    )
    delay_seconds: float = field(
        default=0.0, metadata={"label": "Delay each delivery by (seconds)", "group": "Notifications"}
    )
    duplicate: int = field(default=0, metadata={"label": "Send the next n deliveries twice", "group": "Notifications"})
    reorder: int = field(
        default=0, metadata={"label": "Hold n deliveries, then send them shuffled", "group": "Notifications"}
    )
    reorder_seconds: float = field(
        default=1.0, metadata={"label": "Hold no longer than (seconds)", "group": "Notifications"}
    )
    drop: int = field(default=0, metadata={"label": "Lose the next n deliveries", "group": "Notifications"})
    strip: int = field(default=0, metadata={"label": "Send the next n as if over 256 KB", "group": "Notifications"})
    too_many_requests: int = field(
        default=0, metadata={"label": "Answer the next n requests with 429", "group": "Web API"}
    )
    retry_after_seconds: int = field(
        default=1, metadata={"label": "Retry-After of these (seconds)", "group": "Web API"}
    )
    unavailable: int = field(default=0, metadata={"label": "Answer the next n requests with 503", "group": "Web API"})
    stall: int = field(default=0, metadata={"label": "Stall the next n requests", "group": "Web API"})
    stall_seconds: float = field(default=5.0, metadata={"label": "Stall for (seconds)", "group": "Web API"})
    lose_answer: int = field(
        default=0, metadata={"label": "Carry out the next n writes, then answer 504", "group": "Web API"}
    )

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._random = random.Random(self.seed)  # noqa: S311 - repeatable, not secret
        self._drawn_from = self.seed

    def take(self, name: str) -> bool:
        """Whether this counted fault strikes now; uses up one of its count."""
        with self._lock:
            left = int(getattr(self, name))
            if left == 0:
                return False
            if left > 0:
                setattr(self, name, left - 1)
            return True

    def strikes(self, name: str) -> bool:
        """As `take`, but only with the chance that is set."""
        if not getattr(self, name) or self.draw() >= self.chance:
            return False
        return self.take(name)

    def draw(self) -> float:
        with self._lock:
            return self._generator().random()

    def shuffled(self, items: list[Any]) -> list[Any]:
        with self._lock:
            return self._generator().sample(items, len(items))

    def clear(self) -> None:
        """Everything off."""
        fresh = Faults()
        for switch in fields(Faults):
            setattr(self, switch.name, getattr(fresh, switch.name))

    def _generator(self) -> random.Random:
        if self._drawn_from != self.seed:
            self._random = random.Random(self.seed)  # noqa: S311 - repeatable, not secret
            self._drawn_from = self.seed
        return self._random
