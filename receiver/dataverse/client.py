"""The Web API: one thin client over requests; rows come and go as core values.

It does not sleep and does not retry a refusal: long waits belong to the lane. Every call has a time-out, every
update a condition, every write a tag. Source: reference/dataverse.md §6.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

import requests

from receiver.core.filters import EVERYTHING, Filter, columns_of, matches
from receiver.core.message import Version
from receiver.core.values import Column, Reference, Value, Values
from receiver.dataverse import batch
from receiver.dataverse.columns import (
    DERIVED_COLUMNS,
    LOOKUP_TABLE,
    TABLES,
    DataverseTable,
    from_web_api,
    to_web_api,
)
from receiver.dataverse.odata_filter import odata
from receiver.errors import DataverseError, DataverseUnreachableError, ThrottledError, VersionMismatchError

TIMEOUT = (5, 30)
#: rows in one filter, and changes in one batch
READ_TOGETHER, CHANGE_TOGETHER = 50, 100
#: rows in a page
PAGE = 5000
TAG = "receiver"
DEFAULT_PAUSE = 5.0
#: a version that is not the row's any more, and an id that exists already; a 412 of a duplicate rule is a refusal
MOVED = frozenset({"0x80060882", "0x80040237"})
_DECIMAL = f"decimal-{uuid.uuid4().hex}:"
HEADERS = {
    "Accept": "application/json",
    "OData-MaxVersion": "4.0",
    "OData-Version": "4.0",
    "Prefer": 'odata.include-annotations="*"',
}


class Credentials(Protocol):
    def token(self, *, fresh: bool = False) -> str: ...


@dataclass(frozen=True)
class DataverseRow:
    """A row as it was read: the asked columns' values and its version."""

    id: str
    values: Values
    version: Version


@dataclass(frozen=True)
class Tracked:
    """Ids of rows that were written or are there, of rows deleted since, and where to go on next time."""

    present: frozenset[str]
    deleted: frozenset[str]
    token: str


@dataclass(frozen=True)
class Change:
    """A row to create (`version` None) or to change, under the version it was decided on."""

    table: str
    id: str
    values: Values
    #: what is to come back
    columns: frozenset[str]
    version: Version | None

    @property
    def condition(self) -> dict[str, str]:
        """PATCH is upsert: a create must not change what exists, a change must not create anew."""
        if self.version is None:
            return {"If-None-Match": "*"}
        return {"If-Match": "*" if self.version.number is None else f'W/"{self.version.number}"'}


