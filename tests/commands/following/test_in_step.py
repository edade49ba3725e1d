"""*In step as of*, and what keeps a mapping from being so: a sentence, since when, and what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from company import Company
from requests import post
from scenarios.pairs import couple_customer
from sqlalchemy import insert, update

from receiver.cli import receiver
from receiver.commands.following.in_step import Hindrance, status
from receiver.commands.synchronizing.verify import verify
from receiver.core.mapping import DeletionConflict
from receiver.engine.coalesce import Ask
from receiver.runs import schedule
from receiver.sandbox import Answer
from receiver.sandbox.faults import ALWAYS
from receiver.store import door_refusals, gates, registrations
from receiver.store.models import inbox, lane, registration, worker

ACCOUNT = "a0000000-0000-4000-8000-000000000001"


@pytest.fixture
def in_step(company: Company) -> Company:
    """CUSTOMER alone, one pair, and all looked through."""
    with company.services.database.reading() as connection:
        names = list(company.services.mappings(connection))
    for name in names:
        if name not in {"CUSTOMER", "CURRENCY", "SALESPEOPLE", "PAYMENT TERMS"}:
            company.set(name, is_enabled=False)
    company.kept["key"] = couple_customer(company)
    for name in names:
        if name != "CUSTOMER":
            company.set(name, is_enabled=False)
    company.catch_up()
    verify(company.services, "CUSTOMER")
    with company.services.database.writing() as connection:
        connection.execute(insert(worker).values(id="w", started_at=company.now(), seen_at=company.now()))
    return company


def hindrances(company: Company) -> list[Hindrance]:
    found = status(company.services)
    return [*found.of_all, *(one for standing in found.standings for one in standing.hindrances)]


def test_all_is_in_step_as_of_the_last_look(in_step: Company) -> None:
    (standing,) = status(in_step.services).standings
    assert hindrances(in_step) == []
    assert standing.is_in_step
    assert standing.as_of is not None
    assert in_step.now() - standing.as_of < timedelta(seconds=60)
    result = in_step.app.test_cli_runner().invoke(receiver, ["status"])
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("CUSTOMER: in step as of 20")


# -- what keeps it from being so -----------------------------------------------------------------------------------


def _refuse(reason: str) -> Callable[[Company], None]:
    def refuse(company: Company) -> None:
        company.pass_time(1)
        with company.services.database.writing() as connection:
            door_refusals.add(connection, {reason: 3}, company.now())

    return refuse


def _wait(company: Company) -> None:
    company.sandbox.update("account", ACCOUNT, {"name": "Waits"})
    assert company.sandbox.settle()
    company.pass_time(90)
    with company.services.database.writing() as connection:
        connection.execute(update(worker).values(seen_at=company.now()))


def _park(company: Company) -> None:
    key = f"account:{ACCOUNT}"
    with company.services.database.writing() as connection:
        changed = update(lane).where(lane.c.key == key)
        connection.execute(changed.values(attempts=3, last_error="No.", troubled_since=company.now()))


def _guard(company: Company) -> None:
    company.set("CUSTOMER", resolve_deletion_conflicts=DeletionConflict.DELETE_COUPLING)
    from receiver.core.mapping import Direction
    from receiver.store import conclusions
    from receiver.store.conclusions import Conclusion

    with company.services.database.writing() as connection:
        one = Conclusion("CUSTOMER", "gone", ACCOUNT, company.kept["key"], Direction.FROM, is_kept=True)
        conclusions.note(connection, [one], company.now())


def _fail(company: Company) -> None:
    company.sandbox.faults.answers.append(Answer.error(400, "0x80040203", "No.", method="PATCH", times=ALWAYS))
    company.change_local("customer", company.kept["key"], name="Not wanted there")
    company.catch_up([schedule.LOCAL_EDITS])


def _skip(company: Company) -> None:
    _fail(company)
    from receiver.runs.carry_out import carry_out, wanted_to

    list(carry_out(company.services, wanted_to(company.services, "CUSTOMER", [company.kept["key"]], Ask(why="again"))))


def _differ(company: Company) -> None:
    company.sandbox.update("account", ACCOUNT, {"name": "Other"}, deliver=False)
    verify(company.services, "CUSTOMER")


def _drift(company: Company) -> None:
    drift = {"words": "The step for account/Update is missing.", "remedy": "receiver steps register"}
    with company.services.database.writing() as connection:
        values = {"id": 1, "checked_at": company.now(), "drifts": [{**drift, "mappings": ["CUSTOMER"]}]}
        connection.execute(insert(registration).values(**values))


def _unheard(company: Company) -> None:
    company.pass_time(1)
    with company.services.database.writing() as connection:
        registrations.begin(connection, ["account"], company.now())


def _silence(company: Company) -> None:
    start = company.now() - timedelta(hours=5)
    row = {"headers": {}, "body": b"", "size": 0, "table_name": "account", "state": "done"}
    with company.services.database.writing() as connection:
        connection.execute(inbox.delete())
        for minute in range(12):
            connection.execute(insert(inbox).values(**row, received_at=start + timedelta(minutes=minute)))
    company.sandbox.update("account", ACCOUNT, {"name": "Nobody told"}, deliver=False)
    company.catch_up()


def _pause(company: Company) -> None:
    schedule.set_(company.services, schedule.CATCH_UP, "Ann", is_paused=True)


def _gate(company: Company) -> None:
    with company.services.database.writing() as connection:
        gates.close(connection, "read account", company.now(), "No privilege.")


def _no_worker(company: Company) -> None:
    company.pass_time(90)
    with company.services.database.writing() as connection:
        connection.execute(worker.delete())


def _sent_with_a_foreign_key(company: Company) -> None:
    post(f"{company.url}/dataverse/notifications", headers={"x-receiver-key": "foreign"})


def _late(company: Company) -> None:
    company.pass_time(3600)
    with company.services.database.writing() as connection:
        connection.execute(update(worker).values(seen_at=company.now()))


CASES = [
    ("changes could not be stored", _refuse("away"), "missed", "Changes may have been missed from"),
    ("notifications were too large", _refuse("too large"), "missed", "(too large)"),
    ("rows wait", _wait, "waiting", "1 row(s) of account wait, the oldest since"),
    ("a row is tried again and again", _park, "parked", "1 row(s) of account are tried again and again."),
    ("conclusions are kept back", _guard, "guarded", "kept back, being too many at once"),
    ("a record failed", _fail, "failed", "1 record(s) failed."),
    ("a pair is skipped", _skip, "skipped", "1 pair(s) are Skipped"),
    ("the last verification found a difference", _differ, "different", "found 1 different"),
    ("a step is missing", _drift, "steps", "The step for account/Update is missing."),
    ("steps were off", _unheard, "missed", "Steps were off, lacking or new until"),
    ("no notification comes", _silence, "silent", "No notification of account has come since"),
    ("catch-up is paused", _pause, "paused", "catch-up is paused."),
    ("catch-up is late", _late, "late", "catch-up should have run at"),
    ("a gate is closed", _gate, "away", "Nothing is sent to Dataverse (read account): No privilege."),
    ("no worker runs", _no_worker, "worker", "No worker runs."),
    ("keys are refused", _sent_with_a_foreign_key, "keys", "Requests without a valid key were refused"),
]


@pytest.mark.parametrize(("befalls", "kind", "said"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_keeps_it_from_being_in_step_is_said_with_what_to_do(
    in_step: Company, befalls: Callable[[Company], None], kind: str, said: str
) -> None:
    befalls(in_step)
    found = [one for one in hindrances(in_step) if one.kind == kind]
    assert any(said in one.sentence for one in found), hindrances(in_step)
    assert all(one.remedy for one in found)
    result = in_step.app.test_cli_runner().invoke(receiver, ["status", "--json"])
    assert result.exit_code == 1
    assert not json.loads(result.stdout)["is_in_step"]


def test_what_was_never_looked_through_or_verified_says_so(company: Company) -> None:
    said = [one.sentence for one in hindrances(company)]
    assert "Dataverse has not been looked through yet." in said
    assert "It was never verified." in said
