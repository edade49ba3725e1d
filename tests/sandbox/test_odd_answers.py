"""Odd answers that are true all the same: links, batches, and errors that say whose fault they are."""

from __future__ import annotations

import pytest

from receiver.sandbox import ALWAYS, ApiError
from receiver.sandbox.seed import FIRST_ACCOUNT

ROW = f"accounts({FIRST_ACCOUNT})"
PAGED = "odata.maxpagesize=3"
MORE = "@Microsoft.Dynamics.CRM.morerecords"
OTHER_HOST = "org.api.crm4.dynamics.com"


@pytest.fixture(autouse=True)
def _faultless(sandbox):
    yield
    sandbox.faults.clear()


def page(api, prefer=PAGED, path="accounts?$select=name"):
    return api("GET", path, Prefer=prefer).json()


def test_links_carry_the_environments_other_host_name(sandbox, api):
    sandbox.faults.other_host = OTHER_HOST
    assert page(api)["@odata.nextLink"].startswith(f"https://{OTHER_HOST}/api/data/v9.2/accounts?")
    delta = page(api, "odata.track-changes")["@odata.deltaLink"]
    assert delta.startswith(f"https://{OTHER_HOST}/api/data/v9.2/accounts?")
    assert api.get(delta.replace(f"https://{OTHER_HOST}", sandbox.api_url))["value"] == []


def test_a_link_leads_to_its_own_page_as_often_as_it_was_told_to(sandbox, api):
    sandbox.faults.link_to_itself = 2
    first = page(api)
    again = page(api, path=first["@odata.nextLink"])
    third = page(api, path=again["@odata.nextLink"])
    assert first["value"] == again["value"] == third["value"]
    assert page(api, path=third["@odata.nextLink"])["value"] != first["value"]


def test_a_later_page_leads_to_itself_too(sandbox, api):
    link = page(api)["@odata.nextLink"]
    second = page(api, path=link)
    sandbox.faults.link_to_itself = ALWAYS
    assert page(api, path=link)["@odata.nextLink"] == link
    assert page(api, path=link)["value"] == second["value"]


@pytest.mark.parametrize(
    ("prefer", "is_told"),
    [
        (f'{PAGED},odata.include-annotations="*"', True),
        (f'{PAGED},odata.include-annotations="Microsoft.Dynamics.CRM.*"', True),
        (f'{PAGED},odata.include-annotations="Microsoft.Dynamics.CRM.morerecords"', True),
        (f'{PAGED},odata.include-annotations="OData.Community.Display.V1.FormattedValue"', False),
        (PAGED, False),
    ],
)
def test_a_page_without_a_link_says_that_more_follow_where_annotations_ask(sandbox, api, prefer, is_told):
    with sandbox.faults.switched(no_next_link=1):
        answer = page(api, prefer)
        assert len(answer["value"]) == 3
        assert "@odata.nextLink" not in answer
        assert answer.get(MORE) == (True if is_told else None)
        assert "@odata.nextLink" in page(api, prefer)
    last = page(api, prefer, "accounts?$top=1")
    assert last.get(MORE) == (False if is_told else None)


def test_the_delta_link_is_left_out(sandbox, api):
    sandbox.faults.no_delta_link = 1
    track = "odata.track-changes"
    assert ["@odata.deltaLink" in page(api, track) for _ in range(2)] == [False, True]


def test_a_write_is_answered_without_the_row_that_was_asked_for(sandbox, api):
    sandbox.faults.no_representation = 1
    answers = [api("PATCH", ROW, {"fax": "x"}, Prefer="return=representation") for _ in range(2)]
    assert [(answer.status_code, bool(answer.content)) for answer in answers] == [(204, False), (200, True)]
    assert "OData-EntityId" in answers[0].headers


def refused(*_):
    raise ApiError(400, "0x80040265", "No.")


@pytest.mark.parametrize(
    ("path", "body", "category", "status"),
    [
        ("accounts(a0000000-0000-4000-8000-0000000fffff)", None, "ClientError", "404"),
        ("nowhere", None, "ClientError", "404"),
        (ROW, {"fax": "x" * 51}, "ClientError", "400"),
    ],
)
def test_an_error_says_whose_fault_it_is_where_annotations_ask(api, path, body, category, status):
    method = "GET" if body is None else "PATCH"
    details = "@Microsoft.PowerApps.CDS.ErrorDetails."
    for asked in ("*", "Microsoft.PowerApps.CDS.ErrorDetails*", "Microsoft.PowerApps.CDS.ErrorDetails.*"):
        error = api(method, path, body, Prefer=f'odata.include-annotations="{asked}"').json()["error"]
        assert error[f"{details}ApiExceptionCategory"] == category
        assert error[f"{details}ApiExceptionHttpStatusCode"] == status
        assert ("@Microsoft.PowerApps.CDS.HelpLink" in error) is (asked == "*")
    assert set(api(method, path, body).json()["error"]) == {"code", "message"}


def test_an_outage_calls_itself_a_failure_of_the_system(sandbox, api):
    sandbox.faults.unavailable = 1
    error = api("GET", ROW, Prefer='odata.include-annotations="*"').json()["error"]
    assert error["@Microsoft.PowerApps.CDS.ErrorDetails.ApiExceptionCategory"] == "SystemFailure"


def test_an_error_says_that_a_plug_in_raised_it(sandbox, api):
    sandbox.plug_in("account", refused)
    error = api("PATCH", ROW, {"fax": "1"}, Prefer='odata.include-annotations="*"').json()["error"]
    sandbox.remove_plug_ins("account")
    assert error["@Microsoft.PowerApps.CDS.ErrorDetails.ApiExceptionSourceKey"] == "Plugin/Custom"


def test_who_wants_every_annotation_is_never_answered_304(api):
    etag = api.get(ROW)["@odata.etag"]
    assert api("GET", ROW, If_None_Match=etag).status_code == 304
    assert api("GET", ROW, If_None_Match=etag, Prefer='odata.include-annotations="*"').status_code == 200


def batch(api, count=2):
    part = (
        "--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
        f"GET {ROW}?$select=name HTTP/1.1\r\nAccept: application/json\r\n\r\n"
    )
    return api("POST", "$batch", f"{part * count}--b--\r\n", Content_Type="multipart/mixed; boundary=b")


def test_a_batch_answers_without_reason_phrases(sandbox, api):
    sandbox.faults.batch_without_reason = 1
    text = batch(api).content
    assert text.count(b"HTTP/1.1 200 \r\n") == 2
    assert batch(api).content.count(b"HTTP/1.1 200 OK\r\n") == 2


def test_a_batch_answers_with_other_line_ends(sandbox, api):
    sandbox.faults.batch_line_ends_lf = 1
    assert b"\r" not in batch(api).content
    assert b"\r" in batch(api).content


@pytest.mark.parametrize("fault", ["batch_cut_short", "batch_parts_missing"])
def test_a_batch_has_fewer_answers_than_requests(sandbox, api, fault):
    with sandbox.faults.switched(**{fault: 1}):
        answer = batch(api, 3)
        assert answer.status_code == 200
        assert answer.text.count("HTTP/1.1 ") == 2
        assert answer.text.endswith("--\r\n") is (fault == "batch_parts_missing")
        assert batch(api, 3).text.count("HTTP/1.1 ") == 3
