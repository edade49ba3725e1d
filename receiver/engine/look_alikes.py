"""Match on this Field: uncoupled records of the other side that look like one which would otherwise be created.

Many records are asked for at a time, with one query on each side. What is compared is what match-based coupling
compares (core/matching.py); a lookup is compared as it would be written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from receiver.core.decision import Candidate, Record
from receiver.core.filters import AllOf, AnyOf, Condition, matches
from receiver.core.mapping import Conversion, Direction, FieldMapping, TableMapping
from receiver.core.matching import UNKNOWN, dataverse_digest, local_digest
from receiver.core.merge import Converted, Found
from receiver.core.rule_text import RuleError
from receiver.core.transformation import transformed
from receiver.core.values import Value, Values, is_empty, same
from receiver.dataverse.client import DataverseClient
from receiver.dataverse.columns import TABLES as DATAVERSE_TABLES
from receiver.store import couplings
from receiver.store.local_tables import LocalTable
from receiver.tables import BY_NAME

#: candidates that a person is shown
SHOWN = 10


@dataclass(frozen=True)
class Likeness:
    """What makes two records look alike: equal in all of these fields, of which one at least is not empty.

    `more`: the fields of which one more must be equal and not empty; where nothing is marked, only a restored
    record's twin is looked for, by its name and one field more.
    """

    fields: tuple[FieldMapping, ...]
    more: tuple[FieldMapping, ...] = ()


def likeness_of(mapping: TableMapping, *, is_restored: bool) -> Likeness:
    usable = [
        row
        for row in sorted(mapping.fields, key=lambda row: row.number)
        if row.is_enabled and row.local_column and row.dataverse_column
    ]
    marked = tuple(row for row in usable if row.match_on_this_field and row.conversion is not Conversion.LOOKUP_TABLE)
    if marked or not is_restored:
        return Likeness(marked)
    primary = DATAVERSE_TABLES[mapping.dataverse_table].primary_name
    named_by = BY_NAME[mapping.local_table].named_by
    plain = [row for row in usable if row.conversion is Conversion.PLAIN]
    names = [row for row in plain if row.dataverse_column == primary or row.local_column in named_by]
    return Likeness(tuple(names), tuple(row for row in plain if row not in names)) if names else Likeness(())


def local_alikes(
    connection: Connection, mapping: TableMapping, likeness: Likeness, rows: Mapping[str, Values]
) -> dict[str, list[Record]]:
    """Uncoupled local records inside the filter that look like each of these rows, as far as plain fields go."""
    wanted: dict[str, set[str]] = {}
    for values in rows.values():
        asked = _asked_by(likeness, Direction.FROM, values)
        if asked is not None:
            row, value = asked
            wanted.setdefault(row.local_column or "", set()).add(str(value))
    local = LocalTable(connection, BY_NAME[mapping.local_table])
    found = {one.id: one for column, texts in wanted.items() for one in local.alike(column, sorted(texts))}
    coupled = couplings.of_records(connection, mapping.name, list(found))
    free = [one for one in found.values() if one.id not in coupled and matches(mapping.local_filter, one.values)]
    return {id_: [one for one in free if _are_alike(likeness, one.values, values)] for id_, values in rows.items()}


def dataverse_alikes(
    client: DataverseClient,
    mapping: TableMapping,
    likeness: Likeness,
    columns: frozenset[str],
    records: Mapping[str, Values],
) -> dict[str, list[Record]]:
    """Rows inside the filter, coupled or not, that look like each of these local records, as far as plain fields go.

    Raises: what Dataverse raises.
    """
    wanted: dict[str, list[Value]] = {}
    for values in records.values():
        asked = _asked_by(likeness, Direction.TO, values)
        if asked is not None:
            row, value = asked
            wanted.setdefault(row.dataverse_column or "", []).append(value)
    if not wanted:
        return {}
    either = AnyOf(tuple(Condition(column, "in", tuple(dict.fromkeys(values))) for column, values in wanted.items()))
    pages = client.pages(mapping.dataverse_table, columns, AllOf((mapping.dataverse_filter, either)))
    found = [Record(row.id, row.values) for page in pages for row in page]
    return {key: [row for row in found if _are_alike(likeness, values, row.values)] for key, values in records.items()}


def _asked_by(likeness: Likeness, toward: Direction, values: Values) -> tuple[FieldMapping, Value] | None:
    """The first plain field that says something, and its value as the other side has it."""
    for row in likeness.fields:
        source = row.dataverse_column if toward is Direction.FROM else row.local_column
        rule = row.transformation_rule if row.transformation_direction is toward else ""
        if row.conversion is not Conversion.PLAIN:
            continue
        try:
            value = transformed(rule, values.get(source or ""))
        except RuleError:
            continue
        if not is_empty(value):
            return row, value
    return None


def _are_alike(likeness: Likeness, local: Values, remote: Values) -> bool:
    compared = [_compared(row, local, remote) for row in likeness.fields if row.conversion is Conversion.PLAIN]
    told = [is_equal for is_equal in compared if is_equal is not None]
    if not told or not all(told):
        return False
    return not likeness.more or any(_compared(row, local, remote) is True for row in likeness.more)


def _compared(row: FieldMapping, local: Values, remote: Values) -> bool | None:
    """Whether they are equal; None where one of the two says nothing."""
    here, there = local.get(row.local_column or ""), remote.get(row.dataverse_column or "")
    if is_empty(here) or is_empty(there):
        return None
    try:
        digest = local_digest(row, here)
    except RuleError:
        digest = UNKNOWN
    return digest == dataverse_digest(row, there)


def are_lookups_alike(likeness: Likeness, lookups: Mapping[int, Converted], toward: Direction, other: Values) -> bool:
    """Whether what the lookups would write is what *other* has; one that is not coupled cannot be told apart."""
    for row in likeness.fields:
        found = lookups.get(row.number)
        column = row.local_column if toward is Direction.FROM else row.dataverse_column
        if isinstance(found, Found) and not is_empty(found.value) and not same(found.value, other.get(column or "")):
            return False
    return True


def as_candidates(
    mapping: TableMapping, toward: Direction, records: Sequence[Record], let_go: frozenset[str]
) -> tuple[Candidate, ...]:
    """What a person is shown of them; *let_go* are those that a person uncoupled."""
    if toward is Direction.FROM:
        named_by = BY_NAME[mapping.local_table].named_by
        return tuple(Candidate(mapping.name, one.id, name_of(one, named_by), one.id in let_go) for one in records)
    name = DATAVERSE_TABLES[mapping.dataverse_table].primary_name
    return tuple(
        Candidate(mapping.name, one.id, str(one.values.get(name) or ""), one.id in let_go) for one in records[:SHOWN]
    )


def name_of(record: Record, named_by: tuple[str, ...]) -> str:
    """What people call a local record."""
    return " ".join(str(record.values[column]) for column in named_by if record.values[column])
