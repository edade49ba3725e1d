"""One request to Dataverse's Web API and its answer, page after page: token, time-out, gate.

It does not sleep and does not retry a refusal: long waits belong to the lane. Every call has a time-out. What an
answer means is said in `answers.py`. Source: reference/dataverse.md §6.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import urlsplit

import requests

from receiver.core import measured
from receiver.core.away import Away
from receiver.dataverse.answers import Answer, Asked, json_of, refusal
from receiver.dataverse.columns import TABLES
from receiver.dataverse.known_answers import NO_PRIVILEGE
from receiver.dataverse.reach import told
from receiver.errors import (
    AnswerClass,
    BrokenAnswerError,
    DataverseError,
    DataverseUnreachableError,
    ReceiverError,
    SetUpError,
    ThrottledError,
)

log = logging.getLogger(__name__)

#: seconds to connect, and to wait for an answer; and where a person waits for it, as the page behind the button does
TIMEOUT, OF_A_PERSON = (5, 30), (5, 10)
SLOW_SECONDS = 2.0
LATELY_SECONDS, FAILED_KEPT = 900.0, 8
_DECIMAL = f"decimal-{uuid.uuid4().hex}:"
HEADERS = {
    "Accept": "application/json",
    "OData-MaxVersion": "4.0",
    "OData-Version": "4.0",
    "Prefer": 'odata.include-annotations="*"',
}
#: said with a page when more rows follow, whether or not a link says where
MORE = "@Microsoft.Dynamics.CRM.morerecords"
_API = re.compile(r"^/api/data/v[0-9.]+/(.+)$")
_BY_ID = re.compile(r"^(\w+)\(([0-9a-fA-F-]{36})\)")
_TABLE_OF_SET: Mapping[str, str] = {table.entity_set: table.name for table in TABLES.values()}
_OPERATIONS = {"GET": "read", "POST": "create", "PATCH": "write", "PUT": "write", "DELETE": "delete"}


class Credentials(Protocol):
    def token(self, *, fresh: bool = False) -> str: ...


class Gate(Protocol):
    """Keeps requests from being sent while Dataverse asked for a pause, or while a person must act."""

    def enter(self, names: Collection[str]) -> str:
        """The gate that this request may look behind, as the first since it was closed; else empty.

        Raises: GateClosedError.
        """

    def refused(self, error: ReceiverError) -> None:
        """What was answered may close a gate."""

    def passed(self, gate: str) -> None:
        """The request that looked behind *gate* went through: it is open."""

    def left(self, gate: str) -> None:
        """The request that looked behind *gate* did not go through: another may look, unless its answer closes it."""


class OpenGate:
    """Where nobody has to wait: a person tests the connection."""

    def enter(self, names: Collection[str]) -> str:
        del names
        return ""

    def refused(self, error: ReceiverError) -> None: ...

    def passed(self, gate: str) -> None: ...

    def left(self, gate: str) -> None: ...


@dataclass(frozen=True)
class Call:
    """A request as it is sent; *path* within the Web API; *parts* where it is a batch."""

    method: str
    path: str
    params: Mapping[str, str] | None = None
    headers: Mapping[str, str] | None = None
    body: bytes | None = None
    parts: tuple[Asked, ...] = field(default=())

    @property
    def asked(self) -> Asked:
        return asked_of(self.method, self.path, self.headers or {})

    @property
    def gates(self) -> frozenset[str]:
        """The gates that may hold it."""
        return frozenset[str]().union(*(one.gates for one in self.parts or (self.asked,)))


def asked_of(method: str, path: str, headers: Mapping[str, str]) -> Asked:
    """What a request wants of which table, and of which row: a PATCH that must not find one creates it."""
    operation = "create" if headers.get("If-None-Match") == "*" else _OPERATIONS[method]
    found = _BY_ID.match(path)
    name, id_ = (found[1], found[2]) if found else (re.split(r"[/?(]", path)[0], "")
    return Asked(operation, _TABLE_OF_SET.get(name, name), id_ if found and found.end() == _end_of(path) else "")


def _end_of(path: str) -> int:
    """Where a path ends that names the row itself, nothing beneath it."""
    return len(path.partition("?")[0])


class WebApi:
    """One environment. Sessions are one a thread; the gate may raise to keep a request from being sent."""

    def __init__(self, url: str, credentials: Credentials, gate: Gate | None = None) -> None:
        self.url = url.rstrip("/")
        self._root = f"{self.url}/api/data/v9.2/"
        self._credentials = credentials
        self._gate = gate or OpenGate()
        self._away = Away(log, f"Dataverse ({urlsplit(self.url).hostname})")
        self._time_out = TIMEOUT
        #: called once, when a request takes long; None: nobody waits before a terminal
        self._told_waiting: Callable[[], None] | None = None
        self._local = threading.local()
        self._sessions: list[requests.Session] = []
        #: when a request of a kind went through last, and when one failed, by the row's id
        self._went: dict[tuple[str, str], float] = {}
        self._failed: dict[tuple[str, str], dict[str, float]] = {}

    def close(self) -> None:
        for session in self._sessions:
            session.close()

    def waited_for(self, told: Callable[[], None] | None) -> None:
        """A person waits: *told* is called as soon as an answer takes long, and patience ends sooner. None: nobody."""
        self._told_waiting = told
        self._time_out = TIMEOUT if told is None else OF_A_PERSON

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
        """One request, *path* within the Web API; its answer's JSON, numbers exact.

        Raises: DataverseError for a refusal; DataverseUnreachableError, also for what is no answer of Dataverse's;
        GateClosedError; SignInError.
        """
        return json_of(self._answer(Call(method, path, params, headers, body)))

    def _pages(
        self, path: str, params: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Each answer to a query, which may not fit into one; while it is worked on, the next is on its way."""
        answer, seen = _page(self.call("GET", path, params=params, headers=headers)), set[str]()
        if "@odata.nextLink" not in answer:
            yield answer
            return
        with ThreadPoolExecutor(1, "next-page") as ahead:
            try:
                while "@odata.nextLink" in answer:
                    following = within(str(answer["@odata.nextLink"]))
                    if following in seen:
                        raise BrokenAnswerError("Dataverse's next page was read already; it is asked again.")
                    seen.add(following)
                    asked = partial(self.call, "GET", following, headers=headers)
                    coming = ahead.submit(copy_context().run, asked)  # in the background, where this is
                    yield answer
                    answer = _page(coming.result())
                yield answer
            finally:
                ahead.submit(self._forget_session)

    def _answer(self, call: Call) -> requests.Response:
        """Raises: as `call`."""
        gate = self._gate.enter(call.gates)
        operation = "batch" if call.parts else call.asked.operation
        begun = time.monotonic()
        try:
            response = self._sent(call)
        except ReceiverError as error:
            measured.count("dataverse_calls", operation=operation, answer=_class_of(error))
            if gate:
                self._gate.left(gate)
            self._note(error)
            self._closed_by(error)
            raise
        measured.count("dataverse_calls", operation=operation, answer="ok")
        measured.took("dataverse_seconds", time.monotonic() - begun, operation=operation)
        if gate:
            self._gate.passed(gate)
        self._went[call.asked.what] = time.monotonic()
        self._away.back()
        return response

    def _note(self, error: ReceiverError) -> None:
        """Whether Dataverse is there: a refusal of what was asked is an answer, an outage or a pause is none."""
        if isinstance(error, DataverseError) and error.answer is AnswerClass.DATA:
            self._away.back()
        else:
            self._away.away(str(error))

    def _sent(self, call: Call) -> requests.Response:
        """The answer to a request that went through, with a new token where the first was refused."""
        response = self._send(call, fresh=False)
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            response = self._send(call, fresh=True)
        if not is_success(response):
            raise self._refusal(response, call.asked)
        return response

    def serves(self, asked: Asked) -> bool:
        """Whether others of the same kind have gone through since this row failed first, or the table can be read.

        Where others were tried and none has gone through, it does not: that is an outage.
        """
        failed = self._failed.get(asked.what, {})
        since = failed.get(asked.id, time.monotonic())
        if self._went.get(asked.what, since) > since:
            return True
        if any(at > since - LATELY_SECONDS for id_, at in failed.items() if id_ != asked.id):
            return False
        return self._can_be_read(asked.table)

    def _can_be_read(self, table: str) -> bool:
        """A probe: the first row of the table."""
        described = TABLES[table]
        try:
            self.call("GET", described.entity_set, params={"$select": described.primary_id, "$top": "1"})
        except ReceiverError:
            return False
        return True

    def _refusal(self, answer: Answer, asked: Asked) -> ReceiverError:
        """What a refusal says."""
        error: ReceiverError = refusal(answer, asked)
        self._remember_failed(asked)
        if isinstance(error, SetUpError) and error.code == NO_PRIVILEGE:
            error = self._confirmed(error, asked)
        return error

    def _closed_by(self, error: ReceiverError) -> None:
        """An answer of everybody's concern closes a gate."""
        if not self._is_confirming:
            self._gate.refused(error)

    @contextmanager
    def confirming(self) -> Iterator[None]:
        """What this thread asks meanwhile is about an answer that it got: what is answered to that closes no gate."""
        self._local.is_confirming = True
        try:
            yield
        finally:
            self._local.is_confirming = False

    @property
    def _is_confirming(self) -> bool:
        """Whether this thread asks about an answer: what is answered to that closes nothing."""
        return bool(getattr(self._local, "is_confirming", False))

    def _remember_failed(self, asked: Asked) -> None:
        """The last few rows of each kind, and when each failed first; what is older than *lately* tells nothing."""
        now = time.monotonic()
        known = {id_: at for id_, at in self._failed.get(asked.what, {}).items() if now - at < LATELY_SECONDS}
        self._failed[asked.what] = dict(list({asked.id: now, **known}.items())[-FAILED_KEPT:])

    def _confirmed(self, error: SetUpError, asked: Asked) -> ReceiverError:
        """Whether it is the privilege that is missing, and not this row's trouble; whoever can ask overrides it."""
        del asked
        return error

    def _send(self, call: Call, *, fresh: bool) -> requests.Response:
        sent = {**HEADERS, "Authorization": f"Bearer {self._credentials.token(fresh=fresh)}", **(call.headers or {})}
        if call.method == "GET":
            sent["If-None-Match"] = "null"
        if call.body is not None:
            sent.setdefault("Content-Type", "application/json; charset=utf-8")
        try:
            with self._told_if_slow():
                return self._session().request(
                    call.method,
                    self._root + call.path,
                    params=call.params,
                    headers=sent,
                    data=call.body,
                    timeout=self._time_out,
                    allow_redirects=False,
                )
        except requests.RequestException as error:
            _, words = told(error, self._time_out[1])
            raise DataverseUnreachableError(f"Dataverse cannot be reached at {self.url}: {words}.") from error

    @contextmanager
    def _told_if_slow(self) -> Iterator[None]:
        if self._told_waiting is None:
            yield
            return
        slow = threading.Timer(SLOW_SECONDS, self._told_waiting)
        slow.daemon = True
        slow.start()
        try:
            yield
        finally:
            slow.cancel()

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


