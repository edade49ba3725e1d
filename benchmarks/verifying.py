"""k) How fast both sides of a mapping are compared, and whether twice as many rows take more memory."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import insert

from benchmarks import terminal
from benchmarks.accounts import customer, fill, id_of
from benchmarks.bench import Bench
from benchmarks.company import company
from benchmarks.servers import dataverse, new_database
from benchmarks.terminal import Ran
from receiver.store.database import Database
from receiver.store.models import coupling
from receiver.tables import BY_NAME

IN_A_STATEMENT = 1_000


def measure(bench: Bench) -> dict[str, float]:
    """Sandbox and command are processes of their own; of the memory, only the command's counts."""
    count, half = bench.sizes.records, bench.sizes.records // 2
    with dataverse(seeded=False) as sandbox, new_database(bench) as url, company(url):
        found: list[Ran] = []
        for numbers in (range(half), range(half, count)):
            fill(sandbox, numbers)
            _couple(url, numbers)
            found.append(terminal.run(url, "verify", "CUSTOMER"))
    if [one.said["counts"]["compared"] for one in found] != [half, count]:
        raise SystemExit("Not every pair was compared; the figures would mean nothing.")
    return {
        "verifying, rows a second": count / found[1].seconds,
        "verifying, MiB at most": found[1].mebibytes,
        "verifying, MiB more for twice the rows": found[1].mebibytes - found[0].mebibytes,
    }


def _couple(url: str, numbers: range) -> None:
    """Pairs that say the same."""
    database, now = Database(url), datetime.now(UTC)
    for start in range(0, len(numbers), IN_A_STATEMENT):
        some = [(number, customer(number)) for number in numbers[start : start + IN_A_STATEMENT]]
        pairs = [
            {
                "local_id": one["no"],
                "dataverse_id": id_of(number),
                "mapping": "CUSTOMER",
                "unresolved": [],
                "coupled_at": now,
            }
            for number, one in some
        ]
        with database.writing() as connection:
            connection.execute(insert(BY_NAME["customer"].table), [one for _, one in some])
            connection.execute(insert(coupling), pairs)
    database.dispose()
