"""Group G: what Set Up Coupling offers to choose from, and what a person may do with the choice."""

from __future__ import annotations

from datetime import timedelta

import pytest
from company import Company
from scenarios.pairs import (
    ACCOUNT,
    CONTACT,
    DOLLAR,
    EURO,
    INACTIVE_ACCOUNT,
    POUND,
    SALES_MANAGER,
    SALES_PERSON,
    SECOND_ACCOUNT,
    account,
    couple,
    couple_customer,
)

from receiver.cli import receiver
from receiver.commands.coupling.create import create_from_dataverse, create_in_dataverse
from receiver.commands.coupling.delete_coupling import uncouple
from receiver.commands.coupling.row_list import Coupled, OfferedRow, rows_offered
from receiver.commands.coupling.row_search import row_named
from receiver.commands.coupling.set_up_coupling import AfterCoupling, create_new
from receiver.commands.coupling.set_up_coupling import couple as set_up
from receiver.commands.following.records import view
from receiver.commands.result import CommandResult
from receiver.errors import NotFoundError, RefusedError
from receiver.store import runs as stored

LOCAL, DATAVERSE, NO = AfterCoupling.LOCAL, AfterCoupling.DATAVERSE, AfterCoupling.NO
SECOND_CONTACT = "c0000000-0000-4000-8000-000000000002"


def run(company: Company, *words: str) -> tuple[int, str]:
    """Exit code, and everything printed."""
    result = company.app.test_cli_runner().invoke(receiver, list(words))
    return result.exit_code, result.output


def previewed(company: Company, key: str, row_id: str, after: AfterCoupling | None = None) -> CommandResult:
    return set_up(company.services, "CUSTOMER", key, row_id, "Ada", after, is_preview=True)


def offered(company: Company, mapping: str, **options: str) -> dict[str, OfferedRow]:
    """By id, in their order."""
    return {one.id: one for one in rows_offered(company.services, mapping, **options)}


# -- Synchronize After Coupling, Create New ------------------------------------------------------------------------


def test_g2_a_coupled_record_is_not_overwritten_by_looking_at_its_coupling_again(company: Company) -> None:
    key = couple_customer(company)
    company.change_local("customer", key, name="Our name")
    before = account(company)

    with pytest.raises(RefusedError, match=r"are coupled already\. Use Synchronize Now"):
        set_up(company.services, "CUSTOMER", key, ACCOUNT, "Ada")

    assert account(company) == before
    assert company.local("customer", key)["name"] == "Our name"


@pytest.mark.parametrize(
    "choice",
    [pytest.param(NO, id="G3-G5"), pytest.param(LOCAL, id="G6"), pytest.param(DATAVERSE, id="G7")],
)
def test_g3_and_g5_and_g6_and_g7_a_new_row_is_made_of_the_local_data_whatever_is_chosen_for_others(
    company: Company, choice: AfterCoupling
) -> None:
    key = company.insert_local("customer", name="Alone")
    for_a_row = run(company, "couple", "CUSTOMER", key, "--row", ACCOUNT, "--synchronize", choice.value, "--preview")

    code, said = run(company, "couple", "CUSTOMER", key, "--create", "--synchronize", choice.value, "--preview")

    if choice is LOCAL:
        assert (code, "Insert" in said) == (0, True)
    else:
        assert (code, "leave --synchronize out" in said) == (2, True)
    assert create_new(company.services, "CUSTOMER", key, "Ada", is_preview=True).counts == {"inserted": 1}
    again = run(company, "couple", "CUSTOMER", key, "--row", ACCOUNT, "--synchronize", choice.value, "--preview")
    assert again == for_a_row
    assert again[0] == 0


