"""A record that another program holds is busy, says who holds it, and keeps no other record waiting."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from company import Company
from lanes.blocking import another_program

from receiver.core.mapping import Direction
from receiver.engine.coalesce import Ask
from receiver.runs.carry_out import carry_out, wanted_from, wanted_to
from receiver.sandbox import Sandbox
from receiver.server.worker import run_ready
from receiver.store.models import lane

ACCOUNT, OTHER = "a0000000-0000-4000-8000-000000000001", "a0000000-0000-4000-8000-000000000002"


@pytest.fixture
def hurried(postgresql_url: str, sandbox: Sandbox) -> Iterator[Company]:
    """A company with two coupled customers, whose work waits for nobody longer than a moment."""
    settings = {"RECEIVER_LOCK_TIMEOUT_SECONDS": "0.2", "RECEIVER_STATEMENT_TIMEOUT_SECONDS": "1.5"}
    with closing(Company(postgresql_url, sandbox, **settings)) as made:
        made.open_for_all("CUSTOMER")
        for id_ in (ACCOUNT, OTHER):
            made.couple_by_click("account", id_)
        made.work()
        yield made


def changed_there(company: Company) -> None:
    for id_ in (ACCOUNT, OTHER):
        company.sandbox.update("account", id_, {"name": f"New name of {id_}"})
    assert company.sandbox.settle()


def is_in_step(company: Company, id_: str) -> bool:
    return bool(company.coupled_record("CUSTOMER", id_)["name"] == f"New name of {id_}")


def trouble(company: Company) -> dict[str, str]:
    with company.services.database.reading() as connection:
        return {row.row_id: row.last_error for row in connection.execute(lane.select()) if row.last_error}


LOCKS = {
    "the record": "SELECT no FROM customer WHERE no = 'C00010' FOR UPDATE",
    "the record, changed": "UPDATE customer SET name = 'Theirs' WHERE no = 'C00010'",
    "its coupling": "SELECT local_id FROM receiver_coupling WHERE local_id = 'C00010' FOR UPDATE",
}


@pytest.mark.parametrize("lock", LOCKS.values(), ids=LOCKS)
def test_the_record_is_busy_with_who_holds_it_and_the_others_of_its_batch_go_on(
    hurried: Company, postgresql_url: str, lock: str
) -> None:
    changed_there(hurried)
    with another_program(postgresql_url) as other:
        other.execute(lock)
        assert run_ready(hurried.services)

        assert (is_in_step(hurried, ACCOUNT), is_in_step(hurried, OTHER)) == (False, True)
        (said,) = trouble(hurried).values()
        assert f"process {other.info.backend_pid}, application “nightly report”" in said
        assert "tried again by itself" in said

    hurried.pass_time(60)
    hurried.work()
    assert is_in_step(hurried, ACCOUNT)
    assert trouble(hurried) == {}
    coupling = hurried.coupling("CUSTOMER", ACCOUNT)
    assert coupling is not None
    assert coupling.last(Direction.FROM).error == ""


def test_a_locked_table_names_its_holder_too(hurried: Company, postgresql_url: str) -> None:
    changed_there(hurried)
    with another_program(postgresql_url, "vacuum by hand") as other:
        other.execute("LOCK TABLE customer IN ACCESS EXCLUSIVE MODE")
        assert run_ready(hurried.services)
    assert len(trouble(hurried)) == 2
    assert all("“vacuum by hand”" in said for said in trouble(hurried).values())
    hurried.pass_time(60)
    hurried.work()
    assert is_in_step(hurried, ACCOUNT)
    assert is_in_step(hurried, OTHER)


def test_a_run_is_told_of_the_busy_record_and_writes_the_others(hurried: Company, postgresql_url: str) -> None:
    changed_there(hurried)
    with another_program(postgresql_url) as other:
        other.execute(LOCKS["the record"])
        wanted = wanted_from("CUSTOMER", "account", [ACCOUNT, OTHER], Ask(is_click=True))
        done = {one.wanted.id: one for one in carry_out(hurried.services, wanted)}
    assert "nightly report" in str(done[ACCOUNT].error)
    assert done[OTHER].error is None
    assert is_in_step(hurried, OTHER)
    assert not is_in_step(hurried, ACCOUNT)


def test_what_goes_to_dataverse_needs_no_lock_on_the_record(hurried: Company, postgresql_url: str) -> None:
    hurried.change_local("customer", "C00010", fax_no="777")
    with another_program(postgresql_url) as other:
        other.execute(LOCKS["the record"])
        wanted = wanted_to(hurried.services, "CUSTOMER", ["C00010"], Ask(is_click=True))
        assert [one.error for one in carry_out(hurried.services, wanted)] == [None]


def test_a_click_on_a_busy_record_opens_it_and_says_who_holds_it(hurried: Company, postgresql_url: str) -> None:
    changed_there(hurried)
    with another_program(postgresql_url) as other:
        other.execute(LOCKS["the record"])
        answer = hurried.open("account", ACCOUNT)
    assert "nightly report" in answer.banner  # type: ignore[union-attr]  # a coupled record always opens


PASSING = {
    "a deadlock": "RAISE EXCEPTION 'gave way' USING ERRCODE = '40P01'",
    "a serialization failure": "RAISE EXCEPTION 'try again' USING ERRCODE = '40001'",
    "a statement that takes too long": "PERFORM pg_sleep(20)",
}


@pytest.mark.parametrize("what", PASSING.values(), ids=PASSING)
def test_what_passes_by_itself_waits_and_is_no_failure_of_the_record(hurried: Company, what: str) -> None:
    with hurried.services.database.writing() as connection:
        connection.exec_driver_sql(
            f"""
            CREATE FUNCTION unkind() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN IF NEW.no = 'C00010' THEN {what}; END IF; RETURN NEW; END $$;
            CREATE TRIGGER unkind BEFORE UPDATE ON customer FOR EACH ROW EXECUTE FUNCTION unkind()
            """
        )
    changed_there(hurried)
    assert run_ready(hurried.services)

    assert (is_in_step(hurried, ACCOUNT), is_in_step(hurried, OTHER)) == (False, True)
    assert "The local database is busy" in trouble(hurried)[ACCOUNT]
    assert sum(job["failed"] for job in hurried.jobs("CUSTOMER")) == 0

    with hurried.services.database.writing() as connection:
        connection.exec_driver_sql("DROP TRIGGER unkind ON customer")
    hurried.pass_time(60)
    hurried.work()
    assert is_in_step(hurried, ACCOUNT)
