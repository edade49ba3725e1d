"""A few kills and a few full disks on each database; `make crash` does more of them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import MEMORY
from crash.crash import Result, crash, table
from crash.small_disk import NoDiskError, small_disk

DATABASES = pytest.mark.parametrize("database", ["sqlite", "postgresql"])


@pytest.fixture(autouse=True)
def _authorities_are_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, "")


@pytest.fixture
def disk() -> Iterator[Path]:
    try:
        with small_disk() as mounted:
            yield mounted
    except NoDiskError as error:
        pytest.skip(str(error))


def expect_good(result: Result) -> None:
    assert result.acknowledged > 0
    assert result.applied == result.acknowledged
    assert result.is_good, f"{table([result])}\n{result.wrong}\n" + "\n".join(result.examples)


@DATABASES
def test_whatever_is_killed_under_load_nothing_acknowledged_is_lost_or_applied_twice(database: str) -> None:
    result = crash(database, kills=6, seed=7, memory=MEMORY)

    assert sum(result.kills.values()) == 6
    expect_good(result)


@DATABASES
def test_a_full_disk_is_503_nothing_acknowledged_is_lost_and_it_goes_on_once_there_is_room(
    database: str, disk: Path
) -> None:
    result = crash(database, kills=2, seed=7, disk=disk)

    assert result.kills == {"disk": 2}
    expect_good(result)


@pytest.mark.parametrize("script", ["crash/crash.py", "fuzz/fuzz.py"])
def test_the_long_forms_can_be_started(script: str) -> None:
    path = Path(__file__).parents[1] / script
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", str(path), "--help"], capture_output=True, text=True, check=False
    )

    assert (ended.returncode, ended.stderr) == (0, "")
    assert "--database" in ended.stdout
