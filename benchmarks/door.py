"""a) Durable acknowledgements a second, against what bare Flask and a hand-written upsert reach."""

from __future__ import annotations

from benchmarks.bench import Bench
from benchmarks.load import send
from benchmarks.servers import DOOR, new_database, serving

APPS = {"door": DOOR, "bare": "benchmarks.bare:app", "by hand": "benchmarks.by_hand:app"}


def measure(bench: Bench) -> dict[str, float]:
    """Each application in turn, on a database of its own."""
    found = {}
    for name, app in APPS.items():
        with new_database(bench) as url, serving(app, url) as server:
            send(server.port, seconds=min(1.0, bench.sizes.seconds))
            found[name] = send(server.port, seconds=bench.sizes.seconds)
    answered = {name: one["answered"] for name, one in found.items()}
    return {
        **{f"{name}, answered a second": rate for name, rate in answered.items()},
        "door, p99 in ms": found["door"]["p99_ms"],
        "door : bare": answered["door"] / answered["bare"],
        "door : by hand": answered["door"] / answered["by hand"],
    }
