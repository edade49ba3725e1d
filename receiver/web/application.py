"""What the running application works with, for whoever is called by Flask or by the terminal: services and settings."""

from __future__ import annotations

from flask import current_app

from receiver.config import Settings
from receiver.services import Services


def services() -> Services:
    found: Services = current_app.extensions["receiver"]
    return found


def settings() -> Settings:
    found: Settings = current_app.extensions["receiver_settings"]
    return found


def sales_address(table: str, row_id: str) -> str:
    """The form of a Dataverse row in Sales; empty where no environment is known."""
    form: str = current_app.config.get("SALES_FORM_URL", "")
    if form:
        return form.format(table=table, id=row_id)
    if not settings().dataverse_url:
        return ""
    return f"{settings().dataverse_url.rstrip('/')}/main.aspx?pagetype=entityrecord&etn={table}&id={row_id}"
