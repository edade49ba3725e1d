"""A local record whose key was changed keeps its pair.

The trigger says the old key and the new one (runs/local_edits.py). Where there is none, a record that is gone is the
one uncoupled record that says all that it said when the pair was last equal, key apart; if several do, a person says
which. What is found out is written in a transaction of its own; then the pair is decided like any other.
"""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection, exists, select, update
from sqlalchemy.exc import IntegrityError

from receiver.core.coupling import Coupling
from receiver.core.decision import Candidate, Record
from receiver.core.mapping import Direction, TableMapping
from receiver.core.values import Values, is_empty, same
from receiver.engine.look_alikes import name_of
from receiver.engine.work import Work
from receiver.errors import LostRaceError, ParentIsBusyError
from receiver.lanes import lane as lanes
from receiver.lanes.held import leased, leave
from receiver.services import Services
from receiver.store import couplings
from receiver.store.local_tables import LocalTable
from receiver.store.mappings import record_change
from receiver.store.models import coupling as coupling_rows
from receiver.store.models import history, open_write, uncoupled
from receiver.tables import BY_NAME

WHO = "the receiver"
#: pairs without a local record that are looked at for one that is about to be created
BEREFT = 500


def follow(work: Work, mapping: TableMapping, row_id: str, key: str) -> None:
    """Find out whether the record coupled to a row, or the record *key* about to be sent, has another key now.

    The row's lane is held. Raises: ParentIsBusyError; what the database raises.
    """
    coupling = work.known.of_row(row_id).get(mapping.name)
    if coupling is not None:
        if work.known.record(mapping.local_table, coupling.local_id) is None:
            _follow_gone(work, mapping, coupling)
    elif key and work.known.coupling(mapping.name, Direction.TO, key) is None:
        _follow_new(work, mapping, key)


def _follow_gone(work: Work, mapping: TableMapping, coupling: Coupling) -> None:
    with work.services.database.reading() as connection:
        found = namesakes(connection, mapping, coupling)
    if len(found) == 1:
        _continue(work, mapping, coupling, found[0].id)
    elif found:
        work.namesakes[mapping.name, coupling.local_id] = _as_candidates(mapping, found)


def _follow_new(work: Work, mapping: TableMapping, key: str) -> None:
    """An uncoupled record may be the one of a pair whose record is gone: then it is no new one."""
    record = work.known.record(mapping.local_table, key)
    if record is None:
        return
    with work.services.database.reading() as connection:
        bereft = [one for one in _bereft(connection, mapping) if _says_what_it_said(mapping, one, record.values)]
        others = {one.local_id: namesakes(connection, mapping, one) for one in bereft}
    if len(bereft) == 1 and len(others[bereft[0].local_id]) == 1:
        row = (mapping.dataverse_table, bereft[0].dataverse_id)
        held = leased(work.services, [row], patience=0.0)
        if not held:
            raise ParentIsBusyError(lanes.key_of(*row))
        try:
            _continue(work, mapping, bereft[0], key)
        finally:
            leave(work.services, held.values())
    elif bereft:
        rows = tuple(Candidate(mapping.name, one.dataverse_id, f"(was {one.local_id})") for one in bereft)
        work.namesakes[mapping.name, key] = rows


def _continue(work: Work, mapping: TableMapping, coupling: Coupling, key: str) -> None:
    if not work.is_preview:
        with work.services.database.writing() as connection:
            if not rename(connection, work.services, mapping, coupling, key):
                return
    work.renamed[mapping.name, coupling.local_id] = key
    work.known.forget([coupling.dataverse_id])
    work.known.suppose(replace(coupling, local_id=key))


def namesakes(connection: Connection, mapping: TableMapping, coupling: Coupling) -> list[Record]:
    """Uncoupled local records that say all that the coupled one said when the pair was last equal, its key apart."""
    said = _said(mapping, coupling)
    found = LocalTable(connection, BY_NAME[mapping.local_table]).equal(said) if said else []
    coupled = couplings.of_records(connection, mapping.name, [one.id for one in found])
    return [one for one in found if one.id not in coupled]


def _said(mapping: TableMapping, coupling: Coupling) -> Values:
    shipped, base = BY_NAME[mapping.local_table], coupling.local_base or {}
    mapped = {row.local_column for row in mapping.fields if row.is_enabled and row.local_column}
    return {name: value for name, value in base.items() if name in mapped and name != shipped.key}


def _says_what_it_said(mapping: TableMapping, coupling: Coupling, values: Values) -> bool:
    said = _said(mapping, coupling)
    is_said = any(not is_empty(value) for value in said.values())
    return is_said and all(same(values.get(name), value) for name, value in said.items())


def _bereft(connection: Connection, mapping: TableMapping) -> list[Coupling]:
    """Couplings whose local record is gone."""
    shipped = BY_NAME[mapping.local_table]
    is_there = exists().where(shipped.table.c[shipped.key] == coupling_rows.c.local_id)
    query = select(coupling_rows.c.local_id).where(coupling_rows.c.mapping == mapping.name, ~is_there).limit(BEREFT)
    keys = list(connection.execute(query).scalars())
    return list(couplings.of_records(connection, mapping.name, keys).values()) if keys else []


def _as_candidates(mapping: TableMapping, records: list[Record]) -> tuple[Candidate, ...]:
    named_by = BY_NAME[mapping.local_table].named_by
    return tuple(Candidate(mapping.name, one.id, name_of(one, named_by)) for one in records)


def rename(connection: Connection, services: Services, mapping: TableMapping, coupling: Coupling, key: str) -> bool:
    """The pair goes on under the record's new key, if the old one is gone, and the new one there and free.

    Raises: LostRaceError.
    """
    local, old = LocalTable(connection, BY_NAME[mapping.local_table]), coupling.local_id
    now = couplings.find(connection, mapping.name, Direction.TO, old, lock=True)
    if now is None or now.dataverse_id != coupling.dataverse_id:
        return False
    if local.get(old) is not None or local.get(key, lock=True) is None:
        return False
    if couplings.find(connection, mapping.name, Direction.TO, key) is not None:
        return False
    try:
        for rows in (coupling_rows, open_write, history):
            is_it = (rows.c.mapping == mapping.name, rows.c.local_id == old)
            connection.execute(update(rows).where(*is_it).values(local_id=key))
    except IntegrityError as error:
        raise LostRaceError from error
    is_partner = (uncoupled.c.mapping == mapping.name, uncoupled.c.toward == Direction.FROM)
    connection.execute(update(uncoupled).where(*is_partner, uncoupled.c.other_id == old).values(other_id=key))
    what = f"{mapping.name} {key}: its key was changed, and its pair goes on"
    record_change(connection, WHO, what, (old, key), services.clock())
    return True


def follow_told(services: Services, mapping: TableMapping, old: str, key: str) -> None:
    """Somebody says that a record's key was changed: its pair goes on. Raises: ParentIsBusyError; LostRaceError."""
    with services.database.reading() as connection:
        coupling = couplings.find(connection, mapping.name, Direction.TO, old)
    if coupling is None:
        return
    row = (mapping.dataverse_table, coupling.dataverse_id)
    held = leased(services, [row])
    if not held:
        raise ParentIsBusyError(lanes.key_of(*row))
    try:
        with services.database.writing() as connection:
            rename(connection, services, mapping, coupling, key)
    finally:
        leave(services, held.values())
