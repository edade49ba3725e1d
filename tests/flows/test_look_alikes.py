"""Creating where an uncoupled record looks alike: never a twin, unless the mapping says so."""

from __future__ import annotations

import shlex

import pytest
from company import Company
from scenarios.pairs import ACCOUNT, EURO, RESTORE, SECOND_ACCOUNT, account, couple_customer

from receiver.cli import receiver
from receiver.commands.coupling.create import create_in_dataverse
from receiver.commands.coupling.delete_coupling import uncouple
from receiver.commands.coupling.set_up_coupling import couple
from receiver.commands.following import coupled_errors, open_questions
from receiver.commands.synchronizing.open_record import Offered, Opened
from receiver.core.mapping import Direction, MatchExists
from receiver.engine.coalesce import Ask
from receiver.runs.carry_out import carry_out, wanted_from, wanted_to
from receiver.sandbox import ALWAYS, Answer

NAME = "Nordwind Trading GmbH"
RUN = Ask(why="a run")
ASK, COUPLE, CREATE = MatchExists


@pytest.fixture
def matching(company: Company) -> Company:
    """CUSTOMER creates by itself, and matches on the name."""
    company.set_field("CUSTOMER", "name", match_on_this_field=True)
    company.open_for_all("CUSTOMER")
    return company


def by_notification(company: Company) -> None:
    company.sandbox.update("account", ACCOUNT, {"fax": "1"})
    company.work()


def by_run(company: Company) -> None:
    list(carry_out(company.services, wanted_from("CUSTOMER", "account", [ACCOUNT], RUN)))


def questions(company: Company) -> list[open_questions.Question]:
    return open_questions.listed(company.services, "", 100)


WAYS = pytest.mark.parametrize("way", [by_notification, by_run], ids=lambda way: way.__name__)


@WAYS
def test_a_row_that_looks_like_an_uncoupled_record_is_kept_aside_with_the_commands_that_answer(matching, way):
    key = matching.insert_local("customer", name=NAME.upper())
    way(matching)

    assert matching.coupling("CUSTOMER", ACCOUNT) is None
    assert len(matching.locals("customer")) == 1
    (asked,) = questions(matching)
    assert (asked.source_id, asked.candidates) == (ACCOUNT, ((key, NAME.upper()),))
    assert asked.commands == (
        f"receiver couple CUSTOMER {key} --row {ACCOUNT} --synchronize dataverse",
        f"receiver create from CUSTOMER {ACCOUNT}",
    )


@WAYS
def test_the_one_that_looks_alike_is_coupled_where_the_mapping_says_so(matching, way):
    matching.set(
        "CUSTOMER", when_a_match_exists=COUPLE, resolve_update_conflicts="Get data update from integration table"
    )
    key = matching.insert_local("customer", name=NAME)
    way(matching)

    assert matching.coupled_record("CUSTOMER", ACCOUNT)["no"] == key
    assert matching.coupled_record("CUSTOMER", ACCOUNT)["city"] == account(matching)["address1_city"]
    assert len(matching.locals("customer")) == 1
    assert questions(matching) == []


@WAYS
def test_of_two_that_look_alike_none_is_coupled_by_itself(matching, way):
    matching.set("CUSTOMER", when_a_match_exists=COUPLE)
    keys = {matching.insert_local("customer", name=NAME) for _ in range(2)}
    way(matching)

    assert matching.coupling("CUSTOMER", ACCOUNT) is None
    (asked,) = questions(matching)
    assert {key for key, _ in asked.candidates} == keys


@WAYS
def test_a_twin_is_made_where_the_mapping_says_so(matching, way):
    matching.set("CUSTOMER", when_a_match_exists=CREATE)
    key = matching.insert_local("customer", name=NAME)
    way(matching)

    assert matching.coupled_record("CUSTOMER", ACCOUNT)["no"] != key


