"""Group J: Delete Coupling. Where the row carries a company id, the environment has Business Central's solution."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from company import Company
from scenarios.pairs import ACCOUNT, CONTACT, SALES_MANAGER, SALES_PERSON, couple

from receiver.commands.create import create_in_dataverse
from receiver.commands.delete_coupling import uncouple, uncouple_all
from receiver.errors import NotFoundError
from receiver.sandbox import Sandbox, SandboxSettings

OURS = "bb000000-0000-4000-8000-000000000001"
THEIRS = "bb000000-0000-4000-8000-000000000002"


@pytest.fixture
def cronus(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Company]:
    """A company whose environment keeps company ids."""
    settings = SandboxSettings(page_port=0, api_port=0, retry_delay_seconds=0.05, with_company_id=True)
    with Sandbox(settings) as sandbox:
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            monkeypatch.setenv(name, str(sandbox.ca_file))
        for id_, name in ((OURS, "CRONUS"), (THEIRS, "Fabrikam")):
            sandbox.put_row("bcbi_company", id_, {"name": name})
        with closing(Company(database_url, sandbox, RECEIVER_COMPANY_ID=OURS)) as made:
            yield made


def three_coupled(company: Company, company_id: str = OURS) -> dict[str, str]:
    """Customers coupled to accounts that carry the company id, `{local key: row}`."""
    made: dict[str, str] = {}
    for number in range(3):
        values = {"name": f"Firm {number}", "customertypecode": 3, "bcbi_companyid": company_id}
        row = str(company.sandbox.create("account", values))
        key = company.insert_local("customer", name=f"Firm {number}")
        couple(company, "CUSTOMER", key, row)
        made[key] = row
    return made


def company_id(company: Company, row: str) -> str | None:
    found = company.sandbox.row("account", row)
    assert found is not None
    return found["bcbi_companyid"]


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
    monkeypatch.setattr("receiver.commands.delete_coupling.TOGETHER", 1)
    rows = three_coupled(cronus)
    first = next(iter(rows))
    uncouple(cronus.services, "CUSTOMER", [first], "Ada")

    assert uncouple_all(cronus.services, "CUSTOMER", "Ada").counts == {"uncoupled": 2, "modified": 2}


def test_j2_salespersons_carry_no_company_id(cronus: Company) -> None:
    coupled_salespersons(cronus)

    assert uncouple_all(cronus.services, "SALESPEOPLE", "Ada").counts == {"uncoupled": 2}
    assert cronus.last_job("SALESPEOPLE") == {"uncoupled": 2}


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


def test_j22_j23_selected_salespersons_are_uncoupled_and_the_others_stay(company: Company) -> None:
    rows = coupled_salespersons(company)
    first, second = rows

    assert uncouple(company.services, "SALESPEOPLE", [first], "Ada").counts == {"uncoupled": 1}
    assert company.coupling("SALESPEOPLE", rows[second]) is not None


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
