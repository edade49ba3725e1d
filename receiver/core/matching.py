"""Match-based coupling as an ordered search: which local record belongs to which Dataverse row.

Local records are taken in the order of their keys. For each, the groups of field mappings marked *Match on this Field*
are tried in ascending *Match Priority*: a group finds the rows that are equal in all of its fields. The first group
that finds exactly one row, and one that is not coupled yet, wins, and the row is taken. A group that finds none,
several, or a row that is coupled already, leaves the record to the next group; each group searches all rows anew
(Business Central's later groups search only what earlier ones found). Text is compared without regard to case unless
*Case-sensitive Matching* is on; blank text is no criterion.

What is kept of a row is its id, its name and a digest of each criterion, so that very many fit into memory, and a
search is a bisection. Source: BC codeunit 5360 CoupleRecords; reference §7.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from hashlib import blake2b
from itertools import groupby

from receiver.core.mapping import Conversion, Direction, FieldMapping, TableMapping
from receiver.core.transformation import RuleError, transformed
from receiver.core.values import TEXTS, ColumnType, Reference, Value, is_empty, to_plain

#: rows named where several match
NAMED = 3
#: orders of the rows kept at a time: one for each combination of criteria that a record was searched by
ORDERS = 64
_DIGEST_BYTES = 16
EMPTY = b""
#: of values that cannot be told, here and in Dataverse: equal to nothing
UNKNOWN, UNKNOWN_THERE = b"?", b"!"


def criteria_of(mapping: TableMapping) -> tuple[FieldMapping, ...]:
    """The field mappings to match on, whether enabled or disabled, by ascending priority."""
    marked = (row for row in mapping.fields if row.match_on_this_field and row.local_column and row.dataverse_column)
    usable = (row for row in marked if row.conversion is not Conversion.LOOKUP_TABLE)
    return tuple(sorted(usable, key=lambda row: (row.match_priority, row.number)))


def local_digest(criterion: FieldMapping, value: Value) -> bytes:
    """What a local value is compared by, as it would be sent to Dataverse. Raises: RuleError."""
    return digest(transformed(_rule(criterion, Direction.TO), value), criterion)


def dataverse_digest(criterion: FieldMapping, value: Value) -> bytes:
    """What is kept of a row's value, seen as it would come in."""
    try:
        return digest(transformed(_rule(criterion, Direction.FROM), value), criterion)
    except RuleError:
        return UNKNOWN_THERE


def _rule(criterion: FieldMapping, toward: Direction) -> str:
    is_plain = criterion.conversion is Conversion.PLAIN
    return criterion.transformation_rule if is_plain and criterion.transformation_direction is toward else ""


def digest(value: Value, criterion: FieldMapping) -> bytes:
    """Equal for equal values, of a length that does not depend on them; empty for empty."""
    if is_empty(value):
        return EMPTY
    return blake2b(_told(value, criterion).encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).digest()


def _told(value: Value, criterion: FieldMapping) -> str:
    match value:
        case str():
            return "text " + (value if criterion.case_sensitive_matching else value.casefold())
        case bool():
            return f"switch {value}"
        case int() | Decimal():
            text = f"{Decimal(value):f}"
            return "number " + (text.rstrip("0").rstrip(".") if "." in text else text)
        case datetime():
            return "moment " + value.astimezone(UTC).isoformat()
        case date():
            return "day " + value.isoformat()
        case Reference():
            return "row " + value.id
    return str(to_plain(value))


def is_criterion(value: Value, type_: ColumnType) -> bool:
    """Blank text says nothing; an empty number or date is a value to be equal to."""
    return type_ not in TEXTS or not is_empty(value)


