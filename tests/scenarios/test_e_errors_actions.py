"""Group E, rows 13–27 and 39–43: what else can be done about Skipped couplings, and what their list shows.

Where Business Central's row speaks of items, the table here is another that is shipped: the list does not know which.
"""

from __future__ import annotations

import pytest
from admin.visitor import OPEN_TOKEN, Visitor
from company import Company
from scenarios.pairs import (
    ACCOUNT,
    DOLLAR,
    SALES_MANAGER,
    SALES_PERSON,
    SECOND_ACCOUNT,
    account,
    change_both,
    couple,
    couple_customer,
    is_skipped,
    try_again,
)
from scenarios.test_e_errors_page import WHO, fail_twice, lines, skip, skipped_customers
from sqlalchemy import update

from receiver.cli import receiver
from receiver.commands.coupling.delete_coupling import uncouple
from receiver.commands.coupling.set_up_coupling import AfterCoupling
from receiver.commands.coupling.set_up_coupling import couple as set_up
from receiver.commands.following import coupled_errors, synch_jobs
from receiver.commands.result import CommandResult
from receiver.commands.synchronizing.synchronize_now import Choice
from receiver.core.mapping import Direction
from receiver.errors import NotFoundError, RefusedError
from receiver.store import jobs
from receiver.store.models import coupling, job


def skipped_salespersons(company: Company) -> list[str]:
    """Coupled, never synchronized, Skipped; their codes."""
    keys = [company.insert_local("salesperson", name=name) for name in ("Ada", "Bo")]
    for key, row in zip(keys, (SALES_MANAGER, SALES_PERSON), strict=True):
        couple(company, "SALESPEOPLE", key, row)
    skip(company, *keys)
    return keys


def conflicting_customers(company: Company) -> list[str]:
    """Two customers whose fax differs from their accounts', Skipped for it."""
    keys = []
    for row in (ACCOUNT, SECOND_ACCOUNT):
        keys.append(couple_customer(company, row))
        change_both(company, keys[-1], row)
    try_again(company)
    assert sorted(lines(company)) == sorted(keys)
    return keys


def synchronize(company: Company, mapping: str, *keys: str, direction: Choice = Choice.SEND) -> CommandResult:
    return coupled_errors.synchronize(company.services, mapping, keys, direction, WHO)


def test_e13_synchronize_takes_the_selected_line_back_and_synchronizes_it(company: Company) -> None:
    first, second = skipped_salespersons(company)

    assert synchronize(company, "SALESPEOPLE", first, direction=Choice.GET).counts == {"modified": 1}

    assert company.local("salesperson", first)["name"] == "Anna Lindqvist"
    assert lines(company) == [second]


def test_e14_a_conflict_is_ended_by_the_side_that_was_chosen_and_the_other_pair_stays_skipped(company: Company) -> None:
    first, second = conflicting_customers(company)

    assert synchronize(company, "CUSTOMER", first).counts == {"modified": 1}

    assert account(company)["fax"] == "1111"
    assert account(company, SECOND_ACCOUNT)["fax"] == "2222"
    assert lines(company) == [second]
    assert not is_skipped(company)


def test_e15_a_one_way_mapping_goes_its_own_way_whatever_was_chosen_for_the_others(company: Company) -> None:
    customers = conflicting_customers(company)
    first, second = skipped_salespersons(company)
    before = len(company.jobs("CUSTOMER"))

    assert synchronize(company, "CUSTOMER", *customers).counts == {"modified": 2}
    assert synchronize(company, "SALESPEOPLE", first).counts == {"modified": 1}

    assert [one["direction"] for one in company.jobs("CUSTOMER")[before:]] == [Direction.TO]
    assert [one["direction"] for one in company.jobs("SALESPEOPLE")] == [Direction.FROM]
    assert company.last_job("CUSTOMER") == {"modified": 2}
    assert lines(company) == [second]


def test_e15_what_the_mapping_cannot_do_is_refused_before_anything_is_taken_back(company: Company) -> None:
    keys = conflicting_customers(company)

    with pytest.raises(RefusedError, match="merge one at a time"):
        synchronize(company, "CUSTOMER", *keys, direction=Choice.MERGE)

    assert sorted(lines(company)) == sorted(keys)


def test_e15_a_pair_of_which_one_record_is_gone_is_left_for_restore_or_delete(company: Company) -> None:
    keys = skipped_customers(company, 2)
    company.sandbox.delete("account", ACCOUNT)

    done = synchronize(company, "CUSTOMER", *keys)

    assert done.counts == {"skipped": 1, "modified": 1}
    assert lines(company) == keys[:1]


def test_e13_e14_and_in_the_terminal(small_company: Company) -> None:
    first, _ = conflicting_customers(small_company)
    runner = small_company.app.test_cli_runner()
    words = ["errors", "synchronize", "CUSTOMER", first]

    asked = runner.invoke(receiver, words)
    done = runner.invoke(receiver, [*words, "--direction", "to"])

    assert (asked.exit_code, done.exit_code) == (2, 0)
    assert "--direction to sends ours to Sales, from takes that of Sales." in asked.output
    assert done.output.endswith("modified 1\n")


def test_e17_set_up_coupling_of_a_line_says_whose_it_is_and_with_whom_it_is_coupled(company: Company) -> None:
    _, second = skipped_salespersons(company)
    line = coupled_errors.listed(company.services)[1]
    assert line.name == "Bo"

    with pytest.raises(RefusedError, match=f"Salesperson {second} Bo is coupled to systemuser “Jonas Weber”"):
        set_up(company.services, line.mapping, line.local_id, SALES_MANAGER, WHO)