@pytest.mark.parametrize("which", [0, 1], ids=["couple", "create"])
def test_a_question_ends_with_any_of_the_commands_that_it_names(small_company, which):
    small_company.set_field("CUSTOMER", "name", match_on_this_field=True)
    small_company.open_for_all("CUSTOMER")
    key = small_company.insert_local("customer", name=NAME)
    by_run(small_company)
    terminal = small_company.app.test_cli_runner()
    assert f"  {questions(small_company)[0].commands[which]}\n" in terminal.invoke(receiver, ["errors", "list"]).stdout
    assert terminal.invoke(receiver, shlex.split(questions(small_company)[0].commands[which])[1:]).exit_code == 0

    assert (small_company.coupled_record("CUSTOMER", ACCOUNT)["no"] == key) is (which == 0)
    assert questions(small_company) == []


def test_a_question_ends_when_it_does_not_arise_any_more(matching):
    key = matching.insert_local("customer", name=NAME)
    by_run(matching)
    matching.change_local("customer", key, name="Somebody else")
    by_run(matching)
    assert questions(matching) == []
    assert matching.coupling("CUSTOMER", ACCOUNT) is not None


def test_a_record_that_looks_like_an_uncoupled_row_is_kept_aside_and_asked_for_by_page(matching):
    keys = [
        matching.insert_local("customer", name=NAME),
        *(matching.insert_local("customer", name=f"New {n}") for n in range(20)),
    ]
    asked_for = list[str]()
    fill = Answer(method="GET", path="accounts?", times=ALWAYS, change=lambda body: asked_for.append("") or body)
    matching.sandbox.faults.answers.append(fill)
    done = list(carry_out(matching.services, wanted_to(matching.services, "CUSTOMER", keys, RUN)))

    assert len(asked_for) == 1
    assert sorted(one.settled.decision for one in done if one.settled) == [*["Insert"] * 20, "Skip"]
    (asked,) = questions(matching)
    assert (asked.toward, asked.source_id, asked.candidates) == (Direction.TO, keys[0], ((ACCOUNT, NAME),))
    assert asked.commands[0] == f"receiver couple CUSTOMER {keys[0]} --row {ACCOUNT} --synchronize local"


def test_a_record_is_coupled_with_the_one_row_that_looks_like_it_where_the_mapping_says_so(matching):
    matching.set(
        "CUSTOMER", when_a_match_exists=COUPLE, resolve_update_conflicts="Send data update to integration table"
    )
    key = matching.insert_local("customer", name=NAME, city="Bonn")
    list(carry_out(matching.services, wanted_to(matching.services, "CUSTOMER", [key], RUN)))

    assert matching.coupled_record("CUSTOMER", ACCOUNT)["no"] == key
    assert account(matching)["address1_city"] == "Bonn"


def test_who_asks_for_a_new_row_by_name_gets_one(matching):
    key = matching.insert_local("customer", name=NAME)
    assert not create_in_dataverse(matching.services, "CUSTOMER", [key], "Ann").has_errors
    assert len([row for row in matching.sandbox.rows("account") if row["name"] == NAME]) == 2


# -- what people uncoupled -----------------------------------------------------------------------------------------


def test_a_click_on_a_row_that_was_uncoupled_offers_its_former_record_first(company):
    key = couple_customer(company)
    company.open_for_all("CUSTOMER")
    uncouple(company.services, "CUSTOMER", [key], "Ann")
    answer = company.open("account", ACCOUNT)

    assert isinstance(answer, Offered)
    assert [one.key for one in answer.offers] == [key]
    assert isinstance(company.open("account", ACCOUNT, chosen=company.offered("account", ACCOUNT, key)), Opened)
    assert len(company.locals("customer")) == 1


def test_coupling_by_hand_ends_the_memories_of_the_two_that_are_coupled_and_no_others(company):
    first = couple_customer(company)
    second = company.insert_local("customer", name="Second")
    uncouple(company.services, "CUSTOMER", [first], "Ann")
    couple(company.services, "CUSTOMER", second, ACCOUNT, "Ann")
    uncouple(company.services, "CUSTOMER", [second], "Ann")
    company.open_for_all("CUSTOMER")
    couple(company.services, "CUSTOMER", first, SECOND_ACCOUNT, "Ann")

    # the row and the second record are still remembered, each by itself; the first record is coupled
    by_notification(company)
    assert company.coupling("CUSTOMER", ACCOUNT) is None
    done = list(carry_out(company.services, wanted_to(company.services, "CUSTOMER", [second], RUN)))
    assert [one.settled.reason for one in done if one.settled] == ["UNCOUPLED"]
    answer = company.open("account", ACCOUNT)
    assert isinstance(answer, Offered)
    assert [one.key for one in answer.offers] == [second]


