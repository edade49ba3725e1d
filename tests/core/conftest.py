"""Pure tests: the rules need no network, so none is there."""

from __future__ import annotations

import socket

import pytest
from hypothesis import Phase, settings

#: the same examples on every machine, and no clock: a slow machine is no failure
settings.register_profile("steady", derandomize=True, deadline=None, database=None)
#: for `make mutate`, which runs them a thousand times and asks only whether one fails
settings.register_profile(
    "quick", settings.get_profile("steady"), max_examples=25, phases=(Phase.explicit, Phase.generate)
)
settings.load_profile("steady")


@pytest.fixture(autouse=True)
def _closed_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise AssertionError("a pure test opened a socket: what it tests does not belong here")

    monkeypatch.setattr(socket.socket, "connect", refused)  # sockets are shut here