def test_g27_the_choice_does_not_follow_the_row_that_is_picked(company: Company) -> None:
    key = company.insert_local("customer", name="Alone")

    for row_id in (ACCOUNT, SECOND_ACCOUNT, ACCOUNT):
        coupled, modified = previewed(company, key, row_id, DATAVERSE).lines
        assert str(account(company, row_id)["name"]) in coupled.sentence
        assert modified.fields["name"] == ["Alone", account(company, row_id)["name"]]

    assert company.coupling("CUSTOMER", ACCOUNT) is None


def test_g33_the_picked_row_is_answered_by_its_id(company: Company) -> None:
    (nordwind,) = rows_offered(company.services, "CUSTOMER", begins="nordwind")

    assert nordwind == OfferedRow(ACCOUNT, "Nordwind Trading GmbH", Coupled.NO)
    assert row_named(company.services, "CUSTOMER", nordwind.name) == nordwind.id


def test_g34_a_new_row_and_a_row_that_is_there_exclude_each_other(company: Company) -> None:
    key = company.insert_local("customer", name="Alone")

    (new,) = create_new(company.services, "CUSTOMER", key, "Ada", is_preview=True).lines
    code, said = run(company, "couple", "CUSTOMER", key, "--create", "--row", ACCOUNT)

    assert new.dataverse_id == ""
    assert previewed(company, key, ACCOUNT).lines[0].dataverse_id == ACCOUNT
    assert (code, "Say which row: --row ID, --name TEXT or --create" in said) == (2, True)


def test_g37_an_uncoupled_customer_may_become_a_new_row(company: Company) -> None:
    key = company.insert_local("customer", name="Alone")

    offer = create_new(company.services, "CUSTOMER", key, "Ada", is_preview=True)

    assert (offer.counts, offer.has_errors) == ({"inserted": 1}, False)
    assert "Alone" not in [row["name"] for row in company.sandbox.rows("account")]


def test_g45_who_only_looked_has_coupled_nothing(company: Company) -> None:
    key = company.insert_local("customer", name="Alone")
    before = account(company)

    assert previewed(company, key, ACCOUNT, DATAVERSE).counts == {"coupled": 1, "modified": 1}

    assert company.coupling("CUSTOMER", ACCOUNT) is None
    assert company.jobs("CUSTOMER") == []
    assert (company.local("customer", key)["name"], account(company)) == ("Alone", before)


def test_g29_a_coupled_record_shows_a_line_for_each_enabled_field_mapping(company: Company) -> None:
    key = couple_customer(company)

    seen = view(company.services, "CUSTOMER", key)

    enabled = [one for one in seen.mapping.fields if one.is_enabled and one.local_column and one.dataverse_column]
    assert len(seen.fields) == len(enabled)
    named = next(one for one in seen.fields if one.caption == "Name")
    assert (named.local_value, named.dataverse_value) == ("Nordwind Trading GmbH", "Nordwind Trading GmbH")
    assert named.dataverse_caption == "Account Name"


def test_g30_what_no_mapping_knows_is_not_set_up(company: Company) -> None:
    with pytest.raises(NotFoundError, match="There is no mapping ITEM"):
        rows_offered(company.services, "ITEM")
    with pytest.raises(NotFoundError, match="There is no mapping ITEM"):
        set_up(company.services, "ITEM", "1000", ACCOUNT, "Ada")


# -- the list of rows ----------------------------------------------------------------------------------------------

LOOKUPS = [
    pytest.param("CUSTOMER", "customer", {"name": "Alone"}, SECOND_ACCOUNT, ACCOUNT, id="G9"),
    pytest.param("SALESPEOPLE", "salesperson", {"name": "Alone"}, SALES_PERSON, SALES_MANAGER, id="G10"),
    pytest.param("CURRENCY", "currency", {"code": "GBP"}, POUND, DOLLAR, id="G11"),
]


