"""Group L: runs of whole mappings and how far they have read; and the rows of A, B, C and E that start toward Dataverse.

A run is To, then From; its jobs are the last two.
"""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

import pytest
from company import Company
from scenarios.pairs import (
    ACCOUNT,
    BIDIRECTIONAL,
    FROM,
    GET,
    SECOND_ACCOUNT,
    SEND,
    TO,
    account,
    couple,
    couple_customer,
    is_skipped,
)

from receiver.commands.coupling.pairs import mapping_named
from receiver.commands.synchronizing import run_mapping as run
from receiver.core.coupling import Result
from receiver.core.mapping import Direction
from receiver.runs import run_task
from receiver.runs.mapping_run import parts_of, run_part
from receiver.runs.run_pages import Scope
from receiver.runs.tasks import carry_out_next, task_of
from receiver.store import runs as stored

COUNTERS = ("inserted", "modified", "unchanged", "skipped", "failed", "uncoupled")


def run_mapping(
    company: Company,
    mapping: str = "CUSTOMER",
    direction: Direction | None = None,
    scope: Scope = Scope.MODIFIED,
    *,
    may_create: bool = False,
) -> list[dict[str, int]]:
    """Run it; the counters that are not 0 of each of its jobs."""
    before = len(company.jobs(mapping))
    found = mapping_named(company.services, mapping)
    for part in parts_of(found, direction, scope, "the scenario", may_create=may_create):
        for _ in run_part(company.services, part):
            pass
    return [{name: one[name] for name in COUNTERS if one[name]} for one in company.jobs(mapping)[before:]]


def watermark(company: Company, mapping: str = "CUSTOMER") -> datetime | None:
    with company.services.database.reading() as connection:
        return stored.watermark(connection, mapping)


def customer(company: Company, key: str) -> dict[str, object]:
    found = company.local("customer", key)
    assert found is not None
    return found


@pytest.mark.parametrize("clock", [-300, 0, 300])
def test_l1_l2_l3_changes_of_each_side_travel_whatever_the_clocks_say(company: Company, clock: int) -> None:
    """Business Central counts the record that came in as Unchanged on its next way out; here it is not asked for."""
    key = couple_customer(company)
    company.pass_time(clock)
    for name in ("One AG", "Two AG"):
        company.change_local("customer", key, name=name)
        assert run_mapping(company) == [{"modified": 1}, {"unchanged": 1}]
        assert account(company)["name"] == name
    for name in ("Three AG", "Four AG"):
        company.sandbox.update("account", ACCOUNT, {"name": name}, deliver=False)
        assert run_mapping(company) == [{}, {"modified": 1}]
        assert customer(company, key)["name"] == name


def test_l5_a_run_without_changes_leaves_couplings_and_watermark_alone(company: Company) -> None:
    couple_customer(company)
    run_mapping(company)
    before = company.coupling("CUSTOMER", ACCOUNT), watermark(company)

    assert run_mapping(company) == [{}, {"unchanged": 1}]
    assert (company.coupling("CUSTOMER", ACCOUNT), watermark(company)) == before


def test_l6_two_pairs_changed_on_one_side_each(company: Company) -> None:
    first, second = couple_customer(company), couple_customer(company, SECOND_ACCOUNT)
    run_mapping(company)
    before = watermark(company)
    company.change_local("customer", first, name="Ours")
    company.sandbox.update("account", SECOND_ACCOUNT, {"name": "Theirs"}, deliver=False)

    assert run_mapping(company) == [{"modified": 1}, {"modified": 1, "unchanged": 1}]
    assert (account(company)["name"], customer(company, second)["name"]) == ("Ours", "Theirs")
    assert before is not None
    assert (watermark(company) or before) >= before


@pytest.mark.parametrize(("direction", "jobs"), [(TO, [TO]), (FROM, [FROM]), (BIDIRECTIONAL, [TO, FROM])])
def test_l9_l10_l11_a_run_has_a_job_for_each_direction_of_its_mapping(
    company: Company, direction: Direction, jobs: list[Direction]
) -> None:
    company.set("CUSTOMER", direction=direction)

    assert run_mapping(company) == [{} for _ in jobs]
    assert [one["direction"] for one in company.jobs("CUSTOMER")] == jobs


