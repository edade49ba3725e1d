"""The tour's own page: a local record edited as the company's own program would, so that both directions are seen.

Only the tour has it. Real companies edit in their own programs; the receiver edits nothing by itself.
"""

from __future__ import annotations

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from receiver.admin.shared import services, settings, who
from receiver.commands.following.records import RecordView, view
from receiver.commands.synchronizing import run_mapping
from receiver.core.mapping import Direction
from receiver.core.values import TEXTS, Column
from receiver.errors import ReceiverError
from receiver.store.local_tables import LocalTable, columns_of
from receiver.tables import BY_NAME
from receiver.web.sign_in import signed_in

#: characters, where the column says nothing
LONGEST = 250


def init_views(pages: Blueprint) -> None:
    pages.add_url_rule("/tour/<mapping>/<path:key>", "edit", shown, methods=["GET"])
    pages.add_url_rule("/tour/<mapping>/<path:key>", "save", saved, methods=["POST"])


@signed_in
def shown(mapping: str, key: str) -> ResponseReturnValue:
    found = _found(mapping, key)
    return render_template(
        "tour_edit.html", view=found, shipped=BY_NAME[found.mapping.local_table], columns=_columns(found)
    )


@signed_in
def saved(mapping: str, key: str) -> ResponseReturnValue:
    """Save the texts that were changed, then let a run carry them to Sales."""
    found = _found(mapping, key)
    given = {one.name: request.form.get(one.name) for one in _columns(found)}
    values = {name: text for name, text in given.items() if text is not None and text != found.values.get(name)}
    back = redirect(url_for("admin.record", mapping=found.mapping.name, key=key), 303)
    too_long = [one for one in _columns(found) if len(values.get(one.name, "")) > (one.max_length or LONGEST)]
    if too_long:
        flash(f"{too_long[0].caption} holds at most {too_long[0].max_length or LONGEST} characters.", "warning")
        return back
    if not values:
        flash("Nothing was changed.", "info")
        return back
    try:
        with services().database.writing() as connection:
            LocalTable(connection, BY_NAME[found.mapping.local_table]).modify(key, values)
        flash("Saved here, as the company's own program would.", "success")
        if found.coupling is not None:
            run_mapping.start(services(), found.mapping.name, who(), Direction.TO)
    except ReceiverError as error:
        flash(str(error), "warning")
    return back


def _found(mapping: str, key: str) -> RecordView:
    if not settings().tour:
        abort(404)
    return view(services(), mapping, key, reads_dataverse=False)


def _columns(found: RecordView) -> list[Column]:
    """The mapped texts that go to Dataverse."""
    mapped = {one.source for one in found.mapping.transfers(Direction.TO)}
    columns = columns_of(BY_NAME[found.mapping.local_table].table)
    return [one for name, one in columns.items() if name in mapped and one.type in TEXTS]
