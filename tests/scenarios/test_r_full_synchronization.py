"""Group R: full synchronization of all mappings, each after those it needs, by what a review recommends."""

from __future__ import annotations

import threading

import pytest
from company import Company
from scenarios.pairs import ACCOUNT, DOLLAR, POUND, TO

from receiver.commands.procedures import PROCEDURES
from receiver.commands.synchronizing import full_synchronization as full
from receiver.commands.synchronizing.full_synchronization import ERROR, FINISHED, SUCCESS, Line, Recommendation
from receiver.errors import NotFoundError, RefusedError
from receiver.runs.tasks import cancel, carry_out_next, task_of
from receiver.store import runs as stored


def reviewed(company: Company) -> dict[str, Line]:
    return {one.mapping: one for one in full.review(company.services)}


def synchronize(company: Company, *decided: str) -> dict[str, Line]:
    number = full.start(company.services, "Ann", decided)
    assert carry_out_next(company.services, PROCEDURES, threading.Event())
    task = task_of(company.services, number)
    assert task.state == "done", task.message
    return {one.mapping: one for one in full.lines_of(task)}


def test_r1_r2_r15_r16_the_review_has_a_line_for_each_mapping_with_what_it_needs(company: Company) -> None:
    found = reviewed(company)

    assert {name: one.needs for name, one in found.items()} == {
        "SALESPEOPLE": (),
        "CURRENCY": (),
        "CUSTOMER": ("CURRENCY", "SALESPEOPLE"),
        "VENDOR": ("CURRENCY", "SALESPEOPLE"),
        "CONTACT": ("CURRENCY", "CUSTOMER", "SALESPEOPLE", "VENDOR"),
    }
    assert all(one.status == "" for one in found.values())
    assert reviewed(company) == found


def test_mappings_that_wait_for_one_another_are_named(company: Company) -> None:
    company.set("CURRENCY", depends_on=("CONTACT",))

    with pytest.raises(RefusedError, match=r"CURRENCY → CONTACT → .*CURRENCY|CONTACT → .* → CONTACT"):
        reviewed(company)


def test_r7_r8_r12_a_mapping_follows_once_all_that_it_needs_is_finished(company: Company) -> None:
    """New records on one side are created on the other, also under Synch. Only Coupled Records; then it is as before."""
    company.insert_currency("GBP")
    company.set("CURRENCY", is_enabled=False)

    found = synchronize(company)

    assert {one.status for one in found.values()} == {FINISHED}
    assert (found["CUSTOMER"].to, found["CUSTOMER"].from_) == (SUCCESS, SUCCESS)
    assert (found["SALESPEOPLE"].to, found["SALESPEOPLE"].from_) == ("", SUCCESS)
    assert company.coupled_record("CUSTOMER", ACCOUNT)
    assert company.locals("contact")
    assert all(one.recommendation is Recommendation.FULL for one in reviewed(company).values())


def test_r9_r10_one_record_that_fails_makes_the_jobs_status_an_error(company: Company) -> None:
    company.set("CURRENCY", is_enabled=False)

    found = synchronize(company)

    assert (found["CUSTOMER"].status, found["CUSTOMER"].from_) == (FINISHED, ERROR)
    assert company.coupled_record("CUSTOMER", ACCOUNT)


def test_r14_r18_r20_r21_records_on_both_sides_are_to_be_coupled_first_and_what_needs_them_waits(
    company: Company,
) -> None:
    for row in (DOLLAR, POUND):
        assert company.sandbox.row("transactioncurrency", row)
    company.insert_local("vendor", name="Ours")
    company.set("CURRENCY", is_enabled=False)

    assert reviewed(company)["VENDOR"].recommendation is Recommendation.COUPLE
    found = synchronize(company)
    assert found["VENDOR"].status == "Couple Records"
    assert found["CONTACT"].status == "Waits for VENDOR"
    assert found["CUSTOMER"].status == FINISHED
    assert len(company.locals("vendor")) == 1

    assert synchronize(company, "vendor")["VENDOR"].status == FINISHED
    assert len(company.locals("vendor")) > 1
    with pytest.raises(NotFoundError, match="NOSUCH"):
        full.review(company.services, ["nosuch"])


def test_nothing_is_recommended_where_neither_side_has_a_record(company: Company) -> None:
    company.set("VENDOR", dataverse_filter_text="name = 'nobody'")

    assert reviewed(company)["VENDOR"].recommendation is Recommendation.NOTHING


def test_r23_r24_r25_one_full_synchronization_at_a_time(company: Company) -> None:
    number = full.start(company.services, "Ann")
    with pytest.raises(RefusedError, match=f"receiver tasks show {number}"):
        full.start(company.services, "Bob")
    cancel(company.services, number)
    carry_out_next(company.services, PROCEDURES, threading.Event())

    assert full.start(company.services, "Bob") > number


def test_r26_the_next_run_begins_where_the_full_one_ended(company: Company) -> None:
    company.set("CURRENCY", is_enabled=False)
    synchronize(company)

    with company.services.database.reading() as connection:
        assert stored.watermark(connection, "CUSTOMER") is not None
        assert stored.change_token(connection, "CUSTOMER")


def test_a_full_synchronization_that_was_interrupted_goes_on_where_it_stood(company: Company) -> None:
    company.set("CURRENCY", is_enabled=False)
    number = full.start(company.services, "Ann")
    stopped = threading.Event()
    seen: list[int] = []

    def stop_soon(_task: object) -> None:
        seen.append(1)
        if len(seen) == 6:
            stopped.set()

    carry_out_next(company.services, PROCEDURES, stopped, watch=stop_soon)
    assert task_of(company.services, number).state == "waiting"
    carry_out_next(company.services, PROCEDURES, threading.Event())

    task = task_of(company.services, number)
    assert task.state == "done"
    assert {one.status for one in full.lines_of(task)} == {FINISHED}
    assert [one["direction"] for one in company.jobs("CUSTOMER") if one["type"] == "Synchronization"].count(TO) == 1
