"""Scripted answers: they strike what they were told to, as often as they were told to."""

from __future__ import annotations

import re

import pytest
import requests

from receiver.sandbox import ALWAYS, Answer, Faults
from receiver.sandbox.seed import FIRST_ACCOUNT, FIRST_CONTACT

NEW = "a0000000-0000-4000-8000-0000000020af"
ROW = f"accounts({FIRST_ACCOUNT})"


@pytest.fixture(autouse=True)
def _unscripted(sandbox):
    yield
    sandbox.faults.clear()


@pytest.mark.parametrize(
    ("answer", "status", "content_type", "body"),
    [
        (Answer(), 404, None, b""),
        (Answer(502, b"\xff"), 502, None, b"\xff"),
        (Answer(404, "<h1>Nothing here</h1>"), 404, "text/html; charset=utf-8", b"<h1>Nothing here</h1>"),
        (Answer(200, {"value": [1]}), 200, "application/json; odata.metadata=minimal", b'{"value":[1]}'),
        (Answer(302, headers={"Location": "https://login.example/"}), 302, None, b""),
        (Answer(503, "busy", {"Content-Type": "text/plain", "Retry-After": "nan"}), 503, "text/plain", b"busy"),
        (
            Answer.error(403, "0x8004a104", "Disabled."),
            403,
            "application/json; odata.metadata=minimal",
            b'{"error":{"code":"0x8004a104","message":"Disabled."}}',
        ),
    ],
)
def test_an_answer_is_sent_as_it_was_scripted_and_once(sandbox, api, answer, status, content_type, body):
    sandbox.faults.answers.append(answer)
    got = api("GET", ROW)
    assert (got.status_code, got.headers.get("Content-Type"), got.content) == (status, content_type, body)
    assert all(got.headers[name] == value for name, value in answer.headers.items())
    assert sandbox.faults.answers == []
    assert api("GET", ROW).status_code == 200


def test_an_answer_has_the_reason_that_it_was_given(sandbox, api):
    sandbox.faults.answers.append(Answer(404, reason="Gone Fishing"))
    assert api("GET", ROW).reason == "Gone Fishing"


def test_an_error_may_say_its_own_category(sandbox, api):
    sandbox.faults.answers.append(Answer.error(400, "0x80040216", category="SystemFailure"))
    told = api("GET", ROW).json()["error"]
    assert told["@Microsoft.PowerApps.CDS.ErrorDetails.ApiExceptionCategory"] == "SystemFailure"


@pytest.mark.parametrize(
    ("answer", "struck"),
    [
        (Answer(), [1, 1, 1, 1]),
        (Answer(method="PATCH"), [0, 0, 1, 0]),
        (Answer(path="accounts"), [1, 0, 1, 0]),
        (Answer(path="$filter=fullname eq"), [0, 1, 0, 0]),
        (Answer(path="%24filter"), [0, 1, 0, 0]),
        (Answer(path="$batch"), [0, 0, 0, 1]),
        (Answer(method="GET", path="contacts"), [0, 1, 0, 0]),
        (Answer(path="nowhere"), [0, 0, 0, 0]),
    ],
)
def test_it_strikes_what_fits(sandbox, api, answer, struck):
    found = []
    for method, path in [
        ("GET", ROW),
        ("GET", "contacts?%24filter=fullname%20eq%20'x'"),
        ("PATCH", ROW),
        ("POST", "$batch"),
    ]:
        with sandbox.faults.switched(answers=[answer]):
            api(method, path, {} if method == "PATCH" else None)
            found.append(int(not sandbox.faults.answers))
    assert found == struck


@pytest.mark.parametrize(("times", "statuses"), [(0, [200] * 4), (2, [418, 418, 200, 200]), (ALWAYS, [418] * 4)])
def test_it_strikes_as_often_as_it_was_told_to(sandbox, api, times, statuses):
    sandbox.faults.answers.append(Answer(418, times=times))
    assert [api("GET", "WhoAmI").status_code for _ in range(4)] == statuses


def test_the_first_that_fits_strikes_and_the_next_one_follows(sandbox, api):
    sandbox.faults.answers += [Answer(502), Answer(504)]
    assert [api("GET", "WhoAmI").status_code for _ in range(3)] == [502, 504, 200]


def test_one_answer_may_be_scripted_again(sandbox, api):
    answer = Answer(502)
    for _ in range(2):
        sandbox.faults.answers.append(answer)
        assert api("GET", "WhoAmI").status_code == 502


def test_clearing_the_faults_takes_the_answers_away(sandbox, api):
    sandbox.faults.answers.append(Answer(502, times=ALWAYS))
    sandbox.faults.clear()
    assert api("GET", "WhoAmI").status_code == 200


@pytest.mark.parametrize("is_done", [False, True])
def test_a_write_is_carried_out_first_where_it_says_so(sandbox, api, is_done):
    sandbox.update("account", FIRST_ACCOUNT, {"fax": "before"})
    sandbox.faults.answers.append(Answer(504, "<html></html>", is_done=is_done))
    assert api("PATCH", ROW, {"fax": "after"}).status_code == 504
    assert sandbox.row("account", FIRST_ACCOUNT)["fax"] == ("after" if is_done else "before")


