"""The rows that the scenarios are about, and what they do again and again with a coupled pair."""

from __future__ import annotations

import threading
from typing import Any

from company import Company
from sqlalchemy import select

from receiver.commands.following import notifications_in_bulk
from receiver.commands.procedures import PROCEDURES
from receiver.core.coupling import Coupling
from receiver.core.mapping import DeletionConflict, Direction, UpdateConflict
from receiver.engine.coalesce import Ask
from receiver.engine.process import process
from receiver.engine.wording import Settled
from receiver.lanes import lane as lanes
from receiver.runs.tasks import carry_out_next
from receiver.store import couplings
from receiver.store.models import job_error

ACCOUNT = "a0000000-0000-4000-8000-000000000001"
SECOND_ACCOUNT = "a0000000-0000-4000-8000-000000000002"
VENDOR_ACCOUNT = "a0000000-0000-4000-8000-000000000004"
POUND_ACCOUNT = "a0000000-0000-4000-8000-000000000006"
COMPETITOR_ACCOUNT = "a0000000-0000-4000-8000-000000000007"
INACTIVE_ACCOUNT = "a0000000-0000-4000-8000-000000000008"
CONTACT = "c0000000-0000-4000-8000-000000000001"
COMPETITOR_CONTACT = "c0000000-0000-4000-8000-000000000007"
EURO = "cc000000-0000-4000-8000-000000000001"
DOLLAR = "cc000000-0000-4000-8000-000000000002"
POUND = "cc000000-0000-4000-8000-000000000003"
SALES_MANAGER = "50000000-0000-4000-8000-000000000001"
SALES_PERSON = "50000000-0000-4000-8000-000000000002"
NOBODY = "a0000000-0000-4000-8000-00000000dead"
CUSTOMER, VENDOR, COMPETITOR, PROSPECT = 3, 11, 8, 9

BIDIRECTIONAL, TO, FROM = Direction.BIDIRECTIONAL, Direction.TO, Direction.FROM
RESTORE, DELETE_COUPLING = DeletionConflict.RESTORE, DeletionConflict.DELETE_COUPLING
SEND, GET = UpdateConflict.SEND, UpdateConflict.GET


def couple(company: Company, mapping: str, key: str, row_id: str) -> None:
    """As a person couples two records: never synchronized yet."""
    with company.services.database.writing() as connection:
        couplings.save(connection, Coupling(mapping, key, row_id), company.now())


def couple_customer(company: Company, row_id: str = ACCOUNT) -> str:
    """A customer in step with its account, under *Synch. Only Coupled Records*; the customer's number."""
    company.open_for_all("CUSTOMER")
    key = company.couple_by_click("account", row_id)
    company.set("CUSTOMER", synch_only_coupled_records=True)
    company.work()
    return key


def change_both(company: Company, key: str, row_id: str = ACCOUNT, *, here: str = "1111", there: str = "2222") -> None:
    """The same bidirectional field, differently on each side; the notification is worked on."""
    company.change_local("customer", key, fax_no=here)
    company.sandbox.update("account", row_id, {"fax": there})
    company.work()


def try_again(company: Company) -> None:
    """Process every failed notification again, as the page's *Process again* does."""
    number = notifications_in_bulk.start_process_failed(company.services, "the scenario")
    assert carry_out_next(company.services, PROCEDURES, threading.Event(), number)
    company.work()


def force(company: Company, table: str, row_id: str) -> list[Settled]:
    """Use the Dataverse data, whatever the coupling remembers."""
    with company.services.database.writing() as connection:
        rows = [(table, row_id)]
        (held,) = lanes.lease_named(connection, lanes.new_owner(), company.now(), 60, rows)
    return process(company.services, held, Ask(is_click=True, is_forced=True))


def errors(company: Company, mapping: str) -> list[tuple[str, str, str]]:
    """Source, destination and message of every error logged for a mapping, oldest first."""
    numbers = [one["id"] for one in company.jobs(mapping)]
    columns = (job_error.c.source, job_error.c.destination, job_error.c.message)
    with company.services.database.reading() as connection:
        rows = connection.execute(select(*columns).where(job_error.c.job.in_(numbers)).order_by(job_error.c.id)).all()
    return [(row.source, row.destination, row.message) for row in rows]


def is_skipped(company: Company, row_id: str = ACCOUNT, mapping: str = "CUSTOMER") -> bool:
    coupling = company.coupling(mapping, row_id)
    assert coupling is not None
    return coupling.is_skipped


def account(company: Company, row_id: str = ACCOUNT) -> dict[str, Any]:
    row = company.sandbox.row("account", row_id)
    assert row is not None
    return row
