"""`$batch`: several requests in one, as multipart/mixed; each is carried out, and answered, by itself.

Source: learn.microsoft.com, Web API, Execute batch operations.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import uuid4

import requests

from receiver.errors import BrokenAnswerError

_BOUNDARY = re.compile(r'boundary="?([^";]+)"?', re.IGNORECASE)
_LINE_END = re.compile(rb"\r\n")
_STATUS = re.compile(rb"HTTP/[0-9.]+ ([0-9]{3})(.*)")


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
    """The answers, in the order of the requests.

    Raises: BrokenAnswerError for what is no multipart, or is cut off.
    """
    kind = response.headers.get("Content-Type", "")
    found = _BOUNDARY.search(kind)
    if found is None or not kind.lower().startswith("multipart/mixed"):
        raise BrokenAnswerError(f"What answered a batch is not Dataverse ({kind.partition(';')[0] or 'no type'}).")
    first, *parts = _LINE_END.sub(b"\n", response.content).split(f"--{found[1]}".encode())
    if first.strip() or not parts or not parts[-1].startswith(b"--"):
        raise BrokenAnswerError("Half an answer to a batch came; what became of the rest is looked for.")
    return [_answer(part) for part in parts[:-1]]


def _answer(part: bytes) -> Answer:
    """A part: its own head, then a status line whose reason may be missing, a head, and the content."""
    _, _, inner = part.lstrip(b"\n").partition(b"\n\n")
    status, _, rest = inner.partition(b"\n")
    found = _STATUS.match(status)
    if found is None:
        raise BrokenAnswerError("A part of a batch's answer has no status; what became of it is looked for.")
    head, _, content = rest.partition(b"\n\n")
    fields = (line.partition(":") for line in head.decode("latin-1").split("\n"))
    headers = requests.structures.CaseInsensitiveDict(
        {name.strip(): value.strip() for name, _, value in fields if name.strip()}
    )
    return Answer(int(found[1]), found[2].decode("latin-1").strip(), headers, content.strip())
