"""Too many conclusions at once wait for a person; a few, and whatever else, go on."""

from __future__ import annotations

from typing import Any

from company import Company
from scenarios.pairs import couple

from receiver.cli import receiver
from receiver.core.mapping import DeletionConflict as D
from receiver.core.mapping import Direction
from receiver.store import conclusions


def run(company: Company, words: str, answer: str = "") -> Any:
    return company.app.test_cli_runner().invoke(receiver, words.split(), input=answer)


def coupled_rows(company: Company, count: int) -> list[str]:
    """So many customers in step with their accounts."""
    company.set("CUSTOMER", resolve_deletion_conflicts=D.DELETE_COUPLING, direction=Direction.BIDIRECTIONAL)
    ids = []
    for number in range(count):
        key = company.insert_local("customer", name=f"Firma {number}", phone_no=f"+49 {number}")
        row_id = company.sandbox.create(
            "account", {"name": f"Firma {number}", "telephone1": f"+49 {number}", "customertypecode": 3}
        )
        couple(company, "CUSTOMER", key, row_id)
        ids.append(row_id)
    assert run(company, "mappings run CUSTOMER --here").exit_code == 0
    company.work()
    return ids


def coupled(company: Company, ids: list[str]) -> int:
    return sum(company.coupling("CUSTOMER", id_) is not None for id_ in ids)


def kept(company: Company) -> list[str]:
    with company.services.database.reading() as connection:
        return sorted(one.dataverse_id for one in conclusions.kept(connection, "CUSTOMER"))


def test_a_run_keeps_many_deletions_to_its_end_and_everything_else_goes_in(company: Company) -> None:
    ids = coupled_rows(company, 8)
    company.sandbox.faults.drop = 100
    for id_ in ids[:5]:
        company.sandbox.delete("account", id_)
    company.sandbox.update("account", ids[7], {"name": "Firma sieben"})
    done = run(company, "mappings run CUSTOMER --here")
    assert coupled(company, ids) == 8
    assert company.coupled_record("CUSTOMER", ids[7])["name"] == "Firma sieben"
    assert kept(company) == sorted(ids[:5])
    listed = run(company, "errors list").output
    assert "5 would be uncoupled" in listed
    assert "receiver mappings confirm CUSTOMER" in listed
    assert done.exit_code in {0, 1}


def test_a_run_carries_few_deletions_out_at_its_end(company: Company) -> None:
    ids = coupled_rows(company, 8)
    company.sandbox.faults.drop = 100
    for id_ in ids[:4]:
        company.sandbox.delete("account", id_)
    run(company, "mappings run CUSTOMER --here")
    assert coupled(company, ids) == 4
    assert kept(company) == []


def test_notifications_conclude_up_to_the_limit_in_an_hour_and_the_rest_waits_under_one_cause(company: Company) -> None:
    ids = coupled_rows(company, 8)
    for id_ in ids:
        company.sandbox.delete("account", id_)
    company.work()
    left = coupled(company, ids)
    assert left == 4
    assert len(kept(company)) == 4
    company.pass_time(4000)
    company.work()
    assert coupled(company, ids) == left, "what was kept back waits for a person, not for time"


def test_confirm_shows_and_releases_what_was_kept_back(company: Company) -> None:
    ids = coupled_rows(company, 6)
    for id_ in ids:
        company.sandbox.delete("account", id_)
    company.work()
    held = kept(company)
    assert held
    assert run(company, "mappings confirm CUSTOMER --preview").exit_code == 0
    assert kept(company) == held
    assert run(company, "mappings confirm CUSTOMER", "n\n").exit_code != 0
    assert kept(company) == held
    assert run(company, "mappings confirm CUSTOMER --yes").exit_code == 0
    assert (kept(company), coupled(company, ids)) == ([], 0)


def test_a_confirmation_decides_each_record_as_it_is_now(small_company: Company) -> None:
    c = small_company
    ids = coupled_rows(c, 6)
    backup = c.sandbox.backup()
    for id_ in ids:
        c.sandbox.delete("account", id_)
    c.work()
    held = kept(c)
    c.sandbox.restore_backup(backup)
    assert run(c, "mappings confirm CUSTOMER --yes").exit_code == 0
    assert kept(c) == []
    assert all(c.coupling("CUSTOMER", id_) is not None for id_ in held)


def test_a_column_blanked_by_the_hundred_is_kept_back(small_company: Company) -> None:
    c = small_company
    ids = coupled_rows(c, 8)
    for id_ in ids:
        c.sandbox.update("account", id_, {"telephone1": None})
    c.work()
    filled = [c.coupled_record("CUSTOMER", id_)["phone_no"] for id_ in ids]
    assert sum(bool(one) for one in filled) == 4
    assert len(kept(c)) == 4


def test_what_a_person_names_is_not_guarded(small_company: Company) -> None:
    c = small_company
    ids = coupled_rows(c, 6)
    c.sandbox.faults.drop = 100
    keys = [c.coupled_record("CUSTOMER", id_)["no"] for id_ in ids]
    for id_ in ids:
        c.sandbox.delete("account", id_)
    run(c, f"synchronize CUSTOMER {' '.join(keys)} --direction from")
    assert kept(c) == []
    assert coupled(c, ids) == 0
