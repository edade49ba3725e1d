"""Who does not answer is waited for so long and no longer, and told of once: away, still away, back."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator

import pytest
from company import Company

from receiver.core.away import STILL_SECONDS, Away
from receiver.dataverse import auth, web_api
from receiver.dataverse.auth import ClientCredentials
from receiver.dataverse.client import DataverseClient
from receiver.errors import DataverseUnreachableError, ReceiverError


class Always:
    """Credentials of somebody who is signed in."""

    def token(self, *, fresh: bool = False) -> str:
        return f"token {fresh}"


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a host that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"https://127.0.0.1:{listening.getsockname()[1]}"


def test_a_sign_in_that_never_answers_is_given_up(silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "TIMEOUT", (0.2, 0.2))
    credentials = ClientCredentials(url=silent, tenant="t", client="c", secret="s", authority=f"{silent}/t")

    with pytest.raises(DataverseUnreachableError, match=r"The sign-in address .* cannot be reached"):
        credentials.token()


def test_a_request_that_is_never_answered_is_given_up_and_who_waits_is_told_once(
    silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_api, "OF_A_PERSON", (0.3, 0.3))
    monkeypatch.setattr(web_api, "SLOW_SECONDS", 0.05)
    client, told = DataverseClient(silent, Always()), []
    client.waited_for(lambda: told.append("waiting"))

    with pytest.raises(DataverseUnreachableError, match=r"cannot be reached at https://127\.0\.0\.1:\d+: [a-z ]+"):
        client.who_am_i()

    assert told == ["waiting"]
    client.close()


def test_an_outage_is_three_lines_and_not_one_for_each_attempt(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    away = Away(logging.getLogger("subject"), "Dataverse (x)", lambda: now)
    with caplog.at_level(logging.INFO):
        away.back()
        for _ in range(700):
            now += 1
            away.away("nobody listens")
        away.back()
        away.back()

    assert STILL_SECONDS == 600
    assert caplog.messages == [
        "Dataverse (x) is away: nobody listens",
        "Dataverse (x) is still away, after 10 min 0 s and 601 attempt(s): nobody listens",
        "Dataverse (x) is back, after 11 min 39 s and 700 attempt(s).",
    ]


@pytest.mark.parametrize("fault", ["too_many_requests", "unavailable"])
def test_an_outage_of_dataverses_is_told_when_it_begins_and_when_it_ends(
    small_company: Company, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    client = small_company.services.dataverse
    setattr(small_company.sandbox.faults, fault, 3)
    for _ in range(5):
        small_company.pass_time(1000)
        try:
            client.who_am_i()
        except ReceiverError:
            continue

    said = [one.getMessage() for one in caplog.records if one.name == "receiver.dataverse.web_api"]
    assert len(said) == 2
    assert "is away: Dataverse answered" in said[0]
    assert "is back, after" in said[1]
