"""f) How long door and worker take to start, and their memory before and after many notifications."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

from benchmarks.bench import Bench
from benchmarks.company import company
from benchmarks.load import send
from benchmarks.servers import DOOR, memory, new_database, serving, working

#: what is loaded at the first use is not taken for growth
FIRST_NOTIFICATIONS = 50


def measure(bench: Bench) -> dict[str, float]:
    flood = bench.sizes.flood
    with new_database(bench) as url, company(url) as firm:
        firm.keep([str(uuid4())])
        with serving(DOOR, url) as server:
            begun = datetime.now(UTC)
            with working(url) as worker:
                (_, beat), first_record = firm.await_worker(), firm.await_records()[0][1]
                pids = {"door": server.pid, "worker": worker.pid}
                send(server.port, count=FIRST_NOTIFICATIONS, alias=firm.alias)
                firm.await_records()
                before = {name: memory(pid) for name, pid in pids.items()}
                send(server.port, count=flood, alias=firm.alias)
                firm.await_records(patience=600 + flood)
                after = {name: memory(pid) for name, pid in pids.items()}
    found = {
        "door, start to first answer in ms": 1000 * server.seconds_to_start,
        "worker, start to first heartbeat in ms": 1000 * (beat - begun).total_seconds(),
        "worker, start to first record in ms": 1000 * (first_record - begun).total_seconds(),
    }
    for name in pids:
        for what, number in (("RSS", 0), ("PSS", 1)):
            found[f"{name}, {what} in MiB"] = before[name][number]
            found[f"{name}, {what} in MiB after {flood} notifications"] = after[name][number]
    return found
