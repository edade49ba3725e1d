"""The client: rows of the tables that mappings read come and go as core values.

Every update has a condition, every write a tag; how a request is sent is told in `web_api`.
Source: reference/dataverse.md §6.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from receiver.core.filters import EVERYTHING, Filter, columns_of, matches
from receiver.core.message import Version
from receiver.core.values import Reference, Values
from receiver.dataverse import batch, privileges
from receiver.dataverse.answers import Asked, json_of
from receiver.dataverse.columns import LOOKUP_TABLE, TABLES, DataverseTable
from receiver.dataverse.known_answers import GONE
from receiver.dataverse.odata_filter import odata
from receiver.dataverse.rows import TAG, Change, DataverseRow, changing, if_match, path_of, row_of, selected
from receiver.dataverse.web_api import MORE, Call, Credentials, Gate, WebApi, asked_of, is_success, within
from receiver.errors import (
    AnswerClass,
    BrokenAnswerError,
    DataverseError,
    DataverseUnreachableError,
    ReceiverError,
    RowGoneError,
    SetUpError,
)

_PRIVILEGE = re.compile(r"\bprv\w+")
#: rows in one filter, and changes in one batch
READ_TOGETHER, CHANGE_TOGETHER = 50, 100
#: rows in a page
PAGE = 5000


@dataclass(frozen=True)
class Tracked:
    """Ids of rows that were written or are there, of rows deleted since, and where to go on next time."""

    present: frozenset[str]
    deleted: frozenset[str]
    token: str


@dataclass(frozen=True)
class TrackedPage:
    """Rows that were written or are there, ids of rows deleted since; where the next page is, or the next look."""

    rows: list[DataverseRow]
    deleted: list[str]
    #: empty on the last page, which alone has a token
    link: str
    token: str


class DataverseClient(WebApi):
    """One environment's rows."""

    def __init__(self, url: str, credentials: Credentials, gate: Gate | None = None) -> None:
        super().__init__(url, credentials, gate)
        self._currency_rows: dict[str, Values] = {}
        self._currencies: dict[str, Reference] = {}

    def who_am_i(self) -> tuple[str, str]:
        """The organisation's and our own user's id."""
        answer = self.call("GET", "WhoAmI")
        return str(answer["OrganizationId"]).lower(), str(answer["UserId"]).lower()

    def read(self, table: str, id_: str, columns: frozenset[str]) -> DataverseRow | None:
        """The row with these columns; None if it does not exist, which only Dataverse's own word for this id says.

        Raises: OutOfSightError for a row that we may not see; DataverseError, DataverseUnreachableError.
        """
        described = TABLES[table]
        try:
            raw = self.call("GET", f"{described.entity_set}({id_})", params={"$select": selected(described, columns)})
        except RowGoneError:
            return None
        return row_of(described, raw, columns)

    def read_each(
        self, table: str, ids: Sequence[str], columns: frozenset[str]
    ) -> dict[str, DataverseRow | ReceiverError | None]:
        """What `read` says of each of these ids, a hundred in a request: a list that lacks one proves nothing.

        Raises: what keeps the request as a whole from being answered.
        """
        described, found = TABLES[table], dict[str, DataverseRow | ReceiverError | None]()
        for start in range(0, len(ids), CHANGE_TOGETHER):
            some = ids[start : start + CHANGE_TOGETHER]
            paths = [f"{described.entity_set}({id_})?$select={selected(described, columns)}" for id_ in some]
            for id_, answer in zip(some, self._batch([("GET", path, {}, b"") for path in paths]), strict=True):
                found[id_] = _read_answer(described, answer, columns)
        return found

    def read_many(self, table: str, ids: Sequence[str], columns: frozenset[str]) -> dict[str, DataverseRow]:
        """The rows that a list shows, some dozen a request; one that it lacks may be out of sight (`read_each`)."""
        described, found = TABLES[table], dict[str, DataverseRow]()
        for start in range(0, len(ids), READ_TOGETHER):
            wanted = " or ".join(f"{described.primary_id} eq {id_}" for id_ in ids[start : start + READ_TOGETHER])
            params = {"$select": selected(described, columns), "$filter": wanted}
            for raw in self.rows(described.entity_set, params):
                row = row_of(described, raw, columns)
                found[row.id] = row
        return found

    def look_up(
        self, table: str, ids: Iterable[str], columns: frozenset[str]
    ) -> dict[str, DataverseRow | ReceiverError | None]:
        """What is known of each row: from a list, and where that lacks it, from a read by its id.

        None: it does not exist. An error: it cannot be read now, or by us. Raises: what keeps the request as a whole
        from being answered.
        """
        wanted = sorted(set(ids))
        found: dict[str, DataverseRow | ReceiverError | None] = dict(self.read_many(table, wanted, columns))
        missing = [id_ for id_ in wanted if id_ not in found]
        return found | (self.read_each(table, missing, columns) if missing else {})

    def pages(
        self, table: str, columns: frozenset[str], filter_: Filter = EVERYTHING, size: int = PAGE, order: str = ""
    ) -> Iterator[list[DataverseRow]]:
        """The rows inside the filter, page by page, with these columns; never more than a page of them in memory."""
        described, wanted = TABLES[table], odata(filter_, TABLES[table])
        read = columns | columns_of(filter_)
        params = {"$select": selected(described, read | {described.primary_id})}
        if wanted:
            params["$filter"] = wanted
        if order:
            params["$orderby"] = order
        yield from self._found(described, params, read, filter_, size)

    def changed(
        self, table: str, columns: frozenset[str], filter_: Filter, since: datetime | None
    ) -> Iterator[list[DataverseRow]]:
        """As `pages`, those changed at *since* or later, longest ago first; `columns` holds modifiedon."""
        described, read = TABLES[table], columns | columns_of(filter_)
        wanted = [f"({odata(filter_, described)})"] if odata(filter_, described) else []
        wanted += [f"modifiedon ge {since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"] if since else []
        params = {"$select": selected(described, read), "$orderby": "modifiedon"}
        if wanted:
            params["$filter"] = " and ".join(wanted)
        yield from self._found(described, params, read, filter_, PAGE)

    def _found(
        self, described: DataverseTable, params: Mapping[str, str], read: frozenset[str], filter_: Filter, size: int
    ) -> Iterator[list[DataverseRow]]:
        """A query's rows, page by page, those that our own reading of the filter keeps too."""
        headers = {"Prefer": f'odata.maxpagesize={size},odata.include-annotations="{LOOKUP_TABLE[1:]},{MORE[1:]}"'}
        for page in self._pages(described.entity_set, params, headers):
            rows = (row_of(described, raw, read) for raw in page["value"])
            yield [row for row in rows if matches(filter_, row.values)]

    def tracked(self, table: str, token: str) -> Tracked:
        """What change tracking tells since *token*; without one, every row that there is.

        Raises: as `tracked_pages`.
        """
        present, deleted, goes_on_at = set[str](), set[str](), ""
        for page in self.tracked_pages(table, frozenset(), token):
            present.update(one.id for one in page.rows)
            deleted.update(page.deleted)
            goes_on_at = page.token
        return Tracked(frozenset(present), frozenset(deleted), goes_on_at)

    def tracked_pages(self, table: str, columns: frozenset[str], token: str, link: str = "") -> Iterator[TrackedPage]:
        """The same page by page, with these columns of the rows; *link* goes on behind the page that had it.

        Raises: DataverseError, also for a token that has expired and for a table that is not tracked;
        BrokenAnswerError where the last page does not say where the next look begins.
        """
        described = TABLES[table]
        params = {"$select": selected(described, columns | {described.primary_id})}
        params |= {"$deltatoken": token} if token else {}
        headers = {
            "Prefer": f'odata.track-changes,odata.maxpagesize={PAGE},odata.include-annotations="{LOOKUP_TABLE[1:]}"'
        }
        asked = (within(link), {}) if link else (described.entity_set, params)
        for page in self._pages(*asked, headers):
            deleted = [str(one.get("id") or one[described.primary_id]) for one in page["value"] if "reason" in one]
            rows = [row_of(described, one, columns) for one in page["value"] if "reason" not in one]
            following, goes_on_at = str(page.get("@odata.nextLink", "")), ""
            if not following:
                delta = str(page.get("@odata.deltaLink", ""))
                goes_on_at = parse_qs(urlsplit(delta).query).get("$deltatoken", [""])[0]
                if not goes_on_at:
                    raise BrokenAnswerError(
                        "Dataverse did not say where its change tracking goes on; it is asked again."
                    )
            yield TrackedPage(rows, deleted, following, goes_on_at)

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
        headers, body = changing(change)
        try:
            raw = self.call("PATCH", path_of(change), headers=headers, body=body)
        except DataverseError as error:
            return error
        return self._as_kept(change, raw)

    def _changed_together(self, changes: Sequence[Change]) -> list[DataverseRow | DataverseError]:
        answers = self._batch([("PATCH", path_of(one), *changing(one)) for one in changes])
        found: list[DataverseRow | DataverseError] = []
        for one, answer in zip(changes, answers, strict=True):
            if isinstance(answer, DataverseUnreachableError):
                raise answer
            found.append(answer if isinstance(answer, DataverseError) else self._as_kept(one, answer))
        return found

    def _as_kept(self, change: Change, raw: Any) -> DataverseRow | DataverseError:
        """The row that came back; where only *done* came (204), it is read."""
        if raw:
            return row_of(TABLES[change.table], raw, change.columns)
        try:
            row = self.read(change.table, change.id, change.columns)
        except DataverseError as error:
            return error
        return row or RowGoneError(404, GONE, f"{change.table} With Id = {change.id} Does Not Exist")

    def _batch(self, requests: Sequence[tuple[str, str, Mapping[str, str], bytes]]) -> list[Any]:
        """Each request's JSON, or the error that it was answered with, in their order.

        Raises: DataverseUnreachableError where it is not known what became of them; what refuses the whole batch.
        """
        parts = [batch.Part(method, f"{self._root}{path}", head, body) for method, path, head, body in requests]
        asked = tuple(asked_of(method, path, headers) for method, path, headers, _ in requests)
        content_type, body = batch.written(parts)
        headers = {"Content-Type": content_type, "Prefer": "odata.continue-on-error"}
        answers = batch.read(self._answer(Call("POST", "$batch", headers=headers, body=body, parts=asked)))
        if len(answers) != len(parts):
            raise BrokenAnswerError(
                f"Dataverse answered {len(answers)} of {len(parts)} requests of a batch. It is tried again."
            )
        return [self._part(answer, one) for one, answer in zip(asked, answers, strict=True)]

    def _part(self, answer: batch.Answer, asked: Asked) -> Any:
        if is_success(answer):
            return json_of(answer)
        error = self._refusal(answer, asked)
        self._closed_by(error)
        return error

    def _confirmed(self, error: SetUpError, asked: Asked) -> ReceiverError:
        """A privilege that our roles do give is missing in somebody's plug-in: then it is this record's trouble.

        Source: learn, RetrieveUserPrivileges function.
        """
        if self._is_confirming:
            return error
        try:
            with self.confirming():
                _, user = self.who_am_i()
                held = privileges.held_by(self, user)
        except ReceiverError:
            return error  # nobody can say: what Dataverse said stands
        named = _PRIVILEGE.search(error.says)
        wanted = named[0] if named else privileges.privilege(asked.operation.capitalize(), asked.table)
        if held.lacks([wanted]):
            return error
        remedy = "Our roles give it: it is missing in a plug-in of the environment. Show its author the message."
        return DataverseError(error.status, error.code, error.says, AnswerClass.DATA, remedy)

    def delete(self, table: str, id_: str, version: Version) -> None:
        """Delete the row if it still has this version; one that is gone already is as good.

        Raises: VersionMismatchError; DataverseError with what Dataverse says against it.
        """
        path = f"{TABLES[table].entity_set}({id_})?tag={TAG}"
        with suppress(RowGoneError):
            self._answer(Call("DELETE", path, headers={"If-Match": if_match(version)}))

    def iso_code(self, currency: Reference) -> str | None:
        """A transaction currency's ISO code, which never changes; None if the currency does not exist."""
        values = self._currency(currency)
        return None if values is None else str(values["isocurrencycode"] or "")

    def decimal_places(self, currency: Reference) -> int | None:
        """How precisely amounts of a transaction currency are kept; None if that is not known."""
        places = (self._currency(currency) or {}).get("currencyprecision")
        return places if isinstance(places, int) else None

    def _currency(self, currency: Reference) -> Values | None:
        """One that was found is asked for once in a process's life."""
        if currency.id not in self._currency_rows:
            row = self.read("transactioncurrency", currency.id, frozenset({"isocurrencycode", "currencyprecision"}))
            if row is None:
                return None
            self._currency_rows[currency.id] = row.values
        return self._currency_rows[currency.id]

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


def _read_answer(
    described: DataverseTable, answer: Any, columns: frozenset[str]
) -> DataverseRow | ReceiverError | None:
    if isinstance(answer, RowGoneError):
        return None
    return answer if isinstance(answer, ReceiverError) else row_of(described, answer, columns)
