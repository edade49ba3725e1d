"""Verify: what is in step is said to be so, what is not is found and named, and nothing is changed by looking."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from company import Company
from scenarios.pairs import ACCOUNT, DOLLAR, GET, RESTORE, SECOND_ACCOUNT, couple_customer
from sqlalchemy import update

from receiver.cli import receiver
from receiver.commands.synchronizing import verify as commands
from receiver.commands.synchronizing.repair import repair
from receiver.commands.synchronizing.verify import Finding, Verification, verify
from receiver.core.mapping import Direction
from receiver.errors import NotFoundError, RefusedError
from receiver.runs import schedule
from receiver.sandbox import Answer
from receiver.sandbox.faults import ALWAYS
from receiver.store import conclusions
from receiver.store.conclusions import Conclusion
from receiver.store.models import coupling
from receiver.store.verifications import Seen

THIRD_ACCOUNT = "a0000000-0000-4000-8000-000000000003"


def run(company: Company, *words: str) -> tuple[int, str]:
    result = company.app.test_cli_runner().invoke(receiver, list(words))
    return result.exit_code, result.output


def found(company: Company, verified: Verification, *kinds: str) -> list[Finding]:
    return [
        one
        for one in commands.findings(company.services, verified.id)
        if one.kind in (kinds or ("missing", "extra", "different"))
    ]


def repaired(company: Company, verified: Verification) -> list[str]:
    return sorted(line.decision for line in repair(company.services, verified, "Anna"))


def test_what_was_just_synchronized_is_in_step_and_the_proof_is_kept(company: Company) -> None:
    for row_id in (ACCOUNT, SECOND_ACCOUNT):
        couple_customer(company, row_id)

    verified = verify(company.services, "customer")

    assert verified.is_in_step, found(company, verified)
    assert verified.counts["compared"] == 2
    assert len(verified.digest) == 64
    assert commands.last(company.services, "CUSTOMER") == verified
    assert verify(company.services, "CUSTOMER").digest == verified.digest


def test_the_digest_is_another_as_soon_as_a_value_is(company: Company) -> None:
    key = couple_customer(company)
    before = verify(company.services, "CUSTOMER").digest
    company.change_local("customer", key, city="Wien")

    assert verify(company.services, "CUSTOMER").digest != before


def test_each_kind_of_finding_is_found_and_nothing_is_changed(company: Company) -> None:
    keys = [couple_customer(company, row_id) for row_id in (ACCOUNT, SECOND_ACCOUNT, THIRD_ACCOUNT)]
    alone = company.insert_local("customer", name="Alone")
    company.insert_local("customer", name="Outside", blocked="All")
    company.change_local("customer", keys[0], fax_no="1111")
    company.sandbox.delete("account", SECOND_ACCOUNT)
    company.delete_local("customer", keys[2])

    verified = verify(company.services, "CUSTOMER")

    fax = company.sandbox.row("account", ACCOUNT)["fax"]
    assert {one.kind: one for one in found(company, verified)} == {
        "different": Finding("different", keys[0], ACCOUNT, {"fax_no": ["1111", fax]}, why="missed"),
        "missing": Finding("missing", keys[1], SECOND_ACCOUNT, why="waiting"),  # its notification has come
        "extra": Finding("extra", keys[2], THIRD_ACCOUNT, why="missed"),
    }
    uncoupled = found(company, verified, "uncoupled")
    assert [one.local_id for one in uncoupled if one.local_id] == [alone]
    assert {one.dataverse_id for one in uncoupled} & {ACCOUNT, THIRD_ACCOUNT} == set()
    assert verified.counts["compared"] == 3
    assert not verified.is_in_step
    assert company.sandbox.row("account", ACCOUNT)["fax"] == fax
    assert verify(company.services, "CUSTOMER").counts == verified.counts


def _told_and_not_worked_on(company: Company, _key: str) -> None:
    company.sandbox.update("account", ACCOUNT, {"name": "Told"})
    assert company.sandbox.settle()


def _untold(company: Company, _key: str) -> None:
    company.sandbox.update("account", ACCOUNT, {"name": "Untold"}, deliver=False)


def _failed(company: Company, key: str) -> None:
    company.sandbox.faults.answers.append(Answer.error(400, "0x80040203", "No.", method="PATCH", times=ALWAYS))
    company.change_local("customer", key, name="Not wanted there")
    company.catch_up([schedule.LOCAL_EDITS])


def _skipped(company: Company, key: str) -> None:
    _failed(company, key)
    with company.services.database.writing() as connection:
        connection.execute(update(coupling).values(is_skipped=True))


def _guarded(company: Company, key: str) -> None:
    _untold(company, key)
    with company.services.database.writing() as connection:
        one = Conclusion("CUSTOMER", "blank name", ACCOUNT, key, Direction.FROM, is_kept=True)
        conclusions.note(connection, [one], company.now())


def _one_way(company: Company, key: str) -> None:
    company.set("CUSTOMER", direction=Direction.TO)
    _untold(company, key)


@pytest.mark.parametrize(
    ("befalls", "why"),
    [
        (_untold, "missed"),
        (_told_and_not_worked_on, "waiting"),
        (_failed, "failed"),
        (_skipped, "skipped"),
        (_guarded, "guarded"),
        (_one_way, "direction"),
    ],
)
def test_a_word_says_why_a_pair_is_not_in_step(
    company: Company, befalls: Callable[[Company, str], None], why: str
) -> None:
    befalls(company, couple_customer(company))
    assert [one.why for one in found(company, verify(company.services, "CUSTOMER"))] == [why]


def test_a_pair_whose_row_left_the_filter_is_compared_too(company: Company) -> None:
    key = couple_customer(company)
    here = company.local("customer", key)["fax_no"]
    company.sandbox.update("account", ACCOUNT, {"customertypecode": 8, "fax": "7"})

    verified = verify(company.services, "CUSTOMER")

    assert [one.fields for one in found(company, verified)] == [{"fax_no": [here, "7"]}]


def test_a_one_way_field_counts_and_one_that_was_never_said_does_not(company: Company) -> None:
    key = couple_customer(company)
    company.sandbox.update("account", ACCOUNT, {"creditlimit": 500})
    assert verify(company.services, "CUSTOMER").is_in_step

    company.change_local("customer", key, credit_limit_lcy=700)

    assert [list(one.fields) for one in found(company, verify(company.services, "CUSTOMER"))] == [["credit_limit_lcy"]]


def test_a_value_that_cannot_be_said_here_is_a_difference(company: Company) -> None:
    couple_customer(company)
    company.sandbox.update("account", ACCOUNT, {"transactioncurrencyid": DOLLAR})

    assert [list(one.fields) for one in found(company, verify(company.services, "CUSTOMER"))] == [["currency_code"]]


def test_uncoupled_records_count_where_the_mapping_would_create(company: Company) -> None:
    company.insert_local("customer", name="Alone")
    assert verify(company.services, "CUSTOMER").is_in_step

    company.open_for_all("CUSTOMER")

    assert not verify(company.services, "CUSTOMER").is_in_step


def test_repair_brings_both_sides_in_step(company: Company) -> None:
    keys = [couple_customer(company, row_id) for row_id in (ACCOUNT, SECOND_ACCOUNT, THIRD_ACCOUNT)]
    company.set("CUSTOMER", resolve_deletion_conflicts=RESTORE, synch_only_coupled_records=False)
    company.insert_currency("GBP")
    company.insert_currency("USD")
    company.insert_local("customer", name="Alone")
    company.change_local("customer", keys[0], fax_no="1111")
    company.sandbox.delete("account", SECOND_ACCOUNT)
    company.delete_local("customer", keys[2])

    decisions = repaired(company, verify(company.services, "CUSTOMER"))

    assert decisions.count("Modify") == 1
    assert set(decisions) == {"Insert", "Modify"}
    verified = verify(company.services, "CUSTOMER")
    assert verified.is_in_step, found(company, verified, *commands.KINDS)
    assert company.sandbox.row("account", ACCOUNT)["fax"] == "1111"


def test_repair_overwrites_a_difference_that_nobody_made_only_when_told_who_wins(company: Company) -> None:
    key = couple_customer(company)
    company.sandbox.update("account", ACCOUNT, {"fax": "7"})
    row = company.sandbox.row("account", ACCOUNT)
    with company.services.database.writing() as connection:
        base = {**company.coupling("CUSTOMER", ACCOUNT).dataverse_base, "fax": row["fax"]}
        plain = {name: value for name, value in base.items() if value is None or isinstance(value, str)}
        found_base = connection.execute(coupling.select()).mappings().one()["dataverse_base"]
        changed = {**found_base, **plain}
        connection.execute(update(coupling).where(coupling.c.local_id == key).values(dataverse_base=changed))

    (line,) = repair(company.services, verify(company.services, "CUSTOMER"), "Anna")
    assert (line.decision, "Resolve Update Conflicts" in line.remedy) == ("Skip", True)

    company.set("CUSTOMER", resolve_update_conflicts=GET)
    assert repaired(company, verify(company.services, "CUSTOMER")) == ["Modify"]
    assert company.local("customer", key)["fax_no"] == "7"


def test_findings_of_old_verifications_are_forgotten(company: Company) -> None:
    couple_customer(company)
    company.insert_local("customer", name="Alone")
    first = verify(company.services, "CUSTOMER")
    for _ in range(commands.KEPT):
        verify(company.services, "CUSTOMER")

    assert found(company, first, "uncoupled") == []


def test_what_cannot_be_verified_says_so(small_company: Company) -> None:
    with pytest.raises(NotFoundError):
        verify(small_company.services, "NOSUCH")
    assert commands.last(small_company.services, "CUSTOMER") is None
    small_company.set("CUSTOMER", is_enabled=False)
    with pytest.raises(RefusedError, match="switched off"):
        verify(small_company.services, "CUSTOMER")


def test_the_terminal_says_whether_it_is_in_step(small_company: Company) -> None:
    key = couple_customer(small_company)
    code, said = run(small_company, "verify", "CUSTOMER")
    assert (code, "CUSTOMER: in step as of" in said) == (0, True)

    small_company.change_local("customer", key, fax_no="1111")
    code, said = run(small_company, "verify", "CUSTOMER", "--list")
    assert (code, "different" in said, "fax_no: 1111 here" in said) == (1, True, True)
    (plain,) = json.loads(run(small_company, "verify", "CUSTOMER", "--json", "--list")[1])
    assert plain["findings"][0]["kind"] == "different" or plain["counts"]["uncoupled"]
    assert "CUSTOMER repaired: modified 1" in run(small_company, "verify", "CUSTOMER", "--repair")[1]
    assert run(small_company, "verify", "CUSTOMER")[0] == 0
    assert run(small_company, "verify")[0] == 2
    assert run(small_company, "verify", "CUSTOMER", "--all")[0] == 2
    assert run(small_company, "verify", "--all")[1].count("in step") >= 5


def test_a_bit_is_kept_for_each_number_seen() -> None:
    seen = Seen()
    seen.add([0, 7, 8, 100_000])

    assert [number for number in (0, 1, 7, 8, 9, 99_999, 100_000, 10**9) if number in seen] == [0, 7, 8, 100_000]
