"""Group F: coupling rows, as far as a row of ours can be in Business Central's state."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import pytest
from company import Company
from scenarios.pairs import ACCOUNT, NOBODY, POUND, SALES_PERSON, SECOND_ACCOUNT, couple, couple_customer, errors
from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError

from receiver.commands.coupling.delete_coupling import uncouple, uncouple_all
from receiver.commands.coupling.set_up_coupling import AfterCoupling
from receiver.commands.coupling.set_up_coupling import couple as set_up
from receiver.commands.following import coupled_errors
from receiver.commands.synchronizing.synchronize_now import choices
from receiver.core.coupling import Coupling
from receiver.core.mapping import Direction
from receiver.engine.coalesce import Ask
from receiver.errors import LostRaceError, RefusedError
from receiver.runs.carry_out import carry_out, wanted_from, wanted_to
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


def pairs(company: Company) -> dict[str, str]:
    with company.services.database.reading() as connection:
        return {row.local_id: row.dataverse_id for row in connection.execute(select(coupling)).all()}


def couple_by_hand(company: Company, key: str, row_id: str) -> None:
    set_up(company.services, "CUSTOMER", key, row_id, "Ada", AfterCoupling.NO)


def test_f6_and_f9_a_coupled_record_is_not_coupled_to_another_row_until_its_coupling_is_deleted(
    company: Company,
) -> None:
    key = couple_customer(company)

    with pytest.raises(RefusedError, match=f"Customer {key} .* is coupled to account “.*” {ACCOUNT} already"):
        couple_by_hand(company, key, SECOND_ACCOUNT)
    assert pairs(company) == {key: ACCOUNT}

    uncouple(company.services, "CUSTOMER", [key], "Ada")
    couple_by_hand(company, key, SECOND_ACCOUNT)
    assert pairs(company) == {key: SECOND_ACCOUNT}


def test_f7_nor_to_a_row_that_is_coupled_itself(company: Company) -> None:
    first, second = couple_customer(company), couple_customer(company, SECOND_ACCOUNT)

    with pytest.raises(RefusedError, match="already"):
        couple_by_hand(company, second, ACCOUNT)

    assert pairs(company) == {first: ACCOUNT, second: SECOND_ACCOUNT}


def test_f13_the_coupling_of_a_deleted_record_makes_way_for_another_record(company: Company) -> None:
    """Business Central replaces B's own coupling too; here B must be uncoupled first."""
    first, second = couple_customer(company), couple_customer(company, SECOND_ACCOUNT)
    company.delete_local("customer", first)
    with pytest.raises(RefusedError, match="Delete that coupling first"):
        couple_by_hand(company, second, ACCOUNT)

    uncouple(company.services, "CUSTOMER", [second], "Ada")
    couple_by_hand(company, second, ACCOUNT)

    assert pairs(company) == {second: ACCOUNT}


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


@pytest.mark.parametrize("lacking", ["mapping", "local_id", "dataverse_id"])
def test_f17_and_f22_a_coupling_cannot_be_without_its_mapping_or_one_of_its_records(
    company: Company, lacking: str
) -> None:
    """So none has to be repaired: it names its mapping, and the mapping its tables."""
    row = {
        "mapping": "CUSTOMER",
        "local_id": "C1",
        "dataverse_id": ACCOUNT,
        "unresolved": [],
        "coupled_at": company.now(),
    }

    with pytest.raises(IntegrityError), company.services.database.writing() as connection:
        connection.execute(insert(coupling).values({**row, lacking: None}))

    assert rows(company) == 0


def test_f21_a_pair_changed_on_each_side_counts_as_changed_on_both_and_the_clock_alone_changes_nothing(
    company: Company,
) -> None:
    key = couple_customer(company)
    company.pass_time(60)
    asked = choices(company.services, "CUSTOMER", key)
    assert (asked.local_changed, asked.dataverse_changed) == (False, False)

    company.change_local("customer", key, fax_no="1111")
    company.sandbox.update("account", ACCOUNT, {"telephone1": "2222"}, deliver=False)

    asked = choices(company.services, "CUSTOMER", key)
    assert (asked.local_changed, asked.dataverse_changed) == (True, True)


def test_f23_of_couplings_whose_records_are_gone_those_with_one_left_are_listed_and_the_empty_one_is_removed(
    company: Company,
) -> None:
    third = "a0000000-0000-4000-8000-000000000003"
    only_row, only_record, none = (couple_customer(company, row) for row in (ACCOUNT, SECOND_ACCOUNT, third))
    company.delete_local("customer", only_row)
    company.sandbox.delete("account", SECOND_ACCOUNT)
    company.delete_local("customer", none)
    company.sandbox.delete("account", third)

    coupled_errors.find_deleted(company.services, marks=True)
    listed = coupled_errors.listed(company.services)

    assert [(one.mapping, one.local_id) for one in listed] == [("CUSTOMER", only_row), ("CUSTOMER", only_record)]
    assert pairs(company) == {only_row: ACCOUNT, only_record: SECOND_ACCOUNT}


@pytest.mark.parametrize("together", [100, 1], ids=["F25-at-once", "F27-one-by-one"])
def test_f25_and_f27_every_coupling_of_the_company_can_be_deleted(
    company: Company, together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("receiver.commands.coupling.delete_coupling.TOGETHER", together)
    for row in (ACCOUNT, SECOND_ACCOUNT):
        couple_customer(company, row)
    couple(company, "SALESPEOPLE", company.insert_local("salesperson", name="Ada"), SALES_PERSON)
    company.insert_currency("GBP")
    couple(company, "CURRENCY", "GBP", POUND)

    for mapping in ("CUSTOMER", "SALESPEOPLE", "CURRENCY"):
        uncouple_all(company.services, mapping, "Ada")

    assert rows(company) == 0


def test_f26_another_company_has_a_database_and_couplings_of_its_own(
    company: Company, sqlite_template: Path, tmp_path: Path
) -> None:
    shutil.copy(sqlite_template, tmp_path / "other.sqlite")
    key = couple_customer(company)
    with closing(Company(f"sqlite:///{tmp_path}/other.sqlite", company.sandbox)) as other:
        for row in (ACCOUNT, SECOND_ACCOUNT):
            couple(other, "CUSTOMER", other.insert_local("customer", name="Theirs"), row)

        uncouple_all(other.services, "CUSTOMER", "Ada")

        assert rows(other) == 0
    assert pairs(company) == {key: ACCOUNT}
