"""c) How fast a worker applies what waits, against a loop by hand that only inserts."""

from __future__ import annotations

import time
from uuid import uuid4

from sqlalchemy import insert

from benchmarks.bench import Bench
from benchmarks.company import company
from benchmarks.servers import new_database, working
from receiver.store.database import Database
from receiver.tables import BY_NAME


def measure(bench: Bench) -> dict[str, float]:
    rows = [str(uuid4()) for _ in range(bench.sizes.rows)]
    ours, by_hand = _ours(bench, rows), _by_hand(bench, rows)
    return {
        f"applied a second, {len(rows)} waiting": ours,
        "loop by hand, a second": by_hand,
        "applied : by hand": ours / by_hand,
    }


def _ours(bench: Bench, rows: list[str]) -> float:
    """From the start of the worker's threads to the last record."""
    with new_database(bench) as url, company(url) as firm:
        firm.keep(rows)
        with working(url):
            begun, _ = firm.await_worker()
            ended = max(written for _, written in firm.await_records(patience=600 + len(rows)))
    return len(rows) / (ended - begun).total_seconds()


def _by_hand(bench: Bench, rows: list[str]) -> float:
    table = BY_NAME["customer"].table
    with new_database(bench) as url:
        database, begun = Database(url), time.perf_counter()
        for number, row in enumerate(rows):
            with database.writing() as connection:
                values = {"no": f"C{number:07d}", "name": f"Firm {row}", "phone_no": "+49 40 1234", "city": "Hamburg"}
                connection.execute(insert(table).values(values))
        rate = len(rows) / (time.perf_counter() - begun)
        database.dispose()
    return rate
