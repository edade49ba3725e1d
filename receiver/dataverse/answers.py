"""What an answer of Dataverse's means: passing, set-up, or this record's own fault. Each is judged here, once.

`known_answers.py` is the table of codes; what is not in it is judged by Dataverse's own word where its annotations
carry one, else by the status. Source: reference/answers.md §1; DP/webapi/compose-http-requests-handle-errors.md.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Protocol

from receiver.dataverse.known_answers import (
    ACCESS,
    DATA,
    EVERYTHING,
    EXISTS,
    GONE,
    KNOWN,
    PASSING,
    SET_UP,
    VERSION,
    WRITES,
    Known,
)
from receiver.errors import (
    BrokenAnswerError,
    DataverseError,
    DataverseUnreachableError,
    ExistsAlreadyError,
    OutOfSightError,
    RowGoneError,
    SetUpError,
    ThrottledError,
    VersionMismatchError,
)

#: where a pause is asked for without saying how long
DEFAULT_PAUSE = 5.0


class Answer(Protocol):
    """What `requests` and a part of a batch have in common."""

    @property
    def status_code(self) -> int: ...
    @property
    def reason(self) -> str: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def content(self) -> bytes: ...


@dataclass(frozen=True)
class Asked:
    """What was asked: an operation (read, create, write, delete) on a table, of one row where *id* says which."""

    operation: str = "read"
    table: str = ""
    id: str = ""

    @property
    def what(self) -> tuple[str, str]:
        return self.operation, self.table

    @property
    def gates(self) -> frozenset[str]:
        """The gates that may hold this request."""
        writes = frozenset[str]() if self.operation == "read" else frozenset({WRITES})
        return writes | {EVERYTHING, f"{self.operation} {self.table}".strip()}


_UNKNOWN = "an answer of which nothing is known"
_NAMED_ROW = re.compile(r"([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})")
_DETAILS = "@Microsoft.PowerApps.CDS.ErrorDetails."
_JSON = re.compile(r"[/+]json\b")


@dataclass(frozen=True)
class Said:
    """An error as Dataverse itself wrote it; `is_its_own` is False for a page or nothing."""

    code: str
    message: str
    category: str = ""
    status: int = 0
    is_its_own: bool = True


def refusal(answer: Answer, asked: Asked) -> DataverseError | DataverseUnreachableError:
    """What an answer that is no success says."""
    status, said = answer.status_code, _said(answer)
    if status == HTTPStatus.TOO_MANY_REQUESTS or (
        status == HTTPStatus.SERVICE_UNAVAILABLE and "Retry-After" in answer.headers
    ):
        return ThrottledError(status, said.code, said.message, pause_of(answer.headers.get("Retry-After", "")))
    if not said.is_its_own:
        return _not_its_own(answer, asked)
    if is_gone(status, said, asked):
        return RowGoneError(status, said.code, said.message)
    if status == HTTPStatus.PRECONDITION_FAILED:
        return _precondition(status, said)
    return _judged(status, said, asked)


def _judged(status: int, said: Said, asked: Asked) -> DataverseError:
    known = KNOWN.get(said.code) or _by_its_own_word(status, said)
    if known.answer is SET_UP:
        gate = known.gate or f"{asked.operation} {asked.table}".strip()
        return SetUpError(status, said.code, said.message, known.remedy, gate)
    if known.answer is DATA and status == HTTPStatus.FORBIDDEN:
        return OutOfSightError(status, said.code, said.message, DATA, known.remedy or KNOWN[ACCESS].remedy)
    return DataverseError(status, said.code, said.message, known.answer, known.remedy)


def _by_its_own_word(status: int, said: Said) -> Known:
    """A code that is not in the table: Dataverse's annotation, else the status."""
    status = said.status or status
    if said.category == "SystemFailure" or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Known(PASSING, _UNKNOWN)
    if status in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.NOT_FOUND):
        return Known(PASSING, _UNKNOWN)
    if status == HTTPStatus.UNAUTHORIZED:
        return Known(SET_UP, "our token is refused", "Run: receiver doctor", EVERYTHING)
    return Known(DATA, _UNKNOWN)


