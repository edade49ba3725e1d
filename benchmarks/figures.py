"""What was measured: a figure, its value in every run, and the target that its median should keep."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

#: figure: sign and number; by database where it differs
TARGETS: dict[str, tuple[str, float] | dict[str, tuple[str, float]]] = {
    "door, p99 in ms": ("≤", 150),
    "door : bare": {"sqlite": ("≥", 0.65), "postgresql": ("≥", 0.6)},
    "door : by hand": ("≥", 1.8),
    "beside strangers : alone, p99": ("≤", 2),
    "notification to record, p50 in ms": ("≤", 20),
    "Web API reads a notification": ("≤", 0),
    "applied : by hand": ("≥", 0.5),
    "click beyond its reads, p95 in ms": ("≤", 30),
    "tour, second start to its links in ms": ("≤", 5000),
    "full synchronization : by hand": ("≥", 0.5),
    "full synchronization, MiB at most": ("≤", 300),
    "nothing changed : full synchronization": ("≥", 5),
    "outbound, HTTP requests a row": ("≤", 0.05),
    "outbound, refused by the limits": ("≤", 0),
    "matching, seconds": ("≤", 120),
    "verifying, MiB more for twice the rows": ("≤", 10),
}
HEADING = "| database | figure | min / median / max | target | |\n|---|---|---|---|---|"


@dataclass(frozen=True)
class Figure:
    database: str
    name: str
    values: tuple[float, ...]

    @property
    def spread(self) -> tuple[float, float, float]:
        return min(self.values), statistics.median(self.values), max(self.values)

    @property
    def target(self) -> tuple[str, float] | None:
        found = TARGETS.get(self.name)
        return found[self.database] if isinstance(found, dict) else found

    @property
    def verdict(self) -> str:
        """Met or missed; nothing where there is no target."""
        if self.target is None:
            return ""
        sign, wanted = self.target
        median = self.spread[1]
        return "met" if (median <= wanted if sign == "≤" else median >= wanted) else "missed"

    @property
    def wanted(self) -> str:
        return f"{self.target[0]} {written(self.target[1])}" if self.target else ""

    def row(self) -> str:
        spread = " / ".join(map(written, self.spread))
        return f"| {self.database} | {self.name} | {spread} | {self.wanted} | {self.verdict} |"


def figures(database: str, runs: Sequence[dict[str, float]]) -> list[Figure]:
    return [Figure(database, name, tuple(run[name] for run in runs)) for name in runs[0]]


def written(value: float) -> str:
    """Three digits are all that a benchmark knows."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]
