"""The doors: for Dataverse's notifications, for the button, for whoever asks whether all is well.

The door for notifications is thin on purpose: key, size, envelope, store, answer. Dataverse reads only the status
code: 2xx is success, 502–504 get exactly one more try, everything else is final. So what cannot be stored is 503, and
what was stored is 202, whatever becomes of it later.
"""

from __future__ import annotations

import hmac
import logging
import re
import threading
import time
from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from urllib.parse import quote, unquote

from flask import Blueprint, Flask, Response, current_app, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import func, select
from werkzeug.exceptions import ClientDisconnected, HTTPException, RequestEntityTooLarge

from receiver import lanes
from receiver.commands.open_record import Busy, MayCreate, Offered, Opened, open_record
from receiver.config import Settings
from receiver.core.values import guid
from receiver.errors import NotFoundError, ReceiverError, SchemaError, StoreUnavailableError
from receiver.inbox import Delivery, keep_refused, store
from receiver.schemas.execution_context import UnreadableError, read_envelope
from receiver.services import Services
from receiver.sign_in import csrf, signed_in
from receiver.store import schema
from receiver.store.models import connection as connection_state
from receiver.store.models import worker

log = logging.getLogger(__name__)
doors = Blueprint("web", __name__)

WORKER_IS_LATE_AFTER = timedelta(seconds=60)
TEST_IS_OLD_AFTER = timedelta(minutes=5)
COUNT_EVERY_SECONDS = 5.0
#: Business Central's own button: page 5329 with this in its filter
_CRM_FILTER = re.compile(r"CRMID:(\{[0-9a-f-]{36}\}|[0-9a-f-]{36});\s*CRMType:(\w+)", re.IGNORECASE)


def init_app(app: Flask, settings: Settings) -> None:
    app.extensions["receiver_key_refusals"] = KeyRefusals()
    app.extensions["receiver_keys"] = tuple(key.encode() for key in settings.webhook_keys)
    csrf.exempt("receiver.web.notifications")
    app.register_blueprint(doors)


def _services() -> Services:
    services: Services = current_app.extensions["receiver"]
    return services


def _settings() -> Settings:
    settings: Settings = current_app.extensions["receiver_settings"]
    return settings


# -- notifications ---------------------------------------------------------------------------------------------


@doors.post("/dataverse/notifications")
def notifications() -> ResponseReturnValue:
    try:
        return _taken()
    except HTTPException as error:
        return problem(error.code or 400, error.name, error.description or "")
    except StoreUnavailableError as error:
        return problem(503, "The notification could not be stored", f"{error} Send it again.")
    except Exception:
        log.exception("A notification could not be stored.")
        return problem(503, "The notification could not be stored", "Send it again.")


def _taken() -> ResponseReturnValue:
    if not _has_key():
        current_app.extensions["receiver_key_refusals"].add(_services())
        return Response(status=401, headers={"WWW-Authenticate": "Key"})
    if request.mimetype != "application/json":
        return problem(415, "Content type", "application/json was expected.")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        return problem(415, "Content encoding", "The body was expected as it is, without Content-Encoding.")
    delivery = Delivery(_body(), _headers(), request.remote_addr or "")
    services = _services()
    try:
        envelope = read_envelope(delivery.body)
    except UnreadableError as error:
        number = keep_refused(services, delivery, "unreadable", str(error))
        return problem(400, "Not an execution context", str(error), place=error.place, notification=number)
    ours = _organization()
    if ours and envelope.organization_id != ours:
        said = f"It comes from organisation {envelope.organization_id}; this receiver serves {ours}."
        return problem(
            403, "Another organisation", said, notification=keep_refused(services, delivery, "refused", said)
        )
    return jsonify(notification=store(services, delivery, envelope), status="waiting"), 202


def _has_key() -> bool:
    """Compared in constant time with every valid key, before the body is read."""
    header = _settings().webhook_key_header
    offered = (request.headers.get(header), *request.args.getlist("code"), *request.args.getlist(header))
    keys: Iterable[bytes] = current_app.extensions["receiver_keys"]
    matches = [hmac.compare_digest(one.encode(), key) for one in offered if one for key in keys]
    return any(matches)


def _body() -> bytes:
    largest = _settings().largest_body_bytes
    if request.content_length is not None and request.content_length > largest:
        raise RequestEntityTooLarge(f"A notification may have {largest} bytes.")
    body = request.stream.read(largest + 1)
    if len(body) > largest:
        raise RequestEntityTooLarge(f"A notification may have {largest} bytes.")
    if request.content_length is not None and len(body) < request.content_length:
        raise ClientDisconnected("The body ended before its Content-Length.")
    return body


def _headers() -> dict[str, str]:
    """Lower-case, and never one with a key: a proxy may repeat the whole address in a header of its own."""
    named, keys = _settings().webhook_key_header.lower(), _settings().webhook_keys
    plain = {name.lower(): value for name, value in request.headers.items() if name.lower() != named}
    return {name: value for name, value in plain.items() if not any(key in unquote(value) for key in keys)}


def _organization() -> str:
    """The organisation that we serve: the setting's, else the connection's, else any."""
    configured = _settings().organization_id
    if configured:
        return guid(configured) or configured.lower()
    cache = current_app.extensions.setdefault("receiver_organization", {"until": 0.0, "id": ""})
    if time.monotonic() >= cache["until"]:
        with _services().database.reading() as connection:
            found = connection.execute(select(connection_state.c.organization_id)).scalar()
        cache.update(id=found or "", until=time.monotonic() + COUNT_EVERY_SECONDS)
    known: str = cache["id"]
    return known


