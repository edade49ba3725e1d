"""b) From the notification to the committed record; c) how fast a backlog is applied, against a loop by hand."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from sqlalchemy import func, insert, select

from benchmarks.bodies import notification
from benchmarks.servers import new_database, serving
from receiver import create_app
from receiver.commands.mappings import set_mapping
from receiver.commands.steps import steps_to_register
from receiver.inbox import Delivery, store
from receiver.schemas.execution_context import read_envelope
from receiver.services import Services
from receiver.store.database import Database
from receiver.store.models import inbox
from receiver.tables import BY_NAME
from receiver.worker import Worker

#: never called: our own images are whole, and a row read would be an error in the result
NOWHERE = {
    "RECEIVER_DATAVERSE_URL": "https://nowhere.invalid",
    "RECEIVER_CLIENT_ID": "nobody",
    "RECEIVER_CLIENT_SECRET": "nothing",
    "RECEIVER_TENANT_ID": "nowhere",
}
THREADS, PER_SECOND = 4, 50


@contextmanager
def prepared(url: str) -> Iterator[tuple[Services, str]]:
    """Services whose CUSTOMER mapping creates by itself, and the alias of its image."""
    app = create_app({**NOWHERE, "RECEIVER_DATABASE_URL": url})
    services: Services = app.extensions["receiver"]
    set_mapping(services, "CUSTOMER", "the benchmark", synch_only_coupled_records=False)
    steps = steps_to_register(services)
    alias = next(step["image"]["alias"] for step in steps if (step["table"], step["message"]) == ("account", "Update"))
    try:
        yield services, alias
    finally:
        services.close()


def backlog(kind: str, folder: Path, pattern: str, rows: int) -> tuple[float, float]:
    """Records a second: ours with *rows* notifications waiting, and the loop by hand over the same rows."""
    ids = [str(uuid4()) for _ in range(rows)]
    with prepared(new_database(kind, folder, pattern)) as (services, alias):
        for id_ in ids:
            body = notification(str(uuid4()), id_, 6000, alias)
            store(services, Delivery(body, {}, ""), read_envelope(body))
        worker, begun = Worker(services, THREADS), time.perf_counter()
        worker.start()
        while _count(services, "waiting", "working"):
            time.sleep(0.05)
        ours = rows / (time.perf_counter() - begun)
        worker.stop()
        if _count(services, "done") != rows:
            raise SystemExit("Not every notification was applied; the figure would mean nothing.")
    return ours, _by_hand(Database(new_database(kind, folder, pattern)), ids)


def _count(services: Services, *states: str) -> int:
    with services.database.reading() as connection:
        return int(connection.execute(select(func.count()).where(inbox.c.state.in_(states))).scalar_one())


def _by_hand(database: Database, ids: list[str]) -> float:
    table, begun = BY_NAME["customer"].table, time.perf_counter()
    for number, id_ in enumerate(ids):
        with database.writing() as connection:
            values = {"no": f"C{number:07d}", "name": f"Firm {id_}", "phone_no": "+49 40 1234", "city": "Hamburg"}
            connection.execute(insert(table).values(values))
    rate = len(ids) / (time.perf_counter() - begun)
    database.dispose()
    return rate


def latency(kind: str, folder: Path, pattern: str, seconds: float) -> tuple[float, float]:
    """p50 and p99 in ms from the notification's arrival to its committed record, at 50 a second, real processes."""
    url = new_database(kind, folder, pattern)
    with prepared(url) as (services, alias):
        environment = {**os.environ, **NOWHERE, "RECEIVER_DATABASE_URL": url}
        command = [sys.executable, "-m", "receiver", "worker"]
        with (
            serving("receiver.serving:app", url) as (port, _pid),
            subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as worker,
        ):
            time.sleep(2)
            words = ["127.0.0.1", port, 4, seconds, 6000, PER_SECOND, alias]
            subprocess.run([sys.executable, "-m", "benchmarks.load", *map(str, words)], capture_output=True, check=True)
            time.sleep(1)
            worker.terminate()
        with services.database.reading() as connection:
            rows = connection.execute(select(inbox.c.received_at, inbox.c.finished_at).where(inbox.c.state == "done"))
            taken = sorted(1000 * (row.finished_at - row.received_at).total_seconds() for row in rows)
    return statistics.median(taken), taken[int(len(taken) * 0.99)]


def report(kind: str, folder: Path, pattern: str, runs: int, rows: int, seconds: float) -> Iterator[str]:
    results = [backlog(kind, folder, pattern, rows) for _ in range(runs)]
    ratios = [ours / by_hand for ours, by_hand in results]
    yield f"| {kind} | applied a second, {rows} waiting | {_spread([ours for ours, _ in results])} |  |"
    yield f"| {kind} | loop by hand, a second | {_spread([by_hand for _, by_hand in results])} |  |"
    yield f"| {kind} | applied : by hand | {_spread(ratios, 2)} | target ≥ 0.5 |"
    times = [latency(kind, folder, pattern, seconds) for _ in range(runs)]
    yield f"| {kind} | notification to record, p50 in ms | {_spread([p50 for p50, _ in times])} | target ≤ 20 |"
    yield f"| {kind} | notification to record, p99 in ms | {_spread([p99 for _, p99 in times])} |  |"


def _spread(values: list[float], digits: int = 0) -> str:
    return " / ".join(f"{value:.{digits}f}" for value in (min(values), statistics.median(values), max(values)))
