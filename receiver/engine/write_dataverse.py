"""Writing outcomes to Dataverse: with the version they were decided on, and creates under ids of our own.

An id is derived and committed before the create: neither a lost answer nor a crash can make a twin.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Connection, select

from receiver.core.decision import Fail, Insert, Modify, Record, Refusal
from receiver.core.mapping import Direction
from receiver.core.message import Version
from receiver.dataverse.rows import Change, DataverseRow
from receiver.engine.stale import is_described_anew
from receiver.engine.work import Outcome, Work
from receiver.errors import DataverseError, MovedError, VersionMismatchError
from receiver.lanes import lane as lanes
from receiver.services import Services, read_columns
from receiver.store.models import pending_coupling

#: a namespace of our own, so that derived ids meet nobody else's
NAMESPACE = uuid.UUID("6f1c1f0e-6c43-5d0b-9d1c-7b3d3a1c2f00")


def written_to_dataverse(decided: Sequence[tuple[Work, Outcome]]) -> list[Outcome | Exception]:
    """The outcomes with the rows as Dataverse kept them; what it refuses for good is a failed outcome.

    An exception stands where an outcome has to be decided anew (MovedError), or waited for.
    """
    going = [number for number, (_, outcome) in enumerate(decided) if _goes_to_dataverse(outcome)]
    done: list[Outcome | Exception] = [outcome for _, outcome in decided]
    if not going:
        return done
    client = decided[going[0]][0].dataverse
    changes = _changes([decided[number] for number in going])
    for number, answer in zip(going, client.change(changes), strict=True):
        done[number] = _carried_out(*decided[number], answer)
    return done


def _goes_to_dataverse(outcome: Outcome) -> bool:
    if outcome.now.toward is Direction.FROM:
        return isinstance(outcome.decision, Insert) and bool(outcome.decision.claim)
    return isinstance(outcome.decision, Insert | Modify)


def _is_created_there(outcome: Outcome) -> bool:
    return outcome.now.toward is Direction.TO and isinstance(outcome.decision, Insert)


def _changes(decided: Sequence[tuple[Work, Outcome]]) -> list[Change]:
    inserts = [(work, outcome) for work, outcome in decided if _is_created_there(outcome)]
    ids = _pending_ids(inserts[0][0].services, [outcome for _, outcome in inserts]) if inserts else {}
    return [_change(work, outcome, ids) for work, outcome in decided]


def _change(work: Work, outcome: Outcome, ids: Mapping[tuple[str, str], str]) -> Change:
    now, decision = outcome.now, outcome.decision
    assert isinstance(decision, Insert | Modify)  # others do not go there
    table = now.mapping.dataverse_table
    columns = read_columns(work.mappings, table)
    if isinstance(decision, Insert) and now.toward is Direction.FROM:
        return Change(table, now.source.id, decision.claim, columns, work.versions.get(now.source.id, Version()))
    if isinstance(decision, Insert):
        return Change(table, ids[now.mapping.name, now.source.id], decision.values, columns, None)
    assert now.coupling is not None  # only a coupled record is modified
    id_ = now.coupling.dataverse_id
    return Change(table, id_, decision.values, columns, work.versions.get(id_, Version()))


def _carried_out(work: Work, outcome: Outcome, answer: DataverseRow | DataverseError) -> Outcome | Exception:
    if isinstance(answer, VersionMismatchError):
        found = _created_before(work, outcome, answer)
        if found is None:
            return MovedError()
        answer = found
    if is_described_anew(work.services, outcome.now.mapping.dataverse_table, answer):
        return MovedError()
    if isinstance(answer, DataverseError):
        return answer if answer.waiting_helps else replace(outcome, decision=Fail(Refusal.REFUSED, (str(answer),)))
    work.versions[answer.id] = answer.version
    return replace(outcome, written=Record(answer.id, answer.values))


def _created_before(work: Work, outcome: Outcome, error: DataverseError) -> DataverseRow | DataverseError | None:
    """Our pending id exists already: the answer to our create was lost. None: a row that we update has moved."""
    if not _is_created_there(outcome):
        return None
    now = outcome.now
    table, id_ = now.mapping.dataverse_table, intended_ids_of(work.services, now.mapping.name, [now.source.id])
    return work.dataverse.read(table, id_[now.source.id], read_columns(work.mappings, table)) or error


def intended_ids_of(services: Services, mapping: str, keys: Sequence[str]) -> dict[str, str]:
    """The id that each local record's row has, or would get, in Dataverse; nothing is written."""
    with services.database.reading() as connection:
        return {key: id_ for key, (id_, _) in _intended(connection, mapping, keys).items()}


def _intended(connection: Connection, mapping: str, keys: Sequence[str]) -> dict[str, tuple[str, int]]:
    """Id and counter by key. The counter outlives any coupling, so that no id is met again."""
    pending = pending_coupling.c
    query = select(pending_coupling).where(pending.mapping == mapping, pending.local_id.in_(keys))
    found = {row.local_id: row for row in connection.execute(query)}
    intended: dict[str, tuple[str, int]] = {}
    for key in keys:
        row = found.get(key)
        if row is not None and row.is_open:
            intended[key] = (str(row.dataverse_id), row.counter)
            continue
        counter = 1 if row is None else row.counter + 1
        intended[key] = (str(uuid.uuid5(NAMESPACE, f"{mapping}/{key}/{counter}")), counter)
    return intended


def _pending_ids(services: Services, inserts: Sequence[Outcome]) -> dict[tuple[str, str], str]:
    """Commit that these rows are being created, and under which ids."""
    by_mapping: dict[str, list[str]] = {}
    for outcome in inserts:
        by_mapping.setdefault(outcome.now.mapping.name, []).append(outcome.now.source.id)
    ids: dict[tuple[str, str], str] = {}
    with services.database.writing() as connection:
        for mapping, keys in sorted(by_mapping.items()):
            rows = [
                {"mapping": mapping, "local_id": key, "dataverse_id": id_, "counter": counter, "is_open": True}
                for key, (id_, counter) in sorted(_intended(connection, mapping, keys).items())
            ]
            statement = lanes.upsert(connection, pending_coupling)
            kept = {name: statement.excluded[name] for name in ("dataverse_id", "counter", "is_open")}
            connection.execute(statement.on_conflict_do_update(index_elements=["mapping", "local_id"], set_=kept), rows)
            ids |= {(mapping, str(row["local_id"])): str(row["dataverse_id"]) for row in rows}
    return ids
