"""Page *Notifications*: what came from Dataverse, and in words what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from receiver.admin.changes import record
from receiver.admin.shared import services, who
from receiver.admin.words import clock, counted
from receiver.commands.following import notifications, notifications_in_bulk
from receiver.core.message import NO_ID
from receiver.errors import RefusedError
from receiver.store import mappings as stored
from receiver.web.sign_in import admin_only

ON_A_PAGE = 50
#: what databases can hold as a number
LARGEST = 2**63 - 1


def init_views(pages: Blueprint) -> None:
    pages.add_url_rule("/admin/notifications", "notifications", listed)
    pages.add_url_rule("/admin/notifications/process-failed", view_func=process_failed, methods=["POST"])


@admin_only
def listed() -> ResponseReturnValue:
    state = request.args.get("state", "")
    state = state if state in notifications.STATES else ""
    table, before = request.args.get("table", ""), request.args.get("before", type=int)
    before = None if before is None else min(before, LARGEST)
    found = notifications.listed(services(), state=state, table=table, before=before, limit=ON_A_PAGE + 1)
    rows = [{**row, "short_id": short_id(row["row_id"]), "said": sentences(row)} for row in found[:ON_A_PAGE]]
    return render_template(
        "notifications.html",
        rows=rows,
        counts=notifications.counts(services()),
        state=state,
        table=table,
        tables=_tables(table),
        before=before,
        older=rows[-1]["id"] if len(found) > ON_A_PAGE else None,
    )


@admin_only
def process_failed() -> ResponseReturnValue:
    count = notifications.counts(services())["failed"]
    try:
        number = notifications_in_bulk.start_process_failed(services(), who())
    except RefusedError as error:
        flash(str(error), "warning")
        return redirect(url_for("admin.notifications", state="failed"), 303)
    record(services(), who(), "notifications: failed", str(count), "waiting")
    words = counted(count, "notification is", "notifications are")
    flash(f"{words} processed again, by task {number}, as soon as a worker comes to it.", "success")
    return redirect(url_for("admin.notifications", state="failed"), 303)


def sentences(row: Mapping[Any, Any]) -> list[str]:
    """What became of a notification, or what it waits for."""
    if row["state"] in {"waiting", "working"}:
        return [_waiting(row)]
    outcome = [one["sentence"] for one in row["outcome"] or () if one.get("sentence")]
    note = [row["note"]] if row["note"] else []
    return [*outcome, *note]


def _waiting(row: Mapping[Any, Any]) -> str:
    if row["last_error"] and row["ready_at"]:
        return f"Tried again at {clock(row['ready_at'])} (attempt {row['attempts'] + 1}): {row['last_error']}"
    if row["state"] == "working":
        return "It is being processed."
    if row["is_synchronous"] and row["ready_at"]:
        return f"Comes from inside a transaction in Dataverse; its row is read at {clock(row['ready_at'])}."
    return "Waits for its turn."


def short_id(row_id: str) -> str:
    return "" if row_id in {"", NO_ID} else f"{row_id[:8]}…"


def _tables(chosen: str) -> list[str]:
    with services().database.reading() as connection:
        known = {mapping.dataverse_table for mapping in stored.load(connection).values()}
    return sorted(known | ({chosen} if chosen else set()))
