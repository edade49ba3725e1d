"""The local records of a mapping, as its list has them: coupled, uncoupled or failed, found by key or name.

Source: BC's lists with their column *Coupled to Dataverse*; reference §17.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy import select

from receiver.commands.coupling.pairs import HAS_FAILED, mapping_named
from receiver.core.decision import Record
from receiver.core.filters import Filter, matches
from receiver.engine.look_alikes import name_of
from receiver.services import Services
from receiver.store.models import coupling
from receiver.tables import BY_NAME

FIRST_RECORDS = 50


class Kind(StrEnum):
    """Which records are wanted."""

    ALL = "all"
    COUPLED = "coupled"
    UNCOUPLED = "uncoupled"
    #: coupled, and Skipped or failed last
    FAILED = "failed"


@dataclass(frozen=True)
class ListedRecord:
    """`state` is Coupled, Skipped, Failed or Not coupled; `dataverse_id` is empty where there is none."""

    id: str
    name: str
    state: str
    dataverse_id: str
    is_inside_filter: bool


def listed(
    services: Services, mapping: str, kind: Kind = Kind.ALL, find: str = "", after: str = "", limit: int = FIRST_RECORDS
) -> list[ListedRecord]:
    """By key, behind the key *after*; of those whose key or name holds *find*. Raises: NotFoundError."""
    found = mapping_named(services, mapping)
    shipped = BY_NAME[found.local_table]
    table, key = shipped.table, shipped.table.c[shipped.key]
    is_its = sa.and_(coupling.c.mapping == found.name, coupling.c.local_id == key)
    state = (coupling.c.dataverse_id.label(_ROW), coupling.c.is_skipped.label(_SKIPPED), HAS_FAILED.label(_FAILED))
    query = select(table, *state)
    query = query.select_from(table.outerjoin(coupling, is_its)).where(key > after)
    wanted = {
        Kind.ALL: sa.true(),
        Kind.COUPLED: coupling.c.local_id.is_not(None),
        Kind.UNCOUPLED: coupling.c.local_id.is_(None),
        Kind.FAILED: coupling.c.local_id.is_not(None) & HAS_FAILED,
    }
    query = query.where(wanted[kind])
    if find:
        named = (table.c[name] for name in (shipped.key, *shipped.named_by))
        query = query.where(sa.or_(*(sa.func.lower(one).contains(find.lower(), autoescape=True) for one in named)))
    with services.database.reading() as connection:
        rows = connection.execute(query.order_by(key).limit(limit)).mappings().all()
    return [_listed(row, shipped.named_by, shipped.key, found.local_filter) for row in rows]


_ROW, _SKIPPED, _FAILED = "receiver_row", "receiver_is_skipped", "receiver_has_failed"


def _listed(row: sa.RowMapping, named_by: tuple[str, ...], key: str, local_filter: Filter) -> ListedRecord:
    values = {name: value for name, value in row.items() if name not in {_ROW, _SKIPPED, _FAILED}}
    record = Record(str(row[key]), values)
    state = "Not coupled"
    if row[_ROW] is not None:
        state = "Skipped" if row[_SKIPPED] else "Failed" if row[_FAILED] else "Coupled"
    return ListedRecord(record.id, name_of(record, named_by), state, row[_ROW] or "", matches(local_filter, values))
