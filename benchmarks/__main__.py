"""Print one table of what was measured. `make bench`; BENCH_RUNS, BENCH_SECONDS and BENCH_ROWS shorten it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from benchmarks import applied, door
from benchmarks.servers import postgresql


def main() -> None:
    runs, seconds = int(os.environ.get("BENCH_RUNS", "5")), float(os.environ.get("BENCH_SECONDS", "5"))
    rows = int(os.environ.get("BENCH_ROWS", "10000"))
    print("| database | figure | min / median / max | |\n|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with postgresql(folder / "pg") as pattern:
            for kind in ("sqlite", "postgresql"):
                for row in door.report(kind, door.measure(kind, folder, pattern, runs, seconds)):
                    print(row, flush=True)
                for row in applied.report(kind, folder, pattern, runs, rows, seconds):
                    print(row, flush=True)


main()
