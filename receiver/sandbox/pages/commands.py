"""The commands that somebody installed on a table's forms: rows of appaction, and the web resources they run."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass

from flask import Blueprint, Response, abort

from receiver.sandbox.organization import Organization
from receiver.sandbox.publishing import APPACTION, WEB_RESOURCE, is_published
from receiver.sandbox.storage import Row

JSCRIPT, FORM, RUNS_JAVASCRIPT = 3, 0, 2


@dataclass(frozen=True)
class Command:
    """A button of the command bar, and what it calls."""

    id: str
    label: str
    tooltip: str
    is_disabled: bool
    script: str
    function: str
    parameters: str


def commands_of(organization: Organization, table: str) -> list[Command]:
    """What is published, not hidden, and runs a published script; by sequence, as on the bar."""
    rows = [row for row in organization.store.rows(APPACTION) if _is_shown(row, table)]
    rows.sort(key=lambda row: row.get("sequence") or 0)
    found = ((row, _script(organization, row)) for row in rows)
    return [_command(row, script) for row, script in found if script is not None]


def web_resources(organization: Organization) -> Blueprint:
    pages = Blueprint("web_resources", __name__)

    @pages.get("/WebResources/<path:name>")
    def content(name: str) -> Response:
        """A published script's content, as forms load it."""
        scripts = [row for row in organization.store.rows(WEB_RESOURCE) if row.get("webresourcetype") == JSCRIPT]
        found = next((row for row in scripts if row.get("name") == name and is_published(row)), None)
        if found is None:
            abort(404)
        return Response(b64decode(found.get("content") or ""), content_type="text/javascript; charset=utf-8")

    return pages


def _is_shown(row: Row, table: str) -> bool:
    is_of_form = row.get("location") == FORM and row.get("contextvalue") == table
    # the table's name alone is not enough: a client draws no command whose table is not bound
    is_bound = row.get("contextentity") is not None
    runs = row.get("onclickeventtype") == RUNS_JAVASCRIPT
    return is_of_form and is_bound and runs and is_published(row) and not row.get("hidden")


def _script(organization: Organization, row: Row) -> Row | None:
    reference = row.get("onclickeventjavascriptwebresourceid")
    script = organization.store.row(WEB_RESOURCE, reference.id) if reference else None
    return script if script and is_published(script) else None


def _command(row: Row, script: Row) -> Command:
    label = str(row.get("buttonlabeltext") or row.get("name") or "")
    tooltip = f"{row.get('buttontooltiptitle') or label}: {row.get('buttontooltipdescription') or label}"
    return Command(
        id="-".join(label.lower().split()),
        label=label,
        tooltip=tooltip,
        is_disabled=bool(row.get("isdisabled")),
        script=str(script.get("name")),
        function=str(row.get("onclickeventjavascriptfunctionname") or ""),
        parameters=str(row.get("onclickeventjavascriptparameters") or "[]"),
    )
