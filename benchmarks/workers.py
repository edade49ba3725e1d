"""g) How fast several workers insert new records side by side: PostgreSQL alone, SQLite has one writer."""

from __future__ import annotations

from contextlib import ExitStack
from uuid import uuid4

from benchmarks.bench import Bench
from benchmarks.company import company
from benchmarks.servers import new_database, working

WORKERS = (1, 2, 4)
#: a worker leases a hundred at a time; each is to have several turns
FEWEST_ROWS = 20


def measure(bench: Bench) -> dict[str, float]:
    if bench.kind == "sqlite":
        return {}
    rows = [str(uuid4()) for _ in range(max(bench.sizes.rows // 4, FEWEST_ROWS))]
    return {f"inserted a second, {count} worker(s)": _rate(bench, rows, count) for count in WORKERS}


def _rate(bench: Bench, rows: list[str], count: int) -> float:
    """From the start of the first worker's threads to the last record."""
    with new_database(bench) as url, company(url) as firm:
        firm.keep(rows)
        with ExitStack() as workers:
            for _ in range(count):
                workers.enter_context(working(url))
            begun, _ = firm.await_worker()
            ended = max(written for _, written in firm.await_records(patience=600 + len(rows)))
    return len(rows) / (ended - begun).total_seconds()
