"""b) From the notification to its record, at 50 a second; d) what had to be read for it in Dataverse."""

from __future__ import annotations

from benchmarks.bench import Bench
from benchmarks.company import company
from benchmarks.figures import percentile
from benchmarks.load import send
from benchmarks.servers import DOOR, new_database, row_reads, serving, working

PER_SECOND = 50
#: a worker that has just started is not what is measured
FIRST_SECONDS = 1.0


def measure(bench: Bench) -> dict[str, float]:
    """By the receiver's own stamps, in real processes."""
    with new_database(bench) as url, company(url) as firm, serving(DOOR, url) as server, working(url):
        firm.await_worker()
        steady = {"connections": 4, "per_second": PER_SECOND, "alias": firm.alias}
        send(server.port, seconds=FIRST_SECONDS, **steady)
        first = len(firm.await_records())
        bench.sandbox.organization.requests.clear()
        send(server.port, seconds=bench.sizes.seconds, **steady)
        records = firm.await_records()[first:]
    taken = [1000 * (written - came).total_seconds() for came, written in records]
    return {
        "notification to record, p50 in ms": percentile(taken, 0.5),
        "notification to record, p99 in ms": percentile(taken, 0.99),
        "Web API reads a notification": len(row_reads(bench.sandbox)) / len(records),
    }
