"""j) Match-based coupling of a whole table: seconds and memory.

Half of the records have one equal row by name; a quarter only by phone, in the second group; a quarter have none.
"""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import insert

from benchmarks.bench import Bench
from benchmarks.company import company
from benchmarks.servers import dataverse, memory, new_database
from receiver import create_app
from receiver.commands.coupling.match import match
from receiver.commands.coupling.match_plan import Choices
from receiver.commands.mappings.change_mapping import named, set_field
from receiver.sandbox import Sandbox
from receiver.services import Services
from receiver.tables import BY_NAME

CUSTOMER_TYPE, IN_A_STATEMENT = 3, 1000


def measure(bench: Bench) -> dict[str, float]:
    """The sandbox runs in this process; what it holds was there before, and is not counted."""
    count = bench.sizes.records
    with dataverse(seeded=False) as sandbox, new_database(bench) as url, company(url):
        _fill_dataverse(sandbox, count)
        services: Services = create_app({**os.environ, "RECEIVER_DATABASE_URL": url}).extensions["receiver"]
        try:
            _fill(services, count)
            with _peak() as peak:
                begun = time.perf_counter()
                result = match(services, ["CUSTOMER"], "the benchmark", Choices(synchronizes=False, creates_new=False))
                seconds = time.perf_counter() - begun
        finally:
            services.close()
    wanted = {"coupled": count - count // 4, "failed": count // 4}
    if result.counts != wanted:
        raise SystemExit(f"Matched {result.counts} instead of {wanted}; the figures would mean nothing.")
    return {"matching, seconds": seconds, "matching, MiB more": peak[0]}


def _fill_dataverse(sandbox: Sandbox, count: int) -> None:
    for number in range(count):
        values = {"name": f"Firm {number}", "telephone1": f"+43 {number}", "customertypecode": CUSTOMER_TYPE}
        sandbox.create("account", values, deliver=False)


def _fill(services: Services, count: int) -> None:
    rows = [{"no": f"M{number:07d}", "name": _name(number), "phone_no": _phone(number)} for number in range(count)]
    with services.database.writing() as connection:
        for start in range(0, count, IN_A_STATEMENT):
            connection.execute(insert(BY_NAME["customer"].table), rows[start : start + IN_A_STATEMENT])
    for column, priority in (("name", 0), ("phone_no", 1)):
        number = next(row.number for row in named(services, "CUSTOMER").fields if row.local_column == column)
        changes = {"match_on_this_field": True, "match_priority": priority}
        set_field(services, "CUSTOMER", number, "the benchmark", **changes)


def _name(number: int) -> str:
    return f"Firm {number}" if number % 4 < 2 else f"Company {number}"


def _phone(number: int) -> str:
    return f"+43 {number}" if number % 4 < 3 else f"+49 {number}"


@contextmanager
def _peak() -> Iterator[list[float]]:
    """The most that this process's memory grows, in MiB, looked at ten times a second."""
    gc.collect()
    before, peak, is_over = memory(os.getpid())[0], [0.0], threading.Event()

    def watch() -> None:
        while not is_over.wait(0.1):
            peak[0] = max(peak[0], memory(os.getpid())[0] - before)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield peak
    finally:
        is_over.set()
        watching.join()
