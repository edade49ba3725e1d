"""Scripted answers on their way out: before a request is looked at, or in place of its true answer."""

from __future__ import annotations

import socket
from collections.abc import Mapping

from flask import Request, Response

from receiver.sandbox import exact_json
from receiver.sandbox.answer import HANGS_UP, Answer
from receiver.sandbox.faults import Faults
from receiver.sandbox.web_api.asked import CONTENT_TYPE
from receiver.sandbox.web_api.batch import INNER

_STRUCK = "sandbox.struck_by"


def strike(request: Request, faults: Faults) -> Response | None:
    """The answer to a request that is not carried out; one that is carried out is remembered for `replaced`."""
    address = request.environ.get("RAW_URI") or request.full_path
    found = faults.answer_for(request.method, address, in_batch=INNER in request.environ)
    request.environ[_STRUCK] = found
    if found is None or found.needs_the_request_done:
        return None
    return _made(request, found)


def is_struck(request: Request) -> bool:
    return request.environ.get(_STRUCK) is not None


def replaced(request: Request, true_answer: Response) -> Response:
    """What a struck request is answered."""
    found: Answer = request.environ[_STRUCK]
    if found.change is not None:
        true_answer.set_data(found.change(true_answer.get_data()))
        true_answer.headers.update(found.headers)
        return true_answer
    return _made(request, found) if found.is_done else true_answer


def _made(request: Request, answer: Answer) -> Response:
    if answer.status == HANGS_UP:
        _hang_up(request)
        return Response(status=503)  # nobody reads it
    body, content_type = answer.body, None
    if isinstance(body, Mapping):
        body, content_type = exact_json.dumps(body), CONTENT_TYPE
    elif isinstance(body, str):
        content_type = "text/html; charset=utf-8"
    made = Response(body, f"{answer.status} {answer.reason}" if answer.reason else answer.status)
    del made.headers["Content-Type"]
    if content_type is not None:
        made.headers["Content-Type"] = content_type
    made.headers.update(answer.headers)
    return made


def _hang_up(request: Request) -> None:
    connection: socket.socket = request.environ["werkzeug.socket"]
    connection.shutdown(socket.SHUT_RDWR)
