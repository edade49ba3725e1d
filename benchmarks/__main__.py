"""Measure and print the table; a whole measurement of five runs or more becomes docs/performance.md.

The environment says how much (benchmarks/bench.py), the options what: `make bench T="--only door,open --runs 3"`.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import replace

from benchmarks import (
    backlog,
    button,
    door,
    footprint,
    full_synchronization,
    latency,
    matching,
    outbound,
    report,
    slow_senders,
    verifying,
    workers,
)
from benchmarks.bench import SHORT, Bench, from_environment
from benchmarks.figures import HEADING, Figure, figures
from benchmarks.servers import dataverse, postgresql

BENCHMARKS: dict[str, Callable[[Bench], dict[str, float]]] = {
    "door": door.measure,
    "strangers": slow_senders.measure,
    "latency": latency.measure,
    "backlog": backlog.measure,
    "workers": workers.measure,
    "open": button.measure,
    "start": footprint.start,
    "memory": footprint.footprint,
    "full": full_synchronization.measure,
    "outbound": outbound.measure,
    "match": matching.measure,
    "verify": verifying.measure,
}
#: long, and much the same each time: measured in one run
ONCE = {"memory", "full", "outbound", "match", "verify"}
ENOUGH_RUNS = 5


def main() -> None:
    asked = _arguments()
    sizes = SHORT if asked.short else from_environment()
    sizes = replace(sizes, runs=asked.runs or sizes.runs)
    measured: list[Figure] = []
    print(HEADING, flush=True)
    with tempfile.TemporaryDirectory() as folder, postgresql(folder) as pattern, dataverse() as sandbox:
        for kind in ("sqlite", "postgresql"):
            bench = Bench(kind, pattern, sandbox, sizes)
            for name in asked.only:
                runs = 1 if name in ONCE else sizes.runs
                found = figures(kind, [BENCHMARKS[name](bench) for _ in range(runs)])
                print(*(figure.row() for figure in found), sep="\n", flush=True)
                measured += found
        if asked.only == list(BENCHMARKS) and sizes.runs >= ENOUGH_RUNS:
            report.write(measured, sizes, pattern)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    every = ",".join(BENCHMARKS)
    parser.add_argument(
        "--only", metavar="NAMES", type=_names, default=every, help=f"of {every}; then nothing is written"
    )
    parser.add_argument("--runs", type=int, metavar="N", help="instead of BENCH_RUNS; below five nothing is written")
    parser.add_argument("--short", action="store_true", help="one small run: does the benchmark itself work?")
    return parser.parse_args()


def _names(text: str) -> list[str]:
    names = text.split(",")
    if not BENCHMARKS.keys() >= set(names):
        raise argparse.ArgumentTypeError(f"only {', '.join(BENCHMARKS)} are known")
    return names


main()
