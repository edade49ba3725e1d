"""Sends one notification and records what became of it: headers, proof, time-out, the single retry.

Source: DP/use-webhooks.md, DP/register-web-hook.md.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

import requests

from receiver.sandbox import wire
from receiver.sandbox.context import ExecutionContext
from receiver.sandbox.settings import HTTP_HEADER, HTTP_QUERY, WEBHOOK_KEY

LARGEST_BODY = 256 * 1024
_TRIED_AGAIN = frozenset({502, 503, 504})
_KEPT_OF_ANSWER = 4000


@dataclass(frozen=True)
class Parcel:
    """One notification, ready to send."""

    number: int
    endpoint_id: str
    step_id: str
    table: str
    row_id: str
    row_name: str | None
    message: str
    mode: int
    headers: dict[str, str]
    body: bytes
    at: datetime
    job_id: str | None = None


@dataclass(frozen=True)
class Delivery:
    """What became of a parcel. `status` is None when nothing was answered; then `error` says why."""

    number: int
    message: str
    table: str
    row_id: str
    row_name: str | None
    mode: int
    step_id: str
    job_id: str | None
    url: str
    headers: dict[str, str]
    body: bytes
    status: int | None
    answer: str
    error: str | None
    attempts: int
    milliseconds: int
    at: datetime

    @property
    def has_succeeded(self) -> bool:
        return self.status is not None and HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def failure(self) -> str:
        return self.error or f"The receiver answered {self.status}. {self.answer[:500]}"


def stripped(context: ExecutionContext) -> ExecutionContext:
    """Over the size limit these four members go empty."""
    return replace(context, InputParameters=(), PreEntityImages=(), PostEntityImages=(), ParentContext=None)


def packed(context: ExecutionContext, host: str, *, is_stripped: bool) -> tuple[dict[str, str], bytes]:
    """The headers and the body of the request."""
    body = wire.body(context)
    exceeds = is_stripped or len(body) > LARGEST_BODY
    headers = {
        "content-type": "application/json",
        "x-ms-dynamics-organization": host,
        "x-ms-dynamics-entity-name": context.PrimaryEntityName,
        "x-ms-dynamics-request-name": context.MessageName,
        "x-ms-correlation-request-id": context.CorrelationId,
    }
    if not exceeds:
        return headers, body
    return {**headers, "x-ms-dynamics-msg-size-exceeded": "true"}, wire.body(stripped(context))


@dataclass(frozen=True)
class Address:
    """Where a service endpoint's notifications go, with its proof in place."""

    url: str
    headers: dict[str, str]

    @classmethod
    def of(cls, endpoint: dict[str, Any]) -> Address:
        """From the values of a serviceendpoint row."""
        url, value, kind = endpoint["url"], endpoint.get("authvalue") or "", endpoint.get("authtype")
        if kind == WEBHOOK_KEY:
            return cls(_with_query(url, {"code": value}), {})
        pairs = _pairs(value)
        if kind == HTTP_QUERY:
            return cls(_with_query(url, pairs), {})
        return cls(url, pairs if kind == HTTP_HEADER else {})


def _pairs(settings: str) -> dict[str, str]:
    if not settings.strip():
        return {}
    # Written by whoever registered the endpoint on this local sandbox; it reaches nobody else.
    found = ET.fromstring(settings)  # noqa: S314  # our own registration's settings
    return {setting.get("name", ""): setting.get("value", "") for setting in found.iter("setting")}


def _with_query(url: str, pairs: dict[str, str]) -> str:
    if not pairs:
        return url
    return f"{url}{'&' if '?' in url else '?'}{urlencode(pairs)}"


@dataclass(frozen=True)
class Sender:
    """Carries parcels out. One session each thread: a session is not safe to share."""

    timeout_seconds: float
    retry_delay_seconds: float

    def send(self, session: requests.Session, parcel: Parcel, address: Address) -> Delivery:
        """Tries once, and exactly once more when the answer was 502, 503 or 504."""
        began = time.monotonic()
        attempts, outcome = 1, self._attempt(session, parcel, address)
        if outcome[0] in _TRIED_AGAIN:
            time.sleep(self.retry_delay_seconds)
            attempts, outcome = 2, self._attempt(session, parcel, address)
        status, answer, error = outcome
        return Delivery(
            number=parcel.number,
            message=parcel.message,
            table=parcel.table,
            row_id=parcel.row_id,
            row_name=parcel.row_name,
            mode=parcel.mode,
            step_id=parcel.step_id,
            job_id=parcel.job_id,
            url=address.url,
            headers={**parcel.headers, **address.headers},
            body=parcel.body,
            status=status,
            answer=answer,
            error=error,
            attempts=attempts,
            milliseconds=int((time.monotonic() - began) * 1000),
            at=parcel.at,
        )

    def _attempt(
        self, session: requests.Session, parcel: Parcel, address: Address
    ) -> tuple[int | None, str, str | None]:
        try:
            answer = session.post(
                address.url,
                data=parcel.body,
                headers={**parcel.headers, **address.headers},
                timeout=self.timeout_seconds,
                # A redirect counts as a failure; following it would hide a wrong address.
                allow_redirects=False,
            )
        except requests.Timeout:
            return None, "", f"The receiver did not answer within {self.timeout_seconds:g} seconds."
        except (requests.RequestException, UnicodeError) as problem:
            return None, "", f"The receiver could not be reached: {problem}"
        return answer.status_code, answer.text[:_KEPT_OF_ANSWER], None


def new_session() -> requests.Session:
    """A session that ignores proxies and certificates named in the environment: the receiver is local."""
    session = requests.Session()
    session.trust_env = False
    session.headers.clear()
    return session
