"""The Web API over HTTPS: which function answers which request, and what happens before and after all of them.

A new resource is one line in `_answer`.
"""

from __future__ import annotations

import time
from uuid import uuid4

from flask import Flask, Response, abort, request

from receiver.sandbox import exact_json
from receiver.sandbox.errors import ApiError, invalid_argument, unknown_resource
from receiver.sandbox.organization import Organization, RequestMade
from receiver.sandbox.sign_in import sign_in
from receiver.sandbox.web_api import (
    actions,
    associations,
    error_annotations,
    metadata,
    privileges,
    reading,
    scripted,
    writing,
)
from receiver.sandbox.web_api.asked import CONTENT_TYPE, Asked
from receiver.sandbox.web_api.batch import INNER, answer_batch
from receiver.sandbox.web_api.resource import Resource, parse_resource

_API = "/api/data/"
_METHODS = ["GET", "POST", "PATCH", "PUT", "DELETE"]
_WRITES = frozenset({"POST", "PATCH", "PUT", "DELETE"})
# In the WSGI environment, not in flask's `g`: that is shared with the requests inside a batch.
_BEGAN, _IS_COUNTED = "sandbox.began", "sandbox.is_counted"


def make_web_api(organization: Organization) -> Flask:
    """The application behind https://localhost:<port>: sign-in and Web API."""
    app = Flask(__name__)
    app.register_blueprint(sign_in(organization.settings, organization.tokens, organization.faults))

    @app.route(f"{_API}v<version>/<path:resource>", methods=_METHODS)
    def web_api(version: str, resource: str) -> Response:
        asked = Asked(organization, request, f"{request.host_url[:-1]}{_API}v{version}")
        if resource == "$batch":
            return answer_batch(app, organization)
        return _answer(asked, parse_resource(resource))

    @app.before_request
    def check() -> Response | None:
        request.environ[_BEGAN] = time.monotonic()
        if not request.path.startswith(_API):
            return None
        if INNER not in request.environ:
            _trouble(organization)
        struck = scripted.strike(request, organization.faults)
        if struck is None and INNER not in request.environ:
            organization.protection.begin()
            request.environ[_IS_COUNTED] = True
            _check_token(organization)
            _check_user(organization)
        return struck

    @app.errorhandler(ApiError)
    def failed(problem: ApiError) -> Response:
        told = {
            "code": problem.code,
            "message": problem.message,
            **error_annotations.of(Asked(organization, request, ""), problem),
        }
        return _json_answer({"error": told}, problem.status, problem.headers)

    @app.after_request
    def finish(answer: Response) -> Response:
        return _finish(organization, answer)

    return app


def _answer(asked: Asked, resource: Resource) -> Response:
    """Asks for a row, a table's rows, a function or an action. Raises ApiError."""
    if resource.name.startswith("EntityDefinitions"):
        return metadata.answer(asked, resource)
    if resource.name == "WhoAmI":
        return reading.who_am_i(asked)
    if resource.name in asked.organization.schema.sets:
        return _answer_table(asked, resource)
    if asked.method == "POST" and not resource.is_row:
        return actions.unbound(asked, resource.name)
    raise unknown_resource(resource.name)


def _answer_table(asked: Asked, resource: Resource) -> Response:
    if privileges.is_asked(asked, resource):
        return privileges.of_user(asked)
    if associations.is_asked(asked, resource):
        return associations.answer(asked, resource)
    if resource.rest and asked.method == "POST":
        return actions.bound(asked, resource)
    if resource.rest and resource.rest[-1] == "$ref" and asked.method in ("DELETE", "PUT"):
        return writing.change_reference(asked, resource)
    answers = {
        ("GET", False): reading.rows,
        ("GET", True): reading.row,
        ("POST", False): writing.create,
        ("PATCH", True): writing.change,
        ("DELETE", True): writing.delete,
    }
    chosen = answers.get((asked.method, resource.is_row))
    if chosen is None or resource.rest:
        raise invalid_argument(f"The sandbox does not answer {asked.method} {request.path}.")
    return chosen(asked, resource)


def _trouble(organization: Organization) -> None:
    """The faults that strike before a request is looked at. Raises ApiError."""
    faults = organization.faults
    if faults.strikes("stall"):
        organization.stopping.wait(faults.stall_seconds)
    if faults.strikes("too_many_requests"):
        raise ApiError(
            429,
            "0x80072322",
            "Number of requests exceeded the limit of 6000 over time window of 300 seconds.",
            {"Retry-After": str(faults.retry_after_seconds)},
        )
    if faults.strikes("unavailable"):
        raise ApiError(503, "0x80040216", "The service is temporarily unavailable.")


def _check_token(organization: Organization) -> None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme == "Bearer" and organization.faults.strikes("expired_token"):
        organization.tokens.expire(token)
    if scheme != "Bearer" or not organization.tokens.accepts(token):
        challenge = f"Bearer authorization_uri={request.host_url}{organization.settings.tenant_id}/oauth2/authorize"
        # No JSON comes with it: the request is refused before it reaches the Web API.
        abort(Response(status=401, headers={"WWW-Authenticate": challenge}))


def _check_user(organization: Organization) -> None:
    if organization.faults.strikes("no_application_user"):
        raise ApiError(403, "0x80072560", "The user is not a member of the organization.")


def _finish(organization: Organization, answer: Response) -> Response:
    if not request.path.startswith(_API):
        return answer
    is_done = request.method in _WRITES and answer.status_code < 400  # noqa: PLR2004 - the error statuses begin there
    if is_done and INNER not in request.environ and organization.faults.strikes("lose_answer"):
        answer = Response("<html><title>504 Gateway Timeout</title></html>", 504)
    if scripted.is_struck(request):
        answer = scripted.replaced(request, answer)
    else:
        answer.headers["OData-Version"] = "4.0"
        answer.headers["x-ms-service-request-id"] = str(uuid4())
        answer.headers["x-ms-ratelimit-burst-remaining-xrm-requests"] = "5999"
        answer.headers["x-ms-ratelimit-time-remaining-xrm-requests"] = "1200.00"
    path = request.full_path.removesuffix("?")
    took = time.monotonic() - request.environ[_BEGAN]
    if request.environ.pop(_IS_COUNTED, False):
        organization.protection.end(took)
    made = RequestMade(request.method, path, answer.status_code, organization.settings.now(), int(took * 1000))
    organization.requests.append(made)
    return answer


def _json_answer(body: object, status: int, headers: dict[str, str]) -> Response:
    return Response(exact_json.dumps(body), status, headers, content_type=CONTENT_TYPE)
