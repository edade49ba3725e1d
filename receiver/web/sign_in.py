"""Who is there: administrators, and people who may open records. Sessions are signed cookies, SameSite=Lax.

Lax, so that the link from Sales arrives signed in; changes need the CSRF token on top. Who signs out ends the session
here too: the server keeps which have ended, and a copy of the cookie opens nothing any more.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import wraps
from hashlib import sha256
from typing import Any, ParamSpec
from urllib.parse import urlsplit

from flask import Blueprint, Flask, abort, current_app, flash, g, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import CSRFProtect
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from receiver.config import Settings
from receiver.errors import ReceiverError
from receiver.services import Services
from receiver.store.models import ended_session
from receiver.store.models import sign_in as one_time
from receiver.web import application

P = ParamSpec("P")
pages = Blueprint("sign_in", __name__)
csrf = CSRFProtect()
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}


@dataclass(frozen=True)
class Person:
    name: str
    is_admin: bool


def init_app(app: Flask, settings: Settings) -> None:
    app.secret_key = settings.session_key or _derived_key(settings)
    app.config.update(
        SESSION_COOKIE_NAME="receiver",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.public_url.startswith("https://"),
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SSL_STRICT=False,  # the pages send no referrer; the token is what counts
    )
    csrf.init_app(app)
    app.register_blueprint(pages)
    app.after_request(_secured)
    app.context_processor(lambda: {"person": _person_shown()})


def _derived_key(settings: Settings) -> bytes:
    """The same in every process; without tokens nobody signs in, and nobody can guess what would sign a session."""
    tokens = (settings.admin_token, settings.open_token)
    seed = "\n".join((*tokens, settings.database_url)) if any(tokens) else secrets.token_hex(32)
    return hmac.digest(b"receiver session", seed.encode(), "sha256")


def _secured(response: Any) -> Any:
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def person() -> Person | None:
    """Who is signed in; in the tour, and nowhere else, a stranger is the tour's salesperson."""
    if "name" in session and not _has_ended():
        # who knows the open token alone could otherwise derive the key and sign a session as administrator
        has_admins = bool(application.settings().admin_token) or application.settings().tour
        return Person(session["name"], has_admins and session.get("is_admin", False))
    if application.settings().tour:
        return Person("Salesperson of the tour", is_admin=False)
    return None


def _person_shown() -> Person | None:
    """A page that says that the database is away is shown to whoever asks."""
    try:
        return person()
    except ReceiverError:
        return None


def _has_ended() -> bool:
    """Asked once a request. Raises: ReceiverError while the database cannot say."""
    if "id" not in session:
        return True
    if "session_has_ended" not in g:
        query = select(ended_session.c.digest).where(ended_session.c.digest == _digest(session["id"]))
        with application.services().database.reading() as connection:
            g.session_has_ended = connection.execute(query).first() is not None
    return bool(g.session_has_ended)


def person_id() -> str:
    """Which signed-in person it is; empty where nobody is, also after an ended session. Raises: as `person`."""
    return str(session["id"]) if "name" in session and not _has_ended() else ""


def signed_in(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
    """Anybody who may open records."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        return view(*args, **kwargs) if person() else _to_sign_in()

    return guarded


def admin_only(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        someone = person()
        if someone is not None and someone.is_admin:
            return view(*args, **kwargs)
        if not application.settings().admin_token and not application.settings().tour:
            abort(403, "No administrator can sign in yet: set RECEIVER_ADMIN_TOKEN and start the receiver again.")
        if someone is not None and "name" in session:
            abort(
                403,
                f"You are signed in as {someone.name}, who may open records. This page is for administrators: "
                "sign out, then sign in with an administrator's token.",
            )
        return _to_sign_in()

    return guarded


def _to_sign_in() -> ResponseReturnValue:
    return redirect(url_for("sign_in.form", next=request.full_path if request.method == "GET" else "/admin/"))


@pages.get("/sign-in")
def form() -> ResponseReturnValue:
    """A one-time token in the link signs in at once, as the tour prints it."""
    token = request.args.get("token", "")
    if token and _use_one_time(token):
        return _enter("Administrator", is_admin=True)
    if token:
        flash("This link was used already or is not known. The tour prints a new one at each start.", "danger")
    return render_template("sign_in.html", next=_local_path(request.args.get("next", "")))


@pages.post("/sign-in")
def enter() -> ResponseReturnValue:
    token, settings = request.form.get("token", "").encode(), application.settings()
    if settings.admin_token and hmac.compare_digest(token, settings.admin_token.encode()):
        return _enter("Administrator", is_admin=True)
    if settings.open_token and hmac.compare_digest(token, settings.open_token.encode()):
        return _enter("Salesperson", is_admin=False)
    flash("This token is not known. Ask whoever set up the receiver for the one you may use.", "danger")
    return render_template("sign_in.html", next=_local_path(request.form.get("next", ""))), 403


@pages.post("/sign-out")
def leave() -> ResponseReturnValue:
    if "id" in session:
        _end(session["id"])
    session.clear()
    return redirect(url_for("sign_in.form"))


def _end(id_: str) -> None:
    """No cookie with this id counts any more; what no browser keeps so long is forgotten."""
    services, kept = application.services(), current_app.permanent_session_lifetime
    with suppress(IntegrityError), services.database.writing() as connection:  # twice at the same moment is once
        connection.execute(delete(ended_session).where(ended_session.c.at < services.clock() - kept))
        connection.execute(insert(ended_session).values(digest=_digest(id_), at=services.clock()))


def _enter(name: str, *, is_admin: bool) -> ResponseReturnValue:
    following = _local_path(request.values.get("next", ""))
    session.clear()
    session.update(name=name, is_admin=is_admin, id=secrets.token_urlsafe())
    return redirect(following)


def _local_path(text: str) -> str:
    """Only a path of our own is followed after signing in."""
    is_path = text.isprintable() and text.startswith("/") and not text.startswith(("//", "/\\"))
    return text if is_path and _is_ours(text) else "/admin/"


def _is_ours(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:  # such as a bracket that nobody closes
        return False
    return not parts.scheme and not parts.netloc


def make_one_time(services: Services, token: str) -> None:
    """Let *token* sign in an administrator once; only its SHA-256 is kept."""
    with services.database.writing() as connection:
        connection.execute(insert(one_time).values(digest=_digest(token), made_at=services.clock()))


def _use_one_time(token: str) -> bool:
    services = application.services()
    is_unused = (one_time.c.digest == _digest(token), one_time.c.used_at.is_(None))
    with services.database.writing() as connection:
        used = connection.execute(update(one_time).where(*is_unused).values(used_at=services.clock()))
    return used.rowcount == 1


def _digest(token: str) -> str:
    return sha256(token.encode()).hexdigest()
