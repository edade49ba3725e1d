"""A sender that means harm, and a world that lets us down: what it costs, and that the row's truth comes back."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from company import KEY, Company
from inbox.sending import HEADER, PATH, context
from inbox.test_real_server import Server, serving
from sqlalchemy import event, func, select, text

from receiver.sandbox import Sandbox
from receiver.sandbox.faults import ALWAYS
from receiver.server.worker import run_ready
from receiver.store.models import inbox, lane

ACCOUNT = "a0000000-0000-4000-8000-000000000001"
TRUE_NAME = "Nordwind Trading GmbH"
#: of one row at once; set RECEIVER_TEST_FLOOD=100000 for the whole flood
FLOOD = int(os.environ.get("RECEIVER_TEST_FLOOD", "3000"))
SENDERS = 8
AN_HOUR = 3600.0


def send(company: Company, body: bytes | dict[str, Any]) -> int:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = company.app.test_client().post(
        "/dataverse/notifications", data=raw, content_type="application/json", headers={"x-receiver-key": KEY}
    )
    return answer.status_code


def reads(company: Company) -> int:
    return len(company.sandbox.requests)


def couple(company: Company) -> None:
    company.open_for_all("CUSTOMER")
    company.couple_by_click("account", ACCOUNT)


def name(company: Company) -> str:
    return str(company.coupled_record("CUSTOMER", ACCOUNT)["name"])


def forged(company: Company, said: str) -> bytes:
    """The last real notification of the row with another name in it, and a version from far ahead."""
    company.sandbox.update("account", ACCOUNT, {"telephone1": uuid.uuid4().hex[:8]})
    company.work()
    body = json.loads(company.sandbox.deliveries[-1].body)
    body["OperationId"] = str(uuid.uuid4())
    (image,) = (image for image in body["PostEntityImages"] if image["key"].startswith("rcv_post_"))
    for pair in image["value"]["Attributes"]:
        if pair["key"] == "name":
            pair["value"] = said
        if pair["key"] == "versionnumber":
            pair["value"] += 1_000_000
    return json.dumps(body).encode()


# -- a forged body, the key known ------------------------------------------------------------------------------------


def test_with_trust_read_a_forged_body_costs_one_read_and_changes_nothing(database_url: str, sandbox: Sandbox) -> None:
    with closing(Company(database_url, sandbox, RECEIVER_TRUST="read")) as company:
        couple(company)
        body = forged(company, "Forged AG")
        before, jobs = reads(company), len(company.jobs("CUSTOMER"))
        assert send(company, body) == 202
        company.work()

        assert name(company) == TRUE_NAME
        assert reads(company) == before + 1
        assert all(not job["modified"] and not job["inserted"] for job in company.jobs("CUSTOMER")[jobs:])


def test_with_trust_image_the_next_read_of_the_row_puts_a_forged_body_right(company: Company) -> None:
    couple(company)
    assert send(company, forged(company, "Forged AG")) == 202
    company.work()
    assert name(company) == "Forged AG"

    company.open("account", ACCOUNT)

    assert name(company) == TRUE_NAME


def test_a_forged_version_does_not_blind_us_for_what_comes_after_a_read(company: Company) -> None:
    couple(company)
    send(company, forged(company, "Forged AG"))
    company.work()
    company.open("account", ACCOUNT)

    company.sandbox.update("account", ACCOUNT, {"name": "Nordwind AG"})
    company.work()

    assert name(company) == "Nordwind AG"


# -- an old delivery after newer ones --------------------------------------------------------------------------------


@pytest.mark.parametrize("is_told_apart", [True, False], ids=["as a new delivery", "byte for byte"])
def test_the_replay_of_an_old_delivery_brings_no_old_state_back(company: Company, is_told_apart: bool) -> None:
    couple(company)
    company.sandbox.update("account", ACCOUNT, {"name": "Old name"})
    company.work()
    old = json.loads(company.sandbox.deliveries[-1].body)
    company.sandbox.update("account", ACCOUNT, {"name": "New name"})
    company.work()

    for _ in range(3):
        replayed = {**old, "OperationId": str(uuid.uuid4())} if is_told_apart else old
        assert send(company, replayed) == 202
        company.work()

    assert name(company) == "New name"


# -- very many notifications of one row ------------------------------------------------------------------------------


def send_hints(company: Company, count: int) -> list[int]:
    """Of one row, from several senders at once; the statuses that were answered."""
    organization = company.sandbox.organization_id

    def some(share: int) -> list[int]:
        bodies = (context(id_=ACCOUNT, OrganizationId=organization, InputParameters=[]) for _ in range(share))
        with company.app.test_client() as client:
            return [client.post(PATH, json=body, headers={"x-receiver-key": KEY}).status_code for body in bodies]

    with ThreadPoolExecutor(SENDERS) as pool:
        return list(chain(*pool.map(some, [count // SENDERS] * SENDERS)))


@pytest.mark.timeout(900)
def test_a_flood_of_notifications_of_one_row_is_one_run_with_one_read(company: Company) -> None:
    couple(company)
    before, jobs = reads(company), len(company.jobs("CUSTOMER"))
    begun = time.monotonic()
    assert send_hints(company, FLOOD) == [202] * FLOOD
    sent = time.monotonic() - begun

    begun = time.monotonic()
    assert run_ready(company.services)
    worked = time.monotonic() - begun
    print(f"{FLOOD} taken in {sent:.0f} s, worked off in {worked:.1f} s")  # noqa: T201  # pytest -s shows the figures
    assert not run_ready(company.services)
    assert reads(company) == before + 1
    assert len(company.jobs("CUSTOMER")) == jobs + 1
    with company.services.database.reading() as connection:
        ended = inbox.c.state.in_(("done", "ignored"))
        assert connection.execute(select(func.count()).where(ended, inbox.c.row_id == ACCOUNT)).scalar_one() >= FLOOD


MULTIPLY = """
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 66000)
    INSERT INTO receiver_inbox (received_at, remote_address, headers, body, size, delivery, lane, message, table_name, row_id, state, note)
    SELECT received_at, '', headers, body, size, CAST(i AS text), lane, message, table_name, row_id, 'waiting', '' FROM receiver_inbox, n WHERE id = :id
    """


def test_more_notifications_of_one_row_than_a_statement_has_parameters_go_back_to_waiting(
    postgresql_url: str, sandbox: Sandbox
) -> None:
    with closing(Company(postgresql_url, sandbox)) as company:
        couple(company)
        sandbox.faults.unavailable = ALWAYS
        assert send(company, context(id_=ACCOUNT, OrganizationId=sandbox.organization_id)) == 202
        number = company.notifications()[-1]["id"]
        with company.services.database.writing() as connection:
            connection.execute(text(MULTIPLY), {"id": number})

        assert run_ready(company.services)

        with company.services.database.reading() as connection:
            states = select(inbox.c.state, func.count()).where(inbox.c.row_id == ACCOUNT).group_by(inbox.c.state)
            assert dict(connection.execute(states).all()) == {"waiting": 66001}
            row = connection.execute(select(lane).where(lane.c.row_id == ACCOUNT)).one()
            assert (row.owner, row.attempts) == (None, 1)
            assert "503" in row.last_error


# -- oversized at the socket -------------------------------------------------------------------------------------


@pytest.fixture
def server(sqlite_url: str, tmp_path: Path) -> Iterator[Server]:
    with serving(sqlite_url, tmp_path) as running:
        yield running


@pytest.mark.parametrize(
    "lines",
    [
        "".join(f"X-Odd-{number}: {number}\r\n" for number in range(5000)),
        "X-Odd: " + "y" * 100_000 + "\r\n",
        "".join(f"X-Odd-{number}: {'y' * 8000}\r\n" for number in range(99)),
    ],
    ids=["5 000 headers", "one of 100 000 characters", "99 of 8 000 characters"],
)
def test_a_flood_of_headers_is_refused_or_borne_and_the_next_sender_is_served(server: Server, lines: str) -> None:
    start = f"POST {PATH} HTTP/1.1\r\nHost: r\r\n{HEADER}: wrong\r\nContent-Length: 0\r\n"
    with suppress(OSError):
        answer = server.talk(start.encode() + lines.encode() + b"\r\n")
        assert answer == b"" or answer.split(b" ")[1] in {b"400", b"401", b"431"}

    assert server.post().status_code == 202
    assert "Traceback" not in server.said


# -- the world lets us down ------------------------------------------------------------------------------------------


def test_a_full_disk_is_503_and_what_comes_once_there_is_room_is_taken(small_company: Company) -> None:
    """SQLite refuses to grow, with the very error of a full disk; no connection may be without the limit."""
    couple(small_company)
    engine = small_company.services.database.engine
    with engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    engine.dispose()

    def limited(connection: Any, _record: Any) -> None:
        connection.execute(f"PRAGMA max_page_count={pages}").close()

    event.listen(engine, "connect", limited)
    big = context(id_=ACCOUNT, OrganizationId=small_company.sandbox.organization_id, SharedVariables=["y" * 200_000])
    assert send(small_company, big) == 503
    assert run_ready(small_company.services) is False
    event.remove(engine, "connect", limited)
    engine.dispose()

    assert send(small_company, big) == 202
    small_company.work()
    assert small_company.notifications()[-1]["state"] in {"done", "ignored"}


@pytest.mark.parametrize("seconds", [AN_HOUR, -AN_HOUR], ids=["fast", "slow"])
def test_a_clock_an_hour_off_changes_nothing(company: Company, seconds: float) -> None:
    company.pass_time(seconds)
    couple(company)
    for number in range(3):
        company.sandbox.update("account", ACCOUNT, {"name": f"State {number}"})
        company.work()

    assert name(company) == "State 2"


def test_a_clock_that_is_put_back_an_hour_loses_nothing_and_the_next_notification_takes_all_along(
    company: Company,
) -> None:
    couple(company)
    company.pass_time(AN_HOUR)
    company.sandbox.update("account", ACCOUNT, {"name": "Before"})
    assert company.sandbox.settle()
    company.pass_time(-AN_HOUR)
    company.sandbox.update("account", ACCOUNT, {"name": "After"})
    company.work()

    assert name(company) == "After"
    assert {one["state"] for one in company.notifications()} == {"done"}


def test_a_token_that_expired_is_fetched_anew_and_nobody_notices(company: Company) -> None:
    couple(company)
    company.sandbox.expire_tokens()
    company.sandbox.faults.strip = 1
    company.sandbox.update("account", ACCOUNT, {"name": "Nordwind AG"})
    company.work()

    assert name(company) == "Nordwind AG"
    assert company.notifications()[-1]["state"] == "done"


def test_dataverse_away_for_ten_minutes_loses_nothing(company: Company) -> None:
    couple(company)
    other = company.sandbox.create("account", {"name": "Firm", "customertypecode": 3}, deliver=False)
    company.sandbox.faults.unavailable = ALWAYS
    company.sandbox.faults.strip = ALWAYS
    for minute in range(10):
        company.sandbox.update("account", ACCOUNT, {"name": f"Minute {minute}"})
        company.sandbox.update("account", other, {"name": f"Firm {minute}"})
        company.work()
        company.pass_time(60)
    assert name(company) == TRUE_NAME
    assert {one["state"] for one in company.notifications() if one["row_id"] in {ACCOUNT, other}} <= {"waiting", "done"}

    company.sandbox.faults.unavailable = 0
    company.pass_time(900)
    company.work()

    assert name(company) == "Minute 9"
    assert company.coupled_record("CUSTOMER", other)["name"] == "Firm 9"
    with company.services.database.reading() as connection:
        assert connection.execute(select(func.count()).where(lane.c.ready_at.is_not(None))).scalar_one() == 0
