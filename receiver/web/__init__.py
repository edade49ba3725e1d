"""The Flask frame: what stands between a browser, a monitor or Dataverse and the procedures behind it.

In come HTTP requests; out go answers, and calls of `commands`. The door for notifications stands in front of all of it
(`inbox/notification_door.py`); pages live in `admin/`. Read `open_link.py` first: it is the button's link.
"""

from __future__ import annotations

from flask import Flask

from receiver.config import Settings
from receiver.inbox.notification_door import NotificationDoor
from receiver.inbox.refusals import Refusals

#: of a form; the server waits for so much before it gives a thread to it, and more is refused unread
LARGEST_BODY_BYTES = 1024 * 1024


def init_app(app: Flask, settings: Settings) -> None:
    from receiver.web import compressed
    from receiver.web.health import health
    from receiver.web.open_link import doors

    app.config.update(MAX_CONTENT_LENGTH=LARGEST_BODY_BYTES, MAX_FORM_MEMORY_SIZE=LARGEST_BODY_BYTES)
    refusals = app.extensions["receiver_refusals"] = Refusals()
    compressed.init_app(app)
    app.extensions["receiver_sink"] = None
    app.register_blueprint(doors)
    app.register_blueprint(health)
    app.wsgi_app = NotificationDoor(  # type: ignore[method-assign]  # Flask's own way to stand in front
        app.wsgi_app,
        app.extensions["receiver"],
        key_header=settings.webhook_key_header,
        organization_id=settings.organization_id,
        refusals=refusals,
    )
