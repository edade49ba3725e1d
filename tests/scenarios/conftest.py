"""Companies whose environment has more than the plain one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from company import Company
from scenarios.company_ids import OURS, environment


@pytest.fixture
def cronus(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Company]:
    """A company whose environment keeps company ids."""
    with environment(database_url, monkeypatch, RECEIVER_COMPANY_ID=OURS) as made:
        yield made
