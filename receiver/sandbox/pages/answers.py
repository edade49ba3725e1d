"""The list *What the Web API answered*: the last answers, newest first, on which one watches a client recover."""

from __future__ import annotations

import re
from dataclasses import dataclass

from receiver.sandbox.organization import Organization, RequestMade

_SHOWN = 50
_FIRST_ERROR = 400
#: parameters that grant something, such as `code`, `$deltatoken`, `client_secret`
_GRANTING = re.compile(r"([?&][^=&]*(?:code|key|secret|token)[^=&]*=)[^&]*", re.IGNORECASE)


@dataclass(frozen=True)
class AnswerLine:
    at: str
    method: str
    path: str
    status: int
    milliseconds: int
    has_succeeded: bool


@dataclass(frozen=True)
class Answers:
    lines: list[AnswerLine]
    #: differs when there is something new to show
    newest: str


def last_answers(organization: Organization) -> Answers:
    made = list(organization.requests)
    newest = f"{len(made)}-{made[-1].at.isoformat()}" if made else "none"
    return Answers([_line(one) for one in reversed(made[-_SHOWN:])], newest)


def _line(made: RequestMade) -> AnswerLine:
    return AnswerLine(
        at=f"{made.at:%H:%M:%S}",
        method=made.method,
        path=_GRANTING.sub(r"\1…", made.path),
        status=made.status,
        milliseconds=made.milliseconds,
        has_succeeded=made.status < _FIRST_ERROR,
    )