def _precondition(status: int, said: Said) -> DataverseError:
    """412 by its code: a race only where the version is named, or where nothing is said at all."""
    if said.code in EXISTS or "matching key values already exists" in said.message:
        return ExistsAlreadyError(status, said.code, said.message, DATA, KNOWN["0x80040237"].remedy)
    if said.code == VERSION or "RowVersion" in said.message or said.code in ("", "0x00000000"):
        return VersionMismatchError(status, said.code, said.message, PASSING)
    known = KNOWN.get(said.code, Known(DATA, "a precondition failed"))
    return DataverseError(status, said.code, said.message, DATA, known.remedy)


def _not_its_own(answer: Answer, asked: Asked) -> DataverseError | DataverseUnreachableError:
    """No error of Dataverse's came with it; a 401 comes without one by its nature."""
    status = answer.status_code
    if status == HTTPStatus.UNAUTHORIZED:
        said = Said("", answer.reason or "Unauthorized")
        return _judged(status, said, asked)
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return DataverseError(status, "", "The request is too large.", DATA, KNOWN["0x8004418a"].remedy)
    return BrokenAnswerError(
        f"What answered {status} {answer.reason} is not Dataverse ({_kind(answer)}); it counts as unreachable."
    )


def _kind(answer: Answer) -> str:
    kind = answer.headers.get("Content-Type", "").partition(";")[0]
    return kind or ("an empty answer" if not answer.content else "without a type")


def _said(answer: Answer) -> Said:
    try:
        error = json.loads(answer.content)["error"]
        code, message = str(error["code"] or ""), str(error["message"])
    except (ValueError, KeyError, TypeError):
        return Said("", answer.reason or "", is_its_own=False)
    details = {name.removeprefix(_DETAILS): value for name, value in error.items() if name.startswith(_DETAILS)}
    status = str(details.get("ApiExceptionHttpStatusCode", ""))
    category = str(details.get("ApiExceptionCategory", ""))
    return Said(normal(code), message, category, int(status) if status.isdecimal() else 0)


def normal(code: str) -> str:
    """A code as 0x and eight small hex digits, whichever way it is written; else as it is.

    System jobs write the signed decimal: -2147220969 is 0x80040217.
    """
    try:
        number = int(code, 16) if code.lower().startswith("0x") else int(code)
    except ValueError:
        return code
    return f"0x{number & 0xFFFFFFFF:08x}"


def is_gone(status: int, said: Said, asked: Asked) -> bool:
    """Only a read or write by id can say so, with Dataverse's own code and the id that was asked for.

    The same code is told of a lookup's target, an owner, or a row that somebody's plug-in looked for.
    """
    if status != HTTPStatus.NOT_FOUND or not asked.id:
        return False
    is_code = said.code == GONE or (said.code == "" and "does not exist" in said.message.lower())
    named = [found.lower() for found in _NAMED_ROW.findall(said.message)]
    return is_code and named == [asked.id.lower()] and _names_table(said.message, asked.table)


def _names_table(message: str, table: str) -> bool:
    words = {word.lower() for word in re.findall(r"\w+", message)}
    return table.lower() in words


def json_of(answer: Answer) -> Any:
    """The JSON of a success, numbers exact; {} where nothing came.

    Raises: BrokenAnswerError for a page instead of data, and for half an answer.
    """
    if not answer.content:
        return {}
    if not _JSON.search(answer.headers.get("Content-Type", "")):
        raise BrokenAnswerError(
            f"What answered {answer.status_code} is not Dataverse ({_kind(answer)}); it counts as unreachable."
        )
    try:
        return json.loads(answer.content, parse_float=Decimal)
    except ValueError as error:
        raise BrokenAnswerError("Half an answer of Dataverse's came; it is asked again.") from error


def pause_of(text: str) -> float:
    """Retry-After in seconds: a number, with or without a fraction, or a date; nonsense is the usual pause.

    Never negative, and finite; how long is really waited is a setting's business.
    """
    try:
        seconds = float(text)
    except ValueError:
        return _until(text)
    return max(seconds, 0.0) if math.isfinite(seconds) else DEFAULT_PAUSE


def _until(text: str) -> float:
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return DEFAULT_PAUSE
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max((aware - datetime.now(UTC)).total_seconds(), 0.0)
