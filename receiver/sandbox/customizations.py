"""What an environment does of its own accord inside a write: plug-ins, and columns that number themselves.

They live as long as the sandbox runs. Source: DP/plug-ins; DP/create-auto-number-attributes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from receiver.sandbox.errors import unknown_property
from receiver.sandbox.table import Table
from receiver.sandbox.values import check, from_python

PlugIn = Callable[[str, dict[str, Any]], dict[str, Any] | None]
"""Called with Create, Update or Delete and the logical values that are written (of a Delete: the row's), the id among
them. What it changes in them, or returns, is written too. It may raise ApiError: then nothing is written."""


class Customizations:
    """Of one environment; set at any time."""

    def __init__(self) -> None:
        self.plug_ins: defaultdict[str, list[PlugIn]] = defaultdict(list)
        self._formats: dict[tuple[str, str], str] = {}
        self._next: dict[tuple[str, str], int] = {}

    def number(self, table: str, column: str, form: str, first: int) -> None:
        """An empty *form* ends it."""
        self._formats[table, column] = form
        self._next[table, column] = first

    def format_of(self, table: str, column: str) -> str | None:
        return self._formats.get((table, column)) or None

    def numbered(self, table: Table, values: dict[str, Any]) -> dict[str, Any]:
        """With a number in each column that numbers itself and for which none was sent. A refused create loses it."""
        drawn = dict(values)
        for (name, column), form in self._formats.items():
            if form and name == table.name and values.get(column) is None:
                drawn[column] = form.format(self._next[name, column])
                self._next[name, column] += 1
        return drawn

    def applied(self, message: str, table: Table, row_id: str, values: dict[str, Any]) -> dict[str, Any]:
        """The values after all plug-ins of the table. Raises ApiError where one refuses, or writes what cannot be."""
        for plug_in in self.plug_ins[table.name]:
            given = {table.id_column: row_id, **values}
            returned = plug_in(message, given)
            given |= returned or {}
            given.pop(table.id_column, None)
            values = {name: _logical(table, name, value) for name, value in given.items()}
        return values


def _logical(table: Table, name: str, value: Any) -> Any:
    column = table.by_name.get(name)
    if column is None:
        raise unknown_property(name, table.name)
    logical = from_python(column, value)
    check(table, column, logical)
    return logical
