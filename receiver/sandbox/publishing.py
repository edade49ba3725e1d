"""Publishing: what was changed of a command or a web resource is drawn on forms once it was published.

Until then a form of the sandbox draws no such command; Dataverse draws the version published before, if there is one.
Source: learn, PublishXml and PublishAllXml actions.
"""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

from receiver.sandbox.errors import invalid_argument
from receiver.sandbox.rows import Rows
from receiver.sandbox.schema import Schema
from receiver.sandbox.storage import Row, Store

APPACTION, WEB_RESOURCE = "appaction", "webresource"
STATE = "componentstate"
PUBLISHED, UNPUBLISHED = 0, 1


def mark_unpublished(table: str, values: dict[str, Any]) -> None:
    """Whatever is written is drawn only when it was published again."""
    if table in (APPACTION, WEB_RESOURCE):
        values[STATE] = UNPUBLISHED


def is_published(row: Row) -> bool:
    return bool(row.get(STATE) == PUBLISHED)


def publish(schema: Schema, store: Store, rows: Rows, parameter: Any) -> None:
    """What the ParameterXml names: tables with their commands, and web resources by id. Raises ApiError."""
    try:
        root = ET.fromstring(str(parameter))  # noqa: S314 - a local sandbox, and Python's expat refuses entity bombs
    except ET.ParseError:
        raise invalid_argument("'ParameterXml' is no XML.") from None
    if root.tag != "importexportxml":
        raise invalid_argument("'ParameterXml' must be an importexportxml.")
    tables = {schema.table(one.text or "").name for one in root.iterfind("entities/entity")}
    scripts = {(one.text or "").strip("{}").lower() for one in root.iterfind("webresources/webresource")}
    known = {row.id for row in store.rows(WEB_RESOURCE)}
    if not scripts <= known:
        raise invalid_argument(f"There is no web resource {', '.join(sorted(scripts - known))}.")
    _publish(rows, tables, scripts)


def publish_all(schema: Schema, store: Store, rows: Rows) -> None:
    scripts = {row.id for row in store.rows(WEB_RESOURCE)}
    _publish(rows, set(schema.tables), scripts)


def _publish(rows: Rows, tables: set[str], scripts: set[str]) -> None:
    with rows.transaction() as transaction:
        commands = [row for row in transaction.rows(APPACTION) if row.get("contextvalue") in tables]
        resources = [row for row in transaction.rows(WEB_RESOURCE) if row.id in scripts]
        for row in (*commands, *resources):
            if not is_published(row):
                transaction.change(row, {STATE: PUBLISHED})
