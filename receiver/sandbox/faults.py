"""Switches that make the sandbox misbehave, as Dataverse and the network between do now and then.

Counts: 0 is off, n means the next n, -1 means until switched off; with a chance below 1 the seed decides which calls
are struck. A new fault is one field here and one question where it bites; the Faults page shows it by itself if it
has a label.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from typing import Any

from receiver.sandbox.answer import Answer

ALWAYS = -1


@dataclass
class Faults:
    """All switches; set them at any time, from any thread."""

    seed: int = field(default=1, metadata={"label": "Seed of everything random", "group": "Chance"})
    chance: float = field(default=1.0, metadata={"label": "Chance that a fault strikes (0 to 1)", "group": "Chance"})
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
    expired_token: int = field(
        default=0, metadata={"label": "Refuse the token of the next n requests", "group": "Web API"}
    )
    lose_answer: int = field(
        default=0, metadata={"label": "Carry out the next n writes, then answer 504", "group": "Web API"}
    )
    no_application_user: int = field(
        default=0, metadata={"label": "Know no application user for the next n requests", "group": "Web API"}
    )
    other_host: str = field(
        default="", metadata={"label": "Other host name of the environment, written into links", "group": "Web API"}
    )
    link_to_itself: int = field(
        default=0, metadata={"label": "Let the next n next-links lead to their own page", "group": "Web API"}
    )
    no_next_link: int = field(default=0, metadata={"label": "Leave out the next n next-links", "group": "Web API"})
    no_delta_link: int = field(default=0, metadata={"label": "Leave out the next n delta links", "group": "Web API"})
    no_representation: int = field(
        default=0, metadata={"label": "Answer the next n writes without the row that was asked for", "group": "Web API"}
    )
    batch_without_reason: int = field(
        default=0, metadata={"label": "Answer the next n batches without reason phrases", "group": "Web API"}
    )
    batch_line_ends_lf: int = field(
        default=0, metadata={"label": "Answer the next n batches with LF line ends", "group": "Web API"}
    )
    batch_cut_short: int = field(
        default=0, metadata={"label": "Cut the answer to the next n batches short", "group": "Web API"}
    )
    batch_parts_missing: int = field(
        default=0, metadata={"label": "Answer the next n batches without their last part", "group": "Web API"}
    )
    clock_ahead_seconds: float = field(
        default=0.0, metadata={"label": "Say a time that is ahead by (seconds)", "group": "Web API"}
    )
    expired_secret: int = field(
        default=0, metadata={"label": "Call the secret of the next n sign-ins expired", "group": "Sign-in"}
    )

    answers: list[Answer] = field(default_factory=list)
    """Scripted answers; the first that fits a request strikes it, and leaves the list when its times are used up."""

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._generators: dict[str, random.Random] = {}
        self._drawn_from = self.seed

    def strikes(self, name: str) -> bool:
        """Whether this fault strikes now, with the chance that is set; a counted one uses up one of its count."""
        with self._lock:
            left = getattr(self, name)
            if not left or self._generator(name).random() >= self.chance:
                return False
            if name in _COUNTED and left > 0:
                setattr(self, name, left - 1)
            return True

    def answer_for(self, method: str, address: str, *, in_batch: bool) -> Answer | None:
        """The scripted answer that strikes this request, with the chance that is set; uses up one of its times."""
        with self._lock:
            for at, answer in enumerate(self.answers):
                if not answer.times or not answer.fits(method, address, in_batch=in_batch):
                    continue
                if self._generator("answers").random() >= self.chance:
                    return None
                if answer.times > 0:
                    # one instance may be in several lists: the count is kept in the list, not in the answer
                    self.answers[at : at + 1] = [replace(answer, times=answer.times - 1)] if answer.times > 1 else []
                return answer
        return None

    def shuffled(self, items: list[Any]) -> list[Any]:
        with self._lock:
            return self._generator("reorder").sample(items, len(items))

    @contextmanager
    def switched(self, **switches: float | str | list[Answer]) -> Iterator[None]:
        """These switches for the calls inside the block alone. Raises TypeError for a switch that does not exist."""
        before = {name: getattr(self, name) for name in self._known(switches)}
        for name, value in switches.items():
            setattr(self, name, value)
        try:
            yield
        finally:
            for name, value in before.items():
                setattr(self, name, value)

    def clear(self) -> None:
        """Everything off; what is random begins anew."""
        fresh = Faults()
        with self._lock:
            self._generators.clear()
            for switch in fields(Faults):
                setattr(self, switch.name, getattr(fresh, switch.name))

    def _known(self, switches: dict[str, Any]) -> set[str]:
        unknown = set(switches) - {switch.name for switch in fields(Faults)}
        if unknown:
            raise TypeError(f"There is no fault {', '.join(sorted(unknown))}.")
        return set(switches)

    def _generator(self, name: str) -> random.Random:
        """One for each fault: how often the others were asked changes nothing for it."""
        if self._drawn_from != self.seed:
            self._generators.clear()
            self._drawn_from = self.seed
        return self._generators.setdefault(name, random.Random(f"{self.seed} {name}"))  # noqa: S311 - repeatable


_COUNTED = frozenset(switch.name for switch in fields(Faults) if switch.type == "int")
