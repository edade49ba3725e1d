"""Page of one Integration Table Mapping: filters in words, field mappings, default setup, history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from receiver.admin import changes
from receiver.admin.mapping_list import STEPS_ARE_OLD, choices, columns_read
from receiver.admin.shared import Notice, answered, is_on, seen, services, wanted, who
from receiver.admin.words import CAPTIONS, said, value_of
from receiver.commands.mappings import change_mapping as mappings
from receiver.commands.mappings.mapping_fit import misfits
from receiver.core.filters import readable
from receiver.core.mapping import FieldMapping, TableMapping
from receiver.core.values import Column
from receiver.dataverse.columns import TABLES as DATAVERSE_TABLES
from receiver.errors import ChangedMeanwhileError, InvalidMappingError
from receiver.services import unknown_table
from receiver.store.local_tables import columns_of
from receiver.tables import BY_NAME
from receiver.web.sign_in import admin_only

READERS = {"is_enabled": is_on, "match_on_this_field": is_on}


@dataclass(frozen=True)
class FieldLine:
    """One field mapping as a row of the page."""

    field: FieldMapping
    local_caption: str
    dataverse_caption: str
    constant: str
    #: the environment's table has no such column: the row is left out
    is_lacking: bool

    @property
    def name(self) -> str:
        return self.local_caption or self.dataverse_caption


def init_views(pages: Blueprint) -> None:
    pages.add_url_rule("/admin/mappings/<name>", "mapping", shown, methods=["GET"])
    field = "/admin/mappings/<name>/fields/<int:number>"
    pages.add_url_rule(field, "change_field", change_field, methods=["POST"])
    pages.add_url_rule("/admin/mappings/<name>/reset", "confirm_reset", confirm_reset, methods=["GET"])
    pages.add_url_rule("/admin/mappings/<name>/reset", "reset", reset, methods=["POST"])


@admin_only
def shown(name: str) -> ResponseReturnValue:
    mapping = mappings.named(services(), name)
    return render_template(
        "mapping.html",
        mapping=mapping,
        figures=mappings.figures(services()),
        filters=_filters(mapping),
        misfits=misfits(services())[mapping.name],
        lines=_lines(mapping),
        changes=changes.of_mapping(services(), mapping.name),
        notices=[],
        **choices(),
    )


@admin_only
def change_field(name: str, number: int) -> ResponseReturnValue:
    before = mappings.named(services(), name)
    field, value = wanted(READERS)
    columns = columns_read(before)
    try:
        looked_at = mappings.Looked(fields={number: seen(field, READERS)})
        wish = {number: {field: value}}
        changed = mappings.change(services(), before.name, who(), {}, wish, looked_at=looked_at).mapping
    except ChangedMeanwhileError as error:
        lost = f"{error} What you chose, {CAPTIONS[field]} {said(value)}, is not set."
        return _row(mappings.named(services(), name), number, [Notice("danger", lost)], 409)
    except InvalidMappingError as error:
        problems = [Notice("danger", f"{before.name} stays as it was. {problem}") for problem in error.problems]
        return _row(before, number, problems, 422)
    line = _line(changed, number)
    notices = [Notice("success", f"{line.name}: {CAPTIONS[field]} is now {said(value)}.")]
    if columns_read(changed) != columns:
        notices.append(Notice("warning", STEPS_ARE_OLD.format(table=changed.dataverse_table)))
    return _row(changed, number, notices, 200)


@admin_only
def confirm_reset(name: str) -> ResponseReturnValue:
    return render_template("reset.html", mapping=mappings.named(services(), name))


@admin_only
def reset(name: str) -> ResponseReturnValue:
    mapping = mappings.reset(services(), name, who())
    flash(f"{mapping.name} has its default synchronization setup again.", "success")
    return redirect(url_for("admin.mapping", name=mapping.name), 303)


def _row(mapping: TableMapping, number: int, notices: list[Notice], status: int) -> ResponseReturnValue:
    back = url_for("admin.mapping", name=mapping.name, _anchor=f"field-{number}")
    return answered("_field_changed.html", back, notices, status, mapping=mapping, line=_line(mapping, number))


def _line(mapping: TableMapping, number: int) -> FieldLine:
    return next(line for line in _lines(mapping) if line.field.number == number)


def _lines(mapping: TableMapping) -> list[FieldLine]:
    local, theirs = _columns(mapping)
    there = {field.number for field in _in_environment(mapping).fields}
    return [
        FieldLine(
            field,
            _caption(local, field.local_column),
            _caption(theirs, field.dataverse_column),
            value_of(None, field.constant),
            field.number not in there,
        )
        for field in sorted(mapping.fields, key=lambda field: field.number)
    ]


def _columns(mapping: TableMapping) -> tuple[Mapping[str, Column], Mapping[str, Column]]:
    """Of both tables; none of a mapping that stands still."""
    if unknown_table(mapping):
        return {}, {}
    return columns_of(BY_NAME[mapping.local_table].table), DATAVERSE_TABLES[mapping.dataverse_table].columns


def _caption(columns: Mapping[str, Column], name: str | None) -> str:
    return "" if name is None else (columns[name].caption if name in columns else "") or name


def _filters(mapping: TableMapping) -> list[dict[str, str]]:
    """Both table filters: as they act in this environment, and as they are stored."""
    now = _in_environment(mapping)
    local, _ = _columns(mapping)
    return [
        {"caption": "Table Filter", "words": readable(now.local_filter, local), "text": mapping.local_filter_text},
        {
            "caption": "Integration Table Filter",
            "words": readable(now.dataverse_filter, now.described.columns),
            "text": mapping.dataverse_filter_text,
        },
    ]


def _in_environment(mapping: TableMapping) -> TableMapping:
    with services().database.reading() as connection:
        return services().mappings(connection).get(mapping.name, mapping)
