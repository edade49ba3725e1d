"""`$batch`: several requests in one, as multipart/mixed; a change set is carried out whole or not at all.

Source: DP/webapi/execute-batch-operations-using-web-api.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from uuid import uuid4

from flask import Flask, Response, request
from werkzeug.test import Client, TestResponse

from receiver.sandbox import exact_json
from receiver.sandbox.errors import invalid_argument, malformed
from receiver.sandbox.faults import Faults
from receiver.sandbox.organization import Organization

_BOUNDARY = re.compile(r'boundary="?([^";\r\n]+)"?')
_REQUEST = re.compile(r"(GET|POST|PATCH|PUT|DELETE) (\S.*?)(?: HTTP/1\.1)?")
_STATUS_LINE = re.compile(r"^(HTTP/1\.1 \d{3})[^\r]*", re.MULTILINE)
_CONTENT_ID = re.compile(r"^content-id:\s*(\S+)", re.IGNORECASE | re.MULTILINE)
_REFERENCE = re.compile(r"\$(\d+)")
_PASSED_ON = ("Authorization", "MSCRMCallerID", "CallerObjectId")
_MOST_REQUESTS = 1000
_FIRST_ERROR = 400
INNER = "sandbox.is_inner"
"""Marks, in the WSGI environment, a request that came inside a batch: to the limits and to faults it is none."""


@dataclass(frozen=True)
class _Inner:
    """One request of a batch, and the name that later ones of its change set may call its row by."""

    method: str
    address: str
    headers: dict[str, str]
    body: str
    content_id: str | None


@dataclass
class _Answers:
    """The parts of the answer so far; `failed` is the status of the first refusal."""

    boundary: str
    parts: list[str] = field(default_factory=list)
    failed: int | None = None

    def add(self, answer: TestResponse, content_id: str | None = None) -> None:
        self.parts.append(_part(self.boundary, answer, content_id))
        if answer.status_code >= _FIRST_ERROR:
            self.failed = self.failed or answer.status_code

    def text(self) -> str:
        return "".join(self.parts) + f"--{self.boundary}--\r\n"


class _ChangeSetRefusedError(Exception):
    """One request of a change set was refused: none of it happens, and that refusal is the whole answer."""

    def __init__(self, answer: TestResponse, content_id: str | None) -> None:
        super().__init__()
        self.answer = answer
        self.content_id = content_id


def answer_batch(app: Flask, organization: Organization) -> Response:
    """Raises ApiError when the body is no batch."""
    items = _items(request.get_data(as_text=True), request.headers.get("Content-Type", ""))
    if sum(len(item) if isinstance(item, list) else 1 for item in items) > _MOST_REQUESTS:
        raise invalid_argument(f"The batch holds more than the {_MOST_REQUESTS} requests that are allowed.")
    goes_on = "odata.continue-on-error" in request.headers.get("Prefer", "")
    answers = _Answers(f"batchresponse_{uuid4()}")
    for item in items:
        if isinstance(item, list):
            _carry_out_change_set(app, organization, item, answers)
        else:
            answers.add(_carried_out(app, item, {}), item.content_id)
        if answers.failed and not goes_on:
            break
    status = answers.failed if answers.failed and not goes_on else 200
    if organization.faults.strikes("batch_parts_missing"):
        answers.parts.pop()
    text = _troubled(answers.text(), organization.faults)
    return Response(text, status, content_type=f"multipart/mixed; boundary={answers.boundary}")


def _troubled(text: str, faults: Faults) -> str:
    """As servers and gateways have been seen to write it: no reason phrases, other line ends, half of it."""
    if faults.strikes("batch_without_reason"):
        text = _STATUS_LINE.sub(r"\1 ", text)
    if faults.strikes("batch_cut_short"):
        # within the last part's head: that part has no answer, and nothing says that the batch has ended
        text = text[: text.rindex("HTTP/1.1 ")]
    if faults.strikes("batch_line_ends_lf"):
        text = text.replace("\r\n", "\n")
    return text


def _carry_out_change_set(app: Flask, organization: Organization, items: list[_Inner], answers: _Answers) -> None:
    inside, addresses = _Answers(f"changesetresponse_{uuid4()}"), dict[str, str]()
    try:
        with organization.rows.transaction():
            for item in items:
                answer = _accepted(_carried_out(app, item, addresses), item)
                inside.add(answer, item.content_id)
                if item.content_id and "OData-EntityId" in answer.headers:
                    addresses[item.content_id] = answer.headers["OData-EntityId"]
    except _ChangeSetRefusedError as refused:
        answers.add(refused.answer, refused.content_id)
    else:
        head = f"Content-Type: multipart/mixed; boundary={inside.boundary}"
        answers.parts.append(f"--{answers.boundary}\r\n{head}\r\n\r\n{inside.text()}\r\n")


def _accepted(answer: TestResponse, item: _Inner) -> TestResponse:
    if answer.status_code >= _FIRST_ERROR:
        raise _ChangeSetRefusedError(answer, item.content_id)
    return answer


def _items(body: str, content_type: str) -> list[_Inner | list[_Inner]]:
    """The requests in their order; a change set is a list of its own. Raises ApiError."""
    found: list[_Inner | list[_Inner]] = []
    for head, content in _parts(body, content_type):
        if "multipart/mixed" in head:
            found.append([_write(_inner(*part)) for part in _parts(content, head)])
        else:
            found.append(_inner(head, content))
    return found


def _parts(body: str, content_type: str) -> list[tuple[str, str]]:
    boundary = _BOUNDARY.search(content_type)
    if boundary is None:
        raise malformed("A batch needs the content type multipart/mixed with a boundary.")
    parts = []
    for part in body.replace("\r\n", "\n").split(f"--{boundary[1]}")[1:-1]:
        head, _, content = part.lstrip("\n").partition("\n\n")
        parts.append((head, content))
    return parts


def _inner(head: str, content: str) -> _Inner:
    line, _, rest = content.lstrip().partition("\n")
    found = _REQUEST.fullmatch(line.strip())
    if found is None:
        raise malformed(f"No request: {line}")
    named, _, body = f"{rest}\n".partition("\n\n") if rest.strip() else ("", "", "")
    headers = dict(pair.split(":", 1) for pair in named.splitlines() if ":" in pair)
    content_id = _CONTENT_ID.search(head) or _CONTENT_ID.search(named)
    stripped = {name.strip(): value.strip() for name, value in headers.items()}
    return _Inner(found[1], found[2], stripped, body.strip(), content_id[1] if content_id else None)


def _write(inner: _Inner) -> _Inner:
    if inner.method == "GET":
        raise malformed("A change set holds writes only, no GET.")
    return inner


def _carried_out(app: Flask, inner: _Inner, addresses: dict[str, str]) -> TestResponse:
    passed_on = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
    return Client(app).open(
        _path(_REFERENCE.sub(lambda found: addresses.get(found[1], found[0]), inner.address)),
        method=inner.method,
        base_url=request.host_url,
        data=_resolved(inner.body, addresses),
        headers={**inner.headers, **passed_on},
        environ_overrides={INNER: True},
    )


def _path(address: str) -> str:
    if address.startswith("http"):
        return address.partition(request.host)[2]
    return address if address.startswith("/") else f"{request.path.removesuffix('$batch')}{address}"


def _resolved(body: str, addresses: dict[str, str]) -> str:
    """The body, with `"$1"` in a bind replaced by the row that the request of that Content-ID made."""
    if not addresses or "$" not in body:
        return body
    try:
        members = exact_json.loads(body)
    except ValueError:
        return body
    if not isinstance(members, dict):
        return body
    return exact_json.dumps({name: _named(name, value, addresses) for name, value in members.items()})


def _named(name: str, value: object, addresses: dict[str, str]) -> object:
    is_reference = name.endswith(("@odata.bind", "@odata.id")) and isinstance(value, str)
    return addresses.get(str(value).lstrip("/").removeprefix("$"), value) if is_reference else value


def _part(boundary: str, answer: TestResponse, content_id: str | None) -> str:
    named = f"Content-ID: {content_id}\r\n" if content_id else ""
    head = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
    return (
        f"--{boundary}\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n{named}\r\n"
        f"HTTP/1.1 {answer.status}\r\n{head}\r\n{answer.get_data(as_text=True)}\r\n"
    )
