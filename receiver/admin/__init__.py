"""The pages."""

from flask import Blueprint, Flask

from receiver.config import Settings

pages = Blueprint("admin", __name__)


@pages.get("/admin/mappings")
def mappings() -> str:
    return ""


@pages.get("/records/<mapping>/<path:key>")
def record(mapping: str, key: str) -> str:
    return ""


def init_app(app: Flask, settings: Settings) -> None:
    app.register_blueprint(pages)
