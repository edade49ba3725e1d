"""Page of one notification: its envelope, what each mapping decided and why, its body."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from receiver.admin.body import readable_body
from receiver.admin.changes import record
from receiver.admin.notification_list import sentences
from receiver.admin.shared import services, who
from receiver.admin.words import plain_value
from receiver.commands.following import notifications
from receiver.core.mapping import Direction, TableMapping
from receiver.dataverse.columns import TABLES as DATAVERSE_TABLES
from receiver.errors import NotFoundError
from receiver.store import mappings as stored
from receiver.store.local_tables import columns_of
from receiver.tables import BY_NAME
from receiver.web.sign_in import admin_only


@dataclass(frozen=True)
class Written:
    """One column that was written: what it was, what it is."""

    column: str
    caption: str
    before: str
    after: str


def init_views(pages: Blueprint) -> None:
    pages.add_url_rule("/admin/notifications/<int(max=9223372036854775807):number>", "notification", shown)
    again = "/admin/notifications/<int(max=9223372036854775807):number>/process-again"
    pages.add_url_rule(again, "process_again", process_again, methods=["POST"])


@admin_only
def shown(number: int) -> ResponseReturnValue:
    row = notifications.shown(services(), number)
    with services().database.reading() as connection:
        mappings = stored.load(connection)
    outcomes = [_outcome(one, mappings.get(one.get("mapping", ""))) for one in row["outcome"] or ()]
    return render_template(
        "notification.html",
        row=row,
        said=sentences(row),
        outcomes=outcomes,
        body=readable_body(row["body"]),
    )


@admin_only
def process_again(number: int) -> ResponseReturnValue:
    before = notifications.shown(services(), number)["state"]
    try:
        notifications.process_again(services(), number)
    except NotFoundError as error:
        flash(str(error), "warning")
    else:
        record(services(), who(), f"notification {number}: state", before, "waiting")
        flash(f"Notification {number} is processed again. Load the page again to see its outcome.", "success")
    return redirect(url_for("admin.notification", number=number), 303)


def _outcome(one: dict[str, Any], mapping: TableMapping | None) -> dict[str, Any]:
    columns: Any = {}
    if mapping is not None:
        is_local = one.get("toward", Direction.FROM) == Direction.FROM
        ours, theirs = BY_NAME[mapping.local_table].table, DATAVERSE_TABLES[mapping.dataverse_table]
        columns = columns_of(ours) if is_local else theirs.columns
    written = [
        Written(name, columns[name].caption if name in columns else "", plain_value(before), plain_value(after))
        for name, (before, after) in (one.get("fields") or {}).items()
    ]
    return {**one, "written": written, "is_known": mapping is not None}
