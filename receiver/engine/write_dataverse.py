"""Writing outcomes to Dataverse: with the version they were decided on, and creates under ids of our own.

What a write means to leave behind, and the derived id of a row to be created, are committed before it is sent: neither
a lost answer nor a crash can make a twin, or a conflict of our own older write.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import requests
from sqlalchemy import Connection, select

from receiver.core.decision import Fail, Insert, Modify, Reason, Record, Refusal, sides_of
from receiver.core.intended import intended_by
from receiver.core.mapping import Direction
from receiver.core.message import Version
from receiver.dataverse.answers import Asked
from receiver.dataverse.rows import Change, DataverseRow
from receiver.engine.look_at_lane import Look
from receiver.engine.stale import is_described_anew
from receiver.engine.unknown_outcomes import conclude
from receiver.engine.work import Outcome, Work
from receiver.errors import DataverseError, MovedError, ParentIsBusyError, RowGoneError, VersionMismatchError
from receiver.lanes import lane as lanes
from receiver.lanes.held import leased, leave
from receiver.services import Services, read_columns
from receiver.store import open_writes
from receiver.store.among import Among
from receiver.store.models import pending_coupling
from receiver.store.open_writes import OpenWrite
from receiver.store.upsert import upsert

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


@contextmanager
def other_lanes_held(services: Services, looks: Iterable[Look]) -> Iterator[None]:
    """The lanes of rows that are written from another lane, such as a deleted row's: nobody looks at them half made.

    Raises: ParentIsBusyError when another worker holds one of them.
    """
    rows = sorted({row for look in looks for row in _written_elsewhere(look)})
    held = leased(services, rows, patience=0.0) if rows else {}
    try:
        for row in rows:
            if lanes.key_of(*row) not in held:
                raise ParentIsBusyError(lanes.key_of(*row))
        yield
    finally:
        leave(services, held.values())


def _written_elsewhere(look: Look) -> list[tuple[str, str]]:
    ids: list[tuple[str, str]] = []
    for outcome in look.outcomes:
        now = outcome.now
        if _is_created_there(outcome):
            intended = intended_ids_of(look.work.services, now.mapping.name, [now.source.id])
            ids.append((now.mapping.dataverse_table, intended[now.source.id]))
        elif now.toward is Direction.TO and now.coupling is not None:
            ids.append((now.mapping.dataverse_table, now.coupling.dataverse_id))
    return [row for row in ids if row[1] != look.lease.id]


def _changes(decided: Sequence[tuple[Work, Outcome]]) -> list[Change]:
    """The requests; what they mean to leave behind is committed before the first is sent."""
    toward = [(work, outcome) for work, outcome in decided if outcome.now.toward is Direction.TO]
    ids = _committed(toward) if toward else {}
    return [_change(work, outcome, ids) for work, outcome in decided]


def _change(work: Work, outcome: Outcome, ids: Mapping[tuple[str, str], str]) -> Change:
    now, decision = outcome.now, outcome.decision
    assert isinstance(decision, Insert | Modify)  # others do not go there
    table = now.mapping.dataverse_table
    columns = read_columns(work.mappings, table)
    if isinstance(decision, Insert) and now.toward is Direction.FROM:
        return Change(table, now.source.id, decision.claim, columns, work.versions.get(now.source.id, Version()))
    id_ = ids[now.mapping.name, now.source.id]
    version = None if isinstance(decision, Insert) else work.versions.get(id_, Version())
    return Change(table, id_, decision.values, columns, version)


def _carried_out(work: Work, outcome: Outcome, answer: DataverseRow | DataverseError) -> Outcome | Exception:
    if isinstance(answer, DataverseError):
        return _refused(work, outcome, answer)
    work.versions[answer.id] = answer.version
    return replace(outcome, written=Record(answer.id, answer.values))


def _refused(work: Work, outcome: Outcome, error: DataverseError) -> Outcome | Exception:
    if _is_created_there(outcome) and error.status == requests.codes.precondition_failed:
        return _not_created(work, outcome, error)
    if isinstance(error, VersionMismatchError | RowGoneError):
        return MovedError()  # read again, it says what it is now
    if is_described_anew(work.services, outcome.now.mapping.dataverse_table, error):
        return MovedError()
    error = work.judged(error, _asked(outcome))
    return error if error.waiting_helps else replace(outcome, decision=Fail(Refusal.REFUSED, (str(error),)))


def _asked(outcome: Outcome) -> Asked:
    now = outcome.now
    operation = "create" if _is_created_there(outcome) else "write"
    return Asked(operation, now.mapping.dataverse_table, now.coupling.dataverse_id if now.coupling else "")


def _not_created(work: Work, outcome: Outcome, error: DataverseError) -> Outcome | Exception:
    """Our pending id exists: the answer to our create was lost, and the pair is decided anew.

    Any other conflict is about a key or a rule, of which another row stands in the way.
    """
    now = outcome.now
    table, ids = now.mapping.dataverse_table, intended_ids_of(work.services, now.mapping.name, [now.source.id])
    id_ = ids[now.source.id]
    work.known.forget([id_])
    work.rows.pop((table, id_), None)
    conclude(work, table, id_)
    row = work.rows[table, id_]
    if row.unread:
        reason = Reason.OUT_OF_SIGHT if row.is_out_of_sight else Reason.UNREAD
        return replace(outcome, decision=Fail(reason, (row.unread,)))
    if row.exists:
        return MovedError()
    return replace(outcome, decision=Fail(Refusal.LOOKS_LIKE_ANOTHER, (str(error),)))


def intended_ids_of(services: Services, mapping: str, keys: Sequence[str]) -> dict[str, str]:
    """The id that each local record's row has, or would get, in Dataverse; nothing is written."""
    with services.database.reading() as connection:
        return {key: id_ for key, (id_, _) in _intended(connection, mapping, keys).items()}


