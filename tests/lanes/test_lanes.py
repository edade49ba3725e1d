"""Lanes: what waits for one row is looked at once, by one worker at a time, and nothing is lost or delays another."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Any

import pytest
import requests
from company import KEY, Company
from inbox.sending import Door, attributes, context, reference, target
from sqlalchemy import select, text, update

from receiver.engine.process import process
from receiver.errors import LeaseLostError, ThrottledError
from receiver.lanes import lane as lanes
from receiver.lanes.lane import Lease
from receiver.sandbox import ALWAYS, Answer
from receiver.server.worker import Worker, run_ready
from receiver.store import gates
from receiver.store.models import inbox, tombstone
from receiver.store.models import lane as lane_rows
from receiver.store.models import worker as workers

ACCOUNT, OTHER = "a0000000-0000-4000-8000-000000000001", "a0000000-0000-4000-8000-000000000002"
VENDOR_ACCOUNT = "a0000000-0000-4000-8000-000000000004"
UNKNOWN = "a0000000-0000-4000-8000-00000000dead"
KEY_OF = "account:{}".format


def post(company: Company, body: dict[str, Any]) -> int:
    answer = requests.post(
        f"{company.url}/dataverse/notifications", json=body, headers={"x-receiver-key": KEY}, timeout=10
    )
    assert answer.status_code == 202, answer.text
    return int(answer.json()["notification"])


def hint(id_: str = ACCOUNT, message: str = "Update", **members: Any) -> dict[str, Any]:
    return context(message, id_=id_, **members)


def lane(receiver: Company | Door, id_: str = ACCOUNT) -> Any:
    with receiver.services.database.reading() as connection:
        return connection.execute(select(lane_rows).where(lane_rows.c.key == KEY_OF(id_))).one()


def take(receiver: Company | Door, owner: str = "another", seconds: float = 60) -> Lease | None:
    with receiver.services.database.writing() as connection:
        return next(iter(lanes.lease_ready(connection, owner, receiver.now(), seconds, 1)), None)


def taken(receiver: Company | Door, owner: str = "another", seconds: float = 60) -> Lease:
    found = take(receiver, owner, seconds)
    assert found is not None
    return found


def states(company: Company) -> list[str]:
    return [row["state"] for row in company.notifications()]


@contextmanager
def working(company: Company, threads: int = 4) -> Iterator[Worker]:
    worker = Worker(company.services, threads)
    worker.start()
    try:
        yield worker
    finally:
        worker.stop()


def until(what: Callable[[], Any], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


# -- one look for all that waits -------------------------------------------------------------------------------


def test_all_that_waits_for_one_row_is_one_run(company: Company) -> None:
    company.open_for_all("CUSTOMER")
    for _ in range(5):
        post(company, hint())
    before = len(company.sandbox.requests)

    company.work()

    assert states(company) == ["done"] * 5
    assert [job["inserted"] for job in company.jobs("CUSTOMER")] == [1]
    assert len([one for one in company.sandbox.requests[before:] if "/accounts(" in str(one)]) <= 1


def test_two_rows_are_two_runs(company: Company) -> None:
    company.open_for_all("CUSTOMER")
    post(company, hint(ACCOUNT))
    post(company, hint(OTHER))

    company.work()

    assert len(company.jobs("CUSTOMER")) == 2


def test_a_message_that_names_several_rows_wakes_each_of_them(company: Company) -> None:
    company.open_for_all("CUSTOMER", "VENDOR")
    rows = [reference("account", ACCOUNT), reference("account", VENDOR_ACCOUNT)]
    parameters = attributes({"Target": rows[0], "RelatedEntities": rows})
    post(company, context("Associate", "none", "00000000-0000-0000-0000-000000000000", InputParameters=parameters))

    company.work()

    assert company.coupled_record("CUSTOMER", ACCOUNT)["name"] == "Nordwind Trading GmbH"
    assert company.coupled_record("VENDOR", VENDOR_ACCOUNT)["name"] == "Van der Linden Logistiek B.V."


def test_a_click_goes_before_what_waits_longer(any_door: Door) -> None:
    parameters = attributes({"Target": reference("account", OTHER)})
    any_door.post(context(id_=ACCOUNT))
    any_door.post(context("rcv_OpenInBusinessCentral", id_=OTHER, InputParameters=parameters))

    assert [taken(any_door, str(number)).id for number in range(2)] == [OTHER, ACCOUNT]


# -- one worker at a time ----------------------------------------------------------------------------------------


def test_a_lease_keeps_a_second_worker_out(any_door: Door) -> None:
    any_door.post()

    first = take(any_door, "first")

    assert first is not None
    assert take(any_door, "second") is None
    assert any_door.kept()[0]["state"] == "working"


def test_a_lease_that_ended_is_taken_over_and_the_first_owner_writes_nothing(company: Company) -> None:
    company.open_for_all("CUSTOMER")
    post(company, hint())
    first = taken(company, "first")
    company.pass_time(61)
    second = taken(company, "second")
    assert [row.id for row in second.notifications] == [row.id for row in first.notifications]

    assert process(company.services, first) == []

    assert company.locals("customer") == []
    assert company.jobs("CUSTOMER") == []
    assert (states(company), lane(company).owner) == (["working"], "second")
    assert [outcome.decision for outcome in process(company.services, second)] == ["Insert", "Skip"]
    assert (states(company), lane(company).owner) == (["done"], None)


@pytest.mark.parametrize("way", ["release", "postpone"])
def test_only_the_owner_gives_a_lane_back(any_door: Door, way: str) -> None:
    any_door.post()
    first = taken(any_door, "first")
    any_door.pass_time(61)
    second = taken(any_door, "second")

    def give_back() -> None:
        with any_door.services.database.writing() as connection:
            if way == "release":
                lanes.release(connection, [lanes.Release(first)])
            else:
                lanes.postpone(connection, first, any_door.now(), "", charge=True)

    with pytest.raises(LeaseLostError):
        give_back()

    assert lane(any_door).owner == second.owner
    assert lane(any_door).attempts == 0


def test_a_worker_that_died_is_forgotten_and_its_work_found_again(company: Company) -> None:
    company.open_for_all("CUSTOMER")
    post(company, hint())
    taken(company, "dead", 120)

    assert not run_ready(company.services)
    company.pass_time(121)
    company.work()

    assert states(company) == ["done"]


def test_many_workers_take_each_lane_once(any_door: Door) -> None:
    for number in range(20):
        any_door.post(context("Update", "lead", f"00000000-0000-4000-8000-{number:012d}"))
    found: list[str] = []

    def work(owner: str) -> None:
        while (held := take(any_door, owner)) is not None:
            found.append(held.key)

    threads = [threading.Thread(target=work, args=(str(number),)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while (held := take(any_door, "rest")) is not None:
        found.append(held.key)

    assert len(found) == len(set(found)) == 20


# -- what comes meanwhile --------------------------------------------------------------------------------------------


def test_what_arrives_during_the_work_keeps_the_lane_ready(company: Company) -> None:
    company.open_for_all("CUSTOMER")
    post(company, hint())
    held = taken(company)
    post(company, hint())

    process(company.services, held)

    assert states(company) == ["done", "waiting"]
    assert run_ready(company.services)
    assert states(company) == ["done", "done"]
    assert lane(company).ready_at is None


def test_what_arrives_while_the_work_fails_is_not_put_off(company: Company) -> None:
    company.open_for_all("CUSTOMER")
    post(company, hint())
    company.sandbox.faults.unavailable = 1
    held = taken(company)
    post(company, hint())

    process(company.services, held)

    assert states(company) == ["waiting", "waiting"]
    assert run_ready(company.services)
    assert states(company) == ["done", "done"]


# -- errors ------------------------------------------------------------------------------------------------------------


def test_a_failing_row_delays_no_other(company: Company) -> None:
    company.open_for_all("CUSTOMER")
    post(company, hint(ACCOUNT))
    company.sandbox.faults.unavailable = 1
    assert run_ready(company.services)
    post(company, hint(OTHER))

    assert run_ready(company.services)

    assert states(company) == ["waiting", "done"]


def test_a_transient_error_backs_off_visibly_longer_each_time_and_ends_done(small_company: Company) -> None:
    company = small_company
    company.open_for_all("CUSTOMER")
    post(company, hint())
    company.sandbox.faults.unavailable = ALWAYS
    for attempt in range(1, 7):
        now = company.now()
        assert run_ready(company.services)
        (row,) = company.notifications()
        assert (row["state"], row["attempts"]) == ("waiting", attempt)
        assert "503" in row["last_error"]
        pause = (row["ready_at"] - now).total_seconds()
        assert 2 ** (attempt - 1) * 0.5 <= pause <= 2 ** (attempt - 1) + 2
        assert not run_ready(company.services)
        company.pass_time(pause + 0.1)

    company.sandbox.faults.unavailable = 0
    company.work()

    (row,) = company.notifications()
    assert (row["state"], row["attempts"], row["last_error"]) == ("done", 0, "")


def test_the_back_off_is_never_longer_than_its_cap() -> None:
    assert all(lanes.back_off(attempts, 900) <= timedelta(seconds=900) for attempts in (0, 10, 40, 10_000))


def test_a_new_notification_is_tried_at_once_though_the_row_is_backing_off(small_company: Company) -> None:
    small_company.open_for_all("CUSTOMER")
    post(small_company, hint())
    small_company.sandbox.faults.unavailable = 1
    assert run_ready(small_company.services)
    assert not run_ready(small_company.services)

    post(small_company, hint())

    assert run_ready(small_company.services)
    assert states(small_company) == ["done", "done"]


def test_429_closes_one_gate_for_every_row_and_every_click_until_retry_after(small_company: Company) -> None:
    company = small_company
    company.open_for_all("CUSTOMER")
    company.sandbox.faults.too_many_requests, company.sandbox.faults.retry_after_seconds = 1, 40
    post(company, hint(ACCOUNT))
    assert run_ready(company.services)
    asked = len(company.sandbox.requests)

    post(company, hint(OTHER))
    while run_ready(company.services):
        pass
    answer = company.open("account", VENDOR_ACCOUNT)

    assert "Dataverse asked us to wait until" in answer.trouble  # type: ignore[union-attr]  # it was refused
    assert len(company.sandbox.requests) == asked
    assert states(company) == ["waiting", "waiting"]
    assert [row["attempts"] for row in company.notifications()] == [0, 0]
    assert all("wait" in row["last_error"] or "429" in row["last_error"] for row in company.notifications())
    post(company, hint(OTHER))
    while run_ready(company.services):
        pass
    assert len(company.sandbox.requests) == asked

    company.pass_time(41)
    company.work()
    assert states(company) == ["done"] * 3


def test_503_with_retry_after_closes_the_gate_too(small_company: Company) -> None:
    small_company.open_for_all("CUSTOMER")
    small_company.sandbox.faults.answers.append(Answer(503, headers={"Retry-After": "30"}))
    post(small_company, hint())
    assert run_ready(small_company.services)

    assert closed_for(small_company) > 20
    assert states(small_company) == ["waiting"]


def test_a_later_shorter_pause_does_not_open_the_gate_earlier(small_company: Company) -> None:
    for seconds in (60.0, 5.0):
        small_company.services.gatekeeper.refused(ThrottledError(429, "", "", seconds))

    assert closed_for(small_company) > 50


def closed_for(company: Company) -> float:
    """How many seconds the gate before everything stays closed."""
    with company.services.database.reading() as connection:
        (found,) = gates.found(connection)
    return (found.until - company.now()).total_seconds()


def test_what_nobody_foresaw_fails_its_own_notification_only(company: Company) -> None:
    company.open_for_all("CUSTOMER")
    first, _ = post(company, hint(ACCOUNT)), post(company, hint(OTHER))
    with company.services.database.writing() as connection:
        connection.execute(update(inbox).where(inbox.c.id == first).values(body=b"damaged"))
    company.work()

    assert states(company)[1] == "done"
    assert states(company)[0] == "failed"
    assert lane(company).owner is None


# -- synchronous steps ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("members", [{"Mode": 0}, {"Mode": 0, "Stage": 20}, {"Mode": 1, "Stage": 10}])
def test_a_synchronous_notification_is_read_after_5_and_again_after_150_seconds(
    company: Company, members: dict[str, Any]
) -> None:
    company.open_for_all("CUSTOMER")
    post(company, hint(UNKNOWN, "Create", **members))
    found = []
    for seconds in (0, 3, 2.1, 100, 40, 5.5):  # the real clock goes on beside
        company.pass_time(seconds)
        before = len(company.sandbox.requests)
        while run_ready(company.services):
            pass
        found.append((states(company)[0], len(company.sandbox.requests) - before))

    assert found == [("waiting", 0), ("waiting", 0), ("waiting", 1), ("waiting", 0), ("waiting", 0), ("ignored", 1)]
    outcomes = {outcome["reason"] for outcome in company.notifications()[0]["outcome"]}
    assert outcomes == {"NOT_COUPLED_AND_GONE"}


def test_a_row_that_shows_only_after_its_transaction_is_found_by_the_second_read(company: Company) -> None:
    company.open_for_all("CUSTOMER")
    post(company, hint(UNKNOWN, "Create", Mode=0))
    company.pass_time(5.1)
    company.work()
    company.sandbox.put_row("account", UNKNOWN, {"name": "Late", "customertypecode": 3})
    company.pass_time(145)
    company.work()

    assert states(company) == ["done"]
    assert company.coupled_record("CUSTOMER", UNKNOWN)["name"] == "Late"


def test_an_asynchronous_notification_does_not_wait_for_a_synchronous_one(company: Company) -> None:
    company.open_for_all("CUSTOMER")
    post(company, hint(Mode=0))
    post(company, hint())

    company.work()

    assert states(company) == ["waiting", "done"]
    for seconds in (5.1, 145):
        company.pass_time(seconds)
        company.work()
    assert states(company) == ["done", "done"]


# -- tombstones ----------------------------------------------------------------------------------------------------------


def test_a_deletion_leaves_a_tombstone_and_no_image_of_the_row_is_believed(company: Company) -> None:
    company.open_for_all("CUSTOMER")
    company.couple_by_click("account", ACCOUNT)
    company.sandbox.faults.delay_seconds = 0
    company.sandbox.update("account", ACCOUNT, {"name": "Believed?"})
    assert company.sandbox.settle()
    late = company.sandbox.deliveries[-1]
    company.sandbox.delete("account", ACCOUNT)
    company.work()
    with company.services.database.reading() as connection:
        assert connection.execute(select(tombstone.c.row_id)).scalars().all() == [ACCOUNT]

    image = company.sandbox.organization and late.body.replace(b'"Depth":1', b'"Depth":2')
    answer = requests.post(
        f"{company.url}/dataverse/notifications",
        data=image,
        headers={"content-type": "application/json", "x-receiver-key": KEY},
        timeout=10,
    )
    assert answer.status_code == 202
    before = len(company.sandbox.requests)
    company.work()

    assert len(company.sandbox.requests) == before + 1
    assert company.local("customer", "C00010")["name"] != "Believed?"  # type: ignore[index]  # it is there


def test_a_delete_among_what_waits_always_means_one_read(company: Company) -> None:
    company.open_for_all("CUSTOMER")
    company.couple_by_click("account", ACCOUNT)
    post(company, context("Delete", InputParameters=attributes({"Target": reference("account", ACCOUNT)})))
    post(company, hint(InputParameters=attributes({"Target": target("account", ACCOUNT, {"name": "x"})})))
    before = len(company.sandbox.requests)

    company.work()

    assert len(company.sandbox.requests) == before + 1
    assert states(company) == ["done", "done"]
    assert company.coupled_record("CUSTOMER", ACCOUNT)["name"] == "Nordwind Trading GmbH"


# -- threads -----------------------------------------------------------------------------------------------------------------


def test_a_pool_of_threads_does_everything_and_really_stops(company: Company) -> None:
    company.open_for_all("CUSTOMER", "VENDOR")
    company.services.waker.ring()  # the bell's own thread belongs to the door, not to the worker
    before = threading.active_count()
    with working(company):
        for id_ in (ACCOUNT, OTHER, VENDOR_ACCOUNT):
            post(company, hint(id_))
        until(lambda: states(company) == ["done"] * 3)

    assert threading.active_count() == before
    post(company, hint())
    time.sleep(0.1)
    assert states(company)[-1] == "waiting"


def test_a_bell_wakes_a_sleeping_worker_at_once(company: Company) -> None:
    with working(company, 1):
        until(lambda: company.app.test_client().get("/health/ready").get_json()["checks"]["worker"]["ok"])
        time.sleep(0.3)
        slowest = 0.0
        for _ in range(3):
            begun = time.monotonic()
            number = post(company, hint())
            until(lambda number=number: states(company)[number - 1] != "waiting")  # type: ignore[misc]  # bound early on purpose
            slowest = max(slowest, time.monotonic() - begun)
            time.sleep(0.05)

    assert slowest < 0.6


def test_the_heart_beats_on_after_something_nobody_foresaw(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("receiver.server.worker.HEARTBEAT_SECONDS", 0.05)  # nobody waits ten seconds for a heart
    with closing(Door(postgresql_url)) as door:
        _rename(door, "receiver_worker", "away")
        worker = Worker(door.services, 1)
        worker.start()
        try:
            time.sleep(0.3)
            _rename(door, "away", "receiver_worker")

            def has_beaten() -> bool:
                with door.services.database.reading() as connection:
                    return connection.execute(select(workers.c.id)).first() is not None

            until(has_beaten, 3)
        finally:
            worker.stop()


def _rename(door: Door, before: str, after: str) -> None:
    with door.services.database.engine.begin() as connection:
        connection.execute(text(f"ALTER TABLE {before} RENAME TO {after}"))
