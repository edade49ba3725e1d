"""The door waits for nobody's work: whatever is locked, a notification is stored, or refused with the reason."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from company import Company
from inbox.sending import Door, context, encoded
from lanes.blocking import another_program, await_waiting
from sqlalchemy import update
from sqlalchemy.engine import make_url

from receiver.engine.process import process
from receiver.lanes import lane as lanes
from receiver.lanes.lane import Lease
from receiver.sandbox import Sandbox
from receiver.server.worker import run_ready
from receiver.store import database as store
from receiver.store.models import inbox
from receiver.tables import TABLES

ACCOUNT, OTHER = "a0000000-0000-4000-8000-000000000001", "a0000000-0000-4000-8000-000000000002"


#: keys that come with the values
FIRST = {"currency": {"code": "USD"}}


@pytest.fixture
def busy_company(postgresql_url: str, sandbox: Sandbox) -> Iterator[Company]:
    """On PostgreSQL; its work waits for others' locks as long as the test takes."""
    with closing(Company(postgresql_url, sandbox, RECEIVER_LOCK_TIMEOUT_SECONDS="60")) as made:
        made.open_for_all("CUSTOMER", "VENDOR", "CONTACT")
        yield made


@contextmanager
def in_a_thread(work: threading.Thread) -> Iterator[None]:
    work.start()
    try:
        yield
    finally:
        work.join()


@pytest.mark.parametrize("table", [shipped.table.name for shipped in TABLES])
def test_it_stores_while_a_worker_waits_for_another_programs_lock_on_a_table(
    busy_company: Company, postgresql_url: str, table: str
) -> None:
    company, door = busy_company, busy_company.app.test_client()
    with another_program(postgresql_url) as other:
        other.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        with in_a_thread(threading.Thread(target=lambda: company.insert_local(table, **FIRST.get(table, {})))):
            await_waiting(other)
            assert [posted(door, id_) for id_ in (ACCOUNT, OTHER, ACCOUNT)] == [202] * 3
            other.rollback()


@pytest.mark.parametrize("way", ["update", "delete", "key share"])
def test_it_stores_while_a_worker_waits_for_another_programs_lock_on_a_record(
    busy_company: Company, postgresql_url: str, way: str
) -> None:
    company = busy_company
    company.couple_by_click("account", ACCOUNT)
    company.sandbox.update("account", ACCOUNT, {"name": "Changed"})
    assert company.sandbox.settle()
    locking = {
        "update": "UPDATE customer SET name = 'Theirs'",
        "delete": "DELETE FROM customer",
        "key share": "SELECT no FROM customer FOR UPDATE",
    }
    work = threading.Thread(target=lambda: run_ready(company.services))
    with another_program(postgresql_url) as other:
        other.execute(locking[way])
        with in_a_thread(work):
            await_waiting(other)
            assert [posted(company.app.test_client(), id_) for id_ in (ACCOUNT, OTHER, ACCOUNT)] == [202] * 3
            other.rollback()
    company.work()
    assert {one["state"] for one in company.notifications()} <= {"done", "ignored"}
    assert company.coupled_record("CUSTOMER", ACCOUNT)["name"] == "Changed"


@pytest.mark.parametrize("locked", [ACCOUNT, OTHER])
def test_it_stores_while_a_worker_waits_for_a_lane(busy_company: Company, postgresql_url: str, locked: str) -> None:
    company, door = busy_company, busy_company.app.test_client()
    assert [posted(door, id_) for id_ in (ACCOUNT, OTHER)] == [202, 202]
    held = taken(company)
    work = threading.Thread(target=lambda: [process(company.services, one) for one in held])
    with another_program(postgresql_url) as other:
        other.execute("SELECT key FROM receiver_lane WHERE row_id = %s FOR UPDATE", (locked,))
        with in_a_thread(work):
            await_waiting(other)
            assert [posted(door, id_) for id_ in (ACCOUNT, OTHER, locked)] == [202] * 3
            other.rollback()
    company.work()
    assert {one["state"] for one in company.notifications()} == {"done"}


