"""One thing that was looked at: what was found, how grave it is, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """From the lightest to the gravest."""

    OK = "ok"
    #: nothing is wrong, but it cannot be known, or is good to know
    NOTE = "note"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True)
class Step:
    """A step of the connection or of the doctor's; the remedy is empty where nothing is to be done."""

    name: str
    verdict: Verdict
    said: str
    remedy: str = ""

    def plain(self) -> dict[str, str]:
        """As JSON."""
        return {"name": self.name, "verdict": self.verdict.value, "said": self.said, "remedy": self.remedy}


def worst(steps: Iterable[Step]) -> Verdict:
    """The gravest verdict of all."""
    found = {step.verdict for step in steps}
    return next((verdict for verdict in reversed(Verdict) if verdict in found), Verdict.OK)
