"""The Sales form: plain HTTP pages on which a person edits rows and watches what the receiver is told.

A page needs no script but for the commands that somebody installed, which are JavaScript on real forms too.
"""

from __future__ import annotations

from flask import Flask, Response, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from receiver.sandbox.errors import ApiError
from receiver.sandbox.organization import Organization
from receiver.sandbox.pages import commands, faults_page, forms, lists, panel, row_pages

_OWN_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})
_POLICY = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'"


def make_pages(organization: Organization) -> Flask:
    """The application behind http://localhost:<port>."""
    app = Flask(__name__, template_folder="../templates", static_folder="../static")
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.finalize = _drawable
    app.jinja_env.globals["initials"] = forms.initials
    _guard(app)
    _add_common(app, organization)
    app.register_blueprint(faults_page.faults_page(organization))
    app.register_blueprint(commands.web_resources(organization))
    app.register_blueprint(row_pages.row_pages(organization))
    return app


def _drawable(value: object) -> object:
    """Half a surrogate pair, which a row may hold, has no UTF-8: a page with one could not be sent."""
    return type(value)(value.encode("utf-8", "replace").decode()) if isinstance(value, str) else value


def _guard(app: Flask) -> None:
    @app.before_request
    def refuse_foreign_hosts() -> None:
        # A page elsewhere could point its own host name at this machine and then read and write here.
        host = request.host.rpartition(":")[0] if not request.host.endswith("]") else request.host
        if (host or request.host) not in _OWN_HOSTS:
            abort(403, "The sandbox answers to localhost alone.")

    @app.after_request
    def harden(answer: Response) -> Response:
        answer.headers["Content-Security-Policy"] = _POLICY
        answer.headers["X-Content-Type-Options"] = "nosniff"
        answer.headers.setdefault("Cache-Control", "no-store")
        return answer


def _add_common(app: Flask, organization: Organization) -> None:
    @app.context_processor
    def common() -> dict[str, object]:
        return {"tables": lists.LISTS, "panel": panel.shown(organization), "at": request.path}

    @app.get("/")
    def home() -> ResponseReturnValue:
        return redirect(url_for("rows.listed", table_name="account"))

    @app.get("/panel")
    def panel_alone() -> ResponseReturnValue:
        """The panel's inside, for the script that refreshes it."""
        return render_template("panel_inside.html")

    @app.errorhandler(ApiError)
    def failed(problem: ApiError) -> ResponseReturnValue:
        return render_template("problem.html", problem=problem), problem.status
