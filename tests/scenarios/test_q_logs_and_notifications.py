"""Group Q: what a record's page says of its last synchronization, and its log.

Business Central notifies once when a card is opened; here the page says it as long as it is so.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from urllib.parse import quote

import pytest
from admin.visitor import OPEN_TOKEN, Visitor
from company import Company
from scenarios.pairs import (
    ACCOUNT,
    CONTACT,
    POUND,
    SALES_PERSON,
    SECOND_ACCOUNT,
    VENDOR_ACCOUNT,
    change_both,
    couple,
    couple_customer,
)
from sqlalchemy import update

from receiver.cli import receiver
from receiver.commands.coupling.create import create_in_dataverse
from receiver.commands.coupling.delete_coupling import uncouple
from receiver.commands.following import coupled_errors, synch_jobs
from receiver.commands.synchronizing.synchronize_now import Choice, synchronize_now
from receiver.core.mapping import Direction
from receiver.engine.coalesce import Ask
from receiver.runs.carry_out import carry_out, wanted_to
from receiver.sandbox import Answer
from receiver.store import jobs
from receiver.store.models import coupling, job

LAST_TO, LAST_FROM = "Last to Dataverse", "Last from Dataverse"


def visitor(company: Company) -> Visitor:
    return Visitor(company.app.test_client()).signed_in(OPEN_TOKEN)


def page(company: Company, key: str, mapping: str = "CUSTOMER") -> str:
    return visitor(company).get(f"/records/{mapping}/{quote(key)}").text


def said_of(shown: str, caption: str) -> str:
    """What stands beside a caption of the page, as text."""
    (found,) = re.findall(rf"<dt>{caption}</dt><dd>(.*?)</dd>", shown, re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", found).split())


def remember(company: Company, key: str, **values: object) -> None:
    with company.services.database.writing() as connection:
        connection.execute(update(coupling).where(coupling.c.local_id == key).values(**values))


def made_job(company: Company, mapping: str, *errors: jobs.JobError) -> int:
    now = company.now()
    with company.services.database.writing() as connection:
        return jobs.record(connection, mapping, Direction.TO, (now, now), ["failed"] * len(errors), errors)


@pytest.mark.parametrize(
    ("mapping", "table", "row"),
    [
        ("CUSTOMER", "customer", ACCOUNT),
        ("VENDOR", "vendor", VENDOR_ACCOUNT),
        ("CONTACT", "contact", CONTACT),
        ("SALESPEOPLE", "salesperson", SALES_PERSON),
        ("CURRENCY", "currency", POUND),
    ],
)
def test_q1_the_page_of_a_record_says_once_why_it_failed_whatever_its_table(
    company: Company, mapping: str, table: str, row: str
) -> None:
    key = company.insert_local(table) if table != "currency" else "GBP"
    if table == "currency":
        company.insert_currency(key)
    couple(company, mapping, key, row)
    remember(company, key, to_result="Failure", to_error="Err: too long")
    someone = visitor(company)

    shown = someone.get(f"/records/{mapping}/{quote(key)}").text

    assert said_of(shown, LAST_TO) == "Failure Err: too long"
    assert shown.count("Err: too long") == 1
    poll = re.search(r'hx-get="([^"]+)"', shown)[1].replace("&amp;", "&")
    assert someone.client.get(poll, headers={"HX-Request": "true"}).status_code == 204


def test_q2_each_record_says_its_own_error(company: Company) -> None:
    keys = {couple_customer(company, ACCOUNT): "ErrA", couple_customer(company, SECOND_ACCOUNT): "ErrB"}
    for key, error in keys.items():
        remember(company, key, to_result="Failure", to_error=error)

    for key, error in (*keys.items(), *keys.items()):
        assert said_of(page(company, key), LAST_TO) == f"Failure {error}"


def test_q3_a_record_that_never_came_to_be_coupled_says_why_its_first_attempt_failed(company: Company) -> None:
    key = company.insert_local("customer", name="Firm", salesperson_code="NOBODY")
    assert "The last attempt failed" not in page(company, key)

    create_in_dataverse(company.services, "CUSTOMER", [key], "Ada")

    (line,) = re.findall(r"The last attempt failed: [^<]*", page(company, key))
    assert "NOBODY" in line


def test_q3_but_not_after_it_was_in_step_and_uncoupled(company: Company) -> None:
    key = company.insert_local("customer", name="Firm", salesperson_code="NOBODY")
    create_in_dataverse(company.services, "CUSTOMER", [key], "Ada")
    company.change_local("customer", key, salesperson_code="")
    assert create_in_dataverse(company.services, "CUSTOMER", [key], "Ada").counts == {"inserted": 1}

    uncouple(company.services, "CUSTOMER", [key], "Ada")

    assert "The last attempt failed" not in page(company, key)


def test_q5_the_error_is_still_said_though_its_job_was_deleted(company: Company) -> None:
    """Business Central says nothing then: it reads the text from the job; here the coupling keeps it."""
    key = couple_customer(company)
    change_both(company, key)
    before = said_of(page(company, key), LAST_FROM)
    with company.services.database.writing() as connection:
        connection.execute(job.delete())

    assert said_of(page(company, key), LAST_FROM) == before
    assert before.startswith("Failure ")


def test_q6_a_failure_from_dataverse_is_said_too(company: Company) -> None:
    key = couple_customer(company)
    change_both(company, key)

    assert said_of(page(company, key), LAST_FROM).startswith("Failure ")
    assert said_of(page(company, key), LAST_TO) == "not yet"


def test_q7_a_success_the_other_way_ends_a_failure_of_which_nothing_is_left(company: Company) -> None:
    key = couple_customer(company)
    change_both(company, key)
    assert said_of(page(company, key), LAST_FROM).startswith("Failure ")

    synchronize_now(company.services, "CUSTOMER", [key], Choice.SEND, "Ada")

    shown = page(company, key)
    assert (said_of(shown, LAST_TO), said_of(shown, LAST_FROM)) == ("Success", "Success")
    assert coupled_errors.listed(company.services) == []


def test_q7_a_success_the_other_way_leaves_a_failure_whose_change_is_still_to_go(company: Company) -> None:
    """Business Central compares times alone, and says nothing as soon as the last job of the two was a success."""
    key = couple_customer(company)
    company.change_local("customer", key, credit_limit_lcy=Decimal(17))
    company.sandbox.faults.answers.append(Answer.error(400, "0x80040265", "A plug-in says no.", method="PATCH"))
    list(carry_out(company.services, wanted_to(company.services, "CUSTOMER", [key], Ask(why="a run"))))
    failed = said_of(page(company, key), LAST_TO)
    assert failed.startswith("Failure ")

    company.sandbox.update("account", ACCOUNT, {"fax": "+43 1"})
    company.work()

    shown = page(company, key)
    assert said_of(shown, LAST_FROM) == "Success"
    assert said_of(shown, LAST_TO) == failed


def test_q9_the_log_of_a_contact_has_its_own_jobs_alone(company: Company) -> None:
    key = company.insert_local("contact", surname="Reyes")
    couple(company, "CONTACT", key, CONTACT)
    own = made_job(company, "CONTACT")
    made_job(company, "CONTACT")
    made_job(company, "CUSTOMER")
    remember(company, key, to_job=own)

    for named in (key, CONTACT):
        assert [one.id for one in synch_jobs.of_record(company.services, "CONTACT", named)] == [own]


def test_q10_the_log_of_a_record_without_a_job_of_its_own_is_empty(company: Company) -> None:
    key = company.insert_local("customer", name="Firm")
    couple(company, "CUSTOMER", key, ACCOUNT)
    for name in ("CUSTOMER", "CONTACT", "CUSTOMER"):
        made_job(company, name)

    assert synch_jobs.of_record(company.services, "CUSTOMER", key) == []


def test_q11_the_log_of_a_mapping_has_its_jobs_newest_first(company: Company) -> None:
    numbers = [made_job(company, name) for name in ("CUSTOMER", "CUSTOMER", "CONTACT", "CUSTOMER")]

    assert [one.id for one in synch_jobs.listed(company.services, "customer")] == [numbers[3], numbers[1], numbers[0]]
    assert [one.id for one in synch_jobs.listed(company.services, limit=2)] == [numbers[3], numbers[2]]


@pytest.mark.parametrize(
    ("named", "other"),
    [pytest.param("C00010", ACCOUNT, id="Q13-local-record"), pytest.param(ACCOUNT, "C00010", id="Q14-row")],
)
def test_q13_and_q14_the_last_error_of_a_record_is_its_newest(company: Company, named: str, other: str) -> None:
    assert synch_jobs.last_error(company.services, "CUSTOMER", named) is None
    number = made_job(company, "CUSTOMER", jobs.JobError(named, other, "Err1"))
    assert synch_jobs.last_error(company.services, "CUSTOMER", named).message == "Err1"

    with company.services.database.writing() as connection:
        jobs.add(connection, number, ["failed"], [jobs.JobError(named, "", "Err2")], company.now())

    assert synch_jobs.last_error(company.services, "CUSTOMER", named).message == "Err2"
    assert synch_jobs.last_error(company.services, "VENDOR", named) is None


def test_q9_and_q11_the_log_in_the_terminal(small_company: Company) -> None:
    key = couple_customer(small_company)
    change_both(small_company, key)
    runner = small_company.app.test_cli_runner()

    def run(*words: str) -> tuple[int, str]:
        result = runner.invoke(receiver, ["jobs", *words])
        return result.exit_code, result.output

    code, said = run("list", "CUSTOMER", key)
    assert code == 0
    assert f"{ACCOUNT} → {key}: " in said
    assert "failed 1" in said
    assert '"failed": 1' in run("list", "--json")[1]
    assert run("list", "CUSTOMER", "C99999")[0] == 2
    assert run("list", "CONTACT") == (0, "There are no jobs.\n")
    small_company.pass_time(1)
    assert run("purge")[1] == "0 job(s) would be deleted.\n"
    assert run("purge", "--older-than-days", "0", "--yes")[1].endswith("job(s) were deleted.\n")
    assert len(json.loads(run("list", "--json")[1])) == 1
