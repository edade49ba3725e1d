"""`$batch`: several requests in one, as multipart/mixed; change sets run one after the other.

Source: DP/webapi/execute-batch-operations-using-web-api.md. A change set here is not atomic.
"""

from __future__ import annotations

import re
from uuid import uuid4

from flask import Flask, Response, request
from werkzeug.test import Client, TestResponse

from receiver.sandbox.errors import malformed

_BOUNDARY = re.compile(r'boundary="?([^";]+)"?')
_REQUEST = re.compile(r"(GET|POST|PATCH|PUT|DELETE) (\S+)(?: HTTP/1\.1)?")
_PASSED_ON = ("Authorization",)


def answer_batch(app: Flask) -> Response:
    """Raises ApiError when the body is no batch."""
    boundary = f"batchresponse_{uuid4()}"
    go_on = "odata.continue-on-error" in request.headers.get("Prefer", "")
    parts, worst = [], 200
    for inner in _inner_requests(request.get_data(as_text=True), request.headers.get("Content-Type", "")):
        answer = _carried_out(app, inner)
        parts.append(_part(boundary, answer))
        if answer.status_code >= 400 and not go_on:  # noqa: PLR2004 - the error statuses begin there
            worst = answer.status_code
            break
    body = "".join(parts) + f"--{boundary}--\r\n"
    return Response(body, worst, content_type=f"multipart/mixed; boundary={boundary}")


def _inner_requests(body: str, content_type: str) -> list[str]:
    """The requests as text, those of change sets in their place."""
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise malformed("A batch needs the content type multipart/mixed with a boundary.")
    requests: list[str] = []
    for part in body.split(f"--{found[1]}")[1:-1]:
        head, _, content = part.lstrip("\r\n").replace("\r\n", "\n").partition("\n\n")
        if "multipart/mixed" in head:
            requests += _inner_requests(content, head)
        else:
            requests.append(content)
    return requests


def _carried_out(app: Flask, text: str) -> TestResponse:
    line, _, rest = text.lstrip().partition("\n")
    head, _, body = rest.partition("\n\n")
    found = _REQUEST.match(line.strip())
    if found is None:
        raise malformed(f"No request: {line}")
    method, address = found[1], found[2]
    if not address.startswith(("/", "http")):
        address = f"{request.path.removesuffix('$batch')}{address}"
    path = address.partition(request.host)[2] if address.startswith("http") else address
    headers = dict(pair.split(":", 1) for pair in head.splitlines() if ":" in pair)
    passed_on = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
    client = Client(app)
    return client.open(
        path,
        method=method,
        base_url=request.host_url,
        data=body.strip(),
        headers={**{name.strip(): value.strip() for name, value in headers.items()}, **passed_on},
    )


def _part(boundary: str, answer: TestResponse) -> str:
    head = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
    return (
        f"--{boundary}\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
        f"HTTP/1.1 {answer.status}\r\n{head}\r\n{answer.get_data(as_text=True)}\r\n"
    )
