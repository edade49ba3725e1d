"""What every page stands on: the blueprint, the services, and how a change is answered with and without htmx."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, Response, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from receiver.admin.words import CAPTIONS
from receiver.commands.following import notifications
from receiver.config import Settings
from receiver.errors import ReceiverError
from receiver.web import application
from receiver.web.sign_in import person

STATIC = Path(__file__).parent / "static"


@dataclass(frozen=True)
class Notice:
    """What a person is told after a change; `passed_over` rows of `mapping` are offered to be brought in."""

    category: str
    text: str
    mapping: str = ""
    passed_over: int = 0


def init_app(app: Flask, pages: Blueprint, settings: Settings) -> None:
    can_sign_in = bool(settings.admin_token or settings.open_token or settings.tour)
    app.context_processor(
        lambda: {"asset": asset, "failed_count": failed_count, "can_sign_in": can_sign_in, "is_tour": settings.tour}
    )
    app.after_request(_kept_nowhere)
    pages.after_request(_whole_pages_for_htmx)
    app.register_blueprint(pages)


services, settings = application.services, application.settings


def who() -> str:
    """The name that a change is recorded under."""
    someone = person()
    return someone.name if someone else ""


def is_htmx() -> bool:
    return request.headers.get("HX-Request") == "true"


def answered(part: str, back: str, notices: Sequence[Notice], status: int = 200, **context: Any) -> ResponseReturnValue:
    """The changed part of the page for htmx; without JavaScript the page again, with its notices."""
    if is_htmx():
        return render_template(part, notices=notices, **context), status
    for notice in notices:
        flash(notice.text, notice.category)
    return redirect(back, 303)


def is_on(text: str) -> bool:
    """A switch sends the value that is wanted. Raises: ValueError."""
    return {"on": True, "off": False}[text] if text in {"on", "off"} else _refused(text)


def _refused(text: str) -> bool:
    raise ValueError(text)


def wanted(readers: Mapping[str, Callable[[str], Any]]) -> tuple[str, Any]:
    """The one field that the form names, and the value wanted; anything else is answered 400."""
    name = next((name for name in readers if name in request.form), None)
    if name is None:
        abort(400, f"Nothing that can be changed here was named; one of {', '.join(readers)} was expected.")
    text = request.form.getlist(name)[-1]
    try:
        return name, readers[name](text)
    except ValueError:
        abort(400, f"“{text}” is no value of {CAPTIONS[name]}.")


def seen(name: str, readers: Mapping[str, Callable[[str], Any]]) -> dict[str, Any]:
    """The value that the form showed of this field: who changes what is another by now is told."""
    text = request.form.get("seen")
    try:
        return {} if text is None else {name: readers[name](text)}
    except ValueError:
        abort(400, f"“{text}” is no value of {CAPTIONS[name]}.")


def asset(name: str) -> str:
    """The address of a static file, with a hash so that a new version is fetched."""
    return url_for("static", filename=name, v=_digest(name))


@lru_cache(maxsize=32)
def _digest(name: str) -> str:
    return sha256((STATIC / name).read_bytes()).hexdigest()[:10]


def failed_count() -> int:
    """How many notifications failed; 0 while the database is away, so that its error page can be shown."""
    try:
        return notifications.counts(services())["failed"]
    except ReceiverError:
        return 0


def _kept_nowhere(response: Response) -> Response:
    """A page is never shown from a cache: what it says may have changed, and so may have who looks."""
    if response.mimetype == "text/html":
        response.headers.setdefault("Cache-Control", "no-store")
    return response


def _whole_pages_for_htmx(response: Response) -> Response:
    """A redirect (to sign in, say) leads the whole page there, not the one row that was to be swapped."""
    if is_htmx() and response.status_code in {302, 303}:
        response.headers["HX-Redirect"] = re.sub(r"[\r\n]", "", response.headers.pop("Location"))
        response.status_code = 200
        response.set_data(b"")
    return response