@pytest.mark.parametrize(("mapping", "table", "values", "held", "other"), LOOKUPS)
def test_g9_and_g10_and_g11_the_list_opens_on_the_coupled_row_and_another_can_be_picked(
    company: Company, mapping: str, table: str, values: dict[str, str], held: str, other: str
) -> None:
    key = company.insert_local(table, **values)
    couple(company, mapping, key, held)

    rows = offered(company, mapping, key=key)

    assert next(iter(rows)) == held
    assert (rows[held].coupled, rows[held].local_id) == (Coupled.CURRENT, key)
    assert (rows[other].coupled, rows[other].local_id) == (Coupled.NO, "")
    assert offered(company, mapping)[held].coupled is Coupled.YES
    uncouple(company.services, mapping, [key], "Ada")
    set_up(company.services, mapping, key, other, "Ada", NO)
    rows = offered(company, mapping, key=key)
    assert (next(iter(rows)), rows[held].coupled) == (other, Coupled.NO)


FILTERED = [
    pytest.param("CUSTOMER", "name begins with 'Nord'", ACCOUNT, SECOND_ACCOUNT, id="G71-account"),
    pytest.param("CONTACT", "lastname = 'Hansen'", CONTACT, SECOND_CONTACT, id="G18"),
    pytest.param("SALESPEOPLE", "jobtitle begins with 'Sales'", SALES_MANAGER, SALES_PERSON, id="G19"),
    pytest.param("CURRENCY", "isocurrencycode in ('EUR', 'USD')", EURO, POUND, id="G71-currency"),
]


@pytest.mark.parametrize(("mapping", "filter_", "inside", "outside"), FILTERED)
def test_g18_and_g19_and_g71_the_list_has_only_what_the_integration_table_filter_lets_in(
    company: Company, mapping: str, filter_: str, inside: str, outside: str
) -> None:
    assert outside in offered(company, mapping)

    company.set(mapping, dataverse_filter_text=filter_)

    rows = offered(company, mapping)
    assert inside in rows
    assert outside not in rows


def test_g71_the_shipped_filter_leaves_out_inactive_rows_and_those_of_another_kind(company: Company) -> None:
    rows = offered(company, "CUSTOMER")

    assert INACTIVE_ACCOUNT not in rows
    assert [one.name for one in rows.values()] == sorted(one.name for one in rows.values())
    assert {account(company, id_)["customertypecode"] for id_ in rows} == {3}


def test_g71_the_list_ends_where_it_was_asked_to_and_is_printed(company: Company) -> None:
    key = couple_customer(company)

    assert len(rows_offered(company.services, "CUSTOMER", limit=2)) == 2
    first, *_ = rows_offered(company.services, "CUSTOMER", key=key, limit=2)
    assert (first.id, first.coupled) == (ACCOUNT, Coupled.CURRENT)
    code, said = run(company, "rows", "CUSTOMER", "--key", key, "--begins", "Bra")
    assert code == 0
    assert [line.split("  ")[0] for line in said.splitlines()] == [
        "NAME",
        "Nordwind Trading GmbH",
        "Brasserie du Lac SA",
    ]
    assert f'"local_id": "{key}"' in run(company, "rows", "CUSTOMER", "--json")[1]
    assert run(company, "rows", "CUSTOMER", "--begins", "Zzz")[1].strip() != ""


# -- users and salespeople -----------------------------------------------------------------------------------------


def test_g65_and_g66_the_list_of_users_says_who_is_coupled_to_which_salesperson(company: Company) -> None:
    key = company.insert_local("salesperson", name="Another")
    assert offered(company, "SALESPEOPLE")[SALES_PERSON].coupled is Coupled.NO

    set_up(company.services, "SALESPEOPLE", key, SALES_PERSON, "Ada")

    assert offered(company, "SALESPEOPLE")[SALES_PERSON] == OfferedRow(SALES_PERSON, "Jonas Weber", Coupled.YES, key)


