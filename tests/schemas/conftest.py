"""Pure tests: reading a body needs no network, so none is there."""

from __future__ import annotations

import socket

import pytest


@pytest.fixture(autouse=True)
def _closed_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise AssertionError("a pure test opened a socket: what it tests does not belong here")

    monkeypatch.setattr(socket.socket, "connect", refused)
