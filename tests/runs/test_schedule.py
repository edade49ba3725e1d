"""What runs by itself: one of many workers does it, a missed time is made up once, strangers cannot make it run on."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from company import KEY, Company
from requests import post

from receiver.errors import LeaseLostError, NotFoundError, RefusedError
from receiver.lanes.lane import new_owner
from receiver.runs import schedule
from receiver.store import schedules

ONCE = schedule.PURGE


def ran(company: Company, seconds: float = 0.0) -> list[tuple[str, str]]:
    """What runs now, each once, after so many seconds."""
    company.pass_time(seconds)
    told: list[tuple[str, str]] = []

    def carry_out(_services: object, held: schedules.Due) -> str:
        told.append((held.what, held.subject))
        return "Done."

    schedule.keep_rows(company.services)
    while schedule.run_next(company.services, dict.fromkeys(schedule.SHIPPED, carry_out)):
        pass
    return told


def test_all_but_verify_runs_at_once_where_nobody_knows_when_it_ran_last(company: Company) -> None:
    whats = {what for what, _ in ran(company)}
    assert whats == schedule.SHIPPED.keys() - {schedule.VERIFY}
    assert ran(company) == []


def test_of_twenty_workers_one_does_it(company: Company) -> None:
    ran(company)
    company.pass_time(3600)
    done: list[str] = []

    def work() -> None:
        procedures = dict.fromkeys(
            schedule.SHIPPED, lambda _services, held: done.append(f"{held.what} {held.subject}") or ""
        )
        while schedule.run_next(company.services, procedures):
            pass

    threads = [threading.Thread(target=work) for _ in range(20)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(done) == len(set(done))
    assert f"{ONCE} " in done


def test_a_missed_time_is_made_up_once(company: Company) -> None:
    ran(company)
    assert ran(company, 10 * 24 * 3600).count((ONCE, "")) == 1
    assert (ONCE, "") not in ran(company)


def test_one_whose_worker_died_is_taken_by_another_and_the_dead_one_stores_nothing_more(company: Company) -> None:
    schedule.keep_rows(company.services)
    now, known = company.now(), [ONCE]
    with company.services.database.writing() as connection:
        first = schedules.lease(connection, new_owner(), now, 120, [], known)
    assert first is not None
    with company.services.database.writing() as connection:
        assert schedules.lease(connection, new_owner(), now, 120, [], known) is None
        second = schedules.lease(connection, new_owner(), now + timedelta(seconds=121), 120, [], known)
    assert second is not None
    with pytest.raises(LeaseLostError), company.services.database.writing() as connection:
        schedules.hold(connection, first, now)


def test_what_is_paused_does_not_run_until_it_is_resumed(company: Company) -> None:
    ran(company)
    schedule.set_(company.services, ONCE, "Ann", is_paused=True)
    assert (ONCE, "") not in ran(company, 7200)
    schedule.set_(company.services, ONCE, "Ann", is_paused=False)
    assert (ONCE, "") in ran(company, 7200)


def test_a_cause_has_it_run_out_of_turn(company: Company) -> None:
    ran(company)
    company.pass_time(10)
    schedule.hasten(company.services, "the database was away")
    # what runs each minute may have come due by itself
    assert {what for what, _ in ran(company)} - {schedule.ALERTS, schedule.CONNECTION} == set(schedules.LOOKS)


def test_what_a_stranger_causes_has_it_run_once_between_two_regular_times(company: Company) -> None:
    ran(company)
    extra = 0
    for _ in range(20):
        company.app.extensions["receiver_refusals"].every_seconds = 0.0
        assert post(f"{company.url}/dataverse/notifications", headers={"x-receiver-key": "guessed"}).status_code == 401
        extra += ran(company, 10).count(("catch-up", "account"))
    assert extra <= 3  # a regular one falls into these 200 s at most, and one more before it and after it


@pytest.mark.parametrize(("body", "status"), [(b"{", 400), (b"x" * 2_000_000, 413)], ids=["unreadable", "too large"])
def test_what_was_refused_is_looked_for(company: Company, body: bytes, status: int) -> None:
    ran(company)
    company.app.extensions["receiver_refusals"].every_seconds = 0.0
    company.pass_time(10)
    headers = {"x-receiver-key": KEY, "Content-Type": "application/json"}
    assert post(f"{company.url}/dataverse/notifications", body, headers=headers).status_code == status
    assert ("catch-up", "account") in ran(company)


@pytest.mark.parametrize("cron", ["every day", "61 * * * *", "* * *", ""])
def test_text_that_is_no_cron_text_is_refused(company: Company, cron: str) -> None:
    if not cron:
        assert schedule.set_(company.services, ONCE, "Ann", cron=cron).cron == ""
        return
    with pytest.raises(RefusedError, match=r"Minute, hour, day, month and weekday were expected"):
        schedule.set_(company.services, ONCE, "Ann", cron=cron)


def test_what_does_not_exist_is_named(company: Company) -> None:
    with pytest.raises(NotFoundError, match="receiver schedule list"):
        schedule.set_(company.services, "nothing", "Ann", is_paused=True)
    with pytest.raises(NotFoundError, match="does not run for lead"):
        schedule.run_now(company.services, "catch-up", "lead")


def test_verify_is_spread_over_the_night(company: Company) -> None:
    now = datetime(2026, 11, 29, 12, tzinfo=UTC)
    cron = schedule.SHIPPED[schedule.VERIFY].cron
    times = {schedule.next_time(cron, schedule.VERIFY, name, now) for name in ("CUSTOMER", "VENDOR", "CONTACT")}
    assert len(times) == 3
    assert all(1 <= one.hour <= 4 for one in times)
    assert company.services.client is not None


def test_what_may_go_away_by_itself_is_tried_again_before_its_time(company: Company) -> None:
    schedule.keep_rows(company.services)
    company.sandbox.faults.unavailable = -1
    company.services.gatekeeper.open_(["everything"])
    from receiver.commands.at_set_times import AT_SET_TIMES

    while schedule.run_next(company.services, AT_SET_TIMES):
        pass
    company.sandbox.faults.unavailable = 0
    looked = company.looked("catch-up", "account")
    assert not looked.is_good
    assert looked.next_at <= company.now() + timedelta(seconds=60)
