"""What an answer means: every kind as a table, and what is never taken for what it is not."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import pytest

from receiver.dataverse import batch
from receiver.dataverse.answers import Asked, json_of, normal, pause_of, refusal
from receiver.dataverse.known_answers import KNOWN
from receiver.dataverse.web_api import asked_of, within
from receiver.errors import (
    AnswerClass,
    BrokenAnswerError,
    DataverseError,
    ExistsAlreadyError,
    OutOfSightError,
    RowGoneError,
    SetUpError,
    ThrottledError,
    VersionMismatchError,
)

ID = "a0000000-0000-4000-8000-000000000001"
OTHER = "b0000000-0000-4000-8000-000000000002"
PASSING, DATA = AnswerClass.PASSING, AnswerClass.DATA
DETAILS = "@Microsoft.PowerApps.CDS.ErrorDetails."
READ, WRITE = Asked("read", "account", ID), Asked("write", "account", ID)
JSON = {"Content-Type": "application/json; odata.metadata=minimal"}


@dataclass
class Came:
    status_code: int
    content: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    reason: str = "No"


def said(status: int, code: str, message: str = "Later.", **details: object) -> Came:
    error = {"code": code, "message": message, **{f"{DETAILS}{name}": value for name, value in details.items()}}
    return Came(status, json.dumps({"error": error}).encode(), JSON)


def gone(id_: str = ID, table: str = "account") -> str:
    return f"Entity '{table}' With Id = {id_} Does Not Exist"


@pytest.mark.parametrize(
    ("came", "kind", "answer"),
    [
        (said(500, "0x80044151"), DataverseError, PASSING),
        (said(500, "0x80040216"), DataverseError, PASSING),
        (said(400, "0x80040216"), DataverseError, PASSING),
        (said(500, ""), DataverseError, PASSING),
        (said(503, "0x80040216"), DataverseError, PASSING),
        (said(408, ""), DataverseError, PASSING),
        (said(403, "0x8004a104"), DataverseError, PASSING),
        (said(400, "0x8004a104"), DataverseError, PASSING),
        (said(403, "0X8004A113"), DataverseError, PASSING),
        (said(500, "0x80040333"), DataverseError, DATA),
        (said(400, "0x80044331"), DataverseError, DATA),
        (said(400, "0x80049999"), DataverseError, DATA),
        (said(405, "0x80040227"), DataverseError, DATA),
        (said(400, "0x80049999", ApiExceptionCategory="SystemFailure"), DataverseError, PASSING),
        (said(400, "0x80049999", ApiExceptionHttpStatusCode=500), DataverseError, PASSING),
        (said(500, "0x80049999", ApiExceptionHttpStatusCode=400), DataverseError, DATA),
        (said(429, "0x80072326"), ThrottledError, PASSING),
        (Came(429, b"<html>", {"Retry-After": "3"}), ThrottledError, PASSING),
        (Came(503, b"<html>", {"Retry-After": "3"}), ThrottledError, PASSING),
        (said(403, "0x80048306"), OutOfSightError, DATA),
        (said(403, "0x80048405"), OutOfSightError, DATA),
        (Came(413), DataverseError, DATA),
    ],
)
def test_a_refusal_is_passing_or_the_records_own(came: Came, kind: type, answer: AnswerClass) -> None:
    found = refusal(came, READ)
    assert type(found) is kind
    assert isinstance(found, DataverseError)
    assert found.answer is answer
    assert found.waiting_helps is (answer is PASSING)


@pytest.mark.parametrize(
    ("came", "asked", "gate"),
    [
        (Came(401), READ, "everything"),
        (said(401, "0x80040277"), READ, "everything"),
        (said(403, "0x80072560"), READ, "everything"),
        (said(403, "0x80040225"), WRITE, "everything"),
        (said(403, "0x80040220"), READ, "read account"),
        (said(403, "0x80040220"), WRITE, "write account"),
        (said(400, "0x80060888"), READ, "read account"),
        (said(404, "0x8006088a"), READ, "read account"),
        (said(403, "0x8004f507"), WRITE, "write account"),
        (said(500, "0x80072325"), WRITE, "writes"),
    ],
)
def test_a_set_up_fault_names_its_gate_and_what_to_do(came: Came, asked: Asked, gate: str) -> None:
    found = refusal(came, asked)
    assert isinstance(found, SetUpError)
    assert found.gate == gate
    assert found.remedy
    assert found.gate in asked.gates, "the gate that it closes must hold the next request of its kind"


@pytest.mark.parametrize(
    "message", [gone(), gone(table="Account"), gone(ID.upper()), f"account With Id = {ID} Does Not Exist"]
)
@pytest.mark.parametrize("code", ["0x80040217", "-2147220969", ""])
def test_a_row_is_gone_when_dataverse_says_so_of_this_table_and_id(code: str, message: str) -> None:
    assert isinstance(refusal(said(404, code, message), READ), RowGoneError)


@pytest.mark.parametrize(
    ("came", "asked"),
    [
        (Came(404, b"<html><body>404 Not Found</body></html>", {"Content-Type": "text/html"}), READ),
        (Came(404), READ),
        (said(404, "0x80060888", "Resource not found for the segment 'accounts'."), READ),
        (said(404, "0x8006088a", "Resource not found for the segment 'accounts'."), READ),
        (said(404, "0x80060891", gone()), READ),
        (said(404, "0x80040217", gone(OTHER)), READ),
        (said(404, "0x80040217", gone(table="systemuser")), READ),
        (said(404, "0x80040217", gone(OTHER, "contact")), WRITE),
        (said(404, "0x80040217", f"account With Ids = {ID}, {OTHER} Do Not Exist"), READ),
        (said(404, "0x80040217", "It does not exist."), READ),
        (said(400, "0x80040217", gone()), READ),
        (said(403, "0x80048306", gone()), READ),
        (said(404, "0x80040217", gone()), Asked("read", "account")),
    ],
)
def test_nothing_else_says_that_a_row_is_gone(came: Came, asked: Asked) -> None:
    assert not isinstance(refusal(came, asked), RowGoneError)


@pytest.mark.parametrize(
    ("came", "kind"),
    [
        (said(412, "0x80060882"), VersionMismatchError),
        (said(412, "", "The version doesn't match the RowVersion property."), VersionMismatchError),
        (said(412, ""), VersionMismatchError),
        (said(412, "", "A record with matching key values already exists."), ExistsAlreadyError),
        (said(412, "0x80040237"), ExistsAlreadyError),
        (said(412, "0x80060892"), DataverseError),
        (said(412, "0x80040333"), DataverseError),
    ],
)
def test_412_is_told_apart_by_its_code(came: Came, kind: type) -> None:
    assert type(refusal(came, WRITE)) is kind


@pytest.mark.parametrize("status", [200, 301, 302, 403, 404, 502, 503])
def test_a_page_in_place_of_an_answer_counts_as_unreachable(status: int) -> None:
    page = Came(status, b"<!DOCTYPE html><title>Sign in</title>", {"Content-Type": "text/html"})
    assert isinstance(refusal(page, READ), BrokenAnswerError)


@pytest.mark.parametrize(
    "came",
    [
        Came(200, b"<!DOCTYPE html>", {"Content-Type": "text/html"}),
        Came(200, b"<!DOCTYPE html>", JSON),
        Came(200, b'{"value": [{"name": "Nordw', JSON),
        Came(200, b'{"value": []}', {}),
    ],
)
def test_a_success_that_is_no_whole_json_is_no_answer(came: Came) -> None:
    with pytest.raises(BrokenAnswerError):
        json_of(came)


def test_numbers_of_an_answer_are_exact() -> None:
    assert str(json_of(Came(200, b'{"a": 1.10}', JSON))["a"]) == "1.10"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("3", 3), ("0.5", 0.5), ("-4", 0), ("", 5), ("nan", 5), ("inf", 5), ("soon", 5), ("1e13", 1e13)],
)
def test_a_pause_is_finite_and_not_negative_whatever_is_asked(text: str, seconds: float) -> None:
    assert pause_of(text) == seconds


def test_a_pause_until_a_moment_that_has_passed_is_none() -> None:
    assert pause_of("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert pause_of("Wed, 21 Oct 2199 07:28:00 GMT") > 0


@pytest.mark.parametrize(
    ("code", "normal_form"),
    [("0x80040217", "0x80040217"), ("0X8004F507", "0x8004f507"), ("-2147220969", "0x80040217"), ("", ""), ("x", "x")],
)
def test_a_code_has_one_form(code: str, normal_form: str) -> None:
    assert normal(code) == normal_form


def test_every_known_code_is_in_its_one_form_and_says_what_it_means() -> None:
    assert all(normal(code) == code and known.means for code, known in KNOWN.items())
    assert all(known.remedy for known in KNOWN.values() if known.answer is AnswerClass.SET_UP)


@pytest.mark.parametrize(
    ("method", "path", "headers", "asked"),
    [
        ("GET", f"accounts({ID})?$select=name", {}, READ),
        ("GET", "accounts", {}, Asked("read", "account")),
        ("PATCH", f"accounts({ID})?tag=receiver&$select=name", {"If-Match": "*"}, WRITE),
        ("PATCH", f"accounts({ID})", {"If-None-Match": "*"}, Asked("create", "account", ID)),
        ("DELETE", f"contacts({ID})?tag=receiver", {}, Asked("delete", "contact", ID)),
        ("GET", f"systemusers({ID})/Microsoft.Dynamics.CRM.RetrieveUserPrivileges", {}, Asked("read", "systemuser")),
        ("GET", "WhoAmI", {}, Asked("read", "WhoAmI")),
    ],
)
def test_a_request_says_what_it_wants_of_which_row(
    method: str, path: str, headers: dict[str, str], asked: Asked
) -> None:
    assert asked_of(method, path, headers) == asked


@pytest.mark.parametrize(
    "link",
    [
        "https://org.crm4.dynamics.com/api/data/v9.2/accounts?$skiptoken=%3Cc%20a=%221%22/%3E",
        "https://org.api.crm4.dynamics.com/api/data/v9.2/accounts?$skiptoken=%3Cc%20a=%221%22/%3E",
        "https://ORG.crm4.dynamics.com:443/api/data/v9.1/accounts?$skiptoken=%3Cc%20a=%221%22/%3E",
    ],
)
def test_a_link_is_followed_at_our_own_address_and_not_encoded_anew(link: str) -> None:
    assert within(link) == "accounts?$skiptoken=%3Cc%20a=%221%22/%3E"


@pytest.mark.parametrize("link", ["https://evil.example/steal?token", "/accounts", "", "javascript:alert(1)"])
def test_a_link_out_of_the_web_api_is_not_followed(link: str) -> None:
    with pytest.raises(BrokenAnswerError):
        within(link)


PARTS = (
    "--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    'HTTP/1.1 200{reason}\r\nContent-Type: application/json\r\nETag: W/"7"\r\n\r\n{{"name": "Ä"}}\r\n'
    "--b\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 204{reason}\r\n\r\n\r\n"
    "--b\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 429{reason}\r\nRetry-After: 7\r\n\r\n\r\n--b--\r\n"
)


@pytest.mark.parametrize("reason", ["", " ", " OK", " Too Many"])
@pytest.mark.parametrize("line_end", ["\r\n", "\n"])
@pytest.mark.parametrize("boundary", ["multipart/mixed; boundary=b", 'multipart/mixed; boundary="b"; x=1'])
def test_a_batchs_parts_are_read_with_any_reason_and_line_end(reason: str, line_end: str, boundary: str) -> None:
    body = PARTS.format(reason=reason).replace("\r\n", line_end).encode()
    first, second, third = batch.read(Came(200, body, {"Content-Type": boundary}))
    assert json_of(first) == {"name": "Ä"}
    assert (second.status_code, second.content) == (204, b"")
    assert isinstance(refusal(third, READ), ThrottledError)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/html", b"<html>"),
        ("", b""),
        ("multipart/mixed; boundary=b", b""),
        ("multipart/mixed; boundary=b", PARTS.format(reason=" OK").encode()[:-20]),
        ("multipart/mixed; boundary=b", b"--b\r\nContent-Type: application/http\r\n\r\nnonsense\r\n\r\n\r\n--b--\r\n"),
    ],
)
def test_half_a_batch_is_no_answer(kind: str, body: bytes) -> None:
    with pytest.raises(BrokenAnswerError):
        batch.read(Came(200, body, {"Content-Type": kind}))