def test_l13_l14_the_table_filter_chooses_what_goes_out(company: Company) -> None:
    company.open_for_all("CUSTOMER")
    company.set("CUSTOMER", local_filter_text="city = 'Graz'")
    keys = [company.insert_local("customer", name=f"Firm {n}", city="Graz" if n < 2 else "Wien") for n in range(3)]
    assert run_mapping(company, direction=TO) == [{"inserted": 2}]

    company.set("CUSTOMER", local_filter_text="")
    couple(company, "CUSTOMER", keys[2], ACCOUNT)
    company.set("CUSTOMER", resolve_update_conflicts=SEND)
    assert run_mapping(company, direction=TO) == [{"modified": 1}]
    assert account(company)["name"] == "Firm 2"


def test_l15_the_integration_table_filter_chooses_what_comes_in(company: Company) -> None:
    company.open_for_all("CUSTOMER")
    company.set("CUSTOMER", dataverse_filter_text=f"accountid = '{ACCOUNT}'")

    assert run_mapping(company, direction=FROM) == [{"inserted": 1}]
    assert len(company.locals("customer")) == 1


def test_l17_only_coupled_records_are_updated(company: Company) -> None:
    key = couple_customer(company)
    company.sandbox.update("account", ACCOUNT, {"name": "Theirs"}, deliver=False)

    assert run_mapping(company) == [{}, {"modified": 1}]
    assert [one["no"] for one in company.locals("customer")] == [key]


def test_l18_l19_a_new_account_comes_in_once_and_follows(company: Company) -> None:
    company.set("CUSTOMER", dataverse_filter_text=f"accountid = '{ACCOUNT}'", synch_only_coupled_records=False)

    assert run_mapping(company) == [{}, {"inserted": 1}]
    assert run_mapping(company) == [{}, {"unchanged": 1}]
    company.sandbox.update("account", ACCOUNT, {"name": "Later"}, deliver=False)
    assert run_mapping(company) == [{}, {"modified": 1}]
    assert company.coupled_record("CUSTOMER", ACCOUNT)["name"] == "Later"


def test_l21_l23_the_watermark_is_the_newest_row_read_also_of_rows_in_which_nothing_mapped_changed(
    company: Company,
) -> None:
    couple_customer(company)
    run_mapping(company)
    first = watermark(company)
    company.sandbox.update("account", ACCOUNT, {"description": "not mapped"}, deliver=False)

    assert run_mapping(company) == [{}, {"unchanged": 1}]
    second, newest = watermark(company), max(row["modifiedon"] for row in company.sandbox.rows("account"))
    assert first is not None
    assert second is not None
    assert first <= second <= newest


def test_l25_a_broken_connection_is_tried_again(company: Company) -> None:
    number = run.start(company.services, "CUSTOMER", "Ann", FROM)
    with company.sandbox.faults.switched(unavailable=-1):
        carry_out_next(company.services, {run_task.COMMAND: run.carry_out}, threading.Event())

    assert task_of(company.services, number).state == "waiting"


def test_l26_a_full_run_begins_without_the_watermark(company: Company) -> None:
    key = couple_customer(company)
    with company.services.database.writing() as connection:
        stored.advance_watermark(connection, "CUSTOMER", company.now() + timedelta(days=365))
    company.sandbox.update("account", ACCOUNT, {"name": "Theirs"}, deliver=False)
    assert run_mapping(company) == [{}, {}]

    assert run_mapping(company, scope=Scope.FULL) == [{"unchanged": 1}, {"modified": 1}]
    assert customer(company, key)["name"] == "Theirs"
    assert (watermark(company) or company.now()) <= company.now()


def test_a10_a_new_customer_becomes_an_account(company: Company) -> None:
    key = company.insert_local("customer", name="New AG")

    assert run_mapping(company, direction=TO, may_create=True) == [{"inserted": 1}]
    assert any(row["name"] == "New AG" for row in company.sandbox.rows("account"))
    assert run_mapping(company, direction=TO) == [{}]
    assert customer(company, key)["name"] == "New AG"


