"""The switches: each does what its label says, as often as it was told to."""

from __future__ import annotations

import time

import pytest
import requests

from receiver.sandbox import ALWAYS, Faults, Sandbox, SandboxSettings, ServiceEndpoint
from receiver.sandbox.seed import FIRST_ACCOUNT


def names_told(receiver):
    return [request.columns["fax"] for request in receiver.requests]


def write(sandbox, *numbers):
    for number in numbers:
        sandbox.update("account", FIRST_ACCOUNT, {"fax": str(number)})


def test_the_next_deliveries_are_lost_and_dataverse_does_not_notice(notifying, receiver):
    jobs = len(notifying.rows("asyncoperation"))
    notifying.faults.drop = 2
    write(notifying, 1, 2, 3)
    assert notifying.settle()
    assert names_told(receiver) == ["3"]
    assert len(notifying.rows("asyncoperation")) == jobs


def test_a_delivery_is_doubled(notifying, receiver):
    notifying.faults.duplicate = 1
    write(notifying, 1, 2)
    assert notifying.settle()
    assert sorted(names_told(receiver)) == ["1", "1", "2"]
    assert len({request.raw for request in receiver.requests}) == 2


def test_deliveries_are_held_and_leave_shuffled(notifying, receiver):
    notifying.faults.seed, notifying.faults.reorder, notifying.faults.reorder_seconds = 3, 6, 3600
    write(notifying, *range(5))
    time.sleep(0.05)
    assert receiver.requests == []
    write(notifying, 5)
    assert notifying.settle()
    assert sorted(names_told(receiver)) == list("012345")


def test_held_deliveries_leave_when_their_time_is_over(notifying, receiver):
    notifying.faults.reorder, notifying.faults.reorder_seconds = 6, 0.05
    write(notifying, 1)
    while not receiver.requests:
        time.sleep(0.01)
    assert names_told(receiver) == ["1"]


def test_a_late_delivery_is_overtaken_and_settling_says_no_when_time_runs_out(receiver, make_step):
    endpoint = ServiceEndpoint(f"{receiver.url}/notifications", 5)
    settings = SandboxSettings(page_port=0, api_port=0, service_endpoint=endpoint, steps=(make_step("Update"),))
    with Sandbox(settings) as sandbox:
        with sandbox.faults.switched(delay_seconds=3600):
            write(sandbox, 1)
        write(sandbox, 2)
        while not receiver.requests:
            time.sleep(0.01)
        assert names_told(receiver) == ["2"]
        assert not sandbox.settle(0.05)


@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_a_chance_repeats_with_its_seed(chance):
    struck = []
    for _ in range(2):
        faults = Faults(seed=7, chance=chance, drop=ALWAYS)
        struck.append([faults.strikes("drop") for _ in range(200)])
    assert struck[0] == struck[1]
    assert sum(struck[0]) == {0.0: 0, 1.0: 200}.get(chance, sum(struck[0]))


def test_the_web_api_throttles_the_next_requests(sandbox, api):
    sandbox.faults.too_many_requests, sandbox.faults.retry_after_seconds = 2, 17
    answers = [api("GET", "WhoAmI") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 200]
    assert answers[0].headers["Retry-After"] == "17"
    assert answers[0].json()["error"]["code"] == "0x80072322"


def test_the_web_api_is_unavailable_until_switched_off(sandbox, api):
    sandbox.faults.unavailable = ALWAYS
    assert [api("GET", "WhoAmI").status_code for _ in range(3)] == [503] * 3
    sandbox.faults.clear()
    assert api("GET", "WhoAmI").status_code == 200


def test_the_web_api_stalls(sandbox, api):
    sandbox.faults.stall, sandbox.faults.stall_seconds = 1, 3600  # it ends with the sandbox
    with pytest.raises(requests.ReadTimeout):
        api.session.get(f"{api.base}WhoAmI", timeout=0.2)
    assert api("GET", "WhoAmI").status_code == 200
    sandbox.faults.clear()


def test_an_answer_is_lost_although_the_write_was_done(sandbox, api):
    sandbox.faults.lose_answer = 1
    row_id = "a0000000-0000-4000-8000-0000000010af"
    assert api("PATCH", f"accounts({row_id})", {"name": "Written"}, If_None_Match="*").status_code == 504
    assert sandbox.row("account", row_id)["name"] == "Written"
    answer = api("PATCH", f"accounts({row_id})", {"name": "Written"}, If_None_Match="*")
    assert (answer.status_code, answer.json()["error"]["code"]) == (412, "0x80040237")


def test_a_token_expires_under_the_next_request_and_a_new_one_works(sandbox, api):
    with sandbox.faults.switched(expired_token=1):
        assert [api("GET", "WhoAmI").status_code for _ in range(2)] == [401, 401]
        api.sign_in()
        assert api("GET", "WhoAmI").status_code == 200


def test_faults_are_switched_for_the_calls_of_one_block(sandbox, api):
    with sandbox.faults.switched(unavailable=ALWAYS):
        assert api("GET", "WhoAmI").status_code == 503
    assert api("GET", "WhoAmI").status_code == 200
    with pytest.raises(TypeError, match="no fault nonsense"), sandbox.faults.switched(nonsense=1):
        pass


def test_a_seed_strikes_the_same_requests_of_the_web_api_again(sandbox, api):
    struck = []
    for _ in range(2):
        sandbox.faults.clear()
        with sandbox.faults.switched(seed=5, chance=0.4, unavailable=ALWAYS):
            struck.append([api("GET", "WhoAmI").status_code for _ in range(20)])
    sandbox.faults.clear()
    assert struck[0] == struck[1]
    assert set(struck[0]) == {200, 503}


def test_how_often_one_fault_is_asked_for_changes_nothing_for_another():
    alone, beside = Faults(seed=3, chance=0.5, drop=ALWAYS), Faults(seed=3, chance=0.5, drop=ALWAYS, strip=ALWAYS)
    for _ in range(50):
        beside.strikes("strip")
        assert alone.strikes("drop") == beside.strikes("drop")
