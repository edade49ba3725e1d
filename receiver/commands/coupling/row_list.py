"""The Dataverse rows that a local record may be coupled with: what Set Up Coupling offers to choose from.

Source: BC P5336's lookup, and the column Coupled of BC's lists of Dataverse rows; reference §6.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, islice

from receiver.commands.coupling.chosen_records import unknown_records
from receiver.commands.coupling.pairs import mapping_named
from receiver.commands.coupling.row_search import SEARCHED_BY
from receiver.core.filters import AllOf, Condition
from receiver.core.mapping import Direction, TableMapping
from receiver.dataverse.columns import TABLES as DATAVERSE_TABLES
from receiver.dataverse.rows import DataverseRow
from receiver.services import Services
from receiver.store import couplings
from receiver.store.local_tables import LocalTable
from receiver.tables import BY_NAME

FIRST_ROWS = 50


class Coupled(StrEnum):
    """Whether a row is coupled by the mapping; `CURRENT`: to the record that is asked about."""

    YES = "Yes"
    NO = "No"
    CURRENT = "Current"


@dataclass(frozen=True)
class OfferedRow:
    """One row; `local_id` is the record that it is coupled to, empty where there is none."""

    id: str
    name: str
    coupled: Coupled
    local_id: str = ""


def rows_offered(
    services: Services, mapping: str, *, key: str = "", begins: str = "", limit: int = FIRST_ROWS
) -> tuple[OfferedRow, ...]:
    """The rows inside the mapping's integration table filter, in name order; of those whose name *begins* so.

    With a local *key* the row that it is coupled to comes first. Raises: NotFoundError for the mapping or
    the key; what Dataverse and the database raise.
    """
    found = mapping_named(services, mapping)
    current = _current(services, found, key)
    read = list(islice(chain.from_iterable(_pages(services, found, begins, limit)), limit))
    rows = [*([current] if current else []), *(row for row in read if current is None or row.id != current.id)][:limit]
    return _marked(services, found, key, rows)


def _name(mapping: TableMapping) -> str:
    described = DATAVERSE_TABLES[mapping.dataverse_table]
    return SEARCHED_BY.get(described.name, described.primary_name)


def _current(services: Services, mapping: TableMapping, key: str) -> DataverseRow | None:
    if not key:
        return None
    with services.database.reading() as connection:
        coupled = couplings.find(connection, mapping.name, Direction.TO, key)
        if coupled is None and LocalTable(connection, BY_NAME[mapping.local_table]).get(key) is None:
            raise unknown_records(mapping, [key])
    if coupled is None:
        return None
    return services.dataverse.read(mapping.dataverse_table, coupled.dataverse_id, frozenset({_name(mapping)}))


def _pages(services: Services, mapping: TableMapping, begins: str, limit: int) -> Iterator[list[DataverseRow]]:
    column = _name(mapping)
    named = (Condition(column, "begins with", (begins,)),) if begins else ()
    filter_ = AllOf((mapping.dataverse_filter, *named))
    return services.dataverse.pages(mapping.dataverse_table, frozenset({column}), filter_, limit, order=column)


def _marked(
    services: Services, mapping: TableMapping, key: str, rows: Sequence[DataverseRow]
) -> tuple[OfferedRow, ...]:
    with services.database.reading() as connection:
        held = couplings.of_rows(connection, [row.id for row in rows])
    return tuple(_offered(mapping, key, row, held.get(row.id, {})) for row in rows)


def _offered(mapping: TableMapping, key: str, row: DataverseRow, held: couplings.Couplings) -> OfferedRow:
    coupling, name = held.get(mapping.name), str(row.values.get(_name(mapping)) or "")
    if coupling is None:
        return OfferedRow(row.id, name, Coupled.NO)
    is_current = bool(key) and coupling.local_id == key
    return OfferedRow(row.id, name, Coupled.CURRENT if is_current else Coupled.YES, coupling.local_id)
