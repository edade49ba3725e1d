"""Whether an address answers at all, over TLS, and what it says to anybody: its clock, its tenant.

Nothing is proved here and nobody signs in; what goes wrong on the way is told apart, since each has its own remedy.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum

import requests
from urllib3.exceptions import NameResolutionError

from receiver.errors import DataverseUnreachableError

TIMEOUT = (5, 15)
_TENANT = re.compile(r"authorization_uri=\"?https://[^/]+/([0-9a-fA-F-]{36})/")


class Obstacle(StrEnum):
    NO_HOST = "no host"
    REFUSED = "refused"
    TLS = "TLS"
    #: the file of authorities to trust cannot be read
    TRUST = "trust"
    PROXY = "proxy"
    SILENT = "silent"


class NotReachedError(DataverseUnreachableError):
    """The address cannot be reached."""

    def __init__(self, obstacle: Obstacle, said: str) -> None:
        super().__init__(said)
        self.obstacle = obstacle


@dataclass(frozen=True)
class Reached:
    """What came back; `at` is the other side's clock, `tenant` the one that it wants to be signed in to."""

    status: int
    at: datetime | None
    tenant: str
    text: str


def reach(url: str) -> Reached:
    """Ask the address once, without a token. Raises: NotReachedError."""
    try:
        with requests.Session() as session:
            answer = session.get(url, timeout=TIMEOUT, allow_redirects=False)
            found = _TENANT.search(answer.headers.get("WWW-Authenticate", ""))
            at = _moment(answer.headers.get("Date", ""))
            return Reached(answer.status_code, at, found[1].lower() if found else "", answer.text[:1000])
    except (OSError, ValueError) as error:  # a ValueError comes of a host that no host can have
        raise NotReachedError(*told(error)) from error


def _moment(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None


def told(error: Exception, patience: float = TIMEOUT[1]) -> tuple[Obstacle, str]:
    """What stood in the way, and the same in words, of what requests raised; *patience* in seconds."""
    if isinstance(error, OSError) and not isinstance(error, requests.RequestException):
        return Obstacle.TRUST, str(error)
    causes = list(_causes(error))
    broken = next((one for one in causes if isinstance(one, ssl.SSLError)), None)
    if broken is not None or isinstance(error, requests.exceptions.SSLError):
        if getattr(broken, "reason", "") == "WRONG_VERSION_NUMBER":
            return Obstacle.TLS, "what listens there does not speak TLS"
        return Obstacle.TLS, str(getattr(broken, "verify_message", "") or broken or error)
    if isinstance(error, requests.exceptions.ProxyError):
        return Obstacle.PROXY, "the proxy that the environment names does not answer"
    if any(isinstance(one, NameResolutionError | socket.gaierror) for one in causes):
        return Obstacle.NO_HOST, "no host has this name"
    if any(isinstance(one, ConnectionRefusedError) for one in causes):
        return Obstacle.REFUSED, "nothing listens there"
    if isinstance(error, requests.Timeout):
        return Obstacle.SILENT, f"no answer within {patience:g} seconds"
    if isinstance(error, requests.ConnectionError | requests.exceptions.ChunkedEncodingError):
        return Obstacle.SILENT, "the connection broke off"
    return Obstacle.SILENT, type(error).__name__ if isinstance(error, OSError) else str(error)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it stands on; requests and urllib3 hand the cause on in different ways."""
    waiting, seen = [error], set[int]()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        beneath = (getattr(one, "reason", None), one.__cause__, one.__context__, *one.args)
        waiting += [other for other in beneath if isinstance(other, BaseException)]
