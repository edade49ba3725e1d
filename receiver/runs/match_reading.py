"""Both sides of a mapping as match-based coupling compares them: each row and each record is read once, in pages.

Only the columns to match on, of the filter and of the name are read. Values are seen as toward Dataverse: transformed,
and a lookup is the row that its record is coupled to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Select, select

from receiver.core.filters import columns_of as filtered_columns
from receiver.core.filters import matches
from receiver.core.mapping import Conversion, Direction, FieldMapping, TableMapping
from receiver.core.matching import UNKNOWN, Rows, Searched, dataverse_digest, digest, is_criterion, local_digest
from receiver.core.merge import Converted, Keep, NoCounterpart, NotCoupled, NotTransformed
from receiver.core.transformation import RuleError
from receiver.core.values import Values, is_empty
from receiver.dataverse.columns import TABLES as DATAVERSE_TABLES
from receiver.engine.known_records import Known
from receiver.engine.lookups import Lookups
from receiver.engine.work import Work
from receiver.services import Services
from receiver.store.local_tables import columns_of
from receiver.store.mappings import Mappings
from receiver.store.models import coupling
from receiver.tables import BY_NAME

#: local records in a page
PAGE = 1000


@dataclass(frozen=True)
class Sides:
    """One mapping and what is matched on."""

    services: Services
    mappings: Mappings
    mapping: TableMapping
    criteria: tuple[FieldMapping, ...]

    def rows(self, tell: Callable[[int], None]) -> Rows:
        """Every row inside the integration table filter; *tell* hears how many were read. Raises: DataverseError."""
        described, found = DATAVERSE_TABLES[self.mapping.dataverse_table], Rows(self.criteria)
        asked = frozenset(one.dataverse_column for one in self.criteria if one.dataverse_column)
        columns = asked | {described.primary_name}
        for page in self.services.dataverse.pages(described.name, columns, self.mapping.dataverse_filter):
            for row in page:
                digests = [dataverse_digest(one, row.values.get(one.dataverse_column or "")) for one in self.criteria]
                found.add(row.id, str(row.values.get(described.primary_name) or ""), digests)
            tell(len(page))
        return found

    def coupled(self) -> dict[str, str]:
        """The local key of every row that the mapping couples."""
        query = select(coupling.c.dataverse_id, coupling.c.local_id).where(coupling.c.mapping == self.mapping.name)
        with self.services.database.reading() as connection:
            return {row.dataverse_id: row.local_id for row in connection.execute(query)}

    def records(
        self, coupled: Mapping[str, str], keys: Sequence[str] | None, tell: Callable[[int], None]
    ) -> Iterator[Searched]:
        """Every local record inside the table filter that is not coupled, keys ascending; of *keys* alone if given."""
        taken = frozenset(coupled.values())
        asked = replace(self.mapping, fields=tuple(self._as_asked(row) for row in self.mapping.fields))
        for page in self._pages(keys):
            free = [one for one in page if one[0] not in taken and matches(self.mapping.local_filter, one[1])]
            known = self._known([values for _, values in free])
            work = Work(self.services, self.mappings, known, lambda _reference: False)
            for key, values in free:
                lookups = Lookups(work, asked, values, {}, self.services.options.local_currency)
                yield self._searched(key, values, lookups.resolve(Direction.TO))
            tell(len(page))

    def _as_asked(self, row: FieldMapping) -> FieldMapping:
        """Criteria count whether enabled or disabled, in any direction."""
        return replace(row, is_enabled=row in self.criteria, direction=Direction.BIDIRECTIONAL)

    def _searched(self, key: str, values: Values, lookups: Mapping[int, Converted]) -> Searched:
        digests, troubles = list[bytes | None](), list[str]()
        types = columns_of(BY_NAME[self.mapping.local_table].table)
        for one in self.criteria:
            column = one.local_column or ""
            value, converted = values.get(column), lookups.get(one.number)
            try:
                if not is_criterion(value, types[column].type) or isinstance(converted, Keep):
                    digests.append(None)
                elif isinstance(converted, NoCounterpart | NotCoupled | NotTransformed):
                    digests.append(UNKNOWN)
                    troubles.append(converted.sentence)
                else:
                    digests.append(local_digest(one, value) if converted is None else digest(converted.value, one))
            except RuleError as error:
                digests.append(UNKNOWN)
                troubles.append(f"{column}: {error}")
        return Searched(key, tuple(digests), " ".join(troubles))

    def _known(self, records: Sequence[Values]) -> Known:
        """The couplings that the page's lookups name, asked for together."""
        known = Known(self.services.database)
        wanted: dict[str, set[str]] = {}
        for one in self.criteria:
            if one.conversion in {Conversion.LOOKUP, Conversion.OWNER}:
                keys = {str(values[one.local_column or ""]) for values in records if not _is_blank(values, one)}
                for name in one.related:
                    wanted.setdefault(name, set()).update(keys)
        with self.services.database.reading() as connection:
            for name, keys in wanted.items():
                known.look_up_records(name, sorted(keys), self.mappings, connection)
        return known

    def _pages(self, keys: Sequence[str] | None) -> Iterator[list[tuple[str, Values]]]:
        shipped, after = BY_NAME[self.mapping.local_table], ""
        table, key = shipped.table, shipped.table.c[shipped.key]
        says = {row.local_column for row in self.mapping.fields if row.conversion is Conversion.LOOKUP_TABLE}
        marked = {row.local_column for row in self.criteria}
        names = sorted({*marked, *says, *filtered_columns(self.mapping.local_filter)} - {None, shipped.key}, key=str)
        query = select(key, *(table.c[str(name)] for name in names)).order_by(key).limit(PAGE)
        if keys is not None:
            chosen = sorted(set(keys))
            for start in range(0, len(chosen), PAGE):
                yield self._read(query.where(key.in_(chosen[start : start + PAGE])))
            return
        while page := self._read(query.where(key > after)):
            after = page[-1][0]
            yield page

    def _read(self, query: Select[Any]) -> list[tuple[str, Values]]:
        key = BY_NAME[self.mapping.local_table].key
        with self.services.database.reading() as connection:
            rows = connection.execute(query).mappings().all()
        return [(str(row[key]), {str(name): value for name, value in row.items()}) for row in rows]


def _is_blank(values: Values, criterion: FieldMapping) -> bool:
    return is_empty(values.get(criterion.local_column or ""))


def still_uncoupled(connection: Connection, mapping: str, pairs: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
    """The pairs of which neither side was coupled meanwhile."""
    keys, ids = [key for key, _ in pairs], [id_ for _, id_ in pairs]
    columns = (coupling.c.local_id, coupling.c.dataverse_id)
    either = coupling.c.local_id.in_(keys) | coupling.c.dataverse_id.in_(ids)
    rows = connection.execute(select(*columns).where(coupling.c.mapping == mapping, either)).all()
    is_key, is_row = {row.local_id for row in rows}, {row.dataverse_id for row in rows}
    return {pair for pair in pairs if pair[0] not in is_key and pair[1] not in is_row}
