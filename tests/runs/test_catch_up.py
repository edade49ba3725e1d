"""Catch-up: what no notification told of is found by itself, and costs next to nothing where nothing was missed."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from company import Company
from scenarios.pairs import couple
from sqlalchemy import event, func, select

from receiver.commands.at_set_times import AT_SET_TIMES
from receiver.commands.mappings.change_mapping import set_mapping
from receiver.core.mapping import DeletionConflict
from receiver.lanes import lane as lanes
from receiver.runs import schedule
from receiver.sandbox import Answer
from receiver.sandbox.faults import ALWAYS
from receiver.store import tracking
from receiver.store.models import conclusion, inbox, job, task

CUSTOMER = {"name": "Firm", "customertypecode": 3}


def coupled(company: Company, count: int = 1) -> list[tuple[str, str]]:
    """Customers and their accounts, in step, and read by catch-up once."""
    pairs = []
    for number in range(count):
        row = str(company.sandbox.create("account", {**CUSTOMER, "name": f"Firm {number}"}, deliver=False))
        key = company.insert_local("customer", name=f"Firm {number}")
        couple(company, "CUSTOMER", key, row)
        pairs.append((key, row))
    company.work()
    company.catch_up()
    return pairs


def asked_for(company: Company, before: int, path: str) -> list[str]:
    """What was asked of the Web API of a table since so many requests."""
    return [f"{one.method} {one.path}" for one in company.sandbox.requests[before:] if path in one.path]


def count(company: Company, table: Any) -> int:
    with company.services.database.reading() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def test_a_change_that_no_notification_told_of_is_found(company: Company) -> None:
    ((key, row),) = coupled(company)
    company.sandbox.update("account", row, {"name": "Firm & Sons"}, deliver=False)
    company.catch_up()
    found = company.local("customer", key)
    assert found is not None
    assert found["name"] == "Firm & Sons"
    assert company.looked("catch-up", "account").said == "1 change(s) that no notification had told of."


def test_a_new_row_that_no_notification_told_of_comes_in(company: Company) -> None:
    company.open_for_all("CUSTOMER")
    coupled(company)
    row = str(company.sandbox.create("account", {**CUSTOMER, "name": "New"}, deliver=False))
    company.catch_up()
    assert company.coupled_record("CUSTOMER", row)["name"] == "New"


def test_what_was_there_before_the_first_look_is_brought_in_by_nobody_but_a_person(company: Company) -> None:
    row = str(company.sandbox.create("account", CUSTOMER, deliver=False))
    company.open_for_all("CUSTOMER")
    company.catch_up()
    company.catch_up()
    assert company.coupling("CUSTOMER", row) is None


def test_a_new_row_that_only_coupled_keeps_out_is_offered_later(company: Company) -> None:
    coupled(company)
    company.sandbox.create("account", {**CUSTOMER, "name": "New"}, deliver=False)
    company.catch_up()
    from receiver.commands.mappings.change_mapping import figures

    assert figures(company.services)["CUSTOMER"]["passed_over"] == 1


def test_a_deletion_that_no_notification_told_of_is_read_by_its_id_and_decided(company: Company) -> None:
    pairs = coupled(company, 3)
    company.set("CUSTOMER", resolve_deletion_conflicts=DeletionConflict.DELETE_COUPLING)
    company.sandbox.delete("account", pairs[0][1], deliver=False)
    before = len(company.sandbox.requests)
    company.catch_up()
    assert company.coupling("CUSTOMER", pairs[0][1]) is None
    assert company.coupling("CUSTOMER", pairs[1][1]) is not None
    assert any(pairs[0][1] in one for one in asked_for(company, before, "accounts")) or any(
        "$batch" in one.path for one in company.sandbox.requests[before:]
    )


def test_many_deletions_at_once_wait_for_a_person(company: Company) -> None:
    pairs = coupled(company, 12)
    company.set("CUSTOMER", resolve_deletion_conflicts=DeletionConflict.DELETE_COUPLING)
    for _, row in pairs[:8]:
        company.sandbox.delete("account", row, deliver=False)
    company.catch_up()
    assert all(company.coupling("CUSTOMER", row) is not None for _, row in pairs)
    assert count(company, conclusion) == 8
    company.catch_up()
    assert count(company, conclusion) == 8
    assert count(company, task) == 1


def test_what_was_notified_is_found_by_nobody_else(company: Company) -> None:
    ((key, row),) = coupled(company)
    company.sandbox.update("account", row, {"name": "Told"})
    company.work()
    company.change_local("customer", key, name="Told back")
    company.catch_up()
    company.work()
    jobs, notifications = count(company, job), count(company, inbox)
    company.catch_up()
    assert company.looked("catch-up", "account").said == "Nothing was missed."
    assert (count(company, job), count(company, inbox)) == (jobs, notifications)
    assert company.sandbox.row("account", row)["name"] == "Told back"  # type: ignore[index]  # it is there


def test_a_look_without_news_is_one_request_a_table_and_writes_nothing_but_how_far_it_read(company: Company) -> None:
    coupled(company, 3)
    before = len(company.sandbox.requests)
    statements: list[str] = []
    event.listen(
        company.services.database.engine,
        "before_cursor_execute",
        lambda _c, _k, statement, *_: statements.append(statement),
    )
    company.catch_up([schedule.CATCH_UP])
    made = company.sandbox.requests[before:]
    tables = {one.path.split("/")[-1].split("?")[0] for one in made}
    assert len(made) == len(tables)
    written = [one for one in statements if one.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE"))]
    assert {one.split("receiver_")[1].split()[0].strip('"(') for one in written} <= {"due", "schedule", "tracked_table"}


def test_an_idle_hour_costs_a_request_each_five_minutes_and_table(company: Company) -> None:
    coupled(company, 3)
    only = {what: AT_SET_TIMES[what] for what in (schedule.CATCH_UP, schedule.LOCAL_EDITS)}
    while schedule.run_next(company.services, only):
        pass
    before, jobs = len(company.sandbox.requests), count(company, job)
    for _ in range(120):
        company.pass_time(30)
        while schedule.run_next(company.services, only):
            pass
    made = [one.path.split("/")[-1].split("?")[0] for one in company.sandbox.requests[before:]]
    assert set(made) == {"accounts", "contacts", "systemusers"}
    assert all(11 <= made.count(table) <= 13 for table in set(made)), Counter(made)
    assert count(company, job) == jobs


@pytest.mark.parametrize("why", ["expired", "restored"])
def test_a_token_that_is_refused_costs_one_comparison_and_no_reading_of_all(company: Company, why: str) -> None:
    pairs = coupled(company, 4)
    if why == "restored":
        backup = company.sandbox.backup()
        company.sandbox.update("account", pairs[0][1], {"name": "Lost by the restore"})
        company.work()
        company.sandbox.restore_backup(backup)
        expected = "the environment was restored, copied or reset"
    else:
        company.sandbox.put_row("organization", company.sandbox.organization_id, {"expirechangetrackingindays": 0})
        company.change_local("customer", pairs[0][0], name="Firm 0")
        time.sleep(1.1)  # a token has whole seconds
        expected = "its change tracking token has expired"
    before = len(company.sandbox.requests)
    company.catch_up([schedule.CATCH_UP])
    said = company.looked("catch-up", "account").said
    assert said.startswith("Compared as a whole, since")
    assert expected in said
    found = company.local("customer", pairs[0][0])
    assert found is not None
    assert found["name"] == "Firm 0"
    read = [one for one in asked_for(company, before, "/accounts") if "name" in one]
    assert len(read) <= 1


def test_a_filter_that_was_widened_is_looked_at_once_and_whole(company: Company) -> None:
    company.open_for_all("CUSTOMER")
    coupled(company)
    row = str(company.sandbox.create("account", {"name": "Prospect", "customertypecode": 8}))
    company.work()
    assert company.coupling("CUSTOMER", row) is None
    company.set("CUSTOMER", dataverse_filter_text="customertypecode = 3 or customertypecode = 8")
    company.catch_up()
    assert company.coupled_record("CUSTOMER", row)["name"] == "Prospect"
    said = company.looked("catch-up", "account").said
    assert said.startswith("Compared as a whole, since the filter of CUSTOMER was changed.")
    company.catch_up()
    assert company.looked("catch-up", "account").said == "Nothing was missed."


def test_a_table_without_change_tracking_is_read_by_when_it_changed(company: Company) -> None:
    company.sandbox.organization.untracked.add("account")
    pairs = coupled(company, 2)
    company.sandbox.update("account", pairs[0][1], {"name": "Firm & Sons"}, deliver=False)
    before = len(company.sandbox.requests)
    company.catch_up([schedule.CATCH_UP])
    found = company.local("customer", pairs[0][0])
    assert found is not None
    assert found["name"] == "Firm & Sons"
    assert "modifiedon" in asked_for(company, before, "/accounts")[0]


def test_a_local_edit_that_nobody_told_of_goes_out(company: Company) -> None:
    ((key, row),) = coupled(company)
    company.change_local("customer", key, name="Edited here")
    company.catch_up([schedule.LOCAL_EDITS])
    assert company.sandbox.row("account", row)["name"] == "Edited here"  # type: ignore[index]  # it is there


def test_a_record_that_was_deleted_here_is_looked_for_and_decided(company: Company) -> None:
    pairs = coupled(company, 3)
    company.set("CUSTOMER", resolve_deletion_conflicts=DeletionConflict.DELETE_COUPLING)
    company.delete_local("customer", pairs[0][0])
    company.catch_up([schedule.LOCAL_EDITS])
    assert company.coupling("CUSTOMER", pairs[0][1]) is None
    assert company.coupling("CUSTOMER", pairs[1][1]) is not None


def test_what_cannot_go_out_is_met_once_and_again_once_it_says_something_else(company: Company) -> None:
    ((key, row),) = coupled(company)
    company.sandbox.faults.answers.append(Answer.error(400, "0x80040203", "No.", method="PATCH", times=ALWAYS))
    company.change_local("customer", key, name="Not wanted there")
    company.catch_up([schedule.LOCAL_EDITS])
    failed = [one for one in company.jobs("CUSTOMER") if one["failed"]]
    company.catch_up([schedule.LOCAL_EDITS])
    company.catch_up([schedule.LOCAL_EDITS])
    assert [one for one in company.jobs("CUSTOMER") if one["failed"]] == failed
    company.sandbox.faults.answers.clear()
    company.change_local("customer", key, name="Wanted again")
    company.catch_up([schedule.LOCAL_EDITS])
    assert company.sandbox.row("account", row)["name"] == "Wanted again"  # type: ignore[index]  # it is there


def test_a_comparison_that_is_asked_for_during_a_look_is_not_forgotten(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.open_for_all("CUSTOMER")
    coupled(company)
    row = str(company.sandbox.create("account", {"name": "Prospect", "customertypecode": 8}))
    company.work()
    client, once = company.services.dataverse, [True]
    pages = client.tracked_pages

    def meanwhile(table: str, *asked: Any) -> Any:
        if table == "account" and once:
            once.clear()
            set_mapping(
                company.services,
                "CUSTOMER",
                "Ann",
                dataverse_filter_text="customertypecode = 3 or customertypecode = 8",
            )
        yield from pages(table, *asked)

    monkeypatch.setattr(client, "tracked_pages", meanwhile)
    company.catch_up()
    company.catch_up()
    assert company.coupled_record("CUSTOMER", row)["name"] == "Prospect"


def test_one_odd_row_stops_none_of_those_that_are_read_with_it(company: Company) -> None:
    pairs = coupled(company, 5)
    for key, row in pairs:
        company.sandbox.update("account", row, {"name": f"Changed {key}"}, deliver=False)

    def odd(body: bytes) -> bytes:
        return body.replace(f"Changed {pairs[2][0]}".encode() + b'"', b'x","modifiedon":"no moment"')

    company.sandbox.faults.answers.append(Answer(200, path="accounts", change=odd, times=ALWAYS))
    company.catch_up()
    names = {record["name"] for record in company.locals("customer")}
    assert {f"Changed {key}" for key, _ in pairs if key != pairs[2][0]} <= names
    company.sandbox.faults.answers.clear()


def test_a_record_whose_lane_is_held_is_asked_for_again_and_nobody_says_that_all_is_known(company: Company) -> None:
    ((key, row),) = coupled(company)
    with company.services.database.reading() as connection:
        before = tracking.local_of(connection, "CUSTOMER").read_at
    company.change_local("customer", key, name="Edited here")
    with company.services.database.writing() as connection:
        (lease,) = lanes.lease_named(connection, lanes.new_owner(), company.now(), 120, [("account", row)])
    with pytest.raises(AssertionError, match="could not be decided now"):
        company.catch_up([schedule.LOCAL_EDITS])
    with company.services.database.reading() as connection:
        assert tracking.local_of(connection, "CUSTOMER").read_at == before
    with company.services.database.writing() as connection:
        lanes.release(connection, [lanes.Release(lease)])
    company.catch_up([schedule.LOCAL_EDITS])
    assert company.sandbox.row("account", row)["name"] == "Edited here"  # type: ignore[index]  # it is there


def test_a_link_that_has_expired_is_no_token_that_has(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("receiver.dataverse.client.PAGE", 2)
    pairs = coupled(company, 5)
    for key, row in pairs:
        company.sandbox.update("account", row, {"name": f"Changed {key}"}, deliver=False)
    with company.services.database.writing() as connection:
        known = tracking.table_of(connection, "account")
        at = {
            "since": company.now().isoformat(),
            "link": f"{company.sandbox.api_url}/api/data/v9.2/accounts?$skiptoken=gone",
            "gone": {},
            "missed": 0,
        }
        tracking.keep_table(connection, replace(known, position=at))
    company.catch_up([schedule.CATCH_UP])
    assert company.looked("catch-up", "account").said == "5 change(s) that no notification had told of."


def test_records_that_were_there_before_are_made_there_by_nobody_but_a_person_until_they_change(
    company: Company,
) -> None:
    key = company.insert_local("customer", name="Was there")
    company.open_for_all("CUSTOMER")
    company.catch_up()
    company.catch_up()
    assert "Was there" not in {row["name"] for row in company.sandbox.rows("account")}
    new = company.insert_local("customer", name="Came since")
    company.change_local("customer", key, name="Was there, and changed")
    company.catch_up()
    assert {"Was there, and changed", "Came since"} <= {row["name"] for row in company.sandbox.rows("account")}
    assert new


def test_switching_only_coupled_off_makes_nothing_there_by_itself(company: Company) -> None:
    company.insert_local("customer", name="Kept out")
    company.catch_up()
    company.open_for_all("CUSTOMER")
    company.catch_up()
    company.catch_up()
    assert "Kept out" not in {row["name"] for row in company.sandbox.rows("account")}


def test_a_row_that_was_deleted_there_is_not_made_anew_by_itself(company: Company) -> None:
    company.open_for_all("CUSTOMER")
    pairs = coupled(company, 3)
    company.set("CUSTOMER", resolve_deletion_conflicts=DeletionConflict.DELETE_COUPLING)
    company.sandbox.delete("account", pairs[0][1])
    company.work()
    before = len(company.sandbox.rows("account"))
    company.catch_up()
    company.catch_up()
    assert company.coupling("CUSTOMER", pairs[0][1]) is None
    assert len(company.sandbox.rows("account")) == before
