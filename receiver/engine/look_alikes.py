"""Match on this Field: uncoupled local records that look like the row a person clicked on."""

from __future__ import annotations

from sqlalchemy import Connection

from receiver.core.decision import Candidate, Record
from receiver.core.mapping import Direction, TableMapping
from receiver.core.rule_text import RuleError
from receiver.core.transformation import transformed
from receiver.core.values import Values
from receiver.store import couplings
from receiver.store.local_tables import LocalTable
from receiver.tables import BY_NAME


def candidates_for(connection: Connection, mapping: TableMapping, row: Values) -> tuple[Candidate, ...]:
    """Uncoupled records whose marked fields equal the row's; none where no field is marked."""
    marked = {one.number for one in mapping.fields if one.match_on_this_field and one.is_enabled}
    transfers = [one for one in mapping.transfers(Direction.FROM) if one.number in marked and one.source]
    if not transfers:
        return ()
    shipped = BY_NAME[mapping.local_table]
    try:
        values = {one.destination: transformed(one.rule, row.get(one.source or "")) for one in transfers}
    except RuleError:
        return ()
    equal = LocalTable(connection, shipped).equal(values)
    free = [one for one in equal if couplings.dataverse_of(connection, mapping.name, one.id) is None]
    return tuple(Candidate(mapping.name, one.id, name_of(one, shipped.named_by)) for one in free)


def name_of(record: Record, named_by: tuple[str, ...]) -> str:
    """What people call a local record."""
    return " ".join(str(record.values[column]) for column in named_by if record.values[column])