def test_g67_a_salesperson_moves_to_another_user_once_the_first_coupling_is_deleted(company: Company) -> None:
    key = company.insert_local("salesperson", name="Another")
    set_up(company.services, "SALESPEOPLE", key, SALES_PERSON, "Ada")

    with pytest.raises(RefusedError, match=r"Jonas Weber.* already\. Delete that coupling first"):
        set_up(company.services, "SALESPEOPLE", key, SALES_MANAGER, "Ada")
    uncouple(company.services, "SALESPEOPLE", [key], "Ada")
    set_up(company.services, "SALESPEOPLE", key, SALES_MANAGER, "Ada")

    rows = offered(company, "SALESPEOPLE")
    assert rows[SALES_PERSON].coupled is Coupled.NO
    assert (rows[SALES_MANAGER].coupled, rows[SALES_MANAGER].local_id) == (Coupled.YES, key)


def test_g69_a_salesperson_who_was_only_looked_at_for_one_user_is_free_for_another(company: Company) -> None:
    key = company.insert_local("salesperson", name="Another")

    set_up(company.services, "SALESPEOPLE", key, SALES_PERSON, "Ada", is_preview=True)
    set_up(company.services, "SALESPEOPLE", key, SALES_MANAGER, "Ada")

    rows = offered(company, "SALESPEOPLE")
    assert (rows[SALES_PERSON].local_id, rows[SALES_MANAGER].local_id) == ("", key)


def test_g70_the_list_of_users_couples_nothing_and_a_salesperson_can_be_created_from_it(company: Company) -> None:
    users = offered(company, "SALESPEOPLE")
    assert {one.coupled for one in users.values()} == {Coupled.NO}
    assert company.locals("salesperson") == []

    assert create_from_dataverse(company.services, "SALESPEOPLE", [SALES_PERSON], "Ada").counts == {"inserted": 1}

    assert company.coupled_record("SALESPEOPLE", SALES_PERSON)["name"] == users[SALES_PERSON].name


# -- creating, whatever runs have seen -----------------------------------------------------------------------------


def test_g59_a_record_is_created_though_runs_have_read_beyond_it(company: Company) -> None:
    with company.services.database.writing() as connection:
        stored.advance_watermark(connection, "CUSTOMER", company.now() + timedelta(hours=1))
    key = company.insert_local("customer", name="Brand new")

    assert create_in_dataverse(company.services, "CUSTOMER", [key], "Ada").counts == {"inserted": 1}
    assert create_from_dataverse(company.services, "CUSTOMER", [SECOND_ACCOUNT], "Ada").counts == {"inserted": 1}
    assert company.coupling("CUSTOMER", SECOND_ACCOUNT) is not None


def test_g61_a_contact_of_a_coupled_account_is_created_here_under_its_customer(company: Company) -> None:
    key = couple_customer(company)
    person = {"firstname": "Nora", "lastname": "Vogt", "parentcustomerid": ("account", ACCOUNT)}
    row_id = company.sandbox.create("contact", person)

    assert create_from_dataverse(company.services, "CONTACT", [row_id], "Ada").counts == {"inserted": 1}

    made = company.coupled_record("CONTACT", row_id)
    assert (made["surname"], made["company_type"], made["company_no"]) == ("Vogt", "customer", key)
    assert company.last_job("CONTACT") == {"inserted": 1}


def test_g74_a_row_that_we_wrote_last_ourselves_becomes_a_new_record(company: Company) -> None:
    key = couple_customer(company)
    company.change_local("customer", key, fax_no="1111")
    assert run(company, "synchronize", "CUSTOMER", key, "--direction", "to")[0] == 0
    uncouple(company.services, "CUSTOMER", [key], "Ada")
    company.delete_local("customer", key)
    assert account(company)["modifiedby"] not in {SALES_MANAGER, SALES_PERSON}

    assert create_from_dataverse(company.services, "CUSTOMER", [ACCOUNT], "Ada").counts == {"inserted": 1}

    assert company.coupled_record("CUSTOMER", ACCOUNT)["fax_no"] == "1111"
