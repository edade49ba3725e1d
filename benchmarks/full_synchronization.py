"""h) Accounts brought into an empty database, against a script that pages and inserts; and again, nothing changed."""

from __future__ import annotations

from benchmarks import terminal
from benchmarks.accounts import accounts
from benchmarks.bench import Bench
from benchmarks.company import company
from benchmarks.servers import new_database
from benchmarks.terminal import Ran
from receiver.sandbox import Sandbox

COMMAND = ("mappings", "run", "CUSTOMER", "--direction", "from", "--full", "--here")


def measure(bench: Bench) -> dict[str, float]:
    """Sandbox and command are processes of their own; of the memory, only the command's counts."""
    count = bench.sizes.records
    with accounts(count) as sandbox:
        by_hand = _by_hand(bench, sandbox, count)
        with new_database(bench) as url:
            with company(url):
                pass  # connects, and lets the mapping create
            first, again = run(url, count, "inserted"), run(url, count, "unchanged")
        if sandbox.organization.protection.refused:
            raise SystemExit("Dataverse's limits were met; the figures would mean nothing.")
    return {
        "full synchronization, rows a second": count / first.seconds,
        "paged and inserted by hand, rows a second": count / by_hand,
        "full synchronization : by hand": by_hand / first.seconds,
        "full synchronization, MiB at most": first.mebibytes,
        "nothing changed, rows a second": count / again.seconds,
        "nothing changed : full synchronization": first.seconds / again.seconds,
        "nothing changed, MiB at most": again.mebibytes,
    }


def run(url: str, count: int, wanted: str) -> Ran:
    """A full synchronization of CUSTOMER from Dataverse, which must do this with each row."""
    ran = terminal.run(url, *COMMAND)
    if ran.said["counts"] != {wanted: count}:
        raise SystemExit(f"{ran.said['counts']} instead of {count} {wanted}; the figures would mean nothing.")
    return ran


def _by_hand(bench: Bench, sandbox: Sandbox, count: int) -> float:
    token = sandbox.organization.tokens.issue()
    with new_database(bench) as url:
        ran = terminal.script("benchmarks.pages_by_hand", RECEIVER_DATABASE_URL=url, BENCH_TOKEN=token)
    if ran.said["rows"] != count:
        raise SystemExit(f"{ran.said['rows']} rows by hand instead of {count}; the figures would mean nothing.")
    return float(ran.said["seconds"])
