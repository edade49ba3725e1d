"""Writing a decision to Dataverse: with the version it was decided on, and creates under an id of our own."""

from __future__ import annotations

import uuid

from sqlalchemy import insert, select, update

from receiver.core.decision import (
    Decision,
    Insert,
    Modify,
    Record,
    Situation,
)
from receiver.core.mapping import Direction
from receiver.core.message import Version
from receiver.core.values import Values
from receiver.errors import MovedError, VersionMismatchError
from receiver.services import Services, read_columns
from receiver.store.models import pending_coupling
from receiver.work import Work

#: a namespace of our own, so that derived ids meet nobody else's
NAMESPACE = uuid.UUID("6f1c1f0e-6c43-5d0b-9d1c-7b3d3a1c2f00")


def written_to_dataverse(work: Work, now: Situation, decision: Decision) -> Record | None:
    if now.toward is Direction.FROM or not isinstance(decision, Insert | Modify):
        return None
    table, columns = now.mapping.dataverse_table, read_columns(work.mappings, now.mapping.dataverse_table)
    client = work.dataverse
    try:
        if isinstance(decision, Insert):
            return _created(work, now, decision.values, columns)
        assert now.coupling is not None  # only a coupled record is modified
        id_ = now.coupling.dataverse_id
        row = client.update(table, id_, decision.values, columns, work.versions.get(id_, Version()))
    except VersionMismatchError as error:
        raise MovedError from error
    work.versions[row.id] = row.version
    return Record(row.id, row.values)


def _created(work: Work, now: Situation, values: Values, columns: frozenset[str]) -> Record:
    """Create under a derived id that was committed before: neither a lost answer nor a crash can make a twin."""
    client, table = work.dataverse, now.mapping.dataverse_table
    id_ = _pending_id(work.services, now)
    try:
        row = client.create(table, id_, values, columns)
    except VersionMismatchError:
        found = client.read(table, id_, columns)
        if found is None:
            raise
        row = found
    work.versions[row.id] = row.version
    return Record(row.id, row.values)


def _pending_id(services: Services, now: Situation) -> str:
    """The id of the row to create: derived from mapping, record and a counter that outlives any coupling."""
    pending, where = pending_coupling.c, (now.mapping.name, now.source.id)
    is_ours = (pending.mapping == where[0], pending.local_id == where[1])
    with services.database.writing() as connection:
        row = connection.execute(select(pending_coupling).where(*is_ours).with_for_update()).first()
        if row is not None and row.is_open:
            return str(row.dataverse_id)
        counter = 1 if row is None else row.counter + 1
        id_ = str(uuid.uuid5(NAMESPACE, f"{where[0]}/{where[1]}/{counter}"))
        values = {"dataverse_id": id_, "counter": counter, "is_open": True}
        if row is None:
            connection.execute(insert(pending_coupling).values(mapping=where[0], local_id=where[1], **values))
        else:
            connection.execute(update(pending_coupling).where(*is_ours).values(values))
        return id_
