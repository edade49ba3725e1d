"""Set Up Coupling: couple a local record with an existing Dataverse row, or with a new one, and bring both in step.

Source: BC P5336 CRM Coupling Record, C5330.DefineCoupling; reference §6.
"""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import Connection

from receiver.commands.coupling.chosen_records import unknown_records, unknown_rows
from receiver.commands.coupling.create import create_in_dataverse
from receiver.commands.coupling.pairs import mapping_named
from receiver.commands.result import CommandResult, Line, carried_out, line_of
from receiver.core.coupling import Coupling
from receiver.core.decision import Record
from receiver.core.filters import matches
from receiver.core.mapping import Direction, TableMapping
from receiver.dataverse.columns import TABLES as DATAVERSE_TABLES
from receiver.dataverse.rows import DataverseRow
from receiver.engine.coalesce import Ask
from receiver.engine.known_records import Known
from receiver.engine.look_alikes import name_of
from receiver.engine.synchronize import synchronize
from receiver.engine.wording import in_words, is_blanked
from receiver.engine.work import Request, Work
from receiver.errors import RefusedError
from receiver.lanes.held import BUSY, give_back, lanes_held
from receiver.lanes.waits import wake_waiting
from receiver.runs.carry_out import Done, Wanted, wanted_of_pairs
from receiver.services import Services, read_columns
from receiver.store import couplings
from receiver.store.local_tables import LocalTable
from receiver.store.mappings import record_change
from receiver.tables import BY_NAME


class AfterCoupling(StrEnum):
    """Synchronize After Coupling: no, or whose data to use."""

    NO = "no"
    LOCAL = "local"
    DATAVERSE = "dataverse"


def default_after(mapping: TableMapping) -> AfterCoupling:
    """Whose data is used unless the person says otherwise: the mapping's direction tells."""
    return AfterCoupling.DATAVERSE if mapping.direction is Direction.FROM else AfterCoupling.LOCAL


def couple(
    services: Services,
    mapping: str,
    key: str,
    row_id: str,
    who: str,
    after: AfterCoupling | None = None,
    *,
    is_preview: bool = False,
) -> CommandResult:
    """Couple a local record with a row, then use the data of one side by force; None: the mapping's default.

    The coupling stays where that synchronization fails. A coupling of either with what was deleted is removed.
    Raises: NotFoundError; RefusedError where one of them is coupled, or the row is outside the filter.
    """
    found = mapping_named(services, mapping)
    after = after or default_after(found)
    _check(found, after)
    record = _record(services, found, key)
    _check_inside(found, record)
    row = _row(services, found, row_id)
    coupling = Coupling(found.name, record.id, row.id)
    stale = _stale(services, found, record, row)
    pair = f"{_record_called(found, record)} and {_row_called(found, row)}"
    said = f"{pair} {'would be' if is_preview else 'are'} coupled."
    line = Line(found.name, record.id, row.id, "Couple", "coupled", "", said)
    if is_preview:
        foretold = _foretold(services, found, coupling, (record, row), after)
        return CommandResult((line, *foretold), is_preview=True)
    _write(services, found, coupling, stale, who)
    return CommandResult((line, *_synchronized(services, found, coupling, after, who)))


def create_new(
    services: Services, mapping: str, key: str, who: str, *, is_preview: bool = False, token: str = ""
) -> CommandResult:
    """Create New: a new row of the local record's data, whatever *Synch. Only Coupled Records* says.

    Raises: NotFoundError; RefusedError where the record is coupled, or the mapping does not go to Dataverse.
    """
    found = mapping_named(services, mapping)
    record = _record(services, found, key)
    with services.database.reading() as connection:
        coupling = couplings.find(connection, found.name, Direction.TO, record.id)
    if coupling is not None:
        _refuse_coupled_record(services, found, record, coupling)
    return create_in_dataverse(services, found.name, [record.id], who, is_preview=is_preview, token=token)