def test_what_a_person_uncoupled_is_not_coupled_again_for_its_looks(matching):
    matching.set("CUSTOMER", when_a_match_exists=COUPLE)
    key = couple_customer(matching)
    matching.open_for_all("CUSTOMER")
    uncouple(matching.services, "CUSTOMER", [key], "Ann")
    twin = matching.sandbox.create("account", {"name": NAME, "customertypecode": 3})
    matching.work()

    assert matching.coupling("CUSTOMER", str(twin)) is None
    assert [one.source_id for one in questions(matching)] == [str(twin)]


def test_of_two_people_who_choose_the_same_record_the_second_is_told(matching):
    key = matching.insert_local("customer", name=NAME)
    chosen = matching.offered("account", ACCOUNT, key)
    couple(matching.services, "CUSTOMER", key, SECOND_ACCOUNT, "Ben")
    answer = matching.open("account", ACCOUNT, chosen=chosen)

    told = f"Customer {key} was coupled to account {SECOND_ACCOUNT} by somebody else."
    assert answer == Offered((), told)
    assert matching.coupling("CUSTOMER", ACCOUNT) is None
    assert [row["no"] for row in matching.locals("customer")] == [key]
    coupling = matching.coupling("CUSTOMER", SECOND_ACCOUNT)
    assert coupling is not None
    assert coupling.local_id == key


# -- restoring -----------------------------------------------------------------------------------------------------


def test_a_record_whose_twin_stands_there_is_not_restored_but_asked_about(company):
    key = couple_customer(company)
    company.set("CUSTOMER", resolve_deletion_conflicts=RESTORE)
    record = company.local("customer", key)
    assert record is not None
    twin = company.insert_local("customer", **{name: record[name] for name in ("name", "city")})
    company.delete_local("customer", key)
    by_notification(company)

    assert [one["no"] for one in company.locals("customer")] == [twin]
    (asked,) = questions(company)
    assert (asked.reason, asked.candidates) == ("TWIN_EXISTS", ((twin, NAME),))
    assert asked.commands == (
        f"receiver uncouple CUSTOMER {key}",
        f"receiver couple CUSTOMER {twin} --row {ACCOUNT} --synchronize dataverse",
        f"receiver create from CUSTOMER {ACCOUNT}",
    )


def test_a_person_who_restores_is_asked_too(company):
    key = couple_customer(company)
    company.sandbox.delete("account", ACCOUNT)
    phone_no = company.local("customer", key)["phone_no"]
    twin = company.sandbox.create("account", {"name": NAME, "telephone1": phone_no, "customertypecode": 3})
    result = coupled_errors.restore(company.services, "CUSTOMER", [key], "Ann")

    assert [line.reason for line in result.lines] == ["TWIN_EXISTS"]
    assert str(twin) in result.lines[0].sentence
    assert company.coupling("CUSTOMER", ACCOUNT) is not None


def test_one_of_the_same_name_and_nothing_else_in_common_is_no_twin(company):
    key = couple_customer(company)
    company.set("CUSTOMER", resolve_deletion_conflicts=RESTORE)
    other = company.insert_local("customer", name=NAME)
    company.delete_local("customer", key)
    by_notification(company)
    assert company.coupled_record("CUSTOMER", ACCOUNT)["no"] != other


# -- currencies ----------------------------------------------------------------------------------------------------


def test_a_currency_is_coupled_with_the_one_of_its_iso_code_and_never_made_twice(company):
    company.open_for_all("CURRENCY")
    company.insert_currency("EUR")
    list(carry_out(company.services, wanted_to(company.services, "CURRENCY", ["EUR"], RUN)))

    coupling = company.coupling("CURRENCY", EURO)
    assert coupling is not None
    assert coupling.local_id == "EUR"
    assert len([row for row in company.sandbox.rows("transactioncurrency") if row["isocurrencycode"] == "EUR"]) == 1
