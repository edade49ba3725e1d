"""i) Changed local records on their way to Dataverse, in batches, while its limits hold."""

from __future__ import annotations

from sqlalchemy import update

from benchmarks import terminal
from benchmarks.accounts import accounts
from benchmarks.bench import Bench
from benchmarks.company import company
from benchmarks.full_synchronization import run
from benchmarks.servers import new_database
from receiver.store.database import Database
from receiver.tables import BY_NAME

#: so many times fewer records than elsewhere: each is a write of Dataverse's
FEWER = 10


def measure(bench: Bench) -> dict[str, float]:
    count = bench.sizes.records // FEWER
    with accounts(count) as sandbox, new_database(bench) as url:
        with company(url):
            pass  # connects, and lets the mapping create
        run(url, count, "inserted")
        _change(url)
        protection = sandbox.organization.protection
        before = protection.admitted + protection.refused
        ran = terminal.run(url, "mappings", "run", "CUSTOMER", "--direction", "to", "--here")
        asked = protection.admitted + protection.refused - before
    if ran.said["counts"] != {"modified": count}:
        raise SystemExit(f"{ran.said['counts']} instead of {count} modified; the figures would mean nothing.")
    return {
        "outbound, rows a second": count / ran.seconds,
        "outbound, HTTP requests a row": asked / count,
        "outbound, refused by the limits": protection.refused,
        "outbound, MiB at most": ran.mebibytes,
    }


def _change(url: str) -> None:
    database, table = Database(url), BY_NAME["customer"].table
    with database.writing() as connection:
        connection.execute(update(table).values(phone_no="+43 " + table.c.no))
    database.dispose()
