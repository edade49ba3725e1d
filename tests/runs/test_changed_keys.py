"""A local record whose key was changed keeps its pair."""

from __future__ import annotations

import pytest
from company import Company
from scenarios.pairs import ACCOUNT, DELETE_COUPLING, RESTORE, SECOND_ACCOUNT, account, couple_customer
from sqlalchemy import update

from receiver.commands.coupling.set_up_coupling import couple
from receiver.commands.following import open_questions
from receiver.core.mapping import Direction
from receiver.engine.coalesce import Ask
from receiver.runs.carry_out import carry_out, wanted_to
from receiver.runs.local_edits import follow_renamed
from receiver.runs.mapping_run import parts_of, run_part
from receiver.runs.run_pages import Scope
from receiver.store.triggers import Told, told
from receiver.tables import BY_NAME

NEW = "C77777"


def change_key(company: Company, key: str, **values: str) -> None:
    table = BY_NAME["customer"].table
    with company.services.database.writing() as connection:
        connection.execute(update(table).where(table.c.no == key).values(no=NEW, **values))


def by_notification(company: Company) -> None:
    company.sandbox.update("account", ACCOUNT, {"fax": "there"})
    company.work()


def by_run(company: Company) -> None:
    with company.services.database.reading() as connection:
        mapping = company.services.mappings(connection)["CUSTOMER"]
    for part in parts_of(mapping, Direction.TO, Scope.FULL, "Ann"):
        assert list(run_part(company.services, part))


def by_name(company: Company) -> None:
    list(carry_out(company.services, wanted_to(company.services, "CUSTOMER", [NEW], Ask(why="by name"))))


@pytest.mark.parametrize("strategy", [RESTORE, DELETE_COUPLING], ids=["restore", "delete coupling"])
@pytest.mark.parametrize("way", [by_notification, by_run, by_name], ids=lambda way: way.__name__)
def test_a_record_under_a_new_key_goes_on_with_its_row(small_company: Company, way, strategy):
    company = small_company
    key = couple_customer(company)
    company.set("CUSTOMER", resolve_deletion_conflicts=strategy, synch_only_coupled_records=False)
    before = len(company.sandbox.rows("account"))
    change_key(company, key)
    way(company)

    assert company.coupled_record("CUSTOMER", ACCOUNT)["no"] == NEW
    assert len(company.locals("customer")) == 1
    assert len(company.sandbox.rows("account")) == before


def test_one_that_was_edited_too_is_no_namesake(company):
    key = couple_customer(company)
    company.set("CUSTOMER", resolve_deletion_conflicts=DELETE_COUPLING)
    change_key(company, key, city="Elsewhere")
    by_notification(company)
    assert company.coupling("CUSTOMER", ACCOUNT) is None


def test_where_the_trigger_says_both_keys_what_was_edited_does_not_matter(company):
    key = couple_customer(company)
    change_key(company, key, city="Elsewhere")
    follow_renamed(company.services, {("customer", NEW): key})
    by_name(company)

    assert company.coupled_record("CUSTOMER", ACCOUNT)["no"] == NEW
    assert account(company)["address1_city"] == "Elsewhere"


def test_a_key_that_is_coupled_already_takes_no_pair_over(company):
    key = couple_customer(company)
    other = company.insert_local("customer", name="Other")
    couple(company.services, "CUSTOMER", other, SECOND_ACCOUNT, "Ann")
    company.delete_local("customer", key)
    follow_renamed(company.services, {("customer", other): key})

    coupling = company.coupling("CUSTOMER", ACCOUNT)
    assert coupling is not None
    assert coupling.local_id == key


def test_where_several_say_what_it_said_a_person_says_which(company):
    key = couple_customer(company)
    company.set("CUSTOMER", resolve_deletion_conflicts=RESTORE)
    record = company.local("customer", key)
    assert record is not None
    change_key(company, key)
    twin = company.insert_local("customer", **{name: value for name, value in record.items() if name != "no"})
    by_notification(company)

    coupling = company.coupling("CUSTOMER", ACCOUNT)
    assert coupling is not None
    assert coupling.local_id == key
    (asked,) = open_questions.listed(company.services, "CUSTOMER", 10)
    assert asked.reason == "KEY_CHANGED"
    assert set(asked.commands) == {f"receiver couple CUSTOMER {one} --row {ACCOUNT}" for one in (twin, NEW)}
    assert not couple(company.services, "CUSTOMER", NEW, ACCOUNT, "Ann").has_errors
    assert open_questions.listed(company.services, "", 10) == []


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ('["customer", "C2", "C1"]', Told("customer", "C2", "C1")),
        ('["customer", "C2", null]', Told("customer", "C2", "C2")),
        ('["customer", "C2"]', Told("customer", "C2", "C2")),
        ('["customer", null]', None),
        ('["customer"]', None),
        ("7", None),
        ("no JSON", None),
    ],
)
def test_what_a_trigger_says_of_old_or_new_making_is_understood(payload, expected):
    assert told(payload) == expected
