"""The doors for people and monitors: the button's link, and whether all is well. Notifications have door.py."""

from __future__ import annotations

import logging
import re
from datetime import timedelta
from typing import Any
from urllib.parse import quote, unquote

from flask import Blueprint, Flask, current_app, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import func, select

from receiver import application, lanes
from receiver.commands.open_record import Busy, MayCreate, Offered, Opened, open_record
from receiver.config import Settings
from receiver.core.values import guid
from receiver.door import NotificationDoor
from receiver.errors import NotFoundError, ReceiverError, SchemaError, StoreUnavailableError
from receiver.key_refusals import KeyRefusals
from receiver.services import Services
from receiver.sign_in import signed_in
from receiver.store import schema
from receiver.store.models import connection as connection_state
from receiver.store.models import worker

log = logging.getLogger(__name__)
doors = Blueprint("web", __name__)

WORKER_IS_LATE_AFTER = timedelta(seconds=60)
TEST_IS_OLD_AFTER = timedelta(minutes=5)
#: Business Central's own button: page 5329 with this in its filter
_CRM_FILTER = re.compile(r"CRMID:(\{[0-9a-f-]{36}\}|[0-9a-f-]{36});\s*CRMType:(\w+)", re.IGNORECASE)


def init_app(app: Flask, settings: Settings) -> None:
    refusals = app.extensions["receiver_key_refusals"] = KeyRefusals()
    app.register_blueprint(doors)
    app.wsgi_app = NotificationDoor(  # type: ignore[method-assign]  # Flask's own way to stand in front
        app.wsgi_app,
        app.extensions["receiver"],
        key_header=settings.webhook_key_header,
        organization_id=settings.organization_id,
        refusals=refusals,
    )


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
            application.services(),
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
    template = application.settings().open_url
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
    services = application.services()
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
        never = "The connection was never tested; a worker does it when it starts."
        none = "No connection to Dataverse is set up. Run: receiver connect"
        return {"ok": False, "said": never if services.client else none, **refused}
    if services.clock() - row.tested_at > TEST_IS_OLD_AFTER:
        return {"ok": False, "said": f"Last tested at {row.tested_at:%Y-%m-%d %H:%M:%S} UTC.", **refused}
    return {"ok": bool(row.is_good), "said": row.said, **refused}
