"""The admin pages, named as Business Central names them. They only call `commands`; no rule lives here.

In come a signed-in person's requests, out go pages. Read `mapping_list.py` first: a page is a module with its views and
a template. To add one: both of them, and an import in `init_app`.
"""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, Flask

from receiver.admin import error_pages, shared, words
from receiver.config import Settings

STATIC_FILES_ARE_KEPT = timedelta(days=365)


def init_app(app: Flask, settings: Settings) -> None:
    """Register the pages; their addresses carry a hash of each static file, so files may be kept for long."""
    from receiver.admin import (
        connection_page,
        mapping_list,
        mapping_page,
        notification_list,
        notification_page,
        record_page,
        tour_page,
    )

    pages = Blueprint("admin", __name__)
    for module in (connection_page, mapping_list, mapping_page, notification_list, notification_page, record_page):
        module.init_views(pages)
    if settings.tour:
        tour_page.init_views(pages)
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = STATIC_FILES_ARE_KEPT
    words.init_app(app)
    error_pages.init_app(app)
    shared.init_app(app, pages, settings)
