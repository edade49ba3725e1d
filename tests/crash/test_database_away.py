"""The database is away, or takes nothing for a while: 503 meanwhile, nothing acknowledged is lost, and it goes on.

The door while it is away is covered in inbox/test_real_server.py, the whole under load in test_crash.py.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

import pytest
from company import KEY, Company
from inbox.sending import HEADER, PATH, context
from inbox.test_real_server import free_port
from sqlalchemy import Engine, create_engine, make_url, text

from receiver.errors import BusyError, StoreUnavailableError
from receiver.sandbox import Sandbox
from receiver.server.worker import run_ready


def test_a_worker_that_starts_while_the_database_is_away_waits_for_it() -> None:
    url = f"postgresql+psycopg://u:p@127.0.0.1:{free_port()}/x"
    environment = {**os.environ, "RECEIVER_DATABASE_URL": url}
    command = [sys.executable, "-m", "receiver", "worker"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as worker:
        with suppress(subprocess.TimeoutExpired):
            worker.wait(6)
        is_running = worker.poll() is None
        worker.kill()

    assert is_running


# -- PostgreSQL says why it takes nothing ----------------------------------------------------------------------------

#: SQLSTATE, and when PostgreSQL says it
REFUSALS = {
    "53100": "disk full",
    "53200": "out of memory",
    "55P03": "lock not available",
    "57014": "cancelled by a statement's time-out",
    "57P01": "shutting down",
    "58030": "input/output error",
    "40P01": "deadlock",
}


@pytest.fixture
def administrator(postgresql: str) -> Iterator[Engine]:
    engine = create_engine(postgresql.format(name="postgres"), isolation_level="AUTOCOMMIT")
    yield engine
    engine.dispose()


@contextmanager
def refusing(company: Company, sqlstate: str) -> Iterator[None]:
    """Every write to the inbox ends with this error of the database's own."""
    with company.services.database.writing() as connection:
        connection.exec_driver_sql(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            f" RAISE EXCEPTION 'refused' USING ERRCODE = '{sqlstate}'; END $$"
        )
        connection.exec_driver_sql(
            "CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON receiver_inbox EXECUTE FUNCTION refuse()"
        )
    try:
        yield
    finally:
        with company.services.database.writing() as connection:
            connection.exec_driver_sql("DROP FUNCTION refuse CASCADE")


@contextmanager
def only_reading(company: Company, administrator: Engine) -> Iterator[None]:
    """As a standby is, or a primary that was put down."""
    name = make_url(company.environment["RECEIVER_DATABASE_URL"]).database
    for setting in ("on", "off"):
        with administrator.connect() as connection:
            connection.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = {setting}"))
            connection.execute(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"))
        if setting == "on":
            yield


def send(company: Company) -> int:
    body = context(OrganizationId=company.sandbox.organization_id)
    return company.app.test_client().post(PATH, json=body, headers={HEADER: KEY}).status_code


def states(company: Company) -> set[str]:
    return {notification["state"] for notification in company.notifications()}


@pytest.mark.parametrize("sqlstate", REFUSALS, ids=REFUSALS.values())
def test_whatever_postgresql_refuses_a_write_with_is_503_and_what_was_acknowledged_is_done_afterwards(
    postgresql_url: str, sandbox: Sandbox, sqlstate: str
) -> None:
    with closing(Company(postgresql_url, sandbox)) as company:
        company.open_for_all("CUSTOMER")
        assert send(company) == 202
        with refusing(company, sqlstate):
            assert send(company) == 503
            with suppress(StoreUnavailableError, BusyError):
                run_ready(company.services)
        assert states(company) == {"waiting"}

        assert send(company) == 202
        company.pass_time(1000)
        company.work()

        assert len(company.notifications()) == 2
        assert states(company) == {"done"}


def test_a_postgresql_that_only_reads_for_a_while_is_503_and_what_was_acknowledged_is_done_afterwards(
    postgresql_url: str, sandbox: Sandbox, administrator: Engine
) -> None:
    with closing(Company(postgresql_url, sandbox)) as company:
        company.open_for_all("CUSTOMER")
        assert send(company) == 202
        with only_reading(company, administrator):
            assert send(company) == 503
            with suppress(StoreUnavailableError):
                run_ready(company.services)

        assert send(company) == 202
        with suppress(StoreUnavailableError):  # the worker's first try may meet a connection that was ended
            run_ready(company.services)
        company.pass_time(1000)
        company.work()

        assert len(company.notifications()) == 2
        assert states(company) == {"done"}
