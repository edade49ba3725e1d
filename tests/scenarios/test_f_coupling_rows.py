"""Group F: coupling rows, as far as a row of ours can be in Business Central's state."""

from __future__ import annotations

import pytest
from company import Company
from scenarios.pairs import ACCOUNT, NOBODY, SECOND_ACCOUNT, couple, couple_customer, errors
from sqlalchemy import func, select

from receiver.asked import carry_out, wanted_from, wanted_to
from receiver.coalesce import Ask
from receiver.core.coupling import Coupling
from receiver.core.mapping import Direction
from receiver.errors import LostRaceError
from receiver.store import couplings
from receiver.store.models import coupling


def rows(company: Company) -> int:
    with company.services.database.reading() as connection:
        return connection.execute(select(func.count()).select_from(coupling)).scalar_one()


def of_record(company: Company, key: str) -> Coupling | None:
    with company.services.database.reading() as connection:
        return couplings.find(connection, "CUSTOMER", Direction.TO, key)


def test_f1_the_local_record_is_found_by_its_row_once_they_are_coupled(company: Company) -> None:
    key = company.insert_local("customer", name="A")
    assert company.coupling("CUSTOMER", ACCOUNT) is None

    couple(company, "CUSTOMER", key, ACCOUNT)

    assert company.coupled_record("CUSTOMER", ACCOUNT)["no"] == key


def test_f2_the_row_is_found_by_its_local_record(company: Company) -> None:
    key = couple_customer(company)

    assert of_record(company, key).dataverse_id == ACCOUNT


def test_f3_a_random_id_finds_nothing(company: Company) -> None:
    company.insert_local("customer", name="A")

    assert company.coupling("CUSTOMER", NOBODY) is None


def test_f5_coupling_makes_one_row(company: Company) -> None:
    key = company.insert_local("customer", name="A")
    assert rows(company) == 0

    couple(company, "CUSTOMER", key, ACCOUNT)

    assert rows(company) == 1


def test_f10_a_row_that_is_coupled_cannot_be_coupled_to_another_record(company: Company) -> None:
    couple_customer(company)
    key = company.insert_local("customer", name="B")

    with pytest.raises(LostRaceError):
        couple(company, "CUSTOMER", key, ACCOUNT)

    assert of_record(company, key) is None


def test_f11_nor_to_one_that_is_coupled_itself(company: Company) -> None:
    first, second = couple_customer(company), couple_customer(company, SECOND_ACCOUNT)

    with pytest.raises(LostRaceError):
        couple(company, "CUSTOMER", second, ACCOUNT)

    assert (of_record(company, first).dataverse_id, of_record(company, second).dataverse_id) == (
        ACCOUNT,
        SECOND_ACCOUNT,
    )


def test_f14_removing_a_coupling_twice_is_no_error(company: Company) -> None:
    key = couple_customer(company)
    found = of_record(company, key)

    for _ in range(2):
        with company.services.database.writing() as connection:
            couplings.remove(connection, found)

    assert rows(company) == 0


@pytest.mark.parametrize("toward", [Direction.TO, Direction.FROM])
def test_f18_a_pair_never_synchronized_counts_as_changed_on_both_sides(company: Company, toward: Direction) -> None:
    key = company.insert_local("customer", name="A")
    couple(company, "CUSTOMER", key, ACCOUNT)
    ask = Ask(is_click=True)
    if toward is Direction.TO:
        wanted = wanted_to(company.services, "CUSTOMER", [key], ask)
    else:
        wanted = wanted_from("CUSTOMER", "account", [ACCOUNT], ask)

    (done,) = carry_out(company.services, wanted)

    assert done.settled.reason == "UPDATE_CONFLICT"
    assert errors(company, "CUSTOMER")


def test_f19_a_pair_in_step_counts_as_changed_on_neither_side(company: Company) -> None:
    key = couple_customer(company)
    wanted = [
        *wanted_to(company.services, "CUSTOMER", [key], Ask()),
        *wanted_from("CUSTOMER", "account", [ACCOUNT], Ask()),
    ]

    done = list(carry_out(company.services, wanted))

    assert [one.settled.decision for one in done] == ["IgnoreUnchanged", "IgnoreUnchanged"]
