"""Pages of rows and changes since a token.

Source: DP/webapi/query/page-results.md, DP/use-change-tracking-synchronize-data-external-systems.md.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode
from uuid import uuid4
from weakref import WeakKeyDictionary

from receiver.sandbox.errors import ApiError, invalid_argument
from receiver.sandbox.organization import Organization
from receiver.sandbox.storage import Row, Store
from receiver.sandbox.table import Table
from receiver.sandbox.web_api.asked import Asked

_LARGEST_PAGE = 5000
_KEPT_COOKIES = 1000
#: how long a token is good for, where the organization does not say
_USUAL_DAYS = 7
_TOKEN = re.compile(r"(\d+)!(\d{4}-\d{2}-\d{2}T[\d:]+Z)(?:!(\d+))?")
_DROPPED = ("$skiptoken", "$deltatoken")


@dataclass(frozen=True)
class Remaining:
    """What is still to be shown, and the token that the last page ends with."""

    items: tuple[Row | dict[str, Any], ...]
    delta_token: str | None = None

    def split(self, size: int) -> tuple[tuple[Row | dict[str, Any], ...], Remaining]:
        return self.items[:size], replace(self, items=self.items[size:])


_cookies: WeakKeyDictionary[Store, OrderedDict[str, Remaining]] = WeakKeyDictionary()


def remembered(organization: Organization, rest: Remaining) -> str:
    """A token that `resumed` knows; it may be followed more than once."""
    cookies = _cookies.setdefault(organization.store, OrderedDict())
    token = uuid4().hex
    cookies[token] = rest
    while len(cookies) > _KEPT_COOKIES:
        cookies.popitem(last=False)
    return token


def resumed(organization: Organization, token: str) -> Remaining:
    """Raises ApiError."""
    found = _cookies.get(organization.store, OrderedDict()).get(token)
    if found is None:
        raise invalid_argument("Malformed paging cookie.")
    return found


def whole_table(organization: Organization, table: Table) -> Remaining:
    """Every row, and the token of this moment."""
    rows, _, version = organization.store.changed_since(table.name, 0)
    return Remaining(tuple(rows), _token(organization, version))


def changes(organization: Organization, table: Table, token: str) -> Remaining:
    """Rows written since the token, then ids deleted since. Raises ApiError for a bad or expired token."""
    found = _TOKEN.fullmatch(token)
    if found is None or int(found[3] or 0) != organization.store.history:
        raise invalid_argument(f"The delta token '{token}' is invalid.")
    at = datetime.fromisoformat(found[2])
    if organization.settings.now().astimezone(UTC) - at > _lifetime(organization):
        raise ApiError(
            400,
            "0x80044352",
            "Version stamp associated with the client has expired. Please perform a full sync.",
        )
    rows, gone, version = organization.store.changed_since(table.name, int(found[1]))
    context = f"#{table.set_name}/$deletedEntity"
    deletions = tuple({"@odata.context": context, "id": row_id, "reason": "deleted"} for row_id in sorted(gone))
    return Remaining((*rows, *deletions), _token(organization, version))


def _lifetime(organization: Organization) -> timedelta:
    """As the organization's own row says."""
    own = organization.store.row("organization", organization.settings.organization_id)
    days = own.get("expirechangetrackingindays") if own else None
    return timedelta(days=_USUAL_DAYS if days is None else days)


def _token(organization: Organization, version: int) -> str:
    history = organization.store.history
    moment = organization.settings.now().astimezone(UTC)
    return f"{version}!{moment:%Y-%m-%dT%H:%M:%SZ}" + (f"!{history}" if history else "")


def page_size(asked: Asked) -> int:
    wanted = asked.preference("odata.maxpagesize") or ""
    return min(int(wanted), _LARGEST_PAGE) if wanted.isdigit() and int(wanted) else _LARGEST_PAGE


def link(asked: Asked, option: str, token: str) -> str:
    """This request's own address with the token added."""
    kept = [(name, value) for name, value in asked.request.args.items() if name not in _DROPPED]
    query = urlencode([*kept, (option, token)], safe="$,!:", quote_via=quote)
    return f"{_host_of_links(asked)}{asked.request.path}?{query}"


def own_link(asked: Asked) -> str:
    """An address that leads to the same page again."""
    query = asked.request.query_string.decode()
    return f"{_host_of_links(asked)}{asked.request.path}?{query}"


def _host_of_links(asked: Asked) -> str:
    """An environment answers under two names, and nothing says which of them its links carry."""
    other = asked.organization.faults.other_host
    return f"https://{other}" if other else asked.request.host_url[:-1]
