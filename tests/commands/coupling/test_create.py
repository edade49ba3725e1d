"""Create in Dataverse, Create from Dataverse: what is coupled is left alone, a stale coupling is no hindrance."""

from __future__ import annotations

import pytest
from company import Company
from scenarios.pairs import ACCOUNT, COMPETITOR_ACCOUNT, SECOND_ACCOUNT, couple_customer

from receiver.commands.coupling.create import create_from_dataverse, create_in_dataverse
from receiver.commands.result import CommandResult
from receiver.errors import RefusedError, StalePreviewError

WHO = "Anna"


def decisions(result: CommandResult) -> list[str]:
    return [line.decision for line in result.lines]


def test_records_are_created_in_dataverse_under_only_coupled_and_coupled_ones_are_skipped(company: Company) -> None:
    coupled, new = couple_customer(company), company.insert_local("customer", name="Alone")

    result = create_in_dataverse(company.services, "CUSTOMER", [coupled, new, new], WHO)

    assert decisions(result) == ["Skip", "Insert"]
    assert "coupled already" in result.lines[0].sentence
    assert [row["name"] for row in company.sandbox.rows("account")].count("Alone") == 1
    assert decisions(create_in_dataverse(company.services, "CUSTOMER", [new], WHO)) == ["Skip"]


def test_rows_are_created_here_and_coupled_ones_are_skipped(company: Company) -> None:
    couple_customer(company)

    result = create_from_dataverse(company.services, "CUSTOMER", [ACCOUNT, SECOND_ACCOUNT, COMPETITOR_ACCOUNT], WHO)

    assert decisions(result) == ["Skip", "Insert", "Skip"]
    assert result.lines[2].reason == "OUTSIDE_FILTER"
    assert company.coupling("CUSTOMER", SECOND_ACCOUNT) is not None


def test_a_coupling_whose_partner_was_deleted_is_removed_and_the_record_used(company: Company) -> None:
    first, second = couple_customer(company), couple_customer(company, SECOND_ACCOUNT)
    company.sandbox.delete("account", ACCOUNT)
    company.delete_local("customer", second)

    assert decisions(create_in_dataverse(company.services, "CUSTOMER", [first], WHO, is_preview=True)) == ["Insert"]
    assert company.coupling("CUSTOMER", ACCOUNT) is not None
    assert decisions(create_in_dataverse(company.services, "CUSTOMER", [first], WHO)) == ["Insert"]
    assert company.coupling("CUSTOMER", ACCOUNT) is None
    assert decisions(create_from_dataverse(company.services, "CUSTOMER", [SECOND_ACCOUNT], WHO)) == ["Insert"]
    assert company.coupled_record("CUSTOMER", SECOND_ACCOUNT)["no"] != second


def test_a_preview_creates_nothing_and_its_token_holds_the_command_to_it(company: Company) -> None:
    key = company.insert_local("customer", name="Alone")
    preview = create_in_dataverse(company.services, "CUSTOMER", [key], WHO, is_preview=True)
    assert (decisions(preview), preview.is_preview) == (["Insert"], True)
    assert "Alone" not in [row["name"] for row in company.sandbox.rows("account")]

    company.change_local("customer", key, name="Alone no more")
    with pytest.raises(StalePreviewError):
        create_in_dataverse(company.services, "CUSTOMER", [key], WHO, token=preview.token)

    assert "Alone no more" not in [row["name"] for row in company.sandbox.rows("account")]


def test_a_mapping_that_is_off_refuses(company: Company) -> None:
    company.set("CUSTOMER", is_enabled=False)

    with pytest.raises(RefusedError, match="CUSTOMER is switched off"):
        create_in_dataverse(company.services, "CUSTOMER", ["C1"], WHO)
