"""Real worker processes: several share the work, one that is killed loses nothing, one that is stopped returns it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from company import Company
from sqlalchemy import func, select

from receiver.runs.tasks import is_any_worker
from receiver.sandbox import Sandbox
from receiver.store.models import inbox, job, lane

ACCOUNTS = 12


#: it looks by itself only after an hour: what it does meanwhile, it was woken for
SLEEPING = (
    "from receiver import cli; from receiver.server import worker; worker.LOOK_AGAIN_SECONDS = 3600.0; cli.main()"
)


@contextmanager
def workers(
    company: Company, count: int, program: tuple[str, str] = ("-m", "receiver")
) -> Iterator[list[subprocess.Popen[bytes]]]:
    environment = {**os.environ, **company.environment}
    command = [sys.executable, *program, "worker"]
    running = [subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) for _ in range(count)]
    try:
        yield running
    finally:
        for one in running:
            if one.poll() is None:
                one.send_signal(signal.SIGTERM)
        for one in running:
            one.wait(100)


def make_accounts(company: Company) -> list[str]:
    values = {"customertypecode": 3, "statecode": 0}
    return [company.sandbox.create("account", {**values, "name": f"Firm {number}"}) for number in range(ACCOUNTS)]


def eventually(promise: Callable[[], object]) -> None:
    """pytest ends a test in which it never comes."""
    while not promise():
        time.sleep(0.05)


def states(company: Company) -> dict[str, int]:
    with company.services.database.reading() as connection:
        query = select(inbox.c.state, func.count()).group_by(inbox.c.state)
        return dict(connection.execute(query).all())


def is_all_done(company: Company) -> bool:
    return set(states(company)) == {"done"}


def test_several_workers_on_postgresql_create_each_record_once(postgresql_url: str, sandbox: Sandbox) -> None:
    with closing(Company(postgresql_url, sandbox)) as company:
        company.open_for_all("CUSTOMER")
        with workers(company, 2):
            rows = make_accounts(company)
            for row in rows:
                company.sandbox.update("account", row, {"telephone1": "1"})
                company.sandbox.update("account", row, {"telephone1": "2"})
            assert company.sandbox.settle()
            eventually(lambda: is_all_done(company))

        names = sorted(record["name"] for record in company.locals("customer"))
        assert names == sorted(f"Firm {number}" for number in range(ACCOUNTS))
        assert {company.coupled_record("CUSTOMER", row)["phone_no"] for row in rows} == {"2"}


def test_a_killed_worker_loses_nothing_and_applies_nothing_twice(database_url: str, sandbox: Sandbox) -> None:
    with closing(Company(database_url, sandbox, RECEIVER_LEASE_SECONDS="2")) as company:
        company.open_for_all("CUSTOMER")
        make_accounts(company)
        assert company.sandbox.settle()
        with workers(company, 1) as (first,):
            eventually(lambda: len(company.locals("customer")) > 0)
            first.kill()
            first.wait()
            with workers(company, 1):
                eventually(lambda: is_all_done(company))

        with company.services.database.reading() as connection:
            inserted = connection.execute(select(func.sum(job.c.inserted))).scalar()
        assert (len(company.locals("customer")), inserted) == (ACCOUNTS, ACCOUNTS)


def test_a_stopped_worker_ends_cleanly_and_holds_no_lane(small_company: Company) -> None:
    small_company.open_for_all("CUSTOMER")
    make_accounts(small_company)
    with workers(small_company, 1) as (worker,):
        eventually(lambda: len(small_company.locals("customer")) > 0)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(100) == 0

    with small_company.services.database.reading() as connection:
        assert connection.execute(select(func.count()).where(lane.c.owner.is_not(None))).scalar() == 0
    assert states(small_company).get("working", 0) == 0


def test_a_worker_waits_for_the_schema_and_names_the_command(tmp_path: Path) -> None:
    environment = {**os.environ, "RECEIVER_DATABASE_URL": f"sqlite:///{tmp_path}/empty.sqlite"}
    command = [sys.executable, "-m", "receiver", "worker"]
    with (tmp_path / "log").open("w+") as log, subprocess.Popen(command, env=environment, stderr=log) as worker:
        eventually(lambda: "Run: receiver migrate The worker waits for it" in (tmp_path / "log").read_text())
        assert worker.poll() is None
        worker.terminate()
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_a_notification_wakes_a_worker_that_would_sleep_for_an_hour(company: Company) -> None:
    company.open_for_all("CUSTOMER")
    with workers(company, 1, ("-c", SLEEPING)) as (worker,):
        try:
            row = company.sandbox.create("account", {"name": "Firm", "customertypecode": 3})
            # somebody may ring before it listens
            eventually(lambda: company.services.waker.ring() or company.locals("customer"))
            time.sleep(1)  # our bells have faded away, and it sleeps
            company.sandbox.update("account", row, {"name": "Firm & Sons"})
            eventually(lambda: company.locals("customer")[0]["name"] == "Firm & Sons")
        finally:
            worker.kill()  # asked to stop it would end its look first


def test_a_worker_waits_for_a_database_that_is_away(tmp_path: Path) -> None:
    environment = {**os.environ, "RECEIVER_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nowhere"}
    command = [sys.executable, "-m", "receiver", "worker"]
    with (tmp_path / "log").open("w+") as log, subprocess.Popen(command, env=environment, stderr=log) as worker:
        eventually(lambda: "The worker waits for it" in (tmp_path / "log").read_text())
        assert worker.poll() is None
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(100) == 0


def test_on_sqlite_a_second_worker_is_refused_and_told_why(small_company: Company) -> None:
    environment = {**os.environ, **small_company.environment}
    with workers(small_company, 1):
        eventually(lambda: is_any_worker(small_company.services))
        second = subprocess.run(
            [sys.executable, "-m", "receiver", "worker"], env=environment, capture_output=True, text=True, check=False
        )

    assert second.returncode == 1
    assert "Another worker works on " in second.stderr
    assert "use PostgreSQL" in second.stderr
    with workers(small_company, 1) as (third,):
        time.sleep(2)
        assert third.poll() is None, "the lock went with its process"
