"""Outages: the receiver, its database and Dataverse away while people go on working, steps off, a foreign key, a wave.

`make outage` runs it on both databases with 20 000 couplings a mapping; a test runs it with a few. Nobody starts a run
and nobody reads everything again: what is counted is what the receiver does by itself, and what it says of itself
meanwhile (`receiver status`, as a person would ask it).
"""

# ruff: noqa: T201  # it prints a table

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import text

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])

from company import KEY, Company
from crash.crash import Child, Postgresql, Sqlite, company_steps, free_port, prepare, running_sandbox, unforeseen

from receiver.commands.synchronizing.verify import verify
from receiver.core.mapping import DeletionConflict
from receiver.inbox.webhook_keys import READ_EVERY_SECONDS
from receiver.runs import schedule
from receiver.sandbox import Sandbox, ServiceEndpoint, Step
from receiver.sandbox.faults import ALWAYS
from receiver.server.processes import web_server, worker

EVERY_TWO_SECONDS = "* * * * * */2"
PATIENCE_SECONDS = 600.0
#: changes while SQLite is locked: each delivery waits for five seconds, twice
LOCKED_OUT = 40
#: requests that read a page of a whole table
WHOLE = re.compile(r"/(accounts|contacts)\?(?!.*(deltatoken|skiptoken|filter))")
TABLES = {"CUSTOMER": "account", "CONTACT": "contact"}


@dataclass
class Phase:
    """What befell it, how long it took until both sides agreed again, and what was asked of Dataverse for that."""

    name: str
    changes: int
    deletions: int
    seconds: float = 0.0
    calls: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


@dataclass
class Result:
    database: str
    couplings: int
    phases: list[Phase] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return not self.wrong and not any(one.wrong for one in self.phases)


