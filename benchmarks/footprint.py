"""f) How long door, worker and tour take to start; and memory at first, half-way through a flood, and after it."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

from benchmarks import tour
from benchmarks.bench import Bench
from benchmarks.company import company
from benchmarks.load import send
from benchmarks.servers import DOOR, memory, new_database, serving, working

#: what is loaded at the first use is not taken for growth
FIRST_NOTIFICATIONS = 50


def start(bench: Bench) -> dict[str, float]:
    with new_database(bench) as url, company(url) as firm:
        firm.keep([str(uuid4())])
        with serving(DOOR, url) as server:
            begun = datetime.now(UTC)
            with working(url):
                (_, beat), first_record = firm.await_worker(), firm.await_records()[0][1]
    return {
        **(tour.starts() if bench.kind == "sqlite" else {}),  # the only database that it has
        "door, start to first answer in ms": 1000 * server.seconds_to_start,
        "worker, start to first heartbeat in ms": 1000 * (beat - begun).total_seconds(),
        "worker, start to first record in ms": 1000 * (first_record - begun).total_seconds(),
    }


def footprint(bench: Bench) -> dict[str, float]:
    """The second half of the flood tells growth from caches that fill once."""
    flood, found = bench.sizes.flood, {}
    with new_database(bench) as url, company(url) as firm, serving(DOOR, url) as server, working(url) as worker:
        firm.await_worker()
        sent = 0
        for until in (FIRST_NOTIFICATIONS, flood // 2, flood):
            send(server.port, count=until - sent, alias=firm.alias)
            firm.await_records(patience=600 + flood)
            sent = until
            for name, pid in (("door", server.pid), ("worker", worker.pid)):
                for what, size in zip(("RSS", "PSS"), memory(pid), strict=True):
                    found[f"{name}, {what} in MiB after {sent} notifications"] = size
    return found
