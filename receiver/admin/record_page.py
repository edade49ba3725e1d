"""Page of a local record: both sides' values, the coupling, the last results, the way into Sales.

The page looks each second whether something changed and is sent anew only then. Until it is loaded again, the
Dataverse side is then what the coupling remembers: no call to Dataverse is made by looking.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from receiver.admin.shared import services
from receiver.admin.words import value_of
from receiver.commands.following.records import FieldPair, RecordView, view
from receiver.core.coupling import Coupling, notes_of
from receiver.core.mapping import Conversion, FieldMapping
from receiver.core.values import same, to_plain_values
from receiver.store.local_tables import columns_of
from receiver.tables import BY_NAME
from receiver.web.application import sales_address
from receiver.web.sign_in import signed_in


@dataclass(frozen=True)
class Pair:
    """One mapped field of both sides, in words."""

    local_column: str
    local_caption: str
    local: str
    dataverse_column: str
    dataverse_caption: str
    dataverse: str
    direction: str
    #: what is to be noticed; empty when the two agree
    mark: str


#: of a column that is only sent: what the coupling remembers says nothing of it
NOT_READ = "(not read now)"


def init_views(pages: Blueprint) -> None:
    pages.add_url_rule("/records/<mapping>/<path:key>", "record", shown)


@signed_in
def shown(mapping: str, key: str) -> ResponseReturnValue:
    """The page; asked with `seen`, only its changing part, and 204 while nothing changed."""
    seen = request.args.get("seen")
    found = view(services(), mapping, key, reads_dataverse=seen is None)
    state = _state(found)
    if seen == state:
        return "", 204
    context = {
        "view": found,
        "state": state,
        "shipped": BY_NAME[found.mapping.local_table],
        "pairs": _pairs(found, is_read=seen is None),
        "is_read": seen is None,
        "others": _others(found),
        "sales": _sales_address(found),
        "now": services().clock(),
    }
    return render_template("record.html" if seen is None else "_record_changed.html", **context)


def _state(found: RecordView) -> str:
    """Stands for everything that the page shows and that may change."""
    coupling = found.coupling
    parts = [to_plain_values(found.values), _coupling_state(coupling) if coupling else None]
    return sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _coupling_state(coupling: Coupling) -> list[Any]:
    runs = [[run.result, run.job, run.error] for run in (coupling.last_from, coupling.last_to)]
    return [
        coupling.dataverse_id,
        coupling.is_skipped,
        to_plain_values(coupling.dataverse_base or {}),
        runs,
        notes_of(coupling),
    ]


def _pairs(found: RecordView, *, is_read: bool) -> list[Pair]:
    mapped = [one for one in found.mapping.fields if one.is_enabled and one.local_column and one.dataverse_column]
    return [_pair(found, field, pair, is_read=is_read) for field, pair in zip(mapped, found.fields, strict=True)]


def _pair(found: RecordView, field: FieldMapping, pair: FieldPair, *, is_read: bool) -> Pair:
    column = field.dataverse_column or ""
    base = (found.coupling and found.coupling.dataverse_base) or {}
    value = pair.dataverse_value if is_read else base.get(column)
    theirs = found.mapping.described.columns[column]
    is_plain = field.conversion is Conversion.PLAIN and not field.transformation_rule
    differs = is_plain and _is_known(found, is_read=is_read) and not same(pair.local_value, value)
    return Pair(
        field.local_column or "",
        pair.caption,
        value_of(None, pair.local_value),
        column,
        pair.dataverse_caption,
        value_of(theirs, value) if is_read or column in base or found.coupling is None else NOT_READ,
        field.direction,
        _mark(pair, is_read=is_read, differs=differs),
    )


def _is_known(found: RecordView, *, is_read: bool) -> bool:
    """Whether there is another side to compare with: nothing differs from a row that nobody could read."""
    if is_read:
        return any(pair.dataverse_value is not None for pair in found.fields)
    return found.coupling is not None and bool(found.coupling.dataverse_base)


def _mark(pair: FieldPair, *, is_read: bool, differs: bool) -> str:
    if pair.note:
        return pair.note[0].upper() + pair.note[1:]
    if pair.local_changed and is_read and pair.dataverse_changed:
        return "Changed on both sides"
    if pair.local_changed:
        return "Changed here"
    if is_read and pair.dataverse_changed:
        return "Changed in Dataverse"
    return "Differs" if differs else ""


def _others(found: RecordView) -> list[tuple[str, str, str]]:
    """The local columns that no enabled field mapping fills: (name, caption, value)."""
    columns = columns_of(BY_NAME[found.mapping.local_table].table)
    mapped = {field.local_column for field in found.mapping.fields if field.is_enabled and field.dataverse_column}
    return [
        (name, column.caption, value_of(None, found.values.get(name)))
        for name, column in columns.items()
        if name not in mapped
    ]


def _sales_address(found: RecordView) -> str:
    """The coupled row's form in Sales; empty where nothing is coupled or no environment is known."""
    coupling = found.coupling
    return "" if coupling is None else sales_address(found.mapping.dataverse_table, coupling.dataverse_id)
