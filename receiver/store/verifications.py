"""What a verification asks of the company's database: couplings and uncoupled records, a page at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sqlalchemy import Connection, exists, select

from receiver.core.filters import matches
from receiver.core.mapping import Direction, TableMapping
from receiver.store.among import Among
from receiver.store.database import Database
from receiver.store.local_tables import LocalTable
from receiver.store.models import coupling, uncoupled
from receiver.tables import BY_NAME

PAGE = 500


class Seen:
    """Numbers of couplings that were looked at: a bit each."""

    def __init__(self) -> None:
        self._bits = bytearray()

    def add(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            if number // 8 >= len(self._bits):
                self._bits.extend(bytes(number // 8 + 1024 - len(self._bits)))
            self._bits[number // 8] |= 1 << number % 8

    def __contains__(self, number: int) -> bool:
        return number // 8 < len(self._bits) and bool(self._bits[number // 8] & 1 << number % 8)


def numbers_of(connection: Connection, mapping: str, row_ids: Iterable[str]) -> list[int]:
    """The numbers of these rows' couplings under a mapping."""
    query = select(coupling.c.id).where(coupling.c.mapping == mapping, Among(coupling.c.dataverse_id, "rows"))
    return list(connection.execute(query, {"rows": list(row_ids)}).scalars())


def couplings_after(connection: Connection, mapping: str, after: int) -> list[tuple[int, str]]:
    """Numbers and local ids of the next couplings."""
    query = select(coupling.c.id, coupling.c.local_id).where(coupling.c.mapping == mapping, coupling.c.id > after)
    return [(row.id, row.local_id) for row in connection.execute(query.order_by(coupling.c.id).limit(PAGE))]


def uncoupled_records(database: Database, mapping: TableMapping) -> Iterator[list[str]]:
    """Keys of local records inside the filter that are not coupled, and that nobody uncoupled; page by page."""
    shipped, after = BY_NAME[mapping.local_table], ""
    key = shipped.table.c[shipped.key]
    is_uncoupled = (uncoupled.c.mapping == mapping.name, uncoupled.c.toward == Direction.TO)
    known = [
        exists().where(coupling.c.mapping == mapping.name, coupling.c.local_id == key),
        exists().where(*is_uncoupled, uncoupled.c.source_id == key),
    ]
    while True:
        query = select(key).where(key > after, *(~one for one in known)).order_by(key).limit(PAGE)
        with database.reading() as connection:
            keys = list(connection.execute(query).scalars())
            records = LocalTable(connection, shipped).get_all(keys)
        if not keys:
            return
        after = keys[-1]
        yield [one.id for one in records if matches(mapping.local_filter, one.values)]
