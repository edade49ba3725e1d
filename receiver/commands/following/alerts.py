"""Alerts, in the log and going out: what keeps a mapping, or all, from being in step, once; and that it is over, once.

Each is a POST of JSON to RECEIVER_ALERT_URL. With RECEIVER_ALERT_KEY it is signed: `X-Receiver-Signature` is *sha256=*
and the HMAC-SHA256 of the timestamp in `X-Receiver-Timestamp`, a dot, and the body. What could not be told is told
again. RECEIVER_HEARTBEAT_URL is asked for each time, so that somebody outside notices when it is not.
"""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import Any

import requests
from sqlalchemy import delete, insert, select

from receiver.commands.following.in_step import Hindrance, status
from receiver.errors import ReceiverError
from receiver.services import Services
from receiver.store.models import alert

log = logging.getLogger(__name__)

TIME_OUT = (5.0, 10.0)
SUCCESS = range(200, 300)


class NotToldError(ReceiverError):
    """Whoever is alerted could not be reached; it is told again."""

    waiting_helps = True


@dataclass(frozen=True)
class Cause:
    """What an alert is about: a mapping (empty: all of them), and what kind of hindrance."""

    mapping: str
    kind: str

    @property
    def said(self) -> str:
        """As a log line begins with it."""
        return f"{self.mapping or 'All'} ({self.kind})"


def tell(services: Services) -> str:
    """Tell what is new and what is over; in a sentence, what was told. Raises: NotToldError; StoreUnavailableError."""
    options, standing, known = services.options, _standing(services), _known(services)
    new = {cause: one for cause, one in standing.items() if cause not in known}
    over = {cause: said for cause, said in known.items() if cause not in standing}
    _log(services.logged, new, over)
    failures = [
        *(
            _told(services, "alert", cause, one.plain(), partial(_remember, cause=cause, one=one))
            for cause, one in new.items()
        ),
        *(_told(services, "all-clear", cause, said, partial(_forget, cause=cause)) for cause, said in over.items()),
        _asked_well(options.heartbeat_url),
    ]
    if failed := next(filter(None, failures), None):
        raise failed
    nobody = "" if options.alert_url else " The log alone is told: RECEIVER_ALERT_URL is not set."
    return f"{len(new)} told, {len(over)} cleared.{nobody}"


def _log(
    logged: set[tuple[str, str, str]], new: Mapping[Cause, Hindrance], over: Mapping[Cause, Mapping[str, Any]]
) -> None:
    """The log is told first, and once, whoever else can be reached."""
    for cause, one in new.items():
        if ("alert", cause.mapping, cause.kind) not in logged:
            log.warning("%s: %s", cause.said, one.sentence)
    for cause, said in over.items():
        if ("all-clear", cause.mapping, cause.kind) not in logged:
            log.info("%s: this is over: %s", cause.said, said["sentence"])
    logged.clear()
    logged.update(("alert", one.mapping, one.kind) for one in new)
    logged.update(("all-clear", one.mapping, one.kind) for one in over)


def _told(
    services: Services, event: str, cause: Cause, said: Mapping[str, Any], done: Callable[[Services], None]
) -> NotToldError | None:
    """Tell one; what is in the way of it is in the way of no other."""
    try:
        _post(services, event, cause, said)
    except NotToldError as error:
        return error
    done(services)
    return None


def _asked_well(url: str) -> NotToldError | None:
    try:
        if url:
            _asked(url)
    except NotToldError as error:
        return error
    return None


def _standing(services: Services) -> dict[Cause, Hindrance]:
    """One of each kind for a mapping: the first that is said of it."""
    found, causes = status(services), dict[Cause, Hindrance]()
    of_each = [("", found.of_all), *((one.mapping, one.hindrances) for one in found.standings)]
    for mapping, hindrances in of_each:
        for one in hindrances:
            causes.setdefault(Cause(mapping, one.kind), one)
    return causes


def _known(services: Services) -> dict[Cause, dict[str, Any]]:
    with services.database.reading() as connection:
        rows = connection.execute(select(alert)).all()
    return {Cause(row.mapping, row.kind): Hindrance(row.kind, row.sentence, row.since).plain() for row in rows}


def _remember(services: Services, cause: Cause, one: Hindrance) -> None:
    values = {"sentence": one.sentence, "since": one.since, "told_at": services.clock()}
    with services.database.writing() as connection:
        connection.execute(delete(alert).where(*_is(cause)))
        connection.execute(insert(alert).values(**vars(cause), **values))


def _forget(services: Services, cause: Cause) -> None:
    with services.database.writing() as connection:
        connection.execute(delete(alert).where(*_is(cause)))


def _is(cause: Cause) -> tuple[Any, ...]:
    return alert.c.mapping == cause.mapping, alert.c.kind == cause.kind


def _post(services: Services, event: str, cause: Cause, said: Mapping[str, Any]) -> None:
    if not services.options.alert_url:
        return
    now: datetime = services.clock()
    body = json.dumps({"event": event, "at": now.isoformat(), **vars(cause), **said}).encode()
    moment = str(int(now.timestamp()))
    headers = {"Content-Type": "application/json", "X-Receiver-Timestamp": moment}
    if key := services.options.alert_key:
        signed = hmac.new(key.encode(), f"{moment}.".encode() + body, sha256).hexdigest()
        headers["X-Receiver-Signature"] = f"sha256={signed}"
    _asked(services.options.alert_url, body, headers)


def _asked(url: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> None:
    """Raises: NotToldError. The address is not repeated: it may hold a key."""
    try:
        with requests.Session() as session:
            method = "GET" if body is None else "POST"
            answer = session.request(method, url, data=body, headers=headers, timeout=TIME_OUT, allow_redirects=False)
    except requests.RequestException as error:
        raise NotToldError(f"Whoever is alerted could not be reached: {type(error).__name__}.") from None
    if answer.status_code not in SUCCESS:
        raise NotToldError(f"Whoever is alerted answered {answer.status_code}.")
