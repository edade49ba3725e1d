"""The door for Dataverse's notifications, in front of the web framework: key, size, envelope, store, answer.

Dataverse reads only the status code: 2xx is success, 502–504 get exactly one more try, everything else is final. So
what cannot be stored is 503, and what was stored is 202, whatever becomes of it later. Nothing here knows a mapping
or asks Dataverse: under load, every millisecond here is one for the user's save.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote

from sqlalchemy import select
from werkzeug.exceptions import ClientDisconnected, HTTPException, RequestEntityTooLarge
from werkzeug.wsgi import get_input_stream

from receiver.core import measured
from receiver.core.values import guid
from receiver.errors import BusyError, StoreUnavailableError
from receiver.inbox.refusals import AWAY, CONTENT, FULL, KEY, OTHER_ORGANIZATION, TOO_LARGE, UNREADABLE, Refusals
from receiver.inbox.room import Room
from receiver.inbox.storing import Delivery, keep_refused, store
from receiver.inbox.webhook_keys import Keys
from receiver.schemas.execution_context import UnreadableError, read_envelope
from receiver.services import Services
from receiver.store.models import connection as connection_state

if TYPE_CHECKING:
    from _typeshed.wsgi import InputStream, StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger(__name__)

PATH = "/dataverse/notifications"
ASK_AGAIN_SECONDS = 5.0


@dataclass(frozen=True)
class Answer:
    status: int
    content: Mapping[str, Any] | None = None
    headers: tuple[tuple[str, str], ...] = ()


class Input:
    """A body to read: that it breaks off or is garbled is the sender's error, whatever the server calls it."""

    def __init__(self, stream: InputStream) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        """Raises: ClientDisconnected."""
        try:
            return self._stream.read(size)
        except Exception as error:
            raise ClientDisconnected("The body broke off, or it is in chunks that are none.") from error


