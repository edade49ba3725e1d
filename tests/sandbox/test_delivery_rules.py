"""Which answers count, what is tried again, what is rolled back, and what remains of a failure."""

from __future__ import annotations

import threading

import pytest

from receiver.sandbox import ApiError, Sandbox, SandboxSettings, ServiceEndpoint
from receiver.sandbox.seed import FIRST_ACCOUNT


@pytest.mark.parametrize(
    ("answers", "attempts", "has_succeeded"),
    [
        ([200], 1, True),
        ([202], 1, True),
        ([204], 1, True),
        ([302], 1, False),
        ([401], 1, False),
        ([404], 1, False),
        ([429], 1, False),
        ([500], 1, False),
        ([502, 200], 2, True),
        ([503, 200], 2, True),
        ([504, 200], 2, True),
        ([503, 503, 200], 2, False),
        ([503, 500], 2, False),
    ],
)
def test_only_2xx_counts_and_only_502_503_504_get_one_more_try(notifying, receiver, answers, attempts, has_succeeded):
    receiver.answers = list(answers)
    notifying.update("account", FIRST_ACCOUNT, {"fax": "1"})
    assert notifying.settle()
    (delivery,) = notifying.deliveries
    assert (delivery.attempts, delivery.has_succeeded) == (attempts, has_succeeded)
    assert len(receiver.requests) == attempts
    assert len({request.raw for request in receiver.requests}) == 1


def test_a_failed_job_stays_with_its_reason_and_a_good_one_leaves_nothing(notifying, receiver):
    receiver.answers = [500]
    notifying.update("account", FIRST_ACCOUNT, {"fax": "1"})
    assert notifying.settle()
    job_id = receiver.requests[0].body["OperationId"]
    job = notifying.row("asyncoperation", job_id)
    assert (job["statecode"], job["statuscode"], job["messagename"]) == (3, 31, "Update")
    assert "500" in job["message"]
    assert job["regardingobjectid"] == FIRST_ACCOUNT
    notifying.update("account", FIRST_ACCOUNT, {"fax": "2"})
    assert notifying.settle()
    assert notifying.row("asyncoperation", receiver.requests[1].body["OperationId"]) is None


def test_failed_jobs_of_a_step_can_be_listed_through_the_web_api(notifying, receiver, api):
    receiver.answers = [400]
    notifying.update("account", FIRST_ACCOUNT, {"fax": "1"})
    assert notifying.settle()
    step_id = receiver.requests[0].body["OwningExtension"]["Id"]
    condition = f"statuscode eq 31 and _owningextensionid_value eq {step_id}"
    listed = api.get(f"asyncoperations?$orderby=completedon desc&$filter={condition}&$select=name,message")
    assert any("400" in job["message"] for job in listed["value"])


def test_silence_is_a_failure_without_another_try(receiver, make_step):
    answering = threading.Event()
    receiver.on_request = answering.wait
    settings = SandboxSettings(
        page_port=0,
        api_port=0,
        service_endpoint=ServiceEndpoint(f"{receiver.url}/notifications", 5),
        steps=(make_step("Update"),),
        attempt_timeout_seconds=0.5,
    )
    with Sandbox(settings) as sandbox:
        sandbox.update("account", FIRST_ACCOUNT, {"fax": "1"})
        assert sandbox.settle()
        (delivery,) = sandbox.deliveries
    answering.set()
    assert (delivery.status, delivery.attempts) == (None, 1)
    assert "did not answer within 0.5 seconds" in delivery.error


def test_an_unreachable_receiver_is_a_failure(notifying, make_step):
    notifying.step_set([make_step("Update")], ServiceEndpoint("http://127.0.0.1:9/", 5))
    notifying.update("account", FIRST_ACCOUNT, {"fax": "1"})
    assert notifying.settle()
    assert "could not be reached" in notifying.deliveries[0].error


def test_a_failed_synchronous_step_rolls_the_write_back(notifying, receiver, make_step, api):
    notifying.step_set([make_step("Update", mode=0), make_step("Create", mode=0)])
    before = notifying.row("account", FIRST_ACCOUNT)
    receiver.answers = [500, 500]
    with pytest.raises(ApiError, match="Endpoint unavailable"):
        notifying.update("account", FIRST_ACCOUNT, {"fax": "rolled back"})
    assert notifying.row("account", FIRST_ACCOUNT) == before
    answer = api("POST", "accounts", {"name": "Never Was"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "0x80040265")
    assert not [row for row in notifying.rows("account") if row["name"] == "Never Was"]


def test_a_synchronous_notification_is_sent_before_the_row_can_be_read(notifying, receiver, make_step, api):
    notifying.step_set([make_step("Create", mode=0)])
    seen = []
    receiver.on_request = lambda: seen.append(
        api("GET", f"accounts({receiver.requests[-1].body['PrimaryEntityId']})").status_code
    )
    row_id = notifying.create("account", {"name": "Not Yet"})
    assert seen == [404]
    assert api("GET", f"accounts({row_id})").status_code == 200


def test_a_synchronous_context_differs_where_dataverse_lets_it_differ(notifying, receiver, make_step):
    notifying.step_set([make_step("Update", mode=0)])
    notifying.update("account", FIRST_ACCOUNT, {"fax": "7"})
    body = receiver.requests[0].body
    assert (body["Mode"], body["IsInTransaction"]) == (0, True)
    assert body["OperationId"] == body["RequestId"]
    assert body["OwningExtension"]["Name"] == "receiver: Update of account"
    assert body["PostEntityImages"] == []
    assert "+" not in body["OperationCreatedOn"]
    assert body["ParentContext"]["OwningExtension"]["Name"] == "ObjectModel Implementation"


def test_an_asynchronous_context_hides_the_steps_name_and_prints_an_offset(notifying, receiver):
    notifying.update("account", FIRST_ACCOUNT, {"fax": "7"})
    assert notifying.settle()
    body = receiver.requests[0].body
    assert body["OwningExtension"]["Name"] is None
    assert body["OperationCreatedOn"].endswith("000+0000)/")


def test_the_synchronous_step_of_an_early_stage_sees_only_what_was_submitted(notifying, receiver, make_step):
    notifying.step_set([make_step("Create", mode=0, stage=20)])
    notifying.create("account", {"name": "Early"})
    body = receiver.requests[0].body
    assert set(receiver.requests[0].columns) == {"name", "accountid"}
    assert (body["Stage"], body["ParentContext"], body["OutputParameters"]) == (20, None, [])


def test_a_large_body_is_stripped_and_the_header_says_so(notifying, receiver):
    notifying.faults.strip = 1
    notifying.update("account", FIRST_ACCOUNT, {"fax": "1"})
    notifying.settle()
    notifying.update("account", FIRST_ACCOUNT, {"fax": "2"})
    assert notifying.settle()
    stripped, whole = receiver.requests
    assert "x-ms-dynamics-msg-size-exceeded" in stripped.headers
    assert "x-ms-dynamics-msg-size-exceeded" not in whole.headers
    for member in ("InputParameters", "PreEntityImages", "PostEntityImages"):
        assert stripped.body[member] == []
    assert stripped.body["ParentContext"] is None
    assert stripped.body["PrimaryEntityId"] == FIRST_ACCOUNT


def test_a_body_over_256_kilobytes_is_stripped(notifying, receiver, monkeypatch):
    monkeypatch.setattr("receiver.sandbox.delivery.LARGEST_BODY", 1000)  # not 256 KB for each case
    notifying.update("account", FIRST_ACCOUNT, {"description": "x" * 1500})
    assert notifying.settle()
    assert receiver.requests[0].body["InputParameters"] == []