class KeyRefusals:
    """Counts requests without a valid key; written now and then, so that a flood of them costs no flood of commits."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._unwritten = 0
        self._next = 0.0

    def add(self, services: Services) -> None:
        with self._lock:
            self._unwritten += 1
            if time.monotonic() < self._next:
                return
            self._next = time.monotonic() + COUNT_EVERY_SECONDS
        self.write(services)

    def write(self, services: Services) -> None:
        with self._lock:
            count, self._unwritten = self._unwritten, 0
        if not count:
            return
        log.warning("%s request(s) without a valid key were refused.", count)
        try:
            with services.database.writing() as connection:
                statement = lanes.upsert(connection, connection_state).values(id=1, refused_keys=count)
                total = {"refused_keys": connection_state.c.refused_keys + count}
                connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=total))
        except ReceiverError as error:
            log.warning("The refusals could not be counted: %s", error)
            with self._lock:
                self._unwritten += count


def problem(status: int, title: str, detail: str, **more: Any) -> Response:
    """An answer as RFC 9457 problem details."""
    response = jsonify(type="about:blank", title=title, status=status, detail=detail, **more)
    response.status_code = status
    response.mimetype = "application/problem+json"
    return response


# -- the button ------------------------------------------------------------------------------------------------


@doors.get("/")
def start() -> ResponseReturnValue:
    """Microsoft's own button calls Business Central's page 5329; without its filter this is the front door."""
    text = unquote(request.query_string.decode("utf-8", "replace")).replace("+", " ")
    found = _CRM_FILTER.search(text)
    if found:
        return open_page(found[2].lower(), found[1])
    return redirect(url_for("admin.mappings"))


@doors.route("/open/<table>/<row_id>", methods=["GET", "POST"])
@signed_in
def open_page(table: str, row_id: str) -> ResponseReturnValue:
    """The local record of a Dataverse row. A GET creates only as a top-level navigation."""
    id_ = guid(row_id)
    context = {"table": table, "row_id": id_ or row_id}
    if id_ is None:
        return render_template("open.html", trouble=f"“{row_id}” is not a row's id (a guid).", **context), 404
    try:
        answer = open_record(
            _services(),
            table.lower(),
            id_,
            may_create=_is_meant(),
            couple_with=request.form.get("couple_with", ""),
            creates_new="create_new" in request.form,
        )
    except NotFoundError as error:
        return render_template("open.html", trouble=str(error), **context), 404
    except ReceiverError as error:
        return render_template("open.html", trouble=str(error), **context), 503
    if isinstance(answer, Opened):
        return _to_record(answer)
    if isinstance(answer, MayCreate | Offered | Busy):
        return render_template("open.html", answer=answer, kind=type(answer).__name__, **context)
    status = 404 if answer.is_gone else 409
    return render_template("open.html", answer=answer, kind="Refused", **context), status


def _is_meant() -> bool:
    """A button that posts, or a person's own navigation: no frame, no preview that a browser fetches ahead."""
    headers = request.headers
    is_navigation = headers.get("Sec-Fetch-Mode") == "navigate" and "Sec-Purpose" not in headers
    is_own_page = is_navigation and headers.get("Sec-Fetch-Dest", "document") == "document"
    return request.method == "POST" or (request.method == "GET" and is_own_page)


def _to_record(opened: Opened) -> ResponseReturnValue:
    if opened.banner:
        flash(opened.banner, "warning")
    template = _settings().open_url
    if template:
        values = {"mapping": opened.mapping, "table": opened.local_table, "key": opened.key}
        return redirect(template.format_map({name: quote(value, safe="") for name, value in values.items()}))
    return redirect(url_for("admin.record", mapping=opened.mapping, key=opened.key))


# -- health ----------------------------------------------------------------------------------------------------


@doors.get("/health/live")
def live() -> ResponseReturnValue:
    return jsonify(status="alive")


@doors.get("/health/ready")
def ready() -> ResponseReturnValue:
    """200 when database, worker and connection are well; 503 otherwise; each check says what it found."""
    services = _services()
    checks = {"database": _database_check(services)}
    if checks["database"]["ok"]:
        current_app.extensions["receiver_key_refusals"].write(services)
        checks |= {"worker": _worker_check(services), "dataverse": _connection_check(services)}
    is_well = all(check["ok"] for check in checks.values())
    return jsonify(status="ready" if is_well else "not ready", checks=checks), 200 if is_well else 503


def _database_check(services: Services) -> dict[str, Any]:
    try:
        schema.check(services.database)
    except (StoreUnavailableError, SchemaError) as error:
        return {"ok": False, "said": str(error)}
    return {"ok": True, "said": "reachable and migrated"}


def _worker_check(services: Services) -> dict[str, Any]:
    now = services.clock()
    with services.database.reading() as connection:
        seen = connection.execute(select(func.max(worker.c.seen_at))).scalar()
        ready_lanes, oldest = lanes.depth(connection, now)
    backlog = {"ready_lanes": ready_lanes, "oldest_ready_at": oldest and oldest.isoformat()}
    if seen is None or now - seen > WORKER_IS_LATE_AFTER:
        return {"ok": False, "said": "No worker has been seen for a minute. Run: receiver worker", **backlog}
    return {"ok": True, "said": f"seen at {seen:%H:%M:%S} UTC", **backlog}


def _connection_check(services: Services) -> dict[str, Any]:
    with services.database.reading() as connection:
        row = connection.execute(select(connection_state)).first()
    refused = {"refused_keys": row.refused_keys if row else 0}
    if row is None or row.tested_at is None:
        return {"ok": False, "said": "The connection was never tested; a worker does it when it starts.", **refused}
    if services.clock() - row.tested_at > TEST_IS_OLD_AFTER:
        return {"ok": False, "said": f"Last tested at {row.tested_at:%Y-%m-%d %H:%M:%S} UTC.", **refused}
    return {"ok": bool(row.is_good), "said": row.said, **refused}