def _intended(connection: Connection, mapping: str, keys: Sequence[str]) -> dict[str, tuple[str, int]]:
    """Id and counter by key. The counter outlives any coupling, so that no id is met again."""
    pending = pending_coupling.c
    query = select(pending_coupling).where(pending.mapping == mapping, Among(pending.local_id, "keys"))
    found = {row.local_id: row for row in connection.execute(query, {"keys": list(keys)})}
    intended: dict[str, tuple[str, int]] = {}
    for key in keys:
        row = found.get(key)
        if row is not None and row.is_open:
            intended[key] = (str(row.dataverse_id), row.counter)
            continue
        counter = 1 if row is None else row.counter + 1
        intended[key] = (str(uuid.uuid5(NAMESPACE, f"{mapping}/{key}/{counter}")), counter)
    return intended


def _committed(decided: Sequence[tuple[Work, Outcome]]) -> dict[tuple[str, str], str]:
    """Commit what is about to be written, and under which ids rows are created; the id of each row, by its record."""
    services = decided[0][0].services
    ids: dict[tuple[str, str], str] = {}
    with services.database.writing() as connection:
        for mapping in sorted({outcome.now.mapping.name for _, outcome in decided}):
            own = [outcome for _, outcome in decided if outcome.now.mapping.name == mapping]
            ids |= _pending(connection, mapping, [outcome for outcome in own if _is_created_there(outcome)])
        for _, outcome in decided:
            if outcome.now.coupling is not None and not _is_created_there(outcome):
                ids[outcome.now.mapping.name, outcome.now.source.id] = outcome.now.coupling.dataverse_id
        open_writes.remember(connection, [_open(work, outcome, ids) for work, outcome in decided])
    return ids


def _pending(connection: Connection, mapping: str, inserts: Sequence[Outcome]) -> dict[tuple[str, str], str]:
    replaced = {one.now.source.id: one.now.coupling.dataverse_id if one.now.coupling else "" for one in inserts}
    if not replaced:
        return {}
    rows = [
        {
            "mapping": mapping,
            "local_id": key,
            "dataverse_id": id_,
            "counter": counter,
            "is_open": True,
            "replaced_id": replaced[key],
        }
        for key, (id_, counter) in sorted(_intended(connection, mapping, list(replaced)).items())
    ]
    statement = upsert(connection, pending_coupling)
    kept = {name: statement.excluded[name] for name in ("dataverse_id", "counter", "is_open", "replaced_id")}
    connection.execute(statement.on_conflict_do_update(index_elements=["mapping", "local_id"], set_=kept), rows)
    return {(mapping, str(row["local_id"])): str(row["dataverse_id"]) for row in rows}


def _open(work: Work, outcome: Outcome, ids: Mapping[tuple[str, str], str]) -> OpenWrite:
    now, decision = outcome.now, outcome.decision
    assert isinstance(decision, Insert | Modify)  # others do not go there
    id_ = ids[now.mapping.name, now.source.id]
    version = None if isinstance(decision, Insert) else work.versions.get(id_, Version()).number
    intended = intended_by(sides_of(now), decision.merged, decision.values)
    return OpenWrite(now.mapping.name, now.source.id, id_, intended, version, work.services.clock())
