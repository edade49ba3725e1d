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