def _check(mapping: TableMapping, after: AfterCoupling) -> None:
    if not mapping.is_enabled:
        raise RefusedError(f"{mapping.name} is switched off. Enable it first.")
    toward = _toward(after)
    if toward is not None and not mapping.direction.allows(toward):
        raise RefusedError(f"{mapping.name} goes {mapping.direction} alone: use its data, or none.")


def _toward(after: AfterCoupling) -> Direction | None:
    return {AfterCoupling.LOCAL: Direction.TO, AfterCoupling.DATAVERSE: Direction.FROM}.get(after)


def _record(services: Services, mapping: TableMapping, key: str) -> Record:
    shipped = BY_NAME[mapping.local_table]
    with services.database.reading() as connection:
        found = LocalTable(connection, shipped).get(key)
    if found is None:
        raise unknown_records(mapping, [key])
    return found


def _check_inside(mapping: TableMapping, record: Record) -> None:
    if not matches(mapping.local_filter, record.values):
        raise RefusedError(
            f"{_record_called(mapping, record)} is outside the table filter of {mapping.name}: "
            f"{mapping.local_filter_text}. Change the record, or the filter."
        )


def _row(services: Services, mapping: TableMapping, row_id: str) -> DataverseRow:
    """Raises: NotFoundError; RefusedError for a row outside the filter."""
    row = _read(services, mapping, row_id)
    if row is None:
        raise unknown_rows(mapping, [row_id])
    if not matches(mapping.dataverse_filter, row.values):
        raise RefusedError(
            f"{_row_called(mapping, row)} is outside the integration table filter of {mapping.name}: "
            f"{mapping.dataverse_filter_text}. Change the row, or the filter."
        )
    return row


def _read(services: Services, mapping: TableMapping, row_id: str) -> DataverseRow | None:
    with services.database.reading() as connection:
        columns = read_columns(services.mappings(connection), mapping.dataverse_table)
    name = DATAVERSE_TABLES[mapping.dataverse_table].primary_name
    return services.dataverse.read(mapping.dataverse_table, row_id.lower(), columns | {name})


def _stale(services: Services, mapping: TableMapping, record: Record, row: DataverseRow) -> list[Coupling]:
    """The couplings in the way whose other record was deleted. Raises: RefusedError naming the other that is there."""
    with services.database.reading() as connection:
        of_record, of_row = _couplings_of(connection, mapping, record.id, row.id)
        holder = None if of_row is None else LocalTable(connection, BY_NAME[mapping.local_table]).get(of_row.local_id)
    if of_record is not None and of_record.dataverse_id == row.id:
        both = f"{_record_called(mapping, record)} and {_row_called(mapping, row)}"
        raise RefusedError(f"{both} are coupled already. Use Synchronize Now to bring them in step.")
    if of_record is not None:
        _refuse_coupled_record(services, mapping, record, of_record)
    if holder is not None:
        raise RefusedError(
            f"{_row_called(mapping, row)} is coupled to {_record_called(mapping, holder)} already. "
            "Delete that coupling first."
        )
    return [one for one in (of_record, of_row) if one is not None]


def _refuse_coupled_record(services: Services, mapping: TableMapping, record: Record, coupling: Coupling) -> None:
    other = _read(services, mapping, coupling.dataverse_id)
    if other is not None:
        raise RefusedError(
            f"{_record_called(mapping, record)} is coupled to {_row_called(mapping, other)} already. "
            "Delete that coupling first."
        )


def _couplings_of(
    connection: Connection, mapping: TableMapping, key: str, row_id: str, *, lock: bool = False
) -> tuple[Coupling | None, Coupling | None]:
    of_record = couplings.find(connection, mapping.name, Direction.TO, key, lock=lock)
    return of_record, couplings.find(connection, mapping.name, Direction.FROM, row_id, lock=lock)


