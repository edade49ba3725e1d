"""Scripted answers: what the Web API, or something between it and the caller, says instead of the true answer.

A test appends them to `Faults.answers`; the first that fits a request strikes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import unquote

HANGS_UP = 0
"""The status of an answer that never comes: the connection is closed instead."""


@dataclass(frozen=True)
class Answer:
    """One answer for the next `times` requests that fit; -1 is for all until it is taken from the list.

    `method` empty: any. `path` is a part of the address behind the host, as it is sent or with its escapes undone;
    empty: any. A whole batch is the path `$batch`; `in_batch` strikes requests inside of one, and only those.

    The body: bytes as they are, a text as text/html, a mapping as Dataverse's JSON. Of the headers only these are
    sent, and Content-Length unless it is among them. Status 0 closes the connection without an answer.

    `is_done`: the request is carried out first. `change` rewrites the body of the true answer; that keeps its status,
    its reason and its headers, to which these are added. Inside a change set an answer of 400 or above undoes the set.
    """

    status: int = 404
    body: bytes | str | Mapping[str, Any] = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""
    times: int = 1
    method: str = ""
    path: str = ""
    is_done: bool = False
    in_batch: bool = False
    change: Callable[[bytes], bytes] | None = None

    def __post_init__(self) -> None:
        if self.status == HANGS_UP and self.in_batch:
            raise ValueError("A request inside a batch has no connection of its own that could be closed.")

    @classmethod
    def error(cls, status: int, code: str, message: str = "Scripted.", category: str = "", **rest: Any) -> Self:
        """An error as Dataverse writes it. A category is written whether annotations were asked for or not."""
        told = {"code": code, "message": message}
        if category:
            told["@Microsoft.PowerApps.CDS.ErrorDetails.ApiExceptionCategory"] = category
        return cls(status, {"error": told}, **rest)

    @property
    def needs_the_request_done(self) -> bool:
        return self.is_done or self.change is not None

    def fits(self, method: str, address: str, *, in_batch: bool) -> bool:
        """*address* is the path with its query, escapes and all."""
        if in_batch is not self.in_batch or (self.method and self.method != method):
            return False
        return self.path in address or self.path in unquote(address)
