"""a) Durable acknowledgements a second, against what bare Flask and a hand-written upsert reach."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks.servers import new_database, serving

CONNECTIONS, BODY = 16, 6000
APPS = {"door": "receiver.serving:app", "bare": "benchmarks.bare:app", "by hand": "benchmarks.by_hand:app"}


def measure(kind: str, folder: Path, pattern: str, runs: int, seconds: float) -> dict[str, list[dict[str, float]]]:
    """Each application in turn, *runs* times over, each time on a new database."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in APPS}
    for _ in range(runs):
        for name, app in APPS.items():
            with serving(app, new_database(kind, folder, pattern)) as (port, _pid):
                load(port, 1.0)
                found[name].append(load(port, seconds))
    return found


def load(port: int, seconds: float, per_second: float = 0) -> dict[str, float]:
    words = ["127.0.0.1", port, CONNECTIONS, seconds, BODY, per_second]
    command = [sys.executable, "-m", "benchmarks.load", *map(str, words)]
    result: dict[str, float] = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    return result


def spread(values: list[float]) -> str:
    return f"{min(values):.0f} / {statistics.median(values):.0f} / {max(values):.0f}"


def report(kind: str, found: dict[str, list[dict[str, float]]]) -> list[str]:
    """Table rows: figure, min / median / max, ratio of medians of the same run."""
    rows = []
    for name, results in found.items():
        rows.append(f"| {kind} | {name}, answered a second | {spread([one['answered'] for one in results])} |  |")
    rows.append(f"| {kind} | door, p99 in ms | {spread([one['p99_ms'] for one in found['door']])} | target ≤ 150 |")
    for other, target in (("bare", 0.65 if kind == "sqlite" else 0.6), ("by hand", 1.8)):
        pairs = zip(found["door"], found[other], strict=True)
        ratios = [door["answered"] / against["answered"] for door, against in pairs]
        said = f"{min(ratios):.2f} / {statistics.median(ratios):.2f} / {max(ratios):.2f}"
        rows.append(f"| {kind} | door : {other} | {said} | target ≥ {target} |")
    return rows
