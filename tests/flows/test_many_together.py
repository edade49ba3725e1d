"""Lanes that are ready at the same time share a transaction; each ends as it would have by itself."""

import pytest
from company import Company
from sqlalchemy import text

from receiver.core.decision import Record
from receiver.engine.coalesce import NOTHING_ASKED, read_notification
from receiver.engine.known_records import Known
from receiver.engine.look_at_lane import Look, known_of, look_at
from receiver.engine.process import process, process_together
from receiver.engine.work import Work
from receiver.engine.write_lanes import write
from receiver.errors import MovedError
from receiver.lanes import lane as lanes
from receiver.lanes.lane import Lease
from receiver.server.worker import LANES_TOGETHER, lease_ready

ACCOUNT = "a0000000-0000-4000-8000-000000000001"
CONTACT = "c0000000-0000-4000-8000-000000000001"


def create_accounts(company: Company, *phones: str) -> list[str]:
    """Customers in Sales, and their notifications delivered; nothing is processed yet."""
    rows = [{"name": f"Firm {phone}", "telephone1": phone, "customertypecode": 3} for phone in phones]
    made = [str(company.sandbox.create("account", row)) for row in rows]
    assert company.sandbox.settle()
    return made


def waiting(company: Company) -> list[Lease]:
    with company.services.database.writing() as connection:
        return lanes.lease_ready(connection, lanes.new_owner(), company.now(), 60, 100)


def test_many_new_rows_are_one_transaction_and_one_job_with_their_sum(company: Company) -> None:
    company.open_for_all("CUSTOMER")
    company.work()
    before = len(company.jobs("CUSTOMER"))
    made = create_accounts(company, "1", "2", "3", "4")

    assert process_together(company.services, waiting(company)) == []

    assert [company.coupled_record("CUSTOMER", row)["phone_no"] for row in made] == ["1", "2", "3", "4"]
    assert len(company.jobs("CUSTOMER")) == before + 1
    assert company.last_job("CUSTOMER") == {"inserted": 4}
    job = company.jobs("CUSTOMER")[-1]["id"]
    assert {company.coupling("CUSTOMER", row).last_from.job for row in made} == {job}


def test_numbers_of_a_series_are_taken_in_one_go_and_used_ones_are_skipped(company: Company) -> None:
    company.open_for_all("CUSTOMER")
    create_accounts(company, "0")
    company.work()
    first = int(company.locals("customer")[-1]["no"][1:])
    with company.services.database.writing() as connection:
        connection.execute(
            text("INSERT INTO customer (no, name) VALUES (:no, 'by hand')"), {"no": f"C{first + 20:05d}"}
        )
    made = create_accounts(company, "1", "2", "3")
    process_together(company.services, waiting(company))
    taken = sorted(company.coupled_record("CUSTOMER", row)["no"] for row in made)
    assert taken == [f"C{first + step:05d}" for step in (10, 30, 40)]


def test_one_that_the_database_refuses_fails_alone(company: Company) -> None:
    company.open_for_all("CUSTOMER")
    with company.services.database.writing() as connection:
        connection.execute(text("CREATE UNIQUE INDEX one_phone ON customer (phone_no) WHERE phone_no <> ''"))
    company.insert_local("customer", name="Already here", phone_no="2")
    made = create_accounts(company, "1", "2", "3")

    assert process_together(company.services, waiting(company)) == []

    assert [company.coupling("CUSTOMER", row) is not None for row in made] == [True, False, True]
    assert company.last_job("CUSTOMER") == {"inserted": 2, "failed": 1}
    states = {row["row_id"]: row["state"] for row in company.notifications()}
    assert [states[row] for row in made] == ["done", "failed", "done"]


def test_one_that_needs_dataverse_is_left_to_be_worked_on_alone(company: Company) -> None:
    company.open_for_all("CUSTOMER")
    made = create_accounts(company, "1", "2")
    company.sandbox.delete("account", made[0])
    assert company.sandbox.settle()

    (alone,) = process_together(company.services, waiting(company))

    assert alone.id == made[0]
    assert company.coupling("CUSTOMER", made[1]) is not None
    process(company.services, alone)
    assert company.coupling("CUSTOMER", made[0]) is None


def test_where_one_moved_meanwhile_nothing_is_written_and_each_is_done_alone(company: Company) -> None:
    company.open_for_all("CUSTOMER")
    made = create_accounts(company, "1", "2")
    company.work()
    for row, phone in zip(made, ("11", "22"), strict=True):
        company.sandbox.update("account", row, {"telephone1": phone})
    assert company.sandbox.settle()
    leases = waiting(company)
    looks = [look(company, lease) for lease in leases]
    key = company.coupling("CUSTOMER", made[0]).local_id
    company.change_local("customer", key, city="Graz")

    with pytest.raises(MovedError), company.services.database.writing() as connection:
        write(connection, company.services, looks, company.now())

    assert [company.coupled_record("CUSTOMER", row)["phone_no"] for row in made] == ["1", "2"]
    for lease in leases:
        process(company.services, lease)
    assert [company.coupled_record("CUSTOMER", row)["phone_no"] for row in made] == ["11", "22"]
    assert company.local("customer", key)["city"] == "Graz"


def look(company: Company, lease: Lease) -> Look:
    """Decide, and write nothing yet."""
    services = company.services
    read = [read_notification(services, row) for row in lease.notifications]
    with services.database.reading() as connection:
        mappings = services.mappings(connection)
        known = known_of(services, connection, mappings, [(lease, read)])
    return look_at(Work(services, mappings, known, lambda _row: False), lease, read, company.now(), NOTHING_ASKED)


def test_a_parent_coupled_between_the_look_and_the_write_is_not_waited_for_in_vain(company: Company) -> None:
    company.open_for_all("CUSTOMER", "CONTACT")
    company.sandbox.update("contact", CONTACT, {"emailaddress1": "new@example.com"})
    assert company.sandbox.settle()
    (lease,) = (one for one in waiting(company) if one.id == CONTACT)
    found = look(company, lease)
    assert set(found.waits) == {("account", ACCOUNT)}
    company.couple_by_click("account", ACCOUNT)

    with pytest.raises(MovedError), company.services.database.writing() as connection:
        write(connection, company.services, [found], company.now())

    process(company.services, lease)
    assert company.coupled_record("CONTACT", CONTACT)["e_mail"] == "new@example.com"


def test_only_so_many_lanes_are_taken_at_once(company: Company) -> None:
    company.open_for_all("CUSTOMER")
    create_accounts(company, *map(str, range(LANES_TOGETHER + 5)))
    assert len(lease_ready(company.services)) == LANES_TOGETHER
    assert len(lease_ready(company.services)) == 5


def test_what_is_known_is_asked_once_until_it_is_forgotten(company: Company) -> None:
    company.open_for_all("CUSTOMER")
    known = Known(company.services.database)
    assert known.of_row(ACCOUNT) == {}
    key = company.couple_by_click("account", ACCOUNT)
    assert known.of_row(ACCOUNT) == {}
    known.forget([ACCOUNT])
    assert known.of_row(ACCOUNT)["CUSTOMER"].local_id == key
    assert isinstance(known.record("customer", key), Record)
    assert known.record("customer", "C99999") is None


def test_a_lease_that_ended_meanwhile_takes_the_whole_transaction_back(company: Company) -> None:
    company.open_for_all("CUSTOMER")
    made = create_accounts(company, "1", "2")
    stale = waiting(company)
    company.pass_time(61)
    waiting(company)
    assert process_together(company.services, stale) == stale
    assert [company.coupling("CUSTOMER", row) for row in made] == [None, None]
