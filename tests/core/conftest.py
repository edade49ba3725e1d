"""Pure tests: the rules need no network, so none is there."""

from __future__ import annotations

import socket

import pytest


@pytest.fixture(autouse=True)
def _closed_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise AssertionError("a pure test opened a socket: what it tests does not belong to the rules")

    monkeypatch.setattr(socket.socket, "connect", refused)
