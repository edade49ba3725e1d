"""What a person can do about Skipped couplings, beyond Business Central's own scenarios; in the terminal too."""

from __future__ import annotations

import json

import pytest
from company import Company
from scenarios.pairs import ACCOUNT, FROM, NOBODY, SECOND_ACCOUNT, couple_customer, is_skipped
from scenarios.test_e_errors_page import WHO, lines, skip, skipped_customers
from sqlalchemy import insert

from receiver.cli import receiver
from receiver.commands.coupling.pairs import mapping_named
from receiver.commands.following import coupled_errors
from receiver.errors import NotFoundError
from receiver.tables import BY_NAME


def run(company: Company, *words: str) -> tuple[int, str]:
    result = company.app.test_cli_runner().invoke(receiver, list(words))
    return result.exit_code, result.output


def test_a_pair_that_cannot_be_restored_keeps_its_coupling(company: Company) -> None:
    (key,) = skipped_customers(company, 1)
    company.sandbox.delete("account", ACCOUNT)
    company.set("CUSTOMER", direction=FROM)

    (line,) = coupled_errors.restore(company.services, "CUSTOMER", [key], WHO).lines

    assert (line.decision, line.reason) == ("Skip", "DIRECTION")
    assert lines(company) == [key]


@pytest.mark.parametrize("command", [coupled_errors.restore, coupled_errors.delete])
def test_a_preview_says_what_would_be_done_and_does_nothing(company: Company, command) -> None:
    (key,) = skipped_customers(company, 1)
    company.delete_local("customer", key)

    result = command(company.services, "CUSTOMER", [key], WHO, is_preview=True)

    assert result.is_preview
    assert result.lines[0].decision in {"Insert", "Delete"}
    assert company.sandbox.row("account", ACCOUNT) is not None
    assert lines(company) == [key]


def test_a_row_that_changed_since_is_not_deleted(company: Company) -> None:
    (key,) = skipped_customers(company, 1)
    company.delete_local("customer", key)
    (pair,) = coupled_errors.selected(company.services, mapping_named(company.services, "CUSTOMER"), [key])
    company.sandbox.update("account", ACCOUNT, {"fax": "7"})

    line = coupled_errors._delete(company.services, pair, WHO)

    assert line.decision == "Error"
    assert company.sandbox.row("account", ACCOUNT) is not None
    assert lines(company) == [key]


def test_where_the_record_is_back_its_row_is_not_deleted(company: Company) -> None:
    (key,) = skipped_customers(company, 1)
    company.delete_local("customer", key)
    (pair,) = coupled_errors.selected(company.services, mapping_named(company.services, "CUSTOMER"), [key])
    with company.services.database.writing() as connection:
        connection.execute(insert(BY_NAME["customer"].table).values(no=key, name="Back again"))

    line = coupled_errors._delete(company.services, pair, WHO)

    assert "come back" in line.sentence
    assert company.sandbox.row("account", ACCOUNT) is not None
    assert company.coupling("CUSTOMER", ACCOUNT) is not None


def test_what_is_not_coupled_is_named(company: Company) -> None:
    with pytest.raises(NotFoundError, match="Customer C99999 is not coupled by CUSTOMER"):
        coupled_errors.retry(company.services, "CUSTOMER", ["C99999"], WHO)
    with pytest.raises(NotFoundError, match="There is no mapping NOSUCH"):
        coupled_errors.listed(company.services, "NOSUCH")


def test_find_for_deleted_lists_pairs_of_which_one_is_gone_and_marks_them_if_asked(company: Company) -> None:
    first, second = couple_customer(company), couple_customer(company, SECOND_ACCOUNT)
    company.sandbox.delete("account", SECOND_ACCOUNT)

    (found,) = coupled_errors.find_deleted(company.services)
    assert (found.local_id, found.record_exists, found.row_exists) == (second, True, False)
    assert found.message == f"account {SECOND_ACCOUNT} was deleted."
    assert lines(company) == []

    coupled_errors.find_deleted(company.services, "CUSTOMER", marks=True)
    assert lines(company) == [second]
    assert not is_skipped(company, ACCOUNT)
    assert [line.local_id for line in coupled_errors.find_deleted(company.services)] == [second]
    assert first


def test_the_list_ends_where_it_was_asked_to(company: Company) -> None:
    skipped_customers(company)

    assert len(coupled_errors.listed(company.services, limit=2)) == 2


def test_the_terminal_lists_retries_restores_and_deletes(small_company: Company) -> None:
    keys = [couple_customer(small_company, row) for row in (ACCOUNT, SECOND_ACCOUNT)]
    assert run(small_company, "errors", "list") == (0, "Nothing stands failed.\n")
    skip(small_company, *keys)

    code, said = run(small_company, "errors", "list")
    assert code == 0
    assert all(key in said for key in keys)
    small_company.sandbox.delete("account", SECOND_ACCOUNT)
    found = json.loads(run(small_company, "errors", "list", "--json")[1])
    assert [line["row_exists"] for line in found] == [True, False]

    assert "unchanged 1" in run(small_company, "errors", "retry", "CUSTOMER", keys[0])[1]
    assert run(small_company, "errors", "retry", "--all")[0] == 1, "nobody answered"
    assert run(small_company, "errors", "retry", "--all", "--yes")[1].endswith("skipped 1\n")
    assert "Preview, nothing was changed" in run(small_company, "errors", "delete", "customer", keys[1], "--preview")[1]
    restored = json.loads(run(small_company, "errors", "restore", "CUSTOMER", keys[1], "--json")[1])
    assert restored["counts"] == {"inserted": 1}
    assert run(small_company, "errors", "find-deleted")[1] == "Both records of every coupling exist.\n"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("errors", "retry"), 2, "Name a mapping and the keys"),
        (("errors", "retry", "CUSTOMER", "C1", "--all"), 2, "Name a mapping and the keys"),
        (("errors", "delete", "CUSTOMER", "C1"), 2, "Customer C1 is not coupled"),
        (("errors", "list", "--mapping", "NOSUCH"), 2, "There is no mapping NOSUCH"),
        (("create", "from", "CUSTOMER", "C1"), 2, "is no guid"),
        (("create", "to", "CUSTOMER", "C1"), 2, "There is no Customer C1"),
        (("create", "to", "SALESPEOPLE", "X"), 1, "goes FromIntegrationTable alone"),
        (("create", "from", "CUSTOMER", NOBODY), 2, "There is no account"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    small_company: Company, words: tuple[str, ...], code: int, said: str
) -> None:
    found = run(small_company, *words)

    assert found[0] == code
    assert said in found[1]