def is_success(answer: Answer) -> bool:
    """A redirect leads to a sign-in or maintenance page: it is none."""
    return HTTPStatus.OK <= answer.status_code < HTTPStatus.MULTIPLE_CHOICES


def _class_of(error: ReceiverError) -> str:
    """As a label: passing, set-up, data, throttled; unreachable where there was no answer."""
    if isinstance(error, ThrottledError):
        return "throttled"
    return str(error.answer.value) if isinstance(error, DataverseError) else "unreachable"


def within(link: str) -> str:
    """A link's path and query within the Web API: asked of our own address, whatever host it names.

    An environment answers under two names, and a link may carry the other; the token goes to ours alone.
    Raises: BrokenAnswerError for a link that leads out of the Web API.
    """
    parts = urlsplit(link)
    found = _API.match(parts.path)
    if found is None:
        raise BrokenAnswerError(f"Dataverse's next page lies outside its Web API ({parts.path}); it is asked again.")
    return f"{found[1]}?{parts.query}" if parts.query else found[1]


def _page(answer: Any) -> dict[str, Any]:
    """A query's answer. Raises: BrokenAnswerError where rows are missing, or said to follow without saying where."""
    if not isinstance(answer, dict) or not isinstance(answer.get("value"), list):
        raise BrokenAnswerError("Dataverse answered a query without rows; it is asked again.")
    if answer.get(MORE) is True and "@odata.nextLink" not in answer:
        raise BrokenAnswerError(
            "Dataverse says that more rows follow, and not where: that is half an answer, and nothing is made of it."
        )
    return answer


def dumps(body: Mapping[str, Any]) -> bytes:
    """JSON whose Decimals are numbers with their scale kept; the standard encoder has no place for them."""

    def marked(value: object) -> str:
        if isinstance(value, Decimal):
            return f"{_DECIMAL}{value:f}"
        raise TypeError(f"{type(value).__name__} cannot be written as JSON")

    text = json.dumps(body, default=marked, ensure_ascii=False)
    parts = text.split(f'"{_DECIMAL}')
    return "".join([parts[0], *(part.replace('"', "", 1) for part in parts[1:])]).encode()