class DataverseClient:
    """One environment. Sessions are one a thread; `before_call` may raise to keep a request from being sent."""

    def __init__(self, url: str, credentials: Credentials, before_call: Callable[[], None] = lambda: None) -> None:
        self.url = url.rstrip("/")
        self._root = f"{self.url}/api/data/v9.2/"
        self._credentials = credentials
        self._before_call = before_call
        self._local = threading.local()
        self._sessions: list[requests.Session] = []
        self._iso_codes: dict[str, str] = {}
        self._currencies: dict[str, Reference] = {}

    def close(self) -> None:
        for session in self._sessions:
            session.close()

    def sign_in(self) -> None:
        """Have a token, a new one. Raises: SignInError, DataverseUnreachableError."""
        self._credentials.token(fresh=True)

    def who_am_i(self) -> tuple[str, str]:
        """The organisation's and our own user's id."""
        answer = self.call("GET", "WhoAmI")
        return str(answer["OrganizationId"]).lower(), str(answer["UserId"]).lower()

    def read(self, table: str, id_: str, columns: frozenset[str]) -> DataverseRow | None:
        """The row with these columns; None if it does not exist."""
        described = TABLES[table]
        try:
            raw = self.call("GET", f"{described.entity_set}({id_})", params={"$select": _select(described, columns)})
        except DataverseError as error:
            if error.status == requests.codes.not_found:
                return None
            raise
        return _row(described, raw, columns)

    def read_many(self, table: str, ids: Sequence[str], columns: frozenset[str]) -> dict[str, DataverseRow]:
        """The rows that exist, some dozen a request."""
        described, found = TABLES[table], dict[str, DataverseRow]()
        for start in range(0, len(ids), READ_TOGETHER):
            wanted = " or ".join(f"{described.primary_id} eq {id_}" for id_ in ids[start : start + READ_TOGETHER])
            params = {"$select": _select(described, columns), "$filter": wanted}
            for raw in self.rows(described.entity_set, params):
                row = _row(described, raw, columns)
                found[row.id] = row
        return found

    def pages(
        self, table: str, columns: frozenset[str], filter_: Filter = EVERYTHING, size: int = PAGE, order: str = ""
    ) -> Iterator[list[DataverseRow]]:
        """The rows inside the filter, page by page, with these columns; never more than a page of them in memory."""
        described, wanted = TABLES[table], odata(filter_, TABLES[table])
        read = columns | columns_of(filter_)
        params = {"$select": _select(described, read | {described.primary_id})}
        if wanted:
            params["$filter"] = wanted
        if order:
            params["$orderby"] = order
        headers = {"Prefer": f'odata.maxpagesize={size},odata.include-annotations="{LOOKUP_TABLE[1:]}"'}
        for page in self._pages(described.entity_set, params, headers):
            rows = (_row(described, raw, read) for raw in page)
            yield [row for row in rows if matches(filter_, row.values)]

    def changed(
        self, table: str, columns: frozenset[str], filter_: Filter, since: datetime | None
    ) -> Iterator[list[DataverseRow]]:
        """As `pages`, those changed at *since* or later, longest ago first; `columns` holds modifiedon."""
        described, read = TABLES[table], columns | columns_of(filter_)
        wanted = [f"({odata(filter_, described)})"] if odata(filter_, described) else []
        wanted += [f"modifiedon ge {since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"] if since else []
        params = {"$select": _select(described, read), "$orderby": "modifiedon"}
        if wanted:
            params["$filter"] = " and ".join(wanted)
        headers = {"Prefer": f'odata.maxpagesize={PAGE},odata.include-annotations="{LOOKUP_TABLE[1:]}"'}
        for page in self._pages(described.entity_set, params, headers):
            rows = (_row(described, raw, read) for raw in page)
            yield [row for row in rows if matches(filter_, row.values)]

    def tracked(self, table: str, token: str) -> Tracked:
        """What change tracking tells since *token*; without one, every row that there is.

        Raises: DataverseError, also for a token that has expired and for a table that is not tracked.
        """
        described, present, deleted = TABLES[table], set[str](), set[str]()
        params = {"$select": described.primary_id} | ({"$deltatoken": token} if token else {})
        headers = {"Prefer": f"odata.track-changes,odata.maxpagesize={PAGE}"}
        answer = self.call("GET", described.entity_set, params=params, headers=headers)
        while True:
            for one in answer["value"]:
                (deleted if "reason" in one else present).add(str(one.get("id") or one[described.primary_id]))
            if "@odata.nextLink" not in answer:
                break
            answer = self.call("GET", str(answer["@odata.nextLink"]).removeprefix(self._root), headers=headers)
        delta = parse_qs(urlsplit(str(answer["@odata.deltaLink"])).query)
        return Tracked(frozenset(present), frozenset(deleted), delta["$deltatoken"][0])

    def change(self, changes: Sequence[Change]) -> list[DataverseRow | DataverseError]:
        """Create and change rows; what Dataverse kept of each, or why it refused. More than one go in batches.

        Raises: DataverseUnreachableError and the like, when it is not known what was carried out.
        """
        answers: list[DataverseRow | DataverseError] = []
        for start in range(0, len(changes), CHANGE_TOGETHER):
            some = changes[start : start + CHANGE_TOGETHER]
            answers += [self._changed_alone(some[0])] if len(some) == 1 else self._changed_together(some)
        return answers

    def _changed_alone(self, change: Change) -> DataverseRow | DataverseError:
        headers, body = _changing(change)
        try:
            raw = self.call("PATCH", _path(change), headers=headers, body=body)
        except DataverseError as error:
            return error
        return _row(TABLES[change.table], raw, change.columns)

    def _changed_together(self, changes: Sequence[Change]) -> list[DataverseRow | DataverseError]:
        parts = [batch.Part("PATCH", f"{self._root}{_path(one)}", *_changing(one)) for one in changes]
        content_type, body = batch.written(parts)
        headers = {"Content-Type": content_type, "Prefer": "odata.continue-on-error"}
        answers = batch.read(self._answer("POST", "$batch", headers=headers, body=body))
        if len(answers) != len(changes):
            raise DataverseUnreachableError(
                f"Dataverse answered {len(answers)} of {len(changes)} requests of a batch. It is tried again."
            )
        return [
            _row(TABLES[one.table], json.loads(answer.content, parse_float=Decimal), one.columns)
            if answer.ok
            else _refusal(answer)
            for one, answer in zip(changes, answers, strict=True)
        ]

    def delete(self, table: str, id_: str, version: Version) -> None:
        """Delete the row if it still has this version; one that is gone already is as good.

        Raises: VersionMismatchError; DataverseError with what Dataverse says against it.
        """
        condition = "*" if version.number is None else f'W/"{version.number}"'
        try:
            self._answer("DELETE", f"{TABLES[table].entity_set}({id_})?tag={TAG}", headers={"If-Match": condition})
        except DataverseError as error:
            if error.status != requests.codes.not_found:
                raise

    def iso_code(self, currency: Reference) -> str | None:
        """A transaction currency's ISO code, which never changes; None if the currency does not exist."""
        if currency.id not in self._iso_codes:
            row = self.read("transactioncurrency", currency.id, frozenset({"isocurrencycode"}))
            if row is None:
                return None
            self._iso_codes[currency.id] = str(row.values["isocurrencycode"] or "")
        return self._iso_codes[currency.id]

    def currency_of(self, iso_code: str) -> Reference | None:
        """The transaction currency of an ISO code; one that was found is asked for once in a process's life."""
        if iso_code not in self._currencies:
            quoted = iso_code.replace("'", "''")
            asked = {"$select": "isocurrencycode", "$filter": f"isocurrencycode eq '{quoted}'"}
            found = next(self.rows("transactioncurrencies", asked), None)
            if found is None:
                return None
            self._currencies[iso_code] = Reference("transactioncurrency", str(found["transactioncurrencyid"]))
        return self._currencies[iso_code]

    def column_names(self, table: str) -> frozenset[str]:
        """The columns that this environment's table has."""
        path = f"EntityDefinitions(LogicalName='{table}')"
        answer = self.call("GET", path, params={"$select": "LogicalName", "$expand": "Attributes($select=LogicalName)"})
        return frozenset(str(column["LogicalName"]) for column in answer["Attributes"])

    def rows(self, path: str, params: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """Every row of a query, page after page."""
        for page in self._pages(path, params):
            yield from page

    def _pages(
        self, path: str, params: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> Iterator[list[dict[str, Any]]]:
        """While a page is worked on, the next one is on its way."""
        answer = self.call("GET", path, params=params, headers=headers)
        if "@odata.nextLink" not in answer:
            yield answer["value"]
            return
        with ThreadPoolExecutor(1, "next-page") as ahead:
            try:
                while "@odata.nextLink" in answer:
                    following = str(answer["@odata.nextLink"]).removeprefix(self._root)
                    coming = ahead.submit(self.call, "GET", following, headers=headers)
                    yield answer["value"]
                    answer = coming.result()
                yield answer["value"]
            finally:
                ahead.submit(self._forget_session)

    def _forget_session(self) -> None:
        """Of a thread that ends."""
        session = self._local.__dict__.pop("session", None)
        if session is not None:
            session.close()
            self._sessions.remove(session)

    def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Any:
        """One request, *path* within the Web API; its answer's JSON, numbers exact. Raises: DataverseError."""
        response = self._answer(method, path, params=params, headers=headers, body=body)
        return json.loads(response.content, parse_float=Decimal) if response.content else {}

    def _answer(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> requests.Response:
        self._before_call()
        response = self._send(method, path, params, headers, body, fresh=False)
        if response.status_code == requests.codes.unauthorized:
            response = self._send(method, path, params, headers, body, fresh=True)
        if not response.ok:
            raise _refusal(response)
        return response

    def _send(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        body: bytes | None,
        *,
        fresh: bool,
    ) -> requests.Response:
        sent = {**HEADERS, "Authorization": f"Bearer {self._credentials.token(fresh=fresh)}", **(headers or {})}
        if method == "GET":
            sent["If-None-Match"] = "null"
        if body is not None:
            sent.setdefault("Content-Type", "application/json; charset=utf-8")
        try:
            return self._session().request(
                method,
                self._root + path,
                params=params,
                headers=sent,
                data=body,
                timeout=TIMEOUT,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise DataverseUnreachableError(f"Dataverse cannot be reached: {type(error).__name__}: {error}") from error

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            self._sessions.append(session)
        return session


def dumps(body: Mapping[str, Any]) -> bytes:
    """JSON whose Decimals are numbers with their scale kept; the standard encoder has no place for them."""

    def marked(value: object) -> str:
        if isinstance(value, Decimal):
            return f"{_DECIMAL}{value:f}"
        raise TypeError(f"{type(value).__name__} cannot be written as JSON")

    text = json.dumps(body, default=marked, ensure_ascii=False)
    parts = text.split(f'"{_DECIMAL}')
    return "".join([parts[0], *(part.replace('"', "", 1) for part in parts[1:])]).encode()


def _path(change: Change) -> str:
    described = TABLES[change.table]
    return f"{described.entity_set}({change.id})?tag={TAG}&$select={_select(described, change.columns)}"


def _changing(change: Change) -> tuple[dict[str, str], bytes]:
    """Headers and body of the PATCH."""
    columns = TABLES[change.table].columns
    body = dict(to_web_api(columns[name], value) for name, value in change.values.items())
    prefer = 'return=representation,odata.include-annotations="*"'
    return {**change.condition, "Prefer": prefer}, dumps(body)


def _select(table: DataverseTable, columns: frozenset[str]) -> str:
    """Lookups are read as `_x_value`; a derived column is read off its lookup."""
    names = {DERIVED_COLUMNS.get(name, name) for name in columns}
    written = (f"_{name}_value" if table.columns[name].navigation else name for name in sorted(names))
    return ",".join(written)


def _row(table: DataverseTable, raw: Mapping[str, Any], columns: frozenset[str]) -> DataverseRow:
    values = {name: from_web_api(column, raw) for name, column in _read(table.name, columns)}
    return DataverseRow(str(raw[table.primary_id]), with_derived(values, columns), version_of(values))


@lru_cache
def _read(table: str, columns: frozenset[str]) -> tuple[tuple[str, Column], ...]:
    """The columns that a row is read by; asked for with every row of a page."""
    described = TABLES[table].columns
    return tuple((name, described[name]) for name in sorted({DERIVED_COLUMNS.get(name, name) for name in columns}))


def with_derived(values: Mapping[str, Value], columns: frozenset[str]) -> Values:
    """The values with the columns that are read off a lookup: a customer's table."""
    if columns.isdisjoint(DERIVED_COLUMNS):
        return values
    derived: dict[str, Value] = {}
    for name in columns & set(DERIVED_COLUMNS):
        lookup = values.get(DERIVED_COLUMNS[name])
        derived[name] = lookup.table if isinstance(lookup, Reference) else None
    return {**values, **derived}


def version_of(values: Values) -> Version:
    number, modified_on = values.get("versionnumber"), values.get("modifiedon")
    return Version(
        number if isinstance(number, int) else None, modified_on if isinstance(modified_on, datetime) else None
    )


def _refusal(response: requests.Response | batch.Answer) -> DataverseError:
    code, message = "", response.reason
    try:
        error = json.loads(response.content)["error"]
        code, message = str(error["code"]), str(error["message"])
    except (ValueError, KeyError, TypeError):
        pass  # a proxy's page, not Dataverse's answer: the status says enough
    status = response.status_code
    if status == requests.codes.too_many_requests or (
        status == requests.codes.unavailable and "Retry-After" in response.headers
    ):
        return ThrottledError(status, code, message, _pause(response.headers.get("Retry-After", "")))
    if code in MOVED:
        return VersionMismatchError(status, code, message)
    return DataverseError(status, code, message)


def _pause(text: str) -> float:
    """Retry-After in seconds; Dataverse sends a number, a proxy may send a date."""
    try:
        return max(float(text), 0.0)
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(text)
        return max((moment - moment.now(moment.tzinfo)).total_seconds(), 0.0)
    except (TypeError, ValueError):
        return DEFAULT_PAUSE