def _write(services: Services, mapping: TableMapping, coupling: Coupling, stale: list[Coupling], who: str) -> None:
    row, now = (mapping.dataverse_table, coupling.dataverse_id), services.clock()
    with lanes_held(services, [row]) as held:
        if not held:
            raise RefusedError(f"{mapping.dataverse_table} {coupling.dataverse_id}: {BUSY}")
        with services.database.writing() as connection:
            in_the_way = _couplings_of(connection, mapping, coupling.local_id, coupling.dataverse_id, lock=True)
            if any(one is not None and one not in stale for one in in_the_way):
                raise RefusedError("One of the two was coupled by somebody else this moment. Nothing was done.")
            for one in stale:
                couplings.remove(connection, one)
            couplings.save(connection, coupling, now)
            before = ", ".join(one.dataverse_id for one in stale if one.local_id == coupling.local_id)
            what = f"{mapping.name} {coupling.local_id}: coupled to"
            record_change(connection, who, what, (before, coupling.dataverse_id), now)
            wake_waiting(connection, [row], now)
            give_back(connection, held.values())
    services.waker.ring()


def _synchronized(
    services: Services, mapping: TableMapping, coupling: Coupling, after: AfterCoupling, who: str
) -> tuple[Line, ...]:
    ask = Ask(is_click=True, is_forced=True, why=f"Set Up Coupling by {who}")
    if after is AfterCoupling.NO:
        return ()
    toward = Direction.TO if after is AfterCoupling.LOCAL else Direction.FROM
    pair = (coupling.local_id, coupling.dataverse_id)
    return carried_out(services, wanted_of_pairs(services, mapping, toward, [pair], ask)).lines


def _foretold(
    services: Services,
    mapping: TableMapping,
    coupling: Coupling,
    sides: tuple[Record, DataverseRow],
    after: AfterCoupling,
) -> tuple[Line, ...]:
    """What the synchronization would do if the coupling were written: the same look, on a coupling supposed."""
    toward, (record, row) = _toward(after), sides
    if toward is None:
        return ()
    known = Known(services.database)
    known.suppose(coupling)
    with services.database.reading() as connection:
        work = Work(services, services.mappings(connection), known, lambda _reference: False)
    remote = work.rows[mapping.dataverse_table, row.id] = Record(row.id, row.values)
    source = remote if toward is Direction.FROM else record
    outcome = synchronize(work, mapping, Request(toward, source, is_click=True, is_forced=True))
    wanted = Wanted(mapping.dataverse_table, row.id, Ask(mapping=mapping.name, toward=toward, key=record.id))
    return (line_of(Done(wanted, in_words(outcome, coupling, record, is_preview=True))),)


def check_default(services: Services, mapping: str, key: str, row_id: str) -> None:
    """What nobody chose blanks nothing. Raises: RefusedError where the default would; NotFoundError."""
    found = mapping_named(services, mapping)
    record, row = _record(services, found, key), _row(services, found, row_id)
    _stale(services, found, record, row)
    coupling, after = Coupling(found.name, record.id, row.id), default_after(found)
    lines = _foretold(services, found, coupling, (record, row), after)
    lost = [name for line in lines for name, (before, after) in line.fields.items() if is_blanked(before, after)]
    if lost:
        offered = "local, dataverse or no" if found.direction is Direction.BIDIRECTIONAL else f"{after} or no"
        raise RefusedError(
            f"By default a blank would overwrite {', '.join(lost)}. "
            f"Nothing was done. Look with --preview, then say --synchronize {offered}."
        )


def _record_called(mapping: TableMapping, record: Record) -> str:
    shipped = BY_NAME[mapping.local_table]
    return f"{shipped.caption} {record.id} {name_of(record, shipped.named_by)}".strip()


def _row_called(mapping: TableMapping, row: DataverseRow) -> str:
    name = row.values.get(DATAVERSE_TABLES[mapping.dataverse_table].primary_name)
    return f"{mapping.dataverse_table} “{name or ''}” {row.id}"
