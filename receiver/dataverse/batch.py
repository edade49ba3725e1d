"""`$batch`: several requests in one, as multipart/mixed; each is carried out, and answered, by itself.

Source: learn.microsoft.com, Web API, Execute batch operations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.message import MIMEPart
from email.parser import BytesParser
from email.policy import HTTP
from http import HTTPStatus
from uuid import uuid4

import requests


@dataclass(frozen=True)
class Part:
    """One request of a batch; `url` is absolute."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """One answer of a batch, with what `requests` calls these things."""

    status_code: int
    reason: str
    headers: Mapping[str, str]
    content: bytes

    @property
    def ok(self) -> bool:
        return self.status_code < HTTPStatus.BAD_REQUEST


def written(parts: Sequence[Part]) -> tuple[str, bytes]:
    """The batch's Content-Type and body."""
    boundary = f"batch_{uuid4()}"
    lines: list[bytes] = []
    for number, part in enumerate(parts, 1):
        headers = {"Content-Type": "application/json; type=entry", **part.headers}
        lines += [
            f"--{boundary}".encode(),
            b"Content-Type: application/http",
            b"Content-Transfer-Encoding: binary",
            f"Content-ID: {number}".encode(),
            b"",
            f"{part.method} {part.url} HTTP/1.1".encode(),
            *(f"{name}: {value}".encode() for name, value in headers.items()),
            b"",
            part.body,
        ]
    return f'multipart/mixed; boundary="{boundary}"', b"\r\n".join([*lines, f"--{boundary}--".encode(), b""])


def read(response: requests.Response) -> list[Answer]:
    """The answers, in the order of the requests."""
    head = f"Content-Type: {response.headers['Content-Type']}\r\n\r\n".encode()
    whole = BytesParser(policy=HTTP).parsebytes(head + response.content)
    return [_answer(part) for part in whole.iter_parts()]


def _answer(part: MIMEPart) -> Answer:
    raw = part.get_payload(decode=True)
    assert isinstance(raw, bytes)  # a part of a part would be a change set, which we do not send
    status, _, rest = raw.partition(b"\r\n")
    _, code, reason = status.decode("latin-1").split(" ", 2)
    head, _, content = rest.partition(b"\r\n\r\n")
    fields = (line.partition(":") for line in head.decode("latin-1").split("\r\n"))
    headers = requests.structures.CaseInsensitiveDict(
        {name.strip(): value.strip() for name, _, value in fields if name}
    )
    return Answer(int(code), reason, headers, content.strip())
