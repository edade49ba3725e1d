"""Nobody waits here for servers to learn of a key."""

from __future__ import annotations

import pytest

from receiver.commands.connection import register_steps
from receiver.inbox import webhook_keys


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The door reads the keys at each request, so nobody needs to wait until it knows a new one."""
    monkeypatch.setattr(webhook_keys, "READ_EVERY_SECONDS", 0.0)
    monkeypatch.setattr(register_steps, "MARGIN_SECONDS", 0.0)
