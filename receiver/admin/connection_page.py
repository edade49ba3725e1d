"""Page *Dataverse Connection Setup*: the settings as they are, Test Connection step by step, the last result.

Settings are not changed here: a page that could would let an administrator's session send the company's data to
another environment. `receiver connect` does, on the machine itself.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from receiver.admin.shared import services, settings
from receiver.commands.connection.finding import Step
from receiver.commands.connection.test_connection import last_test, test_connection, trouble
from receiver.config import CONNECTION, SECRETS, Settings, variable
from receiver.web.sign_in import admin_only

HIDDEN = "•••"


@dataclass(frozen=True)
class Line:
    """A setting as the page shows it."""

    variable: str
    value: str
    meaning: str
    is_secret: bool


def init_views(pages: Blueprint) -> None:
    pages.add_url_rule("/admin/connection", "connection", shown)
    pages.add_url_rule("/admin/connection/test", "test_connection", test, methods=["POST"])
    pages.app_context_processor(lambda: {"connection_trouble": lambda: trouble(services())})


@admin_only
def shown() -> ResponseReturnValue:
    return _page(())


@admin_only
def test() -> ResponseReturnValue:
    """Test Connection; what each step found is shown, the result is kept."""
    return _page(test_connection(services()).steps)


def _page(steps: tuple[Step, ...]) -> ResponseReturnValue:
    said = settings()
    lines = [_line(said, name, dict(one.metadata)["meaning"]) for one in fields(Settings) if (name := one.name)]
    of_connection = {variable(name) for name in CONNECTION}
    return render_template(
        "connection.html",
        steps=steps,
        last=last_test(services()),
        lacking=said.lacking_for_connection,
        connection=[line for line in lines if line.variable in of_connection],
        others=[line for line in lines if line.variable not in of_connection],
    )


def _line(said: Settings, name: str, meaning: str) -> Line:
    value = getattr(said, name)
    if name in SECRETS:
        return Line(variable(name), f"{HIDDEN} set" if value else "not set", meaning, is_secret=True)
    if name == "database_url":
        return Line(variable(name), _without_password(value), meaning, is_secret=False)
    if isinstance(value, bool):
        value = "on" if value else "off"
    return Line(variable(name), str(value), meaning, is_secret=False)


def _without_password(url: str) -> str:
    try:
        found = make_url(url)  # libpq takes a password among the parameters, too
        secret = [name for name in found.query if "password" in name.lower()]
        return found.difference_update_query(secret).render_as_string(hide_password=True)
    except ArgumentError:
        return HIDDEN
