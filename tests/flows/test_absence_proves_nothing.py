"""A row is gone only when a read by its id says so: no list, no proxy, no missing right removes a coupling."""

from __future__ import annotations

from typing import Any

import pytest
from company import Company
from scenarios.pairs import ACCOUNT, SECOND_ACCOUNT, couple_customer

from receiver.cli import receiver
from receiver.core.mapping import DeletionConflict as D
from receiver.sandbox import Answer

ELSEWHERE = [
    Answer(404, "<html><body>404 Not Found</body></html>"),
    Answer(404),
    Answer.error(404, "0x80060888", "Resource not found for the segment 'accounts'."),
    Answer.error(404, "0x8006088a", "Resource not found for the segment 'accounts'."),
    Answer.error(404, "0x80040217", f"systemuser With Id = {SECOND_ACCOUNT} Does Not Exist"),
    Answer.error(404, "0x80060891", "A record with the specified key values does not exist in account entity"),
    Answer.error(403, "0x80048306", "Principal user is missing ReadAccess."),
]


def run(company: Company, words: str) -> Any:
    return company.app.test_cli_runner().invoke(receiver, words.split())


def once(answer: Answer, **where: Any) -> Answer:
    return Answer(answer.status, answer.body, dict(answer.headers), **where)


@pytest.mark.parametrize("answer", ELSEWHERE, ids=range(len(ELSEWHERE)))
@pytest.mark.parametrize("strategy", [D.DELETE_COUPLING, D.RESTORE, D.NONE])
def test_one_such_answer_to_a_read_concludes_nothing(small_company: Company, strategy: D, answer: Answer) -> None:
    c = small_company
    couple_customer(c)
    c.set("CUSTOMER", resolve_deletion_conflicts=strategy)
    before = len(c.sandbox.rows("account"))
    c.sandbox.faults.strip = 2
    c.sandbox.update("account", ACCOUNT, {"name": "Nordwind AG"})
    assert c.sandbox.settle()
    c.sandbox.faults.answers.append(once(answer, method="GET", path=f"accounts({ACCOUNT})"))
    c.work()
    for _ in range(3):
        c.pass_time(1000)
        c.work()
    c.sandbox.update("account", ACCOUNT, {"fax": "1"})
    c.work()
    assert len(c.sandbox.rows("account")) == before
    assert c.coupling("CUSTOMER", ACCOUNT) is not None
    assert c.coupled_record("CUSTOMER", ACCOUNT)["name"] == "Nordwind AG"


@pytest.mark.parametrize("strategy", [D.DELETE_COUPLING, D.RESTORE, D.NONE])
@pytest.mark.parametrize(
    "words",
    [
        "mappings run CUSTOMER --here",
        "mappings run CUSTOMER --here --full",
        "synchronize CUSTOMER C00010 --direction from",
        "synchronize CUSTOMER C00010 --direction to",
        "verify CUSTOMER --repair --here",
        "errors find-deleted CUSTOMER",
    ],
)
def test_rows_out_of_sight_stay_coupled_whatever_is_asked(small_company: Company, words: str, strategy: D) -> None:
    c = small_company
    couple_customer(c)
    couple_customer(c, SECOND_ACCOUNT)
    c.set("CUSTOMER", resolve_deletion_conflicts=strategy)
    before = {row["accountid"] for row in c.sandbox.rows("account")}
    c.sandbox.hide("account", ACCOUNT)
    run(c, words)
    c.work()
    assert c.coupling("CUSTOMER", ACCOUNT) is not None
    assert len(c.locals("customer")) == 2
    assert {row["accountid"] for row in c.sandbox.rows("account")} == before


def test_a_row_out_of_sight_is_told_as_such(small_company: Company) -> None:
    c = small_company
    couple_customer(c)
    c.sandbox.hide("account", ACCOUNT)
    c.sandbox.faults.strip = 1
    c.sandbox.update("account", ACCOUNT, {"name": "Nordwind AG"})
    c.work()
    outcome = c.last_outcome("CUSTOMER")
    assert (outcome["decision"], outcome["reason"]) == ("Fail", "OUT_OF_SIGHT")
    coupling = c.coupling("CUSTOMER", ACCOUNT)
    assert coupling is not None
    assert "may not see" in outcome["sentence"]
    verified = run(c, "verify CUSTOMER --list --here").output
    assert "unseen 1" in verified
    assert "0x80048306" in verified, "and what Dataverse says of it"
    c.sandbox.show("account", ACCOUNT)
    c.sandbox.update("account", ACCOUNT, {"name": "Nordwind SE"})
    c.work()
    assert c.coupled_record("CUSTOMER", ACCOUNT)["name"] == "Nordwind SE"


def test_what_a_run_misses_in_a_list_is_read_by_its_id(small_company: Company) -> None:
    c = small_company
    couple_customer(c)
    couple_customer(c, SECOND_ACCOUNT)
    c.set("CUSTOMER", resolve_deletion_conflicts=D.DELETE_COUPLING)
    c.sandbox.faults.drop = 1
    c.sandbox.delete("account", SECOND_ACCOUNT)
    c.sandbox.hide("account", ACCOUNT)
    run(c, "mappings run CUSTOMER --here --full")
    assert c.coupling("CUSTOMER", ACCOUNT) is not None
    assert c.coupling("CUSTOMER", SECOND_ACCOUNT) is None
