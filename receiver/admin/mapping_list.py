"""Page *Integration Table Mappings*: every mapping with its switches, strategies and figures."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from receiver.admin.changes import record
from receiver.admin.shared import Notice, answered, is_on, seen, services, wanted, who
from receiver.admin.words import CAPTIONS, counted, said
from receiver.commands.connection.check_steps import hint
from receiver.commands.connection.test_connection import trouble
from receiver.commands.mappings import change_mapping as mappings
from receiver.core.mapping import DeletionConflict, Direction, MatchExists, TableMapping, UpdateConflict
from receiver.errors import ChangedMeanwhileError, InvalidMappingError
from receiver.services import image_columns
from receiver.store import mappings as stored
from receiver.tables import BY_NAME
from receiver.web.sign_in import admin_only

READERS = {
    "direction": Direction,
    "synch_only_coupled_records": is_on,
    "is_enabled": is_on,
    "resolve_deletion_conflicts": DeletionConflict,
    "resolve_update_conflicts": UpdateConflict,
    "when_a_match_exists": MatchExists,
}
STEPS_ARE_OLD = (
    "The columns that are read of {table} have changed. The images of the registered steps are outdated: each "
    "notification makes the receiver read the row until the steps are registered again (receiver steps register)."
)


def init_views(pages: Blueprint) -> None:
    pages.add_url_rule("/admin/", view_func=start)
    pages.add_url_rule("/admin/mappings", "mappings", listed)
    pages.add_url_rule("/admin/mappings/<name>", "change_mapping", change, methods=["POST"])
    pages.add_url_rule("/admin/mappings/<name>/bring-in", view_func=bring_in, methods=["POST"])


@admin_only
def start() -> ResponseReturnValue:
    return redirect(url_for("admin.mappings"))


@admin_only
def listed() -> ResponseReturnValue:
    with services().database.reading() as connection:
        found = list(stored.load(connection).values())
    figures = mappings.figures(services())
    offered = request.args.get("offer", "")
    notices = [offer(one, figures[one.name]) for one in found if one.name == offered]
    notices += [Notice("warning", words) for words in [hint(services())] if words]
    return render_template(
        "mappings.html", mappings=found, figures=figures, notices=[one for one in notices if one], **choices()
    )


@admin_only
def change(name: str) -> ResponseReturnValue:
    """Set one value of a mapping; what was refused is said, and the old value stays."""
    before = mappings.named(services(), name)
    field, value = wanted(READERS)
    columns = columns_read(before)
    try:
        looked_at = mappings.Looked(settings=seen(field, READERS))
        changed = mappings.change(services(), before.name, who(), {field: value}, looked_at=looked_at).mapping
    except ChangedMeanwhileError as error:
        lost = f"{error} What you chose, {CAPTIONS[field]} {said(value)}, is not set."
        return _row(mappings.named(services(), name), [Notice("danger", lost)], 409)
    except InvalidMappingError as error:
        notices = [Notice("danger", f"{before.name} stays as it was. {said_}") for said_ in error.problems]
        return _row(before, notices, 422)
    notices = [Notice("success", f"{changed.name}: {CAPTIONS[field]} is now {said(value)}.")]
    offered = (
        offer(changed, mappings.figures(services())[changed.name]) if field == "synch_only_coupled_records" else None
    )
    if columns_read(changed) != columns:
        notices.append(Notice("warning", STEPS_ARE_OLD.format(table=changed.dataverse_table)))
    return _row(changed, [*notices, *([offered] if offered else [])], 200)


@admin_only
def bring_in(name: str) -> ResponseReturnValue:
    """Look again at the rows that were passed over, once the mapping lets them in."""
    mapping = mappings.named(services(), name)
    if mapping.synch_only_coupled_records:
        flash(f"Switch {CAPTIONS['synch_only_coupled_records']} off for {mapping.name} first.", "warning")
        return redirect(url_for("admin.mappings"), 303)
    if said := trouble(services()):
        flash(f"Nothing was brought in. {said}", "warning")
        return redirect(url_for("admin.mappings"), 303)
    count = mappings.bring_in(services(), mapping.name)
    record(services(), who(), f"{mapping.name}: passed over", str(count), "brought in")
    rows = f"{counted(count, 'row')} of {mapping.dataverse_table} {'is' if count == 1 else 'are'}"
    flash(f"{rows} looked at again now. Each one inside the filter is created and coupled.", "success")
    return redirect(url_for("admin.mappings"), 303)


def offer(mapping: TableMapping, figures: dict[str, Any]) -> Notice | None:
    """The rows that only-coupled kept out, once it is off."""
    count = figures["passed_over"]
    if mapping.synch_only_coupled_records or not count:
        return None
    text = (
        f"{counted(count, 'row was', 'rows were')} passed over while {mapping.name} synchronized only coupled records."
    )
    return Notice("info", text, mapping.name, count)


def columns_read(mapping: TableMapping) -> frozenset[str]:
    with services().database.reading() as connection:
        return image_columns(services().mappings(connection), mapping.dataverse_table)


def choices() -> dict[str, Any]:
    """What the rows' selects offer."""
    return {
        "directions": [*Direction],
        "deletion_conflicts": [*DeletionConflict],
        "update_conflicts": [*UpdateConflict],
        "match_exists": [*MatchExists],
        "captions": {name: shipped.caption for name, shipped in BY_NAME.items()},
    }


def _row(mapping: TableMapping, notices: list[Notice], status: int) -> ResponseReturnValue:
    is_offered = any(notice.passed_over for notice in notices)
    back = url_for("admin.mappings", offer=mapping.name if is_offered else None)
    figures = mappings.figures(services())
    kept = [notice for notice in notices if not notice.passed_over]
    return answered(
        "_mapping_changed.html", back, kept, status,
        mapping=mapping, figures=figures, offers=[one for one in notices if one.passed_over], **choices(),
    )  # fmt: skip