class Trial:
    """One company with its processes; each method is a phase."""

    def __init__(self, database: Sqlite | Postgresql, company: Company, folder: Path, count: int) -> None:
        self.database, self.company, self._count = database, company, count
        self.sandbox = company.sandbox
        port = free_port()
        self._url = f"http://127.0.0.1:{port}/dataverse/notifications"
        self.environment = {
            **os.environ,
            **company.environment,
            "RECEIVER_BIND": f"127.0.0.1:{port}",
            "RECEIVER_WEB_PROCESSES": "2",
            "RECEIVER_PUBLIC_URL": f"http://127.0.0.1:{port}",
        }
        self.logs = [folder / "web.log", folder / "worker.log"]
        self.web, self.worker = (
            Child(web_server(self.environment), self.logs[0]),
            Child(worker(self.environment), self.logs[1]),
        )
        self.names: dict[str, str] = {}
        self.deleted: set[str] = set()
        self._edits = 0

    def stop(self) -> None:
        self.web.kill()
        self.worker.kill()

    # -- what people do --

    def fill(self) -> None:
        """Accounts and contacts, coupled and in step, read by catch-up once, verified."""
        for name in list(schedule_mappings(self.company)):
            if name not in TABLES:
                self.company.set(name, is_enabled=False)
        for number in range(self._count):
            row = self.sandbox.create("account", {"name": f"Firm {number}", "customertypecode": 3}, deliver=False)
            self.names[str(row)] = f"Firm {number}"
            self.sandbox.create(
                "contact", {"lastname": f"Person {number}", "parentcustomerid": ("account", row)}, deliver=False
            )
        for name in TABLES:
            self.company.set(name, synch_only_coupled_records=False)
        for name in TABLES:
            self._command("mappings", "run", name, "--direction", "from", "--full", "--here")
            self.company.set(name, synch_only_coupled_records=True)
            self.company.set(name, resolve_deletion_conflicts=DeletionConflict.DELETE_COUPLING)
        for what in (schedule.CATCH_UP, schedule.LOCAL_EDITS):
            schedule.set_(self.company.services, what, "the trial", cron=EVERY_TWO_SECONDS)
        self.register()
        self.await_step(Phase("filled", 0, 0))
        for name in TABLES:
            verify(self.company.services, name)

    def register(self, key: str = KEY) -> None:
        steps = [Step.from_json(step) for step in company_steps(self.company)]
        self.sandbox.step_set(steps, ServiceEndpoint(self._url, value=key))

    def change(self, count: int, *, deliver: bool = True) -> None:
        rows = [row for row in self.names if row not in self.deleted]
        for _ in range(count):
            self._edits += 1
            row = rows[self._edits * 7 % len(rows)]
            self.names[row] = f"Changed {self._edits}"
            self.sandbox.update("account", row, {"name": self.names[row]}, deliver=deliver)

    def delete(self, count: int) -> None:
        found = [row for row in self.names if row not in self.deleted][-count:]
        contacts = {one["parentcustomerid"]: one["contactid"] for one in self.sandbox.rows("contact")}
        for row in found:
            self.sandbox.delete("contact", str(contacts[row]))
            self.sandbox.delete("account", row)
        self.deleted |= set(found)

    @contextmanager
    def steps_off(self) -> Iterator[None]:
        """Half of the steps are switched off for a while, by somebody in Dataverse."""
        steps = [row["sdkmessageprocessingstepid"] for row in self.sandbox.rows("sdkmessageprocessingstep")][::2]
        for one in steps:
            self.sandbox.put_row("sdkmessageprocessingstep", str(one), {"statecode": 1, "statuscode": 2})
        yield
        for one in steps:
            self.sandbox.put_row("sdkmessageprocessingstep", str(one), {"statecode": 0, "statuscode": 1})

    @contextmanager
    def database_away(self) -> Iterator[None]:
        if isinstance(self.database, Postgresql):
            self.database.kill()
            yield
            self.database.start()
            return
        # SQLite is a file: another program holds it, and does not let go
        with closing(sqlite3.connect(self.database.url.removeprefix("sqlite:///"), isolation_level=None)) as holder:
            holder.execute("BEGIN EXCLUSIVE")
            yield
            holder.execute("ROLLBACK")

    @contextmanager
    def dataverse_away(self) -> Iterator[None]:
        with self.sandbox.faults.switched(unavailable=ALWAYS):
            yield

    @contextmanager
    def receiver_away(self) -> Iterator[None]:
        self.stop()
        yield
        self.web.start()
        self.worker.start()

    # -- what became of it --

    def await_step(self, phase: Phase, is_enough: Callable[[dict[str, Any]], bool] | None = None) -> Phase:
        """Wait until `receiver status` says so, then look whether it is true."""
        assert self.sandbox.settle(PATIENCE_SECONDS)
        begun, before = time.monotonic(), len(self.sandbox.requests)
        is_enough = is_enough or (lambda said: all(one["as_of"] and not _busy(one) for one in said["mappings"]))
        since = time.time()
        while True:
            said = self.status()
            looked = [one["as_of"] and _seconds(one["as_of"]) >= since for one in said["mappings"]]
            if all(looked) and is_enough(said):
                break
            if time.monotonic() - begun > PATIENCE_SECONDS:
                phase.wrong.append(f"It does not come to rest: {json.dumps(said)[:2000]}")
                break
            time.sleep(0.5)
        phase.seconds = time.monotonic() - begun
        made = [re.sub(r"^/api/data/v\d+\.\d+", "", one.path) for one in self.sandbox.requests[before:]]
        phase.calls = Counter(_kind(path) for path in made)
        phase.wrong += self._disagreements()
        whole = [path for path in made if WHOLE.search(path)]
        if phase.deletions and whole:
            phase.wrong.append(f"{len(whole)} request(s) read a whole table, such as {whole[0][:200]}")
        return phase

    def status(self) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(self._command("status", "--json").stdout)
        return said

    def _command(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "receiver", *words],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_SECONDS,
        )

    def _disagreements(self) -> list[str]:
        with self.company.services.database.reading() as connection:
            query = "SELECT c.dataverse_id, r.name FROM receiver_coupling c JOIN customer r ON r.no = c.local_id "
            found = dict(map(tuple, connection.execute(text(f"{query} WHERE c.mapping = 'CUSTOMER'")).all()))
        wrong = [row for row, name in self.names.items() if row not in self.deleted and found.get(row) != name]
        return [f"{len(wrong)} account(s) say something else here, such as {wrong[0]}"] if wrong else []


def _busy(standing: dict[str, Any]) -> list[str]:
    return [
        one["kind"] for one in standing["hindrances"] if one["kind"] in {"missed", "waiting", "parked", "late", "away"}
    ]


