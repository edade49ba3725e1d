"""What a person sees instead of a page: what is the case, and what to do next."""

from __future__ import annotations

import logging
from http import HTTPStatus

from flask import Flask, Response, flash, make_response, render_template, request
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from receiver.admin.shared import is_htmx
from receiver.errors import NotFoundError, ReceiverError

log = logging.getLogger(__name__)
#: answered by machines' words, not by pages
DOORS = ("/dataverse/", "/health/", "/static/")
ADVICE = {
    400: "Load the page again and repeat the change.",
    403: "Ask an administrator of the receiver.",
    404: "Check the address. A record is opened from Sales, a mapping or a notification from its list.",
    405: "Start from the list of mappings.",
    413: "Change less at a time.",
    500: "Try again. If it stays, the receiver's log has the details; look there for the time of this page.",
    503: "Try again in a moment. Notifications from Dataverse are not lost: they are answered 503 and sent again.",
}
#: these come from pages; other codes keep Werkzeug's answer
CODES = (400, 403, 404, 405, 413, 500)


def init_app(app: Flask) -> None:
    for code in CODES:
        app.register_error_handler(code, _of_http)
    app.register_error_handler(NotFoundError, _not_found)
    app.register_error_handler(ReceiverError, _unavailable)


def _of_http(error: HTTPException) -> ResponseReturnValue:
    if request.path.startswith(DOORS):
        return error
    is_stale = isinstance(error, CSRFError)
    said = "This page is older than your session, so nothing was changed." if is_stale else error.description
    return page(error.code or 500, said or "")


def _not_found(error: NotFoundError) -> ResponseReturnValue:
    return page(404, str(error))


def _unavailable(error: ReceiverError) -> ResponseReturnValue:
    log.warning("%s could not be answered: %s", request.path, error)
    return page(503, str(error))


def page(code: int, said: str) -> Response:
    """The error page. Under htmx the whole page is loaded again and shows what was said."""
    if is_htmx():
        return _for_htmx(code, said)
    title = HTTPStatus(code).phrase
    response = make_response(render_template("error.html", code=code, title=title, said=said, advice=ADVICE[code]))
    response.status_code = code
    return response


def _for_htmx(code: int, said: str) -> Response:
    """A page that merely looks each second is left as it is until the receiver answers again."""
    response = make_response("", code)
    if request.method == "POST":
        flash(said, "danger")
    if request.method == "POST" or code < HTTPStatus.INTERNAL_SERVER_ERROR:
        response.headers["HX-Refresh"] = "true"
    else:
        response.headers["HX-Reswap"] = "none"
    return response