def test_e18_delete_couplings_of_a_line_leaves_the_other(company: Company) -> None:
    first, second = skipped_customers(company, 2)

    uncouple(company.services, "CUSTOMER", [first], WHO)

    assert company.jobs("CUSTOMER")[-1]["type"] == "Uncoupling"
    assert company.coupling("CUSTOMER", ACCOUNT) is None
    assert lines(company) == [second]


def test_e19_delete_couplings_of_a_line_whose_local_record_was_deleted(company: Company) -> None:
    (key,) = skipped_customers(company, 1)
    company.delete_local("customer", key)

    uncouple(company.services, "CUSTOMER", [key], WHO)

    assert company.last_job("CUSTOMER") == {"uncoupled": 1}
    assert company.coupling("CUSTOMER", ACCOUNT) is None
    assert lines(company) == []


def test_e21_the_log_of_a_line_begins_with_its_own_last_job(company: Company) -> None:
    first, second = conflicting_customers(company)

    for key, row in ((first, ACCOUNT), (second, SECOND_ACCOUNT)):
        log = synch_jobs.of_record(company.services, "CUSTOMER", key)
        assert log[0].id == company.coupling("CUSTOMER", row).last_from.job
        assert key in {error.destination for error in log[0].errors}


@pytest.mark.parametrize(
    ("mapping", "key", "said"),
    [("CUSTOMER", "", "There is no Customer “”"), ("NOSUCH", "C1", "There is no mapping NOSUCH")],
)
def test_e22_the_log_of_no_record_is_refused_in_a_sentence(
    small_company: Company, mapping: str, key: str, said: str
) -> None:
    with pytest.raises(NotFoundError, match=said):
        synch_jobs.of_record(small_company.services, mapping, key)


def test_e23_a_line_leads_to_the_page_of_its_record(company: Company) -> None:
    key = fail_twice(company)
    (line,) = coupled_errors.listed(company.services)

    page = Visitor(company.app.test_client()).signed_in(OPEN_TOKEN).get(f"/records/{line.mapping}/{line.local_id}")

    assert page.status_code == 200
    assert f"Customer {key}" in page.text
    assert line.name in page.text


def test_e25_the_error_stays_on_the_line_though_its_job_was_deleted(company: Company) -> None:
    """Business Central reads it from the job; here the coupling keeps it."""
    fail_twice(company)
    (before,) = coupled_errors.listed(company.services)
    with company.services.database.writing() as connection:
        connection.execute(job.delete())

    (after,) = coupled_errors.listed(company.services)

    assert after.message == before.message != ""
    assert after.failed_on is None


def test_e26_a_job_that_a_skipped_coupling_refers_to_is_not_deleted_nor_is_the_newest(company: Company) -> None:
    (key,) = skipped_customers(company, 1)
    now = company.now()
    with company.services.database.writing() as connection:
        made = [
            jobs.record(connection, "CUSTOMER", Direction.FROM, (now, now), [counter], [jobs.JobError(name, "", "no")])
            for name, counter in (("A", "failed"), ("B", "skipped"), ("C", "failed"), ("newest", "failed"))
        ]
        connection.execute(update(coupling).where(coupling.c.local_id == key).values(from_job=made[0], to_job=made[1]))
    company.pass_time(1)

    synch_jobs.purge(company.services, 0)

    left = synch_jobs.listed(company.services)
    assert [one.id for one in left] == [made[3], made[1], made[0]]
    assert [error.source for one in left for error in one.errors] == ["newest", "B", "A"]
    with company.services.database.writing() as connection:
        connection.execute(update(coupling).values(is_skipped=False))
    assert synch_jobs.purge(company.services, 0) == 2
    assert made_after(company) > made[3]


def made_after(company: Company) -> int:
    with company.services.database.writing() as connection:
        return jobs.record(connection, "CUSTOMER", Direction.FROM, (company.now(), company.now()), [], [])


def test_e27_the_record_page_says_that_it_is_skipped_and_the_list_shows_exactly_it(company: Company) -> None:
    key = fail_twice(company)
    company.insert_currency("USD")
    couple(company, "CURRENCY", "USD", DOLLAR)
    skip(company, "USD")

    page = Visitor(company.app.test_client()).signed_in(OPEN_TOKEN).get(f"/records/CUSTOMER/{key}").text

    assert "the same failure came twice in a row, so this record is left out" in page
    assert [line.local_id for line in coupled_errors.listed(company.services, "CUSTOMER")] == [key]
    assert lines(company) == ["USD", key]


def test_e39_set_up_coupling_to_another_row_ends_the_line_of_a_deleted_one(company: Company) -> None:
    (key,) = skipped_customers(company, 1)
    company.sandbox.delete("account", ACCOUNT)

    done = set_up(company.services, "CUSTOMER", key, SECOND_ACCOUNT, WHO, AfterCoupling.LOCAL)

    assert done.counts == {"coupled": 1, "modified": 1}
    assert not is_skipped(company, SECOND_ACCOUNT)
    assert lines(company) == []


def test_e42_a_line_whose_coupling_is_no_longer_skipped_leaves_the_list(company: Company) -> None:
    first, second = skipped_customers(company, 2)
    assert lines(company) == [first, second]

    with company.services.database.writing() as connection:
        connection.execute(update(coupling).where(coupling.c.local_id == first).values(is_skipped=False))

    assert lines(company) == [second]


def test_e43_a_line_whose_coupling_was_replaced_by_a_new_one_leaves_the_list(company: Company) -> None:
    first, second = skipped_customers(company, 2)

    uncouple(company.services, "CUSTOMER", [first], WHO)
    set_up(company.services, "CUSTOMER", first, ACCOUNT, WHO, AfterCoupling.NO)

    assert lines(company) == [second]