def test_b13_b15_the_county_goes_out_and_a_blank_salesperson_does_not_empty_the_owner(company: Company) -> None:
    key = couple_customer(company)
    owner = account(company)["ownerid"]
    company.change_local("customer", key, county="Texas", salesperson_code="")

    assert run_mapping(company, direction=TO) == [{"modified": 1}]
    assert (account(company)["address1_stateorprovince"], account(company)["ownerid"]) == ("Texas", owner)


def both_changed(company: Company) -> str:
    key = couple_customer(company)
    company.change_local("customer", key, fax_no="1111")
    company.sandbox.update("account", ACCOUNT, {"fax": "2222"}, deliver=False)
    return key


def test_a14_c1_both_sides_changed_fails_toward_dataverse_and_writes_only_by_force(company: Company) -> None:
    key = both_changed(company)
    assert run_mapping(company, direction=TO) == [{"failed": 1}]
    assert account(company)["fax"] == "2222"

    company.set("CUSTOMER", direction=TO)
    assert run_mapping(company, scope=Scope.UNCONDITIONAL) == [{"modified": 1}]
    assert (account(company)["fax"], customer(company, key)["fax_no"]) == ("1111", "1111")


def test_c5_c6_different_fields_changed_on_each_side_both_travel(company: Company) -> None:
    key = couple_customer(company)
    company.change_local("customer", key, phone_no="1111")
    company.sandbox.update("account", ACCOUNT, {"fax": "2222"}, deliver=False)

    assert run_mapping(company) == [{"modified": 1}, {"modified": 1}]
    assert (account(company)["telephone1"], account(company)["fax"]) == ("1111", "2222")
    assert (customer(company, key)["phone_no"], customer(company, key)["fax_no"]) == ("1111", "2222")


@pytest.mark.parametrize(("strategy", "wins"), [(SEND, "1111"), (GET, "2222")])
def test_c9_a_conflict_is_settled_by_the_strategy_in_a_run_toward_dataverse(
    company: Company, strategy: object, wins: str
) -> None:
    key = both_changed(company)
    company.set("CUSTOMER", resolve_update_conflicts=strategy)

    run_mapping(company, direction=TO)

    assert (account(company)["fax"], customer(company, key)["fax_no"]) == (wins, wins)


def test_a_failed_row_is_asked_for_once_in_a_run_so_another_failure_is_not_taken_for_a_second(company: Company) -> None:
    key = both_changed(company)
    run_mapping(company, direction=FROM)
    company.change_local("customer", key, fax_no="2222", phone_no="1111")
    company.sandbox.update("account", ACCOUNT, {"telephone1": "2222"}, deliver=False)

    assert run_mapping(company, direction=FROM) == [{"failed": 1}]

    assert not is_skipped(company)


def test_a_row_that_failed_before_it_was_coupled_is_asked_for_once_in_a_run(company: Company) -> None:
    company.open_for_all("CONTACT")
    company.set_field("CONTACT", "company_no", is_enabled=True)
    company.sandbox.create("contact", {"lastname": "Alone", "parentcustomerid": ("account", ACCOUNT)}, deliver=False)
    (first,) = run_mapping(company, "CONTACT", direction=FROM, scope=Scope.FULL)

    assert first["failed"] > 0
    assert run_mapping(company, "CONTACT", direction=FROM, scope=Scope.FULL) == [first]


def test_e5_a_pair_that_failed_is_picked_up_unchanged_and_then_skipped(company: Company) -> None:
    both_changed(company)
    second = couple_customer(company, SECOND_ACCOUNT)
    run_mapping(company, direction=FROM)
    company.sandbox.update("account", SECOND_ACCOUNT, {"name": "Theirs"}, deliver=False)

    to, from_ = run_mapping(company)

    assert to == {"failed": 1}
    assert from_["modified"] == 1
    assert is_skipped(company)
    assert not is_skipped(company, SECOND_ACCOUNT)
    assert customer(company, second)["name"] == "Theirs"
    assert run_mapping(company)[0] == {"skipped": 1}
    coupling = company.coupling("CUSTOMER", ACCOUNT)
    assert coupling is not None
    assert coupling.last_to.result is Result.FAILURE
