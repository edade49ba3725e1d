"""How fast both sides of a mapping are compared, and how much memory that takes.

By itself: `python -m benchmarks.verifying [--rows 100000]`; the sandbox's own time is part of what is measured.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from sqlalchemy import insert

from benchmarks.servers import dataverse
from receiver import create_app
from receiver.commands.test_connection import test_connection
from receiver.commands.verify import verify
from receiver.services import Services
from receiver.store.database import Database
from receiver.store.models import coupling
from receiver.store.schema import migrate
from receiver.tables import BY_NAME

AT_ONCE = 1_000
MEGABYTE = 1024


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.verifying", description=__doc__)
    parser.add_argument("--rows", type=int, default=int(os.environ.get("BENCH_ROWS", "100000")))
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder, dataverse() as sandbox:
        url = f"sqlite:///{Path(folder) / 'receiver.sqlite'}"
        database = Database(url)
        migrate(database, datetime.now(UTC))
        database.dispose()
        services: Services = create_app({**os.environ, "RECEIVER_DATABASE_URL": url}).extensions["receiver"]
        assert test_connection(services).is_good
        for start in range(0, rows, AT_ONCE):
            fill(services, sandbox, range(start, min(start + AT_ONCE, rows)))
        before, begun = _memory(), time.perf_counter()
        verified = verify(services, "CUSTOMER")
        seconds = time.perf_counter() - begun
        print(f"| rows compared | {verified.counts['compared']:,} |")
        print(f"| different | {verified.counts.get('different', 0):,} |")
        print(f"| rows a second | {rows / seconds:,.0f} |")
        print(f"| memory before | {before:,.0f} MB |")
        print(f"| memory at most | {_memory():,.0f} MB |")
        services.close()


def fill(services: Services, sandbox: object, numbers: range) -> None:
    """Coupled pairs that say the same."""
    ids = [str(uuid4()) for _ in numbers]
    for number, id_ in zip(numbers, ids, strict=True):
        sandbox.create("account", {"accountid": id_, "name": f"Firm {number}", "customertypecode": 3})
    keys = [f"X{number:09d}" for number in numbers]
    now = datetime.now(UTC)
    with services.database.writing() as connection:
        records = [{"no": key, "name": f"Firm {number}"} for key, number in zip(keys, numbers, strict=True)]
        connection.execute(insert(BY_NAME["customer"].table), records)
        pairs = [
            {"mapping": "CUSTOMER", "local_id": key, "dataverse_id": id_, "unresolved": [], "coupled_at": now}
            for key, id_ in zip(keys, ids, strict=True)
        ]
        connection.execute(insert(coupling), pairs)


def _memory() -> float:
    """The most that this process, sandbox and all, has held until now."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MEGABYTE


if __name__ == "__main__":
    main()