def test_a_create_is_answered_without_the_representation_that_was_asked_for(sandbox, api):
    sandbox.faults.answers.append(Answer(204, is_done=True))
    answer = api("PATCH", f"accounts({NEW})", {"name": "New"}, If_None_Match="*", Prefer="return=representation")
    assert (answer.status_code, answer.content) == (204, b"")
    assert sandbox.row("account", NEW)["name"] == "New"


@pytest.mark.parametrize("is_done", [False, True])
def test_the_connection_closes_without_an_answer(sandbox, api, is_done):
    sandbox.update("account", FIRST_ACCOUNT, {"fax": "before"})
    sandbox.faults.answers.append(Answer(0, is_done=is_done))
    with pytest.raises(requests.ConnectionError):
        api("PATCH", ROW, {"fax": "after"})
    assert sandbox.row("account", FIRST_ACCOUNT)["fax"] == ("after" if is_done else "before")
    assert api("GET", ROW).status_code == 200


def test_no_connection_can_close_inside_a_batch():
    with pytest.raises(ValueError, match="inside a batch"):
        Answer(0, in_batch=True)


def test_the_true_answer_is_rewritten_and_keeps_its_status_and_headers(sandbox, api):
    sandbox.faults.answers.append(Answer(change=lambda body: body[:40], headers={"x-more": "1"}))
    answer = api("GET", ROW)
    assert (answer.status_code, len(answer.content), answer.headers["x-more"]) == (200, 40, "1")
    assert answer.headers["ETag"].startswith('W/"')
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        answer.json()


def test_half_a_page_ends_before_its_announced_length(sandbox, api):
    length = {"Content-Length": "100000"}
    sandbox.faults.answers.append(Answer(200, '{"value":[', length))
    with pytest.raises(requests.RequestException):
        api("GET", "accounts")


def batch(api, *parts):
    lines = "".join(
        f"--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n{part}\r\n"
        for part in parts
    )
    return api("POST", "$batch", f"{lines}--b--\r\n", Content_Type="multipart/mixed; boundary=b")


def statuses(answer):
    return re.findall(r"^HTTP/1\.1 (\d+)", answer.text, re.MULTILINE)


def change_set(*parts):
    inner = "".join(
        f"--c\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\nContent-ID: {number}\r\n\r\n"
        f"{part}\r\n"
        for number, part in enumerate(parts, 1)
    )
    return f"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n{inner}--c--\r\n--b--\r\n"


def patch(fax, row=ROW):
    return f'PATCH {row} HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{{"fax":"{fax}"}}\r\n'


@pytest.mark.parametrize("is_done", [False, True])
def test_a_part_of_a_batch_is_answered_so(sandbox, api, is_done):
    sandbox.update("account", FIRST_ACCOUNT, {"fax": "before"})
    sandbox.faults.answers.append(Answer(429, {"error": {}}, in_batch=True, method="PATCH", is_done=is_done))
    reads = f"GET contacts({FIRST_CONTACT}) HTTP/1.1\r\n"
    answer = batch(api, reads, patch("after"))
    assert (answer.status_code, statuses(answer)) == (429, ["200", "429"])
    assert sandbox.row("account", FIRST_ACCOUNT)["fax"] == ("after" if is_done else "before")


def test_what_strikes_parts_leaves_whole_requests_alone(sandbox, api):
    sandbox.faults.answers.append(Answer(401, in_batch=True))
    assert api("GET", ROW).status_code == 200
    assert statuses(batch(api, f"GET {ROW} HTTP/1.1\r\n")) == ["401"]


def test_an_answer_of_200_leaves_a_change_set_done_and_one_of_400_undoes_it(sandbox, api):
    for status, kept in [(204, "after"), (400, "before")]:
        sandbox.update("account", FIRST_ACCOUNT, {"fax": "before"})
        sandbox.faults.answers.append(Answer(status, in_batch=True, is_done=True))
        api("POST", "$batch", change_set(patch("after")), Content_Type="multipart/mixed; boundary=b")
        assert sandbox.row("account", FIRST_ACCOUNT)["fax"] == kept


def test_the_body_of_a_part_is_rewritten(sandbox, api):
    sandbox.faults.answers.append(Answer(change=lambda _: b'{"half', in_batch=True))
    answer = batch(api, f"GET {ROW} HTTP/1.1\r\n")
    assert statuses(answer) == ["200"]
    assert answer.text.count('{"half') == 1
    assert "accountid" not in answer.text


def test_a_chance_repeats_with_its_seed():
    struck = []
    for _ in range(2):
        faults = Faults(seed=7, chance=0.5)
        faults.answers.append(Answer(times=ALWAYS))
        struck.append([faults.answer_for("GET", "/accounts", in_batch=False) is not None for _ in range(100)])
    assert struck[0] == struck[1]
    assert 20 < sum(struck[0]) < 80


def test_a_batch_counts_as_one_request(sandbox, api):
    admitted = sandbox.organization.protection.admitted
    batch(api, *[f"GET {ROW} HTTP/1.1\r\n"] * 3)
    assert sandbox.organization.protection.admitted == admitted + 1
