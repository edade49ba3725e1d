"""A machine with a database, and nothing said of Dataverse yet."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands.connection.environment import Machine

from receiver.sandbox import Sandbox


@pytest.fixture
def machine(sqlite_url: str, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setenv("RECEIVER_SETTINGS_FILE", str(tmp_path / "settings.env"))
    return Machine(tmp_path, sandbox, {"RECEIVER_DATABASE_URL": sqlite_url, "RECEIVER_ADMIN_TOKEN": "a-token"})
