"""The company id that a Dataverse row carries: taken back where it is ours. Source: BC C5357; reference §8.2, §8.3."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from receiver.core.company import COMPANY_ID
from receiver.core.filters import AllOf, parse
from receiver.core.mapping import Direction, TableMapping
from receiver.core.values import Reference
from receiver.dataverse.columns import CHANGE_COLUMNS
from receiver.dataverse.rows import Change, DataverseRow
from receiver.errors import DataverseError, ReceiverError, VersionMismatchError
from receiver.services import Services
from receiver.store import couplings

COLUMNS = CHANGE_COLUMNS | {COMPANY_ID}
ATTEMPTS = 3
#: rows of one request
TOGETHER = 100


def is_kept(mapping: TableMapping) -> bool:
    """Whether rows of this mapping may carry our id, and the mapping may write to them."""
    return mapping.stamps.company is not None and mapping.direction.allows(Direction.TO)


def cleared(
    services: Services, mapping: TableMapping, ids: Sequence[str], *, is_preview: bool
) -> dict[str, ReceiverError | None]:
    """Clear our id from these rows; those that carried it, each with what Dataverse had against it, or None.

    An id of another company stays, and ours on a row that another mapping couples too. Raises: what Dataverse raises
    where it is not known what was carried out.
    """
    done: dict[str, ReceiverError | None] = {}
    going = list(ids)
    for _ in range(ATTEMPTS):
        ours = _ours(services, mapping, going)
        changes = [Change(mapping.dataverse_table, row.id, {COMPANY_ID: None}, COLUMNS, row.version) for row in ours]
        if is_preview or not changes:
            return done | dict.fromkeys(row.id for row in ours)
        answers = dict(zip((row.id for row in ours), services.dataverse.change(changes), strict=True))
        done |= {id_: answer if isinstance(answer, DataverseError) else None for id_, answer in answers.items()}
        going = [id_ for id_, answer in answers.items() if isinstance(answer, VersionMismatchError)]
    return done


def _ours(services: Services, mapping: TableMapping, ids: Sequence[str]) -> list[DataverseRow]:
    if not ids:
        return []
    rows = services.dataverse.read_many(mapping.dataverse_table, ids, COLUMNS)
    with services.database.reading() as connection:
        held = couplings.of_rows(connection, ids)
    return [
        row for row in rows.values() if _is_ours(services, row) and not held.get(row.id, {}).keys() - {mapping.name}
    ]


def _is_ours(services: Services, row: DataverseRow) -> bool:
    value = row.values[COMPANY_ID]
    return isinstance(value, Reference) and value.id == services.options.company_id.lower()


def stuck(services: Services, mapping: TableMapping) -> Iterator[list[str]]:
    """Ids of the rows in the mapping's filter that carry our id, some at a time."""
    own = parse(f"{COMPANY_ID} = @company", services.options.company_id)
    columns = frozenset({COMPANY_ID})
    found = [
        row.id
        for page in services.dataverse.pages(mapping.dataverse_table, columns, AllOf((mapping.dataverse_filter, own)))
        for row in page
    ]
    for start in range(0, len(found), TOGETHER):
        yield found[start : start + TOGETHER]
