"""Whether a mapping still fits Dataverse's tables, as this environment was described last."""

from __future__ import annotations

from collections.abc import Iterator

from receiver.core.description import Description
from receiver.core.filters import columns_of
from receiver.core.mapping import Direction, FieldMapping, TableMapping
from receiver.dataverse.columns import OPTIONAL_COLUMNS, TABLES
from receiver.services import Services, described_in, unknown_table
from receiver.store import descriptions
from receiver.store import mappings as stored

SEEN_AGAIN = (
    "Give the application user a column security profile that lets it read the column; minutes later the field follows"
)


def misfits(services: Services) -> dict[str, tuple[str, ...]]:
    """By mapping: a sentence for each column that Dataverse lacks, that we may not use, or that holds less.

    Of one that stands still, the sentence that says why.
    """
    with services.database.reading() as connection:
        found, facts = stored.load(connection), descriptions.load(connection)
    return {
        name: (unknown,) if (unknown := unknown_table(one)) else tuple(misfits_of(one, described_in(facts, one)))
        for name, one in found.items()
    }


def misfits_of(mapping: TableMapping, description: Description) -> Iterator[str]:
    """The same of one mapping that does not stand still, whose table is described so."""
    table, filtered = mapping.dataverse_table, columns_of(mapping.dataverse_filter)
    for name in sorted(filtered & (description.lacking - OPTIONAL_COLUMNS)):
        yield (
            f"{table} has no column {name}, which the Integration Table Filter needs: nothing of "
            f"{mapping.name} is synchronized until the filter is changed."
        )
    for name in sorted(filtered & description.unseen):
        yield (
            f"{_unseen(table, name, description)} The Integration Table Filter needs it: nothing of {mapping.name} is "
            f"synchronized until then, or until the filter is changed. {SEEN_AGAIN}."
        )
    enabled = [row for row in mapping.fields if row.is_enabled]
    quiet = sorted({row.dataverse_column for row in enabled if row.dataverse_column} & description.quiet)
    if quiet:
        yield (
            f"{table}.{', '.join(quiet)}: calculated or rolled up by Dataverse, so no notification and no catch-up "
            f"tells when it changes. The nightly verification finds it: receiver verify {mapping.name} --repair"
        )
    for row in enabled:
        if row.dataverse_column is not None:
            yield from _misfits_of_field(row, row.dataverse_column, table, description)


def _misfits_of_field(row: FieldMapping, name: str, table: str, description: Description) -> Iterator[str]:
    where, goes_out = f"field mapping {row.number} ({row.local_column or '–'})", row.direction.allows(Direction.TO)
    if name in description.lacking:
        if name not in OPTIONAL_COLUMNS:
            yield (
                f"{table} has no column {name}: {where} stands still, the other fields go on. "
                "Disable it, or bring the column back and test the connection."
            )
    elif name in description.unseen:
        said = _unseen(table, name, description)
        yield f"{said} So {where} stands still, the other fields go on. {SEEN_AGAIN}, or disable it."
    elif goes_out:
        yield from _what_is_not_sent(name, table, where, description)


def _unseen(table: str, name: str, description: Description) -> str:
    if name in description.masked:
        return f"{table}.{name} is read masked: what comes is not its value."
    return f"{table}.{name} may not be read by the application user: what comes is empty, whatever its value."


def _what_is_not_sent(name: str, table: str, where: str, description: Description) -> Iterator[str]:
    # one that nobody may change once the row is there, a currency's code say, is no trouble
    closed = {"creates": description.not_created, "changes": description.not_updated}
    kinds = [kind for kind, columns in closed.items() if name in columns]
    if len(kinds) == len(closed) or (kinds and name in description.secured):
        yield (
            f"{table}.{name} may not be filled in by the application user when it {' or '.join(kinds)} a "
            f"row: {where} is then not sent, the other fields go on. Give the application user a column security "
            "profile that lets it, or let the field go from Dataverse only."
        )
    longest, today = TABLES[table].columns[name].max_length, description.columns[name].max_length
    if longest is not None and today is not None and today < longest:
        yield (
            f"{table}.{name} holds {today} characters, not {longest}: longer text of {where} is cut on its way there."
        )