class Rows:
    """The rows of a Dataverse table inside the filter, coupled or not, to be searched by any of the criteria."""

    def __init__(self, criteria: Sequence[FieldMapping]) -> None:
        self._digests: tuple[list[bytes], ...] = tuple([] for _ in criteria)
        self._ids: list[str] = []
        self._names: list[str] = []
        self._orders: dict[tuple[int, ...], array[int]] = {}

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, id_: str, name: str, digests: Sequence[bytes]) -> None:
        """A row with its digest for each criterion, in their order."""
        for kept, one in zip(self._digests, digests, strict=True):
            kept.append(one)
        self._ids.append(id_)
        self._names.append(name)
        self._orders.clear()

    def equal(self, wanted: Mapping[int, bytes]) -> tuple[int, tuple[str, ...]]:
        """How many rows have these digests, by criterion, and the ids of the first few."""
        places, key = tuple(wanted), tuple(wanted.values())
        order = self._order(places)
        first = bisect_left(order, key, key=lambda at: self._key(places, at))
        last = bisect_right(order, key, lo=first, key=lambda at: self._key(places, at))
        return last - first, tuple(self._ids[at] for at in order[first : min(last, first + NAMED)])

    def name(self, id_: str) -> str:
        return self._names[self._order(())[self._place(id_)]]

    def _place(self, id_: str) -> int:
        return bisect_left(self._order(()), id_, key=self._ids.__getitem__)

    def _key(self, places: tuple[int, ...], at: int) -> tuple[bytes, ...]:
        return tuple(self._digests[place][at] for place in places)

    def _order(self, places: tuple[int, ...]) -> array[int]:
        """The rows in the order of these criteria's digests, equal ones by id: how they came is no matter."""
        if places not in self._orders:
            if len(self._orders) >= ORDERS:
                del self._orders[next(iter(self._orders))]
            by_id = sorted(range(len(self)), key=self._ids.__getitem__)
            self._orders[places] = array("L", sorted(by_id, key=lambda at: self._key(places, at)))
        return self._orders[places]


@dataclass(frozen=True)
class Searched:
    """A local record that is not coupled, and by each criterion its digest; None: no criterion for this record."""

    key: str
    digests: tuple[bytes | None, ...]
    #: why a criterion could not be told, such as a lookup to a record that is not coupled
    trouble: str = ""


class Unmatched(Enum):
    """Why a record was left alone."""

    NOTHING_TO_COMPARE = "nothing to compare"
    NONE = "no row"
    SEVERAL = "several rows"
    COUPLED = "a coupled row"


@dataclass(frozen=True)
class Found:
    """What the search found for a record: the row to couple, or else why not, and the rows that say so."""

    key: str
    row: str = ""
    why: Unmatched | None = None
    #: the first of the `count` rows that match
    rows: tuple[str, ...] = ()
    count: int = 0
    #: the local record that the row is coupled to
    other: str = ""
    trouble: str = ""


def groups_of(criteria: Sequence[FieldMapping]) -> tuple[tuple[int, ...], ...]:
    """The places of the criteria, which are in ascending priority, by priority."""
    places = groupby(range(len(criteria)), key=lambda at: criteria[at].match_priority)
    return tuple(tuple(group) for _, group in places)


def search(
    rows: Rows, groups: Sequence[Sequence[int]], records: Iterable[Searched], coupled: Mapping[str, str]
) -> Iterator[Found]:
    """What is found for each record, in their order; *coupled* has each coupled row's local key.

    A row found is taken from then on: no row is found twice.
    """
    taken = dict(coupled)
    for record in records:
        found = _found(rows, groups, record, taken)
        if found.row:
            taken[found.row] = found.key
        yield found


def _found(rows: Rows, groups: Sequence[Sequence[int]], record: Searched, taken: Mapping[str, str]) -> Found:
    """The first group with one uncoupled row; else what the first group has to say that found any."""
    told: Found | None = None
    for group in groups:
        one = _tried(rows, group, record, taken)
        if one is not None and one.row:
            return one
        if told is None or told.why is Unmatched.NONE:
            told = one or told
    return told or Found(record.key, why=Unmatched.NOTHING_TO_COMPARE)


def _tried(rows: Rows, group: Sequence[int], record: Searched, taken: Mapping[str, str]) -> Found | None:
    """None where the record has no criterion in the group."""
    wanted = {at: one for at in group if (one := record.digests[at]) is not None}
    if not wanted:
        return None
    count, ids = rows.equal(wanted)
    if count == 0:
        return Found(record.key, why=Unmatched.NONE, trouble=record.trouble)
    if count > 1:
        return Found(record.key, why=Unmatched.SEVERAL, rows=ids, count=count)
    if ids[0] in taken:
        return Found(record.key, why=Unmatched.COUPLED, rows=ids, count=1, other=taken[ids[0]])
    return Found(record.key, row=ids[0], rows=ids, count=1)
