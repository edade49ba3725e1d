"""An environment that keeps company ids, as Business Central's solution brings them, and a team that may own rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from company import Company

from receiver.sandbox import Sandbox, SandboxSettings

OURS = "bb000000-0000-4000-8000-000000000001"
THEIRS = "bb000000-0000-4000-8000-000000000002"
TEAM = "7ea00000-0000-4000-8000-000000000001"


@contextmanager
def environment(database_url: str, monkeypatch: pytest.MonkeyPatch, **settings: str) -> Iterator[Company]:
    """A company whose environment has the companies CRONUS (ours) and Fabrikam, and a team."""
    made_with = SandboxSettings(page_port=0, api_port=0, retry_delay_seconds=0.05, with_company_id=True)
    with Sandbox(made_with) as sandbox:
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            monkeypatch.setenv(name, str(sandbox.ca_file))
        for id_, name in ((OURS, "CRONUS"), (THEIRS, "Fabrikam")):
            sandbox.put_row("bcbi_company", id_, {"name": name})
        sandbox.put_row("team", TEAM, {"name": "CRONUS"})
        with closing(Company(database_url, sandbox, **settings)) as made:
            yield made
            assert sandbox.settle()
