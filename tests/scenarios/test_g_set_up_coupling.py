"""Group G: Set Up Coupling."""

from __future__ import annotations

import pytest
from company import Company
from scenarios.pairs import (
    ACCOUNT,
    COMPETITOR_ACCOUNT,
    FROM,
    SALES_PERSON,
    SECOND_ACCOUNT,
    TO,
    account,
    couple_customer,
)

from receiver.commands.coupling.row_search import row_named
from receiver.commands.coupling.set_up_coupling import AfterCoupling, couple, create_new, default_after
from receiver.commands.mappings import change_mapping as mappings
from receiver.commands.result import CommandResult
from receiver.core.coupling import Result
from receiver.errors import NotFoundError, RefusedError

LOCAL, DATAVERSE, NO = AfterCoupling.LOCAL, AfterCoupling.DATAVERSE, AfterCoupling.NO


def set_up(
    company: Company, key: str, row_id: str = ACCOUNT, after: AfterCoupling | None = None, mapping: str = "CUSTOMER"
) -> CommandResult:
    return couple(company.services, mapping, key, row_id, "Ada", after)


@pytest.mark.parametrize(
    ("mapping", "direction", "default"),
    [
        pytest.param("CUSTOMER", None, LOCAL, id="G1-bidirectional"),
        pytest.param("CUSTOMER", TO, LOCAL, id="to"),
        pytest.param("CUSTOMER", FROM, DATAVERSE, id="the-direction-of-today-counts"),
        pytest.param("SALESPEOPLE", None, DATAVERSE, id="from"),
    ],
)
def test_g1_whose_data_is_used_follows_the_direction_of_the_mapping(
    small_company: Company, mapping: str, direction: object, default: AfterCoupling
) -> None:
    if direction is not None:
        small_company.set(mapping, direction=direction)

    assert default_after(mappings.named(small_company.services, mapping)) is default


def test_g17_a_row_outside_the_filter_is_refused_though_it_was_named(company: Company) -> None:
    key = company.insert_local("customer", name="Alone")

    with pytest.raises(RefusedError, match="outside the integration table filter of CUSTOMER"):
        set_up(company, key, COMPETITOR_ACCOUNT)

    assert company.coupling("CUSTOMER", COMPETITOR_ACCOUNT) is None


def test_g25_the_first_in_name_order_that_begins_so_is_found(company: Company) -> None:
    for name in ("CCCC", "CC", "X"):
        company.sandbox.create("account", {"name": name, "customertypecode": 3})

    assert account(company, row_named(company.services, "CUSTOMER", "C"))["name"] == "CC"
    assert account(company, row_named(company.services, "CUSTOMER", "CCCC"))["name"] == "CCCC"


def test_g25_a_name_that_several_rows_have_is_refused_and_an_apostrophe_is_text(company: Company) -> None:
    twins = [company.sandbox.create("account", {"name": "O'Hara"}) for _ in range(2)]

    with pytest.raises(RefusedError, match=str(twins[0])):
        row_named(company.services, "CUSTOMER", "O'Hara")


def test_g26_a_name_that_nothing_begins_with_is_not_found(company: Company) -> None:
    with pytest.raises(NotFoundError, match="There is no account whose name is, or begins with, “WrongName”"):
        row_named(company.services, "CUSTOMER", "WrongName")


def test_g35_without_synchronization_only_the_coupling_is_written(company: Company) -> None:
    key = company.insert_local("customer", name="Alone")
    before = account(company)

    done = set_up(company, key, after=NO)

    assert done.counts == {"coupled": 1}
    assert company.coupling("CUSTOMER", ACCOUNT).local_id == key
    assert account(company) == before
    assert company.local("customer", key)["name"] == "Alone"
    assert company.jobs("CUSTOMER") == []


def test_g38_create_new_is_refused_for_a_coupled_record(company: Company) -> None:
    key = couple_customer(company)

    with pytest.raises(RefusedError, match=f"is coupled to account “.*” {ACCOUNT} already"):
        create_new(company.services, "CUSTOMER", key, "Ada")


def test_g39_create_new_is_refused_where_the_mapping_goes_from_alone(company: Company) -> None:
    key = company.insert_local("salesperson", name="Ada")

    with pytest.raises(RefusedError, match="SALESPEOPLE goes FromIntegrationTable alone"):
        create_new(company.services, "SALESPEOPLE", key, "Ada")


def test_g42_a_salesperson_is_coupled_with_a_user_and_gets_its_name(company: Company) -> None:
    key = company.insert_local("salesperson", name="Another")

    done = set_up(company, key, SALES_PERSON, mapping="SALESPEOPLE")

    assert done.counts == {"coupled": 1, "modified": 1}
    assert company.local("salesperson", key)["name"] == "Jonas Weber"
    assert company.coupling("SALESPEOPLE", SALES_PERSON).last_from.result is Result.SUCCESS


def test_g43_a_customer_is_coupled_with_an_account_and_gives_it_its_name(company: Company) -> None:
    key = company.insert_local("customer", name="Our name")

    done = set_up(company, key, after=LOCAL)

    assert done.counts == {"coupled": 1, "modified": 1}
    assert account(company)["name"] == "Our name"
    assert company.last_job("CUSTOMER") == {"modified": 1}


def test_g43_and_in_the_other_direction_the_account_gives_its_name(company: Company) -> None:
    key = company.insert_local("customer", name="Our name")
    name = account(company)["name"]

    set_up(company, key, after=DATAVERSE)

    assert company.local("customer", key)["name"] == name


def test_g46_create_new_makes_a_row_whatever_only_coupled_says(company: Company) -> None:
    key = company.insert_local("customer", name="Brand new")

    done = create_new(company.services, "CUSTOMER", key, "Ada")

    assert done.counts == {"inserted": 1}
    (row,) = [one for one in company.sandbox.rows("account") if one["name"] == "Brand new"]
    assert company.coupling("CUSTOMER", str(row["accountid"])).local_id == key


def test_g47_a_create_new_that_fails_couples_nothing(company: Company) -> None:
    key = company.insert_local("customer", name="Alone", salesperson_code="NOBODY")

    done = create_new(company.services, "CUSTOMER", key, "Ada")

    assert (done.counts, done.has_errors) == ({"failed": 1}, True)
    assert [one for one in company.sandbox.rows("account") if one["name"] == "Alone"] == []
    assert company.last_job("CUSTOMER") == {"failed": 1}


def test_g73_a_coupling_with_a_deleted_customer_makes_way(company: Company) -> None:
    company.delete_local("customer", couple_customer(company))
    key = company.insert_local("customer", name="The next")

    set_up(company, key, after=DATAVERSE)

    assert company.coupling("CUSTOMER", ACCOUNT).local_id == key


def test_g53_a_coupled_record_is_not_coupled_to_another_row_and_the_sentence_names_it(company: Company) -> None:
    key = couple_customer(company)

    with pytest.raises(RefusedError, match=f"Customer {key} .* is coupled to account “.*” {ACCOUNT} already"):
        set_up(company, key, SECOND_ACCOUNT)
    with pytest.raises(RefusedError, match=f"{ACCOUNT} is coupled to Customer {key} .* already"):
        set_up(company, company.insert_local("customer", name="Other"), ACCOUNT)
    with pytest.raises(RefusedError, match="are coupled already"):
        set_up(company, key, ACCOUNT)