def _seconds(moment: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(moment).timestamp()


def _kind(path: str) -> str:
    for mark, kind in (
        ("deltatoken", "changes since"),
        ("skiptoken", "next page"),
        ("$batch", "batch"),
        ("filter", "list"),
    ):
        if mark in path:
            return kind
    return (
        "by id" if re.match(r"/\w+\([0-9a-f-]{36}\)", path) else "set-up" if "Who" in path or "Ent" in path else "other"
    )


def schedule_mappings(company: Company) -> Sequence[str]:
    with company.services.database.reading() as connection:
        return list(company.services.mappings(connection))


def trial(kind: str, couplings: int, changes: int, deletions: int, wave: int) -> Result:
    """All phases on a new database of *kind*."""
    result = Result(kind, couplings)
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name,
        closing({"sqlite": Sqlite, "postgresql": Postgresql}[kind](Path(name))) as database,
        running_sandbox() as sandbox,
    ):
        prepare(database.url)
        sandbox.organization.requests.clear()
        with closing(Company(database.url, sandbox)) as company:
            run = Trial(database, company, Path(name), couplings)
            try:
                result.phases += phases(run, sandbox, changes, deletions, wave)
                result.wrong += unforeseen(run.logs)[:5]
            finally:
                run.stop()
    return result


def phases(run: Trial, sandbox: Sandbox, changes: int, deletions: int, wave: int) -> Iterator[Phase]:
    run.fill()
    third = changes // 3
    with run.receiver_away():
        run.change(third)
        run.delete(deletions)
        assert sandbox.settle(PATIENCE_SECONDS)
    with run.database_away():
        while_away = third // 2 if isinstance(run.database, Postgresql) else min(third // 2, LOCKED_OUT)
        run.change(while_away)
        assert sandbox.settle(PATIENCE_SECONDS)
    with run.dataverse_away():
        run.change(third - while_away)
        assert sandbox.settle(PATIENCE_SECONDS)
    with run.steps_off():
        run.change(changes - 2 * third)
        assert sandbox.settle(PATIENCE_SECONDS)
    yield run.await_step(Phase("everything away in turn", changes, deletions))

    run.register("somebody else's")
    time.sleep(READ_EVERY_SECONDS + 1)  # until then servers that lost the database cannot tell, and answer 503
    run.change(changes // 10)
    foreign = run.await_step(
        Phase("a foreign key", changes // 10, 0),
        lambda said: (
            not said["is_in_step"]
            and any(one["kind"] == "keys" for one in said["hindrances"])
            and not any(_busy(one) for one in said["mappings"])
        ),
    )
    yield foreign
    run.register()

    before = len(run.company.services.database.url.render_as_string()) and _coupled(run.company)
    with run.receiver_away():
        run.delete(wave)
        assert sandbox.settle(PATIENCE_SECONDS)
    held = run.await_step(
        Phase("a wave of deletions", 0, wave),
        lambda said: all(any(two["kind"] == "guarded" for two in one["hindrances"]) for one in said["mappings"]),
    )
    if _coupled(run.company) != before:
        held.wrong.append(f"{before - _coupled(run.company)} coupling(s) are gone without a person")
    yield held


def _coupled(company: Company) -> int:
    with company.services.database.reading() as connection:
        return int(connection.execute(text("SELECT count(*) FROM receiver_coupling")).scalar_one())


def table(results: Sequence[Result]) -> str:
    rows = [("database", "couplings a mapping", "what", "changes", "deletions", "seconds", "calls")]
    for one in results:
        for phase in one.phases:
            calls = ", ".join(f"{count} {kind}" for kind, count in phase.calls.most_common())
            told = (
                one.database,
                one.couplings,
                phase.name,
                phase.changes,
                phase.deletions,
                f"{phase.seconds:.0f}",
                calls,
            )
            rows.append(tuple(map(str, told)))
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--couplings", type=int, default=20_000, help="of each mapping")
    parser.add_argument("--changes", type=int, default=5_000)
    parser.add_argument("--deletions", type=int, default=100)
    parser.add_argument("--wave", type=int, default=400, help="deletions that are too many at once")
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    asked = parser.parse_args()
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    kinds = ("sqlite", "postgresql") if asked.database == "both" else (asked.database,)
    results = [trial(kind, asked.couplings, asked.changes, asked.deletions, asked.wave) for kind in kinds]
    print(table(results))
    for one in results:
        for said in [*one.wrong, *(f"{phase.name}: {said}" for phase in one.phases for said in phase.wrong)]:
            print(f"{one.database}: {said}")
    return 0 if all(one.is_good for one in results) else 1


if __name__ == "__main__":
    raise SystemExit(main())
