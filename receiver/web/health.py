"""Whether all is well: `live` for whoever restarts processes, `ready` for whoever routes and watches."""

from __future__ import annotations

import hmac
from contextlib import suppress
from datetime import timedelta
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, request
from flask.typing import ResponseReturnValue
from sqlalchemy import func, select

from receiver.commands.following.in_step import status
from receiver.errors import ReceiverError, SchemaError, StoreUnavailableError
from receiver.inbox.refusals import KEY
from receiver.lanes.ready import depth
from receiver.services import Services
from receiver.store import door_refusals, schema
from receiver.store.models import connection as connection_state
from receiver.store.models import worker
from receiver.web import application

health = Blueprint("health", __name__)

WORKER_IS_LATE_AFTER = timedelta(seconds=60)
TEST_IS_OLD_AFTER = timedelta(minutes=5)


@health.get("/health/live")
def live() -> ResponseReturnValue:
    return jsonify(status="alive")


@health.get("/health/ready")
def ready() -> ResponseReturnValue:
    """200 when database, worker and connection are well; else 503. What each check found is for who may know it."""
    services = application.services()
    may_know = _may_know()
    if may_know:
        current_app.extensions["receiver_refusals"].write(services)
    is_well, found = looked_at(services, with_status=may_know)
    details = found if may_know else {}
    return jsonify(status="ready" if is_well else "not ready", **details), 200 if is_well else 503


@health.get("/metrics")
def metrics() -> ResponseReturnValue:
    """For Prometheus, with the token of the settings."""
    if not _may_know():
        said = (
            "Send RECEIVER_METRICS_TOKEN's token as Authorization: Bearer …, or ask a worker's RECEIVER_METRICS_BIND."
        )
        return Response(f"{said}\n", 403, content_type="text/plain; charset=utf-8")
    from receiver.web.metrics import CONTENT_TYPE, text

    return Response(text(application.services(), current_app.extensions["receiver_sink"]), content_type=CONTENT_TYPE)


def _may_know() -> bool:
    token = application.settings().metrics_token
    said = request.headers.get("Authorization", "").removeprefix("Bearer ")
    return bool(token) and hmac.compare_digest(said.encode(), token.encode())


def looked_at(services: Services, *, with_status: bool = True) -> tuple[bool, dict[str, Any]]:
    """Whether database, worker and connection are well; what each check found, and whether all is in step.

    The latter asks the database for much: not for everybody who comes by.
    """
    checks = {"database": _database_check(services)}
    in_step: dict[str, Any] = {}
    if checks["database"]["ok"]:
        checks |= {"worker": _worker_check(services), "dataverse": _connection_check(services)}
        with suppress(ReceiverError):
            in_step = status(services).plain() if with_status else {}
    return all(check["ok"] for check in checks.values()), {"checks": checks, "in_step": in_step}


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
        ready_lanes, oldest = depth(connection, now)
    backlog = {"ready_lanes": ready_lanes, "oldest_ready_at": oldest and oldest.isoformat()}
    if seen is None or now - seen > WORKER_IS_LATE_AFTER:
        return {"ok": False, "said": "No worker has been seen for a minute. Run: receiver worker", **backlog}
    return {"ok": True, "said": f"seen at {seen:%H:%M:%S} UTC", **backlog}


def _connection_check(services: Services) -> dict[str, Any]:
    with services.database.reading() as connection:
        row = connection.execute(select(connection_state)).first()
        keys = door_refusals.listed(connection).get(KEY)
    refused = {"refused_keys": keys.count if keys else 0}
    if row is None or row.tested_at is None:
        never = "The connection was never tested; a worker does it when it starts."
        none = "No connection to Dataverse is set up. Run: receiver connect"
        return {"ok": False, "said": never if services.client else none, **refused}
    if services.clock() - row.tested_at > TEST_IS_OLD_AFTER:
        return {"ok": False, "said": f"Last tested at {row.tested_at:%Y-%m-%d %H:%M:%S} UTC.", **refused}
    return {"ok": bool(row.is_good), "said": row.said, **refused}
