"""A few kills on each database; `make crash` kills fifty times each, on the disk."""

from __future__ import annotations

import pytest
from conftest import MEMORY
from crash.crash import crash, table


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_whatever_is_killed_under_load_nothing_acknowledged_is_lost_or_applied_twice(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, "")  # put back afterwards
    result = crash(database, kills=6, seed=7, memory=MEMORY)

    assert sum(result.kills.values()) == 6
    assert result.acknowledged > 0
    assert result.applied == result.acknowledged
    assert result.is_good, f"{table([result])}\n{result.wrong}\n" + "\n".join(result.examples)
