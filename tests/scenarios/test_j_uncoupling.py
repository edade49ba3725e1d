"""Group J: Delete Coupling. Where the row carries a company id, the environment has Business Central's solution."""

from __future__ import annotations

import pytest
from company import Company
from scenarios.company_ids import OURS, THEIRS
from scenarios.pairs import ACCOUNT, CONTACT, DOLLAR, EURO, POUND, SALES_MANAGER, SALES_PERSON, couple
from scenarios.test_e_errors_page import lines, skip

from receiver.commands.coupling.create import create_in_dataverse
from receiver.commands.coupling.delete_coupling import uncouple, uncouple_all
from receiver.commands.following import synch_jobs
from receiver.commands.synchronizing.synchronize_now import Choice, synchronize_now
from receiver.errors import NotFoundError

FORMER_SALES_PERSON = "50000000-0000-4000-8000-000000000003"
#: of a mapping: local table and what names its record, Dataverse table and what names its row, and what it needs
KINDS = {
    "CUSTOMER": ("customer", "name", "account", "name", {"customertypecode": 3}),
    "VENDOR": ("vendor", "name", "account", "name", {"customertypecode": 11}),
    "CONTACT": ("contact", "surname", "contact", "lastname", {}),
}


def three_coupled(
    company: Company, company_id: str = OURS, *, mapping: str = "CUSTOMER", count: int = 3
) -> dict[str, str]:
    """Records coupled to rows that carry the company id, `{local key: row}`."""
    local_table, local_name, table, name, others = KINDS[mapping]
    made: dict[str, str] = {}
    for number in range(count):
        called = f"{mapping} {number}"
        row = str(company.sandbox.create(table, {name: called, "bcbi_companyid": company_id, **others}))
        key = company.insert_local(local_table, **{local_name: called})
        couple(company, mapping, key, row)
        made[key] = row
    return made


def company_id(company: Company, row: str, table: str = "account") -> str | None:
    found = company.sandbox.row(table, row)
    assert found is not None
    return found["bcbi_companyid"]


def coupled_currencies(company: Company) -> dict[str, str]:
    made = {"EUR": EURO, "USD": DOLLAR, "GBP": POUND}
    for code, row in made.items():
        company.insert_currency(code)
        couple(company, "CURRENCY", code, row)
    return made


def coupled_salespersons(company: Company) -> dict[str, str]:
    made = {}
    for row in (SALES_MANAGER, SALES_PERSON):
        made[key := company.insert_local("salesperson", name=row[-1])] = row
        couple(company, "SALESPEOPLE", key, row)
    return made


def test_j1_all_couplings_go_and_stuck_company_ids_with_them(cronus: Company) -> None:
    rows = list(three_coupled(cronus).values())
    cronus.insert_local("customer", name="Uncoupled")
    stuck = {"name": "Stuck", "customertypecode": 3, "bcbi_companyid": OURS}
    rows.append(str(cronus.sandbox.create("account", stuck)))
    foretold = uncouple_all(cronus.services, "CUSTOMER", "Ada", is_preview=True)

    done = uncouple_all(cronus.services, "CUSTOMER", "Ada")

    assert done.counts == foretold.counts == {"uncoupled": 3, "modified": 4}
    assert [company_id(cronus, row) for row in rows] == [None] * 4
    assert [cronus.coupling("CUSTOMER", row) for row in rows] == [None] * 4
    assert cronus.last_job("CUSTOMER") == {"uncoupled": 3, "modified": 4}
    assert cronus.jobs("CUSTOMER")[-1]["type"] == "Uncoupling"


def test_j1_again_it_finds_nothing_left_to_do(cronus: Company) -> None:
    three_coupled(cronus)
    uncouple_all(cronus.services, "CUSTOMER", "Ada")

    assert uncouple_all(cronus.services, "CUSTOMER", "Ada").counts == {}


