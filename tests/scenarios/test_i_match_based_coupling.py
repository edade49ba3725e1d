"""Group I: match-based coupling on the phone number, beside three customers that are coupled already."""

from __future__ import annotations

import pytest
from company import Company
from scenarios.pairs import ACCOUNT, CUSTOMER, SECOND_ACCOUNT, couple

from receiver.commands.coupling.match import match
from receiver.commands.coupling.match_plan import Choices
from receiver.commands.result import CommandResult

OLD = [ACCOUNT, SECOND_ACCOUNT, "a0000000-0000-4000-8000-000000000003"]


@pytest.fixture
def given(company: Company) -> Company:
    company.set_field("CUSTOMER", "phone_no", match_on_this_field=True)
    for at, row_id in enumerate(OLD):
        couple(company, "CUSTOMER", company.insert_local("customer", name=f"Old {at}", phone_no=f"+43 0{at}"), row_id)
    return company


def customers(company: Company, count: int = 5) -> list[str]:
    return [company.insert_local("customer", name=f"Customer {at}", phone_no=f"+43 1{at}") for at in range(count)]


def accounts(company: Company, *phones: str) -> list[str]:
    values = {"customertypecode": CUSTOMER}
    return [
        str(company.sandbox.create("account", {**values, "name": f"Account {phone}", "telephone1": phone}))
        for phone in phones
    ]


def matched(company: Company, **options: object) -> CommandResult:
    choices = Choices(synchronizes=True, creates_new=False)
    result = match(company.services, ["customer"], "the test", choices, **options)
    assert company.sandbox.settle()
    return result


def names(company: Company, rows: list[str]) -> list[str]:
    return [company.sandbox.row("account", one)["name"] for one in rows]


def coupling_job(company: Company) -> tuple[int, int]:
    job = next(one for one in reversed(company.jobs("CUSTOMER")) if one["type"] == "Coupling")
    assert job["finished_at"]
    return job["coupled"], job["failed"]


def test_i1_one_customer_is_coupled_and_its_name_is_sent(given: Company) -> None:
    (key,), (row,) = customers(given, 1), accounts(given, "+43 10")

    result = matched(given)

    assert coupling_job(given) == (1, 0)
    assert [given.coupling("CUSTOMER", one).local_id for one in OLD] == ["C00010", "C00020", "C00030"]
    assert given.coupling("CUSTOMER", row).local_id == key
    assert names(given, [row]) == ["Customer 0"]
    assert [line.decision for line in result.lines][:2] == ["Couple", "Modify"]


def test_i2_five_customers_are_coupled_and_their_names_are_sent(given: Company) -> None:
    customers(given)
    rows = accounts(given, *(f"+43 1{at}" for at in range(5)))

    matched(given)

    assert coupling_job(given) == (5, 0)
    assert names(given, rows) == [f"Customer {at}" for at in range(5)]


def test_i3_only_the_customer_selected_is_coupled(given: Company) -> None:
    keys, rows = customers(given), accounts(given, *(f"+43 1{at}" for at in range(5)))

    matched(given, keys=[keys[2]])

    assert coupling_job(given) == (1, 0)
    assert [given.coupling("CUSTOMER", one) is not None for one in rows] == [False, False, True, False, False]
    assert names(given, rows)[:3] == ["Account +43 10", "Account +43 11", "Customer 2"]


def test_i5_those_without_a_match_fail_and_only_the_others_are_synchronized(given: Company) -> None:
    keys = customers(given)
    rows = accounts(given, "+43 10", "+43 11", "+43 90", "+43 91", "+43 92")

    result = matched(given)

    assert coupling_job(given) == (2, 3)
    assert [line.local_id for line in result.lines if line.counter == "failed"] == keys[2:]
    assert names(given, rows) == ["Customer 0", "Customer 1", "Account +43 90", "Account +43 91", "Account +43 92"]


def test_i6_a_match_that_is_not_conclusive_couples_nothing(given: Company) -> None:
    customers(given)
    rows = accounts(given, *["+43 10"] * 5)

    result = matched(given)

    assert coupling_job(given) == (0, 5)
    assert [line.reason for line in result.lines] == ["SEVERAL", *["NONE"] * 4]
    assert [given.coupling("CUSTOMER", one) for one in rows] == [None] * 5
    assert {one["type"] for one in given.jobs("CUSTOMER")} == {"Coupling"}


def test_i7_nothing_is_coupled_if_the_preview_is_not_confirmed(given: Company) -> None:
    customers(given, 1)
    (row,) = accounts(given, "+43 10")

    result = matched(given, is_preview=True)

    assert result.counts == {"coupled": 1}
    assert given.jobs("CUSTOMER") == []
    assert given.coupling("CUSTOMER", row) is None
