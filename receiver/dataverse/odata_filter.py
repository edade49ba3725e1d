"""A table filter as the Web API's `$filter`: what Dataverse can leave out need not be read.

Dataverse never leaves out a row that `core.filters.matches` lets in, but it may send more: it knows no order of our
kind for texts, and a derived column cannot be asked for. Who reads by it asks `matches` of each row. A new operator is
a case in `_condition`. Source: reference/dataverse.md §6.5.
"""

from __future__ import annotations

import re
from decimal import Decimal

from receiver.core.filters import AllOf, AnyOf, Condition, Filter, FilterError
from receiver.core.values import NUMBERS, TEXTS, WHOLE_NUMBERS, Column, ColumnType, Value, guid, is_empty
from receiver.dataverse.columns import DERIVED_COLUMNS, DataverseTable

EVERYTHING = ""
_ORDERED = {">": "gt", ">=": "ge", "<": "lt", "<=": "le"}
_IDS = frozenset({ColumnType.LOOKUP, ColumnType.GUID})
#: what LIKE does not take literally: the text is asked for up to there
_WILDCARD = re.compile(r"[%_\[]")


def odata(filter_: Filter, table: DataverseTable) -> str:
    """The `$filter` that lets through at least what *filter_* does; "" for everything.

    Raises: KeyError for a column that the table does not have.
    """
    match filter_:
        case AllOf(parts):
            said = [odata(part, table) for part in parts]
            return _joined(" and ", [one for one in said if one != EVERYTHING])
        case AnyOf(parts):
            said = [odata(part, table) for part in parts]
            return EVERYTHING if EVERYTHING in said else _joined(" or ", said)
        case Condition():
            return _condition(filter_, table)
    raise FilterError(f"not a filter: {filter_}")


def _joined(word: str, said: list[str]) -> str:
    return said[0] if len(said) == 1 else word.join(f"({one})" for one in said)


def _condition(condition: Condition, table: DataverseTable) -> str:
    column = table.columns[DERIVED_COLUMNS.get(condition.column, condition.column)]
    name = f"_{column.name}_value" if column.type is ColumnType.LOOKUP else column.name
    wanted = condition.values[0] if condition.values else None
    match condition.operator:
        case "is empty":
            return f"{name} eq null"
        case "is not empty":
            return f"{name} ne null"
        case "=" | "in":
            said = dict.fromkeys(_equals(condition.column, column, name, value) for value in condition.values)
            kept = [one for one in said if one is not None]
            return _joined(" or ", kept) if kept else f"{table.primary_id} eq null"
        case "<>":
            return _differs(condition.column, column, name, wanted)
        case "begins with":
            return _begins(column, name, wanted)
        case operator if operator in _ORDERED:
            return _ordered(column, name, _ORDERED[operator], wanted)
    raise FilterError(f"not a filter: {condition}")


def _equals(asked: str, column: Column, name: str, value: Value) -> str | None:
    """None where the column can never have this value."""
    if is_empty(value):
        return f"{name} eq null"
    if asked in DERIVED_COLUMNS:
        return f"{name} ne null"
    literal = _literal(column, value)
    return None if literal is None else f"{name} eq {literal}"


def _differs(asked: str, column: Column, name: str, value: Value) -> str:
    """An empty column differs from every value; texts that Dataverse takes for equal may still differ by an accent."""
    if is_empty(value):
        return f"{name} ne null"
    literal = _literal(column, value)
    if literal is None or column.type in TEXTS or asked in DERIVED_COLUMNS:
        return EVERYTHING
    return f"{name} ne {literal} or {name} eq null"


def _begins(column: Column, name: str, value: Value) -> str:
    start = _WILDCARD.split(str(value or ""))[0]
    return f"startswith({name},{_quoted(start)})" if start and column.type in TEXTS else EVERYTHING


def _ordered(column: Column, name: str, operator: str, value: Value) -> str:
    is_number = isinstance(value, (int, Decimal)) and not isinstance(value, bool)
    if (column.type in NUMBERS and is_number) or (column.type in WHOLE_NUMBERS and isinstance(value, int)):
        return f"{name} {operator} {int(value) if isinstance(value, bool) else value}"
    return f"{name} ne null"


def _literal(column: Column, value: Value) -> str | None:
    """The value as the filter writes it for this column; None where the column can never be equal to it."""
    if column.type in TEXTS:
        return _quoted(value) if isinstance(value, str) else None
    if column.type in _IDS:
        return guid(value)
    if not isinstance(value, (int, Decimal)):
        return None
    if column.type is ColumnType.BOOLEAN:
        return {"0": "false", "1": "true"}.get(str(int(value))) if value == int(value) else None
    if column.type in WHOLE_NUMBERS:
        return str(int(value)) if value == int(value) else None
    return f"{Decimal(value):f}" if column.type in NUMBERS else None


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
