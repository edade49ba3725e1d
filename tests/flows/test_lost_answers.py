"""The answer to our own write is lost, and people go on editing: both edits survive, and nobody calls it a conflict."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest
from company import Company
from scenarios.pairs import ACCOUNT, account, couple_customer
from sqlalchemy import select

from receiver.commands.coupling.delete_coupling import uncouple
from receiver.commands.coupling.set_up_coupling import couple
from receiver.core.coupling import Result
from receiver.core.mapping import Direction, UpdateConflict
from receiver.engine.coalesce import Ask
from receiver.runs.carry_out import Done, carry_out, wanted_from, wanted_to
from receiver.runs.match_reading import Sides
from receiver.sandbox import ALWAYS, Answer
from receiver.store import couplings
from receiver.store.models import open_write, pending_coupling

RUN = Ask(why="a run")
NEW = {"name": "Weber & Söhne", "phone_no": "030 1", "fax_no": "030 2"}


def sent(company: Company, key: str) -> Done:
    (done,) = carry_out(company.services, wanted_to(company.services, "CUSTOMER", [key], RUN))
    return done


def got(company: Company, row_id: str) -> None:
    assert not [
        one.error for one in carry_out(company.services, wanted_from("CUSTOMER", "account", [row_id], RUN)) if one.error
    ]


def send_and_hear_nothing(company: Company, key: str) -> None:
    """The write is carried out, half of its answer comes, and then Dataverse is away for a while."""
    answers = company.sandbox.faults.answers

    def cut(body: bytes) -> bytes:
        answers.append(Answer(503, "away", times=ALWAYS))
        return body[: len(body) // 2]

    answers.append(Answer(method="PATCH", change=cut))
    assert sent(company, key).error is not None
    answers.clear()
    assert company.sandbox.settle()


def by_notification(company: Company, key: str) -> None:
    company.work()
    sent(company, key)


def by_run_outward(company: Company, key: str) -> None:
    sent(company, key)
    company.work()


def by_run_inward(company: Company, key: str) -> None:
    with company.services.database.reading() as connection:
        row_id = couplings.dataverse_of(connection, "CUSTOMER", key)
    got(company, row_id or ACCOUNT)
    sent(company, key)
    company.work()


WAYS = (by_notification, by_run_outward, by_run_inward)

#: what people do meanwhile, here and there, and what both sides say in the end
MEANWHILE = {
    "nothing": ({}, {}, {}),
    "the same field here": ({"fax_no": "here"}, {}, {"fax_no": "here"}),
    "another field here": ({"city": "Bonn"}, {}, {"city": "Bonn"}),
    "the same field there": ({}, {"fax": "there"}, {"fax_no": "there"}),
    "another field there": ({}, {"address1_city": "Kiel"}, {"city": "Kiel"}),
    "both, each its own": ({"fax_no": "here"}, {"telephone1": "there"}, {"fax_no": "here", "phone_no": "there"}),
    "back to what it was, there": ({}, {"fax": "before"}, {"fax_no": "before"}),
    "one more, here and there": (
        {"city": "Bonn"},
        {"fax": "there", "telephone1": "there too"},
        {"city": "Bonn", "fax_no": "there", "phone_no": "there too"},
    ),
}
COLUMNS = {"fax_no": "fax", "phone_no": "telephone1", "city": "address1_city"}


@pytest.mark.parametrize("strategy", UpdateConflict, ids=lambda one: one.name)
@pytest.mark.parametrize(("what", "way"), list(product(MEANWHILE, WAYS)), ids=lambda one: getattr(one, "__name__", one))
def test_an_update_whose_answer_is_lost_is_no_conflict_of_its_own(
    small_company: Company, strategy: UpdateConflict, what: str, way: Callable[[Company, str], None]
) -> None:
    company = small_company
    key = couple_customer(company)
    company.set("CUSTOMER", resolve_update_conflicts=strategy)
    company.change_local("customer", key, fax_no="before", phone_no="before", city="Ulm")
    assert sent(company, key).error is None
    company.work()
    here, there, expected = MEANWHILE[what]
    company.change_local("customer", key, fax_no="sent", phone_no="sent")
    send_and_hear_nothing(company, key)
    assert account(company)["fax"] == "sent"

    if here:
        company.change_local("customer", key, **here)
    if there:
        company.sandbox.update("account", ACCOUNT, there)
    assert company.sandbox.settle()
    way(company, key)

    in_the_end = {"fax_no": "sent", "phone_no": "sent", "city": "Ulm", **expected}
    record, row = company.local("customer", key), account(company)
    assert record is not None
    assert {name: record[name] for name in COLUMNS} == in_the_end
    assert {name: row[column] for name, column in COLUMNS.items()} == in_the_end
    coupling = company.coupling("CUSTOMER", ACCOUNT)
    assert coupling is not None
    assert Result.FAILURE not in (coupling.last_from.result, coupling.last_to.result)
    assert still_open(company) == []


def still_open(company: Company) -> list[str]:
    with company.services.database.reading() as connection:
        return list(connection.execute(select(open_write.c.local_id)).scalars())


def test_what_never_arrived_is_sent_again(company: Company) -> None:
    key = couple_customer(company)
    company.change_local("customer", key, fax_no="sent")
    company.sandbox.faults.answers.append(Answer(503, "away", times=ALWAYS))
    assert sent(company, key).error is not None
    company.sandbox.faults.answers.clear()
    company.sandbox.update("account", ACCOUNT, {"telephone1": "there"})
    company.work()
    sent(company, key)

    assert account(company)["fax"] == "sent"
    record = company.local("customer", key)
    assert record is not None
    assert record["phone_no"] == "there"
    assert still_open(company) == []


# -- creates -------------------------------------------------------------------------------------------------------


@pytest.fixture
def creating(company: Company) -> Company:
    company.open_for_all("CUSTOMER")
    return company


def created_unheard(company: Company) -> tuple[str, str]:
    """A customer whose row was created, and the answer lost: its key and the row."""
    key = company.insert_local("customer", **NEW)
    send_and_hear_nothing(company, key)
    (row,) = [one for one in company.sandbox.rows("account") if one["name"] == NEW["name"]]
    return key, str(row["accountid"])


def rows_of(company: Company) -> list[str]:
    return [str(one["accountid"]) for one in company.sandbox.rows("account") if one["name"] == NEW["name"]]


CREATE_MEANWHILE = {name: MEANWHILE[name] for name in MEANWHILE if name != "back to what it was, there"}


@pytest.mark.parametrize(
    ("what", "way"), list(product(CREATE_MEANWHILE, WAYS)), ids=lambda one: getattr(one, "__name__", one)
)
def test_a_create_whose_answer_is_lost_keeps_both_edits_and_makes_no_twin(
    small_company: Company, what: str, way: Callable[[Company, str], None]
) -> None:
    company = small_company
    company.open_for_all("CUSTOMER")
    key, row_id = created_unheard(company)
    here, there, expected = MEANWHILE[what]
    if here:
        company.change_local("customer", key, **here)
    if there:
        company.sandbox.update("account", row_id, there)
    assert company.sandbox.settle()
    way(company, key)

    in_the_end = {"fax_no": "030 2", "phone_no": "030 1", "city": "", **expected}
    record, row = company.coupled_record("CUSTOMER", row_id), account(company, row_id)
    assert record["no"] == key
    assert {name: record[name] for name in COLUMNS} == in_the_end
    assert {name: row[column] or "" for name, column in COLUMNS.items()} == in_the_end
    assert rows_of(company) == [row_id]
    assert len([one for one in company.locals("customer") if one["name"] == NEW["name"]]) == 1
    assert still_open(company) == []


@pytest.mark.parametrize("way", [by_notification, by_run_inward], ids=lambda one: one.__name__)
def test_a_record_deleted_while_its_create_is_open_does_not_keep_its_row_out(
    creating: Company, way: Callable[[Company, str], None]
) -> None:
    key, row_id = created_unheard(creating)
    creating.delete_local("customer", key)
    got(creating, row_id) if way is by_run_inward else creating.work()

    record = creating.coupled_record("CUSTOMER", row_id)
    assert record["name"] == NEW["name"]
    assert record["no"] != key


def test_a_coupling_by_hand_is_not_taken_by_a_create_that_is_open(creating: Company) -> None:
    key, row_id = created_unheard(creating)
    assert not couple(creating.services, "CUSTOMER", key, ACCOUNT, "Ann").has_errors
    creating.work()
    got(creating, row_id)

    coupling = creating.coupling("CUSTOMER", ACCOUNT)
    assert coupling is not None
    assert coupling.local_id == key
    assert creating.coupling("CUSTOMER", row_id) is None
    assert len(creating.locals("customer")) == 1
    assert still_open(creating) == []


def test_a_record_uncoupled_since_is_not_coupled_by_a_create_that_is_open(creating: Company) -> None:
    key, row_id = created_unheard(creating)
    couple(creating.services, "CUSTOMER", key, ACCOUNT, "Ann")
    uncouple(creating.services, "CUSTOMER", [key], "Ann")
    creating.work()
    got(creating, row_id)

    assert creating.coupling("CUSTOMER", row_id) is None
    assert [one["no"] for one in creating.locals("customer")] == [key]


def test_a_row_deleted_before_its_create_was_heard_of_is_made_anew_under_another_id(creating: Company) -> None:
    key, row_id = created_unheard(creating)
    creating.sandbox.delete("account", row_id)
    creating.work()
    sent(creating, key)

    (other,) = rows_of(creating)
    assert other != row_id
    assert creating.coupled_record("CUSTOMER", other)["no"] == key


CONFLICTS = {
    "an alternate key": Answer.error(
        412, "0x80060892", "A record that has the attribute values already exists.", method="PATCH"
    ),
    "a unique index": Answer.error(
        412, "0x80040237", "A record with matching key values already exists.", method="PATCH"
    ),
    "a duplicate rule": Answer.error(412, "0x80040333", "A duplicate record was found.", method="PATCH"),
    "no code": Answer.error(412, "", "A record with matching key values already exists.", method="PATCH"),
}


@pytest.mark.parametrize("which", CONFLICTS)
def test_a_conflict_with_another_row_is_a_failure_that_says_so_and_no_race(creating: Company, which: str) -> None:
    key = creating.insert_local("customer", **NEW)
    creating.sandbox.faults.answers.append(CONFLICTS[which])
    done = sent(creating, key)

    assert done.settled is not None
    assert done.settled.reason == "LOOKS_LIKE_ANOTHER"
    assert "receiver couple" in done.settled.remedy
    assert rows_of(creating) == []
    with creating.services.database.reading() as connection:
        assert connection.execute(select(pending_coupling.c.is_open)).scalars().all() == [False]


def test_a_create_that_is_open_hides_nothing_from_match(creating: Company) -> None:
    key, row_id = created_unheard(creating)
    with creating.services.database.reading() as connection:
        mappings = creating.services.mappings(connection)
    sides = Sides(creating.services, mappings, mappings["CUSTOMER"], ())
    assert row_id not in sides.coupled()
    assert [one.key for one in sides.records(sides.coupled(), None, lambda _count: None)] == [key]


def test_an_update_that_is_open_ends_with_its_coupling(company: Company) -> None:
    key = couple_customer(company)
    company.change_local("customer", key, fax_no="sent")
    send_and_hear_nothing(company, key)
    with company.services.database.writing() as connection:
        found = couplings.find(connection, "CUSTOMER", Direction.FROM, ACCOUNT)
        assert found is not None
        couplings.remove(connection, found)
    assert still_open(company) == []
