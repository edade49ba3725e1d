"""One request to Dataverse's Web API and its answer, page after page: token, time-out, and what a refusal means.

It does not sleep and does not retry a refusal: long waits belong to the lane. Every call has a time-out.
Source: reference/dataverse.md §6.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

import requests

from receiver.dataverse import batch
from receiver.errors import DataverseError, DataverseUnreachableError, ThrottledError, VersionMismatchError

TIMEOUT = (5, 30)
DEFAULT_PAUSE = 5.0
#: a version that is not the row's any more, and an id that exists already; a 412 of a duplicate rule is a refusal
MOVED = frozenset({"0x80060882", "0x80040237"})
_DECIMAL = f"decimal-{uuid.uuid4().hex}:"
HEADERS = {
    "Accept": "application/json",
    "OData-MaxVersion": "4.0",
    "OData-Version": "4.0",
    "Prefer": 'odata.include-annotations="*"',
}


class Credentials(Protocol):
    def token(self, *, fresh: bool = False) -> str: ...


@dataclass(frozen=True)
class Call:
    """A request as it is sent; *path* within the Web API."""

    method: str
    path: str
    params: Mapping[str, str] | None = None
    headers: Mapping[str, str] | None = None
    body: bytes | None = None


class WebApi:
    """One environment. Sessions are one a thread; `before_call` may raise to keep a request from being sent."""

    def __init__(self, url: str, credentials: Credentials, before_call: Callable[[], None] = lambda: None) -> None:
        self.url = url.rstrip("/")
        self._root = f"{self.url}/api/data/v9.2/"
        self._credentials = credentials
        self._before_call = before_call
        self._local = threading.local()
        self._sessions: list[requests.Session] = []

    def close(self) -> None:
        for session in self._sessions:
            session.close()

    def sign_in(self) -> None:
        """Have a token, a new one. Raises: SignInError, DataverseUnreachableError."""
        self._credentials.token(fresh=True)

    def rows(self, path: str, params: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """Every row of a query, page after page."""
        for page in self._pages(path, params):
            yield from page["value"]

    def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Any:
        """One request, *path* within the Web API; its answer's JSON, numbers exact. Raises: DataverseError."""
        response = self._answer(Call(method, path, params, headers, body))
        return json.loads(response.content, parse_float=Decimal) if response.content else {}

    def _pages(
        self, path: str, params: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Each answer to a query, which may not fit into one; while it is worked on, the next is on its way."""
        answer = self.call("GET", path, params=params, headers=headers)
        if "@odata.nextLink" not in answer:
            yield answer
            return
        with ThreadPoolExecutor(1, "next-page") as ahead:
            try:
                while "@odata.nextLink" in answer:
                    following = str(answer["@odata.nextLink"]).removeprefix(self._root)
                    coming = ahead.submit(self.call, "GET", following, headers=headers)
                    yield answer
                    answer = coming.result()
                yield answer
            finally:
                ahead.submit(self._forget_session)

    def _answer(self, call: Call) -> requests.Response:
        """Raises: DataverseError, when it is a refusal; DataverseUnreachableError."""
        self._before_call()
        response = self._send(call, fresh=False)
        if response.status_code == requests.codes.unauthorized:
            response = self._send(call, fresh=True)
        if not response.ok:
            raise refusal(response)
        return response

    def _send(self, call: Call, *, fresh: bool) -> requests.Response:
        sent = {**HEADERS, "Authorization": f"Bearer {self._credentials.token(fresh=fresh)}", **(call.headers or {})}
        if call.method == "GET":
            sent["If-None-Match"] = "null"
        if call.body is not None:
            sent.setdefault("Content-Type", "application/json; charset=utf-8")
        try:
            return self._session().request(
                call.method,
                self._root + call.path,
                params=call.params,
                headers=sent,
                data=call.body,
                timeout=TIMEOUT,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise DataverseUnreachableError(f"Dataverse cannot be reached: {type(error).__name__}: {error}") from error

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            self._sessions.append(session)
        return session

    def _forget_session(self) -> None:
        """Of a thread that ends."""
        session = self._local.__dict__.pop("session", None)
        if session is not None:
            session.close()
            self._sessions.remove(session)


def dumps(body: Mapping[str, Any]) -> bytes:
    """JSON whose Decimals are numbers with their scale kept; the standard encoder has no place for them."""

    def marked(value: object) -> str:
        if isinstance(value, Decimal):
            return f"{_DECIMAL}{value:f}"
        raise TypeError(f"{type(value).__name__} cannot be written as JSON")

    text = json.dumps(body, default=marked, ensure_ascii=False)
    parts = text.split(f'"{_DECIMAL}')
    return "".join([parts[0], *(part.replace('"', "", 1) for part in parts[1:])]).encode()


def refusal(response: requests.Response | batch.Answer) -> DataverseError:
    """What an answer that is not *ok* says."""
    code, message = "", response.reason
    try:
        error = json.loads(response.content)["error"]
        code, message = str(error["code"]), str(error["message"])
    except (ValueError, KeyError, TypeError):
        pass  # a proxy's page, not Dataverse's answer: the status says enough
    status = response.status_code
    if status == requests.codes.too_many_requests or (
        status == requests.codes.unavailable and "Retry-After" in response.headers
    ):
        return ThrottledError(status, code, message, _pause(response.headers.get("Retry-After", "")))
    if code in MOVED:
        return VersionMismatchError(status, code, message)
    return DataverseError(status, code, message)


def _pause(text: str) -> float:
    """Retry-After in seconds; Dataverse sends a number, a proxy may send a date."""
    try:
        return max(float(text), 0.0)
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(text)
        return max((moment - moment.now(moment.tzinfo)).total_seconds(), 0.0)
    except (TypeError, ValueError):
        return DEFAULT_PAUSE