def test_j1_a_whole_mapping_goes_on_where_it_was_interrupted(cronus: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("receiver.commands.coupling.delete_coupling.TOGETHER", 1)
    rows = three_coupled(cronus)
    first = next(iter(rows))
    uncouple(cronus.services, "CUSTOMER", [first], "Ada")

    assert uncouple_all(cronus.services, "CUSTOMER", "Ada").counts == {"uncoupled": 2, "modified": 2}


def test_j2_salespersons_carry_no_company_id(cronus: Company) -> None:
    coupled_salespersons(cronus)

    assert uncouple_all(cronus.services, "SALESPEOPLE", "Ada").counts == {"uncoupled": 2}
    assert cronus.last_job("SALESPEOPLE") == {"uncoupled": 2}


def test_j3_of_several_mappings_only_those_selected_lose_their_couplings(cronus: Company) -> None:
    customers = three_coupled(cronus, count=1)
    vendors = three_coupled(cronus, mapping="VENDOR")
    (contact,) = three_coupled(cronus, mapping="CONTACT", count=1).values()
    salespersons, currencies = coupled_salespersons(cronus), coupled_currencies(cronus)

    done = {name: uncouple_all(cronus.services, name, "Ada").counts for name in ("CUSTOMER", "VENDOR", "SALESPEOPLE")}

    assert done == {
        "CUSTOMER": {"uncoupled": 1, "modified": 1},
        "VENDOR": {"uncoupled": 3, "modified": 3},
        "SALESPEOPLE": {"uncoupled": 2},
    }
    assert {company_id(cronus, row) for row in (*customers.values(), *vendors.values())} == {None}
    assert not any(cronus.coupling("SALESPEOPLE", row) for row in salespersons.values())
    assert all(cronus.coupling("CURRENCY", row) for row in currencies.values())
    assert cronus.coupling("CONTACT", contact) is not None
    assert company_id(cronus, contact, "contact") == OURS


def test_j5_the_skipped_salesperson_that_is_uncoupled_leaves_the_list(company: Company) -> None:
    rows = coupled_salespersons(company)
    rows[third := company.insert_local("salesperson", name="3")] = FORMER_SALES_PERSON
    couple(company, "SALESPEOPLE", third, FORMER_SALES_PERSON)
    skip(company, *rows)
    first, second, _ = rows

    assert uncouple(company.services, "SALESPEOPLE", [second], "Ada").counts == {"uncoupled": 1}

    assert lines(company) == [first, third]
    assert company.coupling("SALESPEOPLE", rows[second]) is None


def test_j6_a_pair_of_which_a_record_was_deleted_is_uncoupled_too(cronus: Company) -> None:
    rows = three_coupled(cronus)
    first, second, _ = rows
    cronus.delete_local("customer", first)
    cronus.sandbox.delete("account", rows[second])

    assert uncouple(cronus.services, "CUSTOMER", list(rows), "Ada").counts == {"uncoupled": 3, "modified": 2}


@pytest.mark.parametrize("chosen", [pytest.param(2, id="J7-J10-list"), pytest.param(1, id="J9-J11-J12-card")])
def test_j7_j9_j10_j11_only_the_selected_are_uncoupled(cronus: Company, chosen: int) -> None:
    rows = three_coupled(cronus)

    done = uncouple(cronus.services, "CUSTOMER", list(rows)[:chosen], "Ada")

    assert done.counts == {"uncoupled": chosen, "modified": chosen}
    assert cronus.last_job("CUSTOMER") == {"uncoupled": chosen, "modified": chosen}
    assert [company_id(cronus, row) for row in rows.values()] == [None] * chosen + [OURS] * (3 - chosen)
    assert [bool(cronus.coupling("CUSTOMER", row)) for row in rows.values()] == [False] * chosen + [True] * (3 - chosen)


@pytest.mark.parametrize(
    ("mapping", "chosen"),
    [
        pytest.param("CONTACT", 2, id="J13"),
        pytest.param("CONTACT", 1, id="J14-J15-J17-J18"),
        pytest.param("VENDOR", 2, id="J19"),
        pytest.param("VENDOR", 1, id="J21"),
    ],
)
def test_j13_and_j14_and_j15_and_j17_and_j18_and_j19_and_j21_whatever_the_mapping_only_the_selected_are_uncoupled(
    cronus: Company, mapping: str, chosen: int
) -> None:
    """Business Central's rows speak of opportunities, contacts and resources."""
    rows, table = three_coupled(cronus, mapping=mapping), KINDS[mapping][2]

    uncouple(cronus.services, mapping, list(rows)[:chosen], "Ada")

    assert cronus.last_job(mapping) == {"uncoupled": chosen, "modified": chosen}
    assert [company_id(cronus, row, table) for row in rows.values()] == [None] * chosen + [OURS] * (3 - chosen)
    assert [bool(cronus.coupling(mapping, row)) for row in rows.values()] == [False] * chosen + [True] * (3 - chosen)


@pytest.mark.parametrize(
    "chosen", [pytest.param(2, id="J25-J30-list"), pytest.param(1, id="J26-J27-J29-J31-list-or-card")]
)
def test_j25_and_j26_and_j27_and_j29_and_j30_and_j31_currencies_carry_no_company_id_and_only_the_selected_go(
    cronus: Company, chosen: int
) -> None:
    """Business Central's rows speak of currencies, units of measure and price groups."""
    rows = coupled_currencies(cronus)

    done = uncouple(cronus.services, "CURRENCY", list(rows)[:chosen], "Ada")

    assert done.counts == {"uncoupled": chosen}
    assert [bool(cronus.coupling("CURRENCY", row)) for row in rows.values()] == [False] * chosen + [True] * (3 - chosen)


def test_j22_j23_selected_salespersons_are_uncoupled_and_the_others_stay(company: Company) -> None:
    rows = coupled_salespersons(company)
    first, second = rows

    assert uncouple(company.services, "SALESPEOPLE", [first], "Ada").counts == {"uncoupled": 1}
    assert company.coupling("SALESPEOPLE", rows[second]) is not None


def test_j33_the_record_of_one_error_of_the_log_is_uncoupled_and_the_others_stay(cronus: Company) -> None:
    rows = three_coupled(cronus)
    for key in rows:
        cronus.change_local("customer", key, salesperson_code="NOBODY")
    synchronize_now(cronus.services, "CUSTOMER", list(rows), Choice.SEND, "Ada", is_forced=True)
    (log,) = synch_jobs.listed(cronus.services, "CUSTOMER")
    assert {error.source for error in log.errors} == set(rows)
    chosen = log.errors[1].source

    assert uncouple(cronus.services, "CUSTOMER", [chosen], "Ada").counts == {"uncoupled": 1, "modified": 1}

    assert len(cronus.jobs("CUSTOMER")) == 2
    assert {key for key, row in rows.items() if company_id(cronus, row) is None} == {chosen}


def test_j34_named_twice_by_key_and_by_id_it_is_uncoupled_once(cronus: Company) -> None:
    key, row = next(iter(three_coupled(cronus).items()))

    assert uncouple(cronus.services, "CUSTOMER", [key, row], "Ada").counts == {"uncoupled": 1, "modified": 1}


def test_j35_contacts_that_are_its_own_on_both_sides_go_with_their_customer(company: Company) -> None:
    company.open_for_all("CUSTOMER", "CONTACT")
    key = company.couple_by_click("account", ACCOUNT)
    own = company.couple_by_click("contact", CONTACT)
    foreign_row = str(company.sandbox.create("contact", {"lastname": "Foreign"}))
    foreign = company.insert_local("contact", surname="Foreign", company_type="customer", company_no=key)
    couple(company, "CONTACT", foreign, foreign_row)
    parent = {"lastname": "Elsewhere", "parentcustomerid": ("account", ACCOUNT)}
    there_row = str(company.sandbox.create("contact", {"lastname": "Elsewhere"}))
    company.sandbox.put_row("contact", there_row, parent)
    there = company.insert_local("contact", surname="Elsewhere")
    couple(company, "CONTACT", there, there_row)

    uncouple(company.services, "CUSTOMER", [key], "Ada")

    assert company.coupling("CUSTOMER", ACCOUNT) is None
    assert company.coupling("CONTACT", CONTACT) is None
    assert company.local("contact", own) is not None
    assert company.coupling("CONTACT", foreign_row) is not None
    assert company.coupling("CONTACT", there_row) is not None
    assert company.last_job("CUSTOMER") == {"uncoupled": 1}


def test_s8_the_id_of_another_company_stays(cronus: Company) -> None:
    key, row = next(iter(three_coupled(cronus, THEIRS).items()))

    assert uncouple(cronus.services, "CUSTOMER", [key], "Ada").counts == {"uncoupled": 1}
    assert company_id(cronus, row) == THEIRS


def test_s8_ours_stays_where_another_mapping_couples_the_row(cronus: Company) -> None:
    key, row = next(iter(three_coupled(cronus).items()))
    couple(cronus, "VENDOR", cronus.insert_local("vendor", name="Firm"), row)

    assert uncouple(cronus.services, "CUSTOMER", [key], "Ada").counts == {"uncoupled": 1}
    assert company_id(cronus, row) == OURS


def test_s8_a_record_without_coupling_is_passed_by_in_bulk_and_refused_alone(company: Company) -> None:
    rows = coupled_salespersons(company)
    alone = company.insert_local("salesperson", name="Alone")

    done = uncouple(company.services, "SALESPEOPLE", [alone, *rows], "Ada")

    assert done.counts == {"skipped": 1, "uncoupled": 2}
    with pytest.raises(NotFoundError, match=f"{alone} is not coupled by SALESPEOPLE"):
        uncouple(company.services, "SALESPEOPLE", [alone], "Ada")


def test_s8_nothing_couples_the_two_again_by_itself_in_either_direction(company: Company) -> None:
    company.open_for_all("CUSTOMER")
    key = company.couple_by_click("account", ACCOUNT)
    company.work()

    uncouple(company.services, "CUSTOMER", [key], "Ada")
    company.sandbox.update("account", ACCOUNT, {"name": "Their name"})
    company.work()

    assert company.coupling("CUSTOMER", ACCOUNT) is None
    assert company.last_outcome("CUSTOMER")["reason"] == "UNCOUPLED"
    assert "Ada on " in company.last_outcome("CUSTOMER")["sentence"]
    assert create_in_dataverse(company.services, "CUSTOMER", [key], "Ada").counts == {"inserted": 1}
