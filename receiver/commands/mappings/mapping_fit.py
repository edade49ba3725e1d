"""Whether a mapping still fits Dataverse's tables, as the last test of the connection found them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import select

from receiver.core.filters import columns_of
from receiver.core.mapping import Direction, TableMapping
from receiver.dataverse.columns import OPTIONAL_COLUMNS, TABLES
from receiver.services import Services, unknown_table
from receiver.store import mappings as stored
from receiver.store.models import connection as state


def misfits(services: Services) -> dict[str, tuple[str, ...]]:
    """By mapping: a sentence for each column that Dataverse no longer has, or that holds less than it did.

    Of one that stands still, the sentence that says why.
    """
    query = select(state.c.lacking, state.c.shortened)
    with services.database.reading() as connection:
        found, row = stored.load(connection), connection.execute(query).first()
    lacking, shortened = (row.lacking or {}, row.shortened or {}) if row is not None else ({}, {})
    return {
        name: tuple(misfits_of(one, lacking.get(one.dataverse_table, ()), shortened.get(one.dataverse_table, {})))
        for name, one in found.items()
    }


def misfits_of(mapping: TableMapping, lacking: Sequence[str], shortened: Mapping[str, int]) -> Iterator[str]:
    """The same of one mapping, whose table lacks these columns, and holds so many characters in these."""
    if unknown := unknown_table(mapping):
        yield unknown
        return
    missing, table = frozenset(lacking) - OPTIONAL_COLUMNS, mapping.dataverse_table
    for name in sorted(columns_of(mapping.dataverse_filter) & missing):
        yield (
            f"{table} has no column {name}, which the Integration Table Filter needs: nothing of "
            f"{mapping.name} is synchronized until the filter is changed."
        )
    for row in mapping.fields:
        if not row.is_enabled or row.dataverse_column is None:
            continue
        where = f"field mapping {row.number} ({row.local_column or '–'})"
        if row.dataverse_column in missing:
            yield (
                f"{table} has no column {row.dataverse_column}: {where} stands still, the other fields go on. "
                "Disable it, or bring the column back and test the connection."
            )
        elif row.dataverse_column in shortened and row.direction.allows(Direction.TO):
            longest = TABLES[table].columns[row.dataverse_column].max_length
            yield (
                f"{table}.{row.dataverse_column} holds {shortened[row.dataverse_column]} characters, not {longest}: "
                f"longer text of {where} is cut on its way there."
            )
