"""The doctor looks at our side as well as at the connection, and its exit code is for monitoring."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path

import pytest
from commands.connection.environment import Machine, make_certificate
from company import Company
from sqlalchemy import insert

from receiver.commands.connection.doctor import Setup, examine
from receiver.store.models import worker


def setup(**changed: object) -> Setup:
    usual = {
        "lacking": (),
        "has_administrator": True,
        "public_url": "",
        "certificate": None,
        "settings_file": None,
    }
    return Setup(**{**usual, **changed})  # type: ignore[arg-type]  # named fields


def found(company: Company, **changed: object) -> dict[str, tuple[str, str, str]]:
    """Verdict, what was found, and remedy, by the step's name."""
    steps = examine(company.services, setup(**changed))
    return {step.name: (step.verdict.value, step.said, step.remedy) for step in steps}


def beat(company: Company, seconds_ago: float = 5) -> None:
    now = company.services.clock()
    row = {"id": "w", "started_at": now, "seen_at": now - timedelta(seconds=seconds_ago)}
    with company.services.database.writing() as connection:
        connection.execute(insert(worker).values(row))


def test_every_part_of_our_side_is_looked_at_and_then_the_connection(company: Company) -> None:
    beat(company)
    steps = found(company, public_url=company.url)

    of_postgresql = [] if company.services.database.is_sqlite else ["Connections"]
    assert list(steps) == [
        "Settings", "Client secret", "Database", *of_postgresql, "Worker", "Keys", "Public address", "Address", "TLS", "Clock", "Sign-in",
        "Application user", "Organisation", "Privileges", "Change tracking", "Columns", "Local currency", "Steps", "Button",
    ]  # fmt: skip
    well = {name for name, (verdict, _, _) in steps.items() if verdict in {"ok", "note"}}
    assert well >= set(steps) - {"Steps", "Button"}


@pytest.mark.parametrize("seconds_ago", [None, 61])
def test_a_worker_that_is_not_there_is_a_failure(small_company: Company, seconds_ago: float | None) -> None:
    if seconds_ago:
        beat(small_company, seconds_ago)
    verdict, _, remedy = found(small_company)["Worker"]

    assert (verdict, remedy) == ("failed", "Start one: receiver worker")


def test_keys_say_how_many_and_when_one_was_last_used(small_company: Company) -> None:
    assert found(small_company)["Keys"][:2] == ("ok", "1 set, none was used yet.")

    small_company.sandbox.update("account", "a0000000-0000-4000-8000-000000000001", {"name": "Other"})
    small_company.work()

    assert re.fullmatch(r"1 set, last used at \d{4}-\d\d-\d\d [\d:]+ UTC\.", found(small_company)["Keys"][1])


@pytest.mark.parametrize(
    ("url", "verdict", "said"),
    [
        ("", "warning", "not set"),
        ("http://localhost:1", "warning", "nothing listens"),
        ("{api}", "failed", "answers 404"),
    ],
)
def test_a_public_address_that_is_not_the_receiver_is_told(
    small_company: Company, url: str, verdict: str, said: str
) -> None:
    step = found(small_company, public_url=url.format(api=small_company.sandbox.api_url))["Public address"]

    assert step[0] == verdict
    assert said in step[1]


@pytest.mark.parametrize(("days", "verdict"), [(90, "ok"), (12, "warning"), (-2, "failed")])
def test_a_certificates_end_is_told_in_time(small_company: Company, tmp_path: Path, days: int, verdict: str) -> None:
    path = make_certificate(tmp_path / "ours.pem", days)

    assert found(small_company, certificate=path)["Certificate"][0] == verdict


def test_a_certificate_that_cannot_be_read_is_a_failure(small_company: Company, tmp_path: Path) -> None:
    assert found(small_company, certificate=tmp_path / "none.pem")["Certificate"][0] == "failed"


def test_of_a_secret_it_is_said_that_nobody_here_knows_its_end(small_company: Company) -> None:
    verdict, said, _ = found(small_company)["Client secret"]

    assert verdict == "note"
    assert "cannot be seen" in said


@pytest.mark.parametrize(("mode", "verdict"), [(0o600, "ok"), (0o640, "warning")])
def test_a_settings_file_that_others_may_read_is_told(
    small_company: Company, tmp_path: Path, mode: int, verdict: str
) -> None:
    path = tmp_path / "settings.env"
    path.touch()
    path.chmod(mode)

    assert found(small_company, settings_file=path)["Settings file"][0] == verdict


def test_nothing_of_dataverse_is_looked_at_beyond_what_failed(small_company: Company) -> None:
    small_company.sandbox.faults.no_application_user = -1
    steps = found(small_company)

    assert steps["Application user"][0] == "failed"
    assert list(steps)[-1] == "Application user"


def test_steps_that_are_not_registered_as_wanted_are_a_failure_with_the_command(small_company: Company) -> None:
    steps = found(small_company, public_url="https://receiver.example")

    assert steps["Button"][0] == "failed"
    assert "receiver button install" in steps["Button"][2]


def test_what_fails_or_needs_attention_is_exit_code_1(machine: Machine) -> None:
    code, output, _ = machine.run("doctor")
    assert code == 1
    assert "RECEIVER_DATAVERSE_URL" in output
    assert "Run: receiver connect" in output


def test_a_database_that_is_away_or_old_is_a_step_like_any_other(tmp_path: Path, machine: Machine) -> None:
    machine.environment["RECEIVER_DATABASE_URL"] = f"sqlite:///{tmp_path}/new.sqlite"
    steps = machine.steps("doctor")

    assert steps["Database"]["verdict"] == "failed"
    assert "receiver migrate" in steps["Database"]["said"]
    assert list(steps)[-1] == "Database"
    assert os.environ["RECEIVER_SETTINGS_FILE"]