class NotificationDoor:
    """A WSGI application that answers `PATH` itself and passes everything else on."""

    def __init__(
        self,
        others: WSGIApplication,
        services: Services,
        *,
        key_header: str,
        organization_id: str,
        refusals: Refusals,
    ) -> None:
        self._others = others
        self._services = services
        self._texts = services.options.webhook_keys
        self._keys = Keys(services)
        self._header = key_header.lower()
        self._variable = f"HTTP_{key_header.upper().replace('-', '_')}"
        self._configured = guid(organization_id) or organization_id.lower()
        self._refusals = refusals
        self._room = Room(services)
        self._organization = ""
        self._ask_again_at = 0.0

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["wsgi.input"] = Input(environ["wsgi.input"])
        if environ.get("PATH_INFO") != PATH:
            return self._others(environ, start_response)
        measured.count("notifications_received")
        answer = self._answered(environ)
        if answer.status == HTTPStatus.ACCEPTED:
            measured.count("notifications_acknowledged")
        body = b"" if answer.content is None else json.dumps(answer.content).encode()
        kind = "application/json" if answer.status < HTTPStatus.BAD_REQUEST else "application/problem+json"
        headers = [("Content-Type", kind), ("Content-Length", str(len(body))), ("X-Content-Type-Options", "nosniff")]
        start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", [*headers, *answer.headers])
        return [body]

    def _answered(self, environ: WSGIEnvironment) -> Answer:
        if environ["REQUEST_METHOD"] != "POST":
            return problem(405, "Method", "POST was expected.", headers=(("Allow", "POST"),))
        try:
            return self._taken(environ)
        except HTTPException as error:
            is_large = isinstance(error, RequestEntityTooLarge)
            self._refusals.add(self._services, TOO_LARGE if is_large else CONTENT)
            return problem(error.code or 400, error.name, error.description or "")
        except (StoreUnavailableError, BusyError) as error:
            self._refusals.add(self._services, AWAY)
            return problem(503, "The notification could not be stored", f"{error} Send it again.")
        except Exception:
            log.exception("A notification could not be stored.")
            self._refusals.add(self._services, AWAY)
            return problem(503, "The notification could not be stored", "Send it again.")

    def _taken(self, environ: WSGIEnvironment) -> Answer:
        offered = self._offered(environ)
        key = self._keys.recognised(map(_octets, offered))
        if not key:
            self._refusals.add(self._services, KEY)
            return Answer(401, headers=(("WWW-Authenticate", "Key"),))
        answer = self._taken_with_key(environ, offered)
        self._keys.used(key)
        self._refusals.write_if_due(self._services)
        return answer

    def _taken_with_key(self, environ: WSGIEnvironment, offered: Sequence[str]) -> Answer:
        refused = _wrong_content(environ)
        if refused is not None:
            self._refusals.add(self._services, CONTENT)
            return refused
        body = _body(environ, self._services.options.largest_body_bytes)
        delivery = Delivery(body, self._kept_headers(environ, offered), environ.get("REMOTE_ADDR", ""))
        try:
            envelope = read_envelope(delivery.body)
        except UnreadableError as error:
            number = keep_refused(self._services, delivery, "unreadable", str(error))
            self._refusals.add(self._services, UNREADABLE)
            return problem(400, "Not an execution context", str(error), place=error.place, notification=number)
        ours = self._ours()
        if ours and envelope.organization_id != ours:
            said = f"It comes from organisation {envelope.organization_id}; this receiver serves {ours}."
            number = keep_refused(self._services, delivery, "refused", said)
            self._refusals.add(self._services, OTHER_ORGANIZATION)
            return problem(403, "Another organisation", said, notification=number)
        if lacking := self._room.lacking():
            self._refusals.add(self._services, FULL)
            return problem(503, "No room", f"{lacking} Send it again.", headers=(("Retry-After", "60"),))
        return Answer(202, {"notification": store(self._services, delivery, envelope), "status": "waiting"})

    def _offered(self, environ: WSGIEnvironment) -> list[str]:
        """What may be a key; it is looked at before the body is read."""
        offered = [environ.get(self._variable, "")]
        if environ.get("QUERY_STRING"):
            asked = parse_qs(environ["QUERY_STRING"])
            offered += [*asked.get("code", ()), *asked.get(self._header, ())]
        return [one for one in offered if one]

    def _kept_headers(self, environ: WSGIEnvironment, offered: Sequence[str]) -> dict[str, str]:
        """The x-ms-* headers, and none with a key: a proxy may repeat the whole address in a header of its own."""
        found = {
            name[5:].lower().replace("_", "-"): value
            for name, value in environ.items()
            if name.startswith("HTTP_X_MS_") and name != self._variable
        }
        secrets = (*self._texts, *offered)
        return {name: value for name, value in found.items() if not any(key in unquote(value) for key in secrets)}

    def _ours(self) -> str:
        """The organisation that we serve: the setting's, else the connection's, else any."""
        if self._configured:
            return self._configured
        if time.monotonic() >= self._ask_again_at:
            with self._services.database.reading() as connection:
                self._organization = connection.execute(select(connection_state.c.organization_id)).scalar() or ""
            self._ask_again_at = time.monotonic() + ASK_AGAIN_SECONDS
        return self._organization


def problem(status: int, title: str, detail: str, headers: tuple[tuple[str, str], ...] = (), **more: Any) -> Answer:
    """An answer as RFC 9457 problem details."""
    return Answer(status, {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}, headers)


def _octets(text: str) -> bytes:
    """A header's bytes as they came: WSGI hands them over as Latin-1; a query's text is decoded already."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode()


def _wrong_content(environ: WSGIEnvironment) -> Answer | None:
    if environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() != "application/json":
        return problem(415, "Content type", "application/json was expected.")
    if environ.get("HTTP_CONTENT_ENCODING", "identity").lower() != "identity":
        return problem(415, "Content encoding", "The body was expected as it is, without Content-Encoding.")
    return None


def _body(environ: WSGIEnvironment, largest: int) -> bytes:
    """The whole body. Raises: HTTPException when it is too large, breaks off or is garbled."""
    said = environ.get("CONTENT_LENGTH", "")
    if said.isdigit() and int(said) > largest:
        raise RequestEntityTooLarge(f"A notification may have {largest} bytes.")
    body: bytes = get_input_stream(environ).read(largest + 1)
    if len(body) > largest:
        raise RequestEntityTooLarge(f"A notification may have {largest} bytes.")
    if said.isdigit() and len(body) < int(said):
        raise ClientDisconnected("The body ended before its Content-Length.")
    return body
