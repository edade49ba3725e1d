"""`receiver match`: what it prints, as a table and as JSON, and how it is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from company import Company

from receiver.cli.match import match_command


def run(company: Company, *words: str) -> tuple[int, str, str]:
    result = company.app.test_cli_runner().invoke(match_command, list(words))
    assert company.sandbox.settle()
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def firm(small_company: Company) -> Company:
    small_company.set_field("CUSTOMER", "phone_no", match_on_this_field=True)
    for number in (1, 2):
        values = {"name": f"There {number}", "telephone1": f"+43 {number}", "customertypecode": 3}
        small_company.sandbox.create("account", values)
        small_company.insert_local("customer", name=f"Here {number}", phone_no=f"+43 {number}")
    assert small_company.sandbox.settle()
    return small_company


def test_a_preview_is_confirmed_by_its_token(firm: Company) -> None:
    code, output, _ = run(firm, "CUSTOMER", "--preview", "--synchronize", "--json")
    foretold: dict[str, Any] = json.loads(output)
    assert (code, foretold["is_preview"], foretold["counts"]) == (0, True, {"coupled": 2})
    code, output, _ = run(firm, "customer", "--token", foretold["token"], "--synchronize")
    assert code == 0
    assert "Customer C00010 was coupled to account There 1" in output
    assert output.splitlines()[-1].startswith("coupled 2, modified 2")


def test_one_record_is_matched_by_its_key(firm: Company) -> None:
    code, output, _ = run(firm, "CUSTOMER", "--record", "C00020", "--json")
    assert (code, [line["local_id"] for line in json.loads(output)["lines"]]) == (0, ["C00020"])


def test_what_has_no_match_is_said_and_ends_with_1(firm: Company) -> None:
    firm.insert_local("customer", name="Alone", phone_no="+43 9")
    code, output, _ = run(firm, "--all")
    assert code == 1
    assert "No row of account inside the integration table filter matches Customer C00030." in output
    assert "No field mapping of VENDOR is marked Match on this Field." in output
    assert run(firm, "CUSTOMER", "--create-new")[0] == 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, "Name at least one mapping, or --all"),
        (("CUSTOMER", "--all"), 2, "Name at least one mapping, or --all"),
        (("CUSTOMER", "VENDOR", "--record", "C00010"), 2, "--record needs exactly one mapping"),
        (("CUSTOMER", "--synchronize", "perhaps"), 2, "There is no mapping perhaps"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(firm: Company, words: tuple[str, ...], code: int, said: str) -> None:
    from receiver.cli import receiver

    result = firm.app.test_cli_runner().invoke(receiver, ["match", *words])
    assert (result.exit_code, said in result.stderr) == (code, True)
