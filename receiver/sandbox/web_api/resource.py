"""Reads the path of a request: entity set, key, and what follows."""

from __future__ import annotations

import re
from dataclasses import dataclass

from receiver.sandbox.errors import ApiError, invalid_argument
from receiver.sandbox.organization import Organization
from receiver.sandbox.storage import Row
from receiver.sandbox.table import Table
from receiver.sandbox.values import guid_of, to_json
from receiver.sandbox.web_api import sight

_SEGMENT = re.compile(r"(?:[^/'(]|'[^']*'|\((?:[^')]|'[^']*')*\))+")
_KEYED = re.compile(r"(?P<name>[^(]+)\((?P<key>.*)\)", re.DOTALL)
_PAIR = re.compile(r"(\w+)=('(?:[^']|'')*'|[^,]+)")


@dataclass(frozen=True)
class Resource:
    """`accounts(<key>)/a/b` has the name accounts, the key and the rest (a, b)."""

    name: str
    key: str | None = None
    rest: tuple[str, ...] = ()

    @property
    def is_row(self) -> bool:
        return self.key is not None


def parse_resource(path: str) -> Resource:
    """Raises ApiError."""
    segments = _SEGMENT.findall(path)
    if not segments:
        raise invalid_argument("The request names no resource.")
    first, *rest = segments
    keyed = _KEYED.fullmatch(first)
    if keyed is None:
        return Resource(first, None, tuple(rest))
    return Resource(keyed["name"], keyed["key"], tuple(rest))


def alternate_key(key: str) -> dict[str, str]:
    """The parts of `name='value',other=5`; empty for a plain id."""
    return {name: value.strip("'").replace("''", "'") for name, value in _PAIR.findall(key)}


def id_by_key(organization: Organization, table: Table, key: str, right: str = "ReadAccess") -> str:
    """The id that a key stands for. Raises ApiError when no row has that alternate key, or it may not be seen."""
    row_id = find_id(organization, table, key)
    sight.require(organization, table, row_id, right)
    return row_id


def find_id(organization: Organization, table: Table, key: str) -> str:
    """The same, whether the row may be seen or not. Raises ApiError."""
    parts = alternate_key(key)
    if not parts:
        return guid_of(key)
    if table.id_column in parts:
        return guid_of(parts[table.id_column])
    for name in parts:
        if name not in table.alternate_keys:
            raise ApiError(400, "0x80060888", f"Invalid key property '{name}' on {table.name}.")
    found = row_with(organization, table, parts)
    if found is None:
        raise ApiError(404, "0x80060891", "A record with the specified key values does not exist.")
    return found.id


def row_with(organization: Organization, table: Table, parts: dict[str, str]) -> Row | None:
    """The row whose properties have these values."""
    for row in organization.store.rows(table.name):
        if all(_matches(organization, table, row, name, value) for name, value in parts.items()):
            return row
    return None


def _matches(organization: Organization, table: Table, row: Row, name: str, value: str) -> bool:
    column = table.by_property[name]
    kept = row.get(column.name)
    key = organization.collation.key
    return kept is not None and key(str(to_json(column, kept))) == key(value)


def reference_path(uri: str) -> Resource:
    """From a bind value: `/contacts(<id>)`, `contacts(<id>)` or a whole address. Raises ApiError."""
    _, _, after = uri.rpartition("/api/data/")
    path = after.partition("/")[2] if after != uri else uri
    found = parse_resource(path.lstrip("/"))
    if not found.is_row:
        raise invalid_argument(f"'{uri}' does not name a row.")
    return found