def test_a_repetition_does_not_wait_for_whoever_works_on_the_first(postgresql_url: str) -> None:
    body = encoded(context())
    with closing(Door(postgresql_url)) as door, another_program(postgresql_url) as other:
        first = door.post(body).get_json()
        other.execute("UPDATE receiver_inbox SET state = 'working'")

        assert door.post(body).get_json() == first


def test_what_is_noted_beside_waits_for_nobody_either(postgresql_url: str) -> None:
    with closing(Door(postgresql_url)) as door, another_program(postgresql_url) as other:
        door.post(headers={"x-receiver-key": "wrong"})
        other.execute("LOCK TABLE receiver_connection, receiver_webhook_key IN EXCLUSIVE MODE")

        assert door.post(headers={"x-receiver-key": "wrong"}).status_code == 401
        assert door.post().status_code == 202


def test_where_the_inbox_itself_is_locked_it_says_so_in_time(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "OF_DOOR", store.TimeOuts(lock=0.1, statement=1))
    with closing(Door(postgresql_url)) as door, another_program(postgresql_url, "vacuum by hand") as other:
        other.execute("LOCK TABLE receiver_inbox IN ACCESS EXCLUSIVE MODE")

        answer = door.post()

        assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
        assert "vacuum by hand" in answer.get_json()["detail"]
        other.rollback()
        assert door.post().status_code == 202


def test_on_sqlite_it_answers_503_with_the_reason_while_another_program_writes(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "BUSY_TIMEOUT_MS", 200)
    with closing(Door(sqlite_url)) as door, closing(sqlite3.connect(make_url(sqlite_url).database or "")) as other:
        other.execute("BEGIN IMMEDIATE")

        answer = door.post()

        assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
        assert "another program has held its lock for 0.2 s. Send it again." in answer.get_json()["detail"]
        other.rollback()
        assert door.post().status_code == 202


def posted(door: object, id_: str) -> int:
    answer = door.post(  # type: ignore[attr-defined]  # Flask's test client
        "/dataverse/notifications", json=context("Create", id_=id_), headers={"x-receiver-key": "the-key"}
    )
    return int(answer.status_code)


def taken(company: Company) -> list[Lease]:
    with company.services.database.writing() as connection:
        return lanes.lease_ready(connection, "a worker", company.now(), 120, 10)


def test_a_notification_that_another_transaction_has_not_committed_yet_is_found_once_it_is(
    postgresql_url: str, sandbox: Sandbox
) -> None:
    """Its lane was leased, worked on and given back meanwhile: no wake-up is lost."""
    with closing(Company(postgresql_url, sandbox)) as company, another_program(postgresql_url) as other:
        company.open_for_all("CUSTOMER")
        door = company.app.test_client()
        assert posted(door, ACCOUNT) == 202
        columns = "received_at, headers, body, size, lane, message, table_name, row_id, state, due_at"
        other.execute(
            f"INSERT INTO receiver_inbox ({columns}, remote_address, note) SELECT {columns}, '', '' FROM receiver_inbox"
        )
        company.work()
        assert [one["state"] for one in company.notifications()] == ["done"]

        other.commit()

        assert run_ready(company.services)
        assert [one["state"] for one in company.notifications()] == ["done", "done"]


def test_what_a_dead_worker_held_is_found_though_it_was_never_put_off(any_door: Door) -> None:
    any_door.post()
    with any_door.services.database.writing() as connection:
        lanes.lease_named(connection, "dead", any_door.now(), 60, [("account", ACCOUNT)])
    assert any_door.ready() == []

    any_door.pass_time(61)

    assert [one.key for one in any_door.ready()] == [f"account:{ACCOUNT}"]


def test_what_was_put_off_waits_for_its_lane_and_a_new_one_does_not(any_door: Door) -> None:
    any_door.post()
    with any_door.services.database.writing() as connection:
        connection.execute(update(inbox).values(due_at=None))
    assert any_door.ready() == []

    any_door.post()

    assert [one.key for one in any_door.ready()] == [f"account:{ACCOUNT}"]
