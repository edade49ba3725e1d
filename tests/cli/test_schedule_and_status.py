"""`receiver schedule` and a secret in a file, as a person meets them in a terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from company import Company
from scenarios.pairs import couple_customer
from sqlalchemy import update

from receiver.cli import receiver
from receiver.config import read_settings
from receiver.errors import SettingError
from receiver.store import gates
from receiver.store.models import coupling


def run(company: Company, *words: str) -> tuple[int, str, str]:
    result = company.app.test_cli_runner().invoke(receiver, list(words))
    return result.exit_code, result.stdout, result.stderr


def test_what_runs_by_itself_is_listed_changed_paused_and_run(small_company: Company) -> None:
    code, said, _ = run(small_company, "schedule", "list")
    assert code == 0
    assert "catch-up" in said
    assert run(small_company, "schedule", "set", "catch-up", "*/2 * * * *")[1] == "catch-up runs at */2 * * * *.\n"
    assert "receiver schedule resume verify" in run(small_company, "schedule", "pause", "verify")[1]
    found = json.loads(run(small_company, "schedule", "list", "--json")[1])
    assert {one["cron"] for one in found if one["what"] == "catch-up"} == {"*/2 * * * *"}
    assert {one["is_paused"] for one in found if one["what"] == "verify"} == {True}
    assert run(small_company, "schedule", "resume", "verify")[0] == 0
    assert "1 due. No worker is running" in run(small_company, "schedule", "run", "catch-up", "account")[1]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("set", "nothing", "* * * * *"), 2, "receiver schedule list"),
        (("set", "catch-up", "often"), 1, "cannot be understood"),
        (("run", "catch-up", "lead"), 2, "does not run for lead"),
    ],
)
def test_what_is_asked_for_wrongly_changes_nothing(
    small_company: Company, words: tuple[str, ...], code: int, said: str
) -> None:
    found, _, error = run(small_company, "schedule", *words)
    assert (found, said in error) == (code, True)


def test_every_mapping_is_run_where_none_is_named(small_company: Company) -> None:
    code, said, error = run(small_company, "mappings", "run", "--here")
    assert (code, error) == (0, "")
    assert "run-all" in said
    assert "5 mapping(s) are done." in said
    assert run(small_company, "mappings", "run", "--preview")[0] == 0


def test_a_secret_may_stand_in_a_file_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("from-a-file\n")
    assert read_settings({"RECEIVER_CLIENT_SECRET_FILE": str(path)}).client_secret == "from-a-file"
    both = {"RECEIVER_CLIENT_SECRET": "said", "RECEIVER_CLIENT_SECRET_FILE": str(path)}
    assert read_settings(both).client_secret == "said"
    with pytest.raises(SettingError, match="RECEIVER_ADMIN_TOKEN_FILE"):
        read_settings({"RECEIVER_ADMIN_TOKEN_FILE": str(tmp_path / "none")})
    assert read_settings({"RECEIVER_SALES_URL_FILE": str(path)}).sales_url == ""


def test_what_stands_failed_is_told_as_far_as_it_can_be_while_dataverse_is_away(company: Company) -> None:
    couple_customer(company)
    with company.services.database.writing() as connection:
        connection.execute(update(coupling).values(is_skipped=True))
        gates.close(connection, "everything", company.now(), "The secret has expired.")
    code, said, error = run(company, "errors", "list")
    assert code == 1
    assert "receiver status counts them" in error
    assert "The secret has expired." in said
    code, said, _ = run(company, "status")
    assert code == 1
    assert "1 pair(s) are Skipped" in said
    assert "All (away): " in said
