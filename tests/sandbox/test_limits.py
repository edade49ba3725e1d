"""Service protection: what is refused, with which words, and when it is let in again."""

from __future__ import annotations

import pytest
import requests

from receiver.sandbox import Sandbox, SandboxSettings
from receiver.sandbox.errors import ApiError
from receiver.sandbox.limits import Limits, Protection


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def asked(protection: Protection, seconds: float = 0.1) -> str:
    try:
        protection.begin()
    except ApiError as error:
        return f"{error.status} {error.code} after {error.headers['Retry-After']}"
    protection.end(seconds)
    return "admitted"


@pytest.mark.parametrize(
    ("limits", "seconds", "admitted", "refusal"),
    [
        (Limits(requests=3), 0.1, 3, "429 0x80072322 after 300"),
        (Limits(execution_seconds=10), 4, 3, "429 0x80072321 after 300"),
    ],
)
def test_what_is_beyond_a_limit_is_refused_until_the_window_has_passed(
    limits: Limits, seconds: float, admitted: int, refusal: str
) -> None:
    clock = Clock()
    protection = Protection(limits, clock)

    assert [asked(protection, seconds) for _ in range(admitted + 1)] == ["admitted"] * admitted + [refusal]
    clock.now += 100
    assert asked(protection) == refusal.replace("after 300", "after 200")
    clock.now += 200
    assert asked(protection) == "admitted"
    assert (protection.admitted, protection.refused) == (admitted + 1, 2)


def test_so_many_at_the_same_time_and_no_more() -> None:
    protection = Protection(Limits(concurrent=2))
    protection.begin()
    protection.begin()

    assert asked(protection) == "429 0x80072326 after 1"
    protection.end(0.1)
    assert asked(protection) == "admitted"


def test_without_limits_it_only_counts() -> None:
    protection = Protection(None)

    assert {asked(protection) for _ in range(7000)} == {"admitted"}
    assert protection.admitted == 7000


def test_the_web_api_keeps_them_and_a_batch_is_one_request() -> None:
    settings = SandboxSettings(page_port=0, api_port=0, seeded=False, limits=Limits(requests=3))
    with Sandbox(settings) as sandbox:
        headers = {"Authorization": f"Bearer {sandbox.organization.tokens.issue()}"}
        root = f"{sandbox.api_url}/api/data/v9.2"
        part = "--b\r\nContent-Type: application/http\r\n\r\nGET /api/data/v9.2/accounts HTTP/1.1\r\n\r\n\r\n"
        batch = {**headers, "Content-Type": "multipart/mixed; boundary=b"}
        with requests.Session() as session:
            session.trust_env, session.verify = False, str(sandbox.ca_file)
            answers = [session.post(f"{root}/$batch", data=f"{part * 5}--b--\r\n", headers=batch, timeout=10)]
            answers += [session.get(f"{root}/WhoAmI", headers=headers, timeout=10) for _ in range(3)]

        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert int(answers[-1].headers["Retry-After"]) >= 299
        assert answers[-1].json()["error"]["message"].startswith("Number of requests exceeded the limit of 3")
        assert sandbox.organization.protection.admitted == 3
