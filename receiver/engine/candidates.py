"""Who may be meant: uncoupled records that look like one about to be created, and the former partner of one let go.

Where many records are decided together, they are asked for together (`look_ahead`); else each when it is its turn.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection

from receiver.core.decision import Candidate, Record, Situation
from receiver.core.filters import matches
from receiver.core.mapping import DeletionConflict, Direction, MatchExists, TableMapping
from receiver.core.values import Values
from receiver.engine.look_alikes import (
    are_lookups_alike,
    as_candidates,
    dataverse_alikes,
    likeness_of,
    local_alikes,
)
from receiver.engine.work import Work
from receiver.services import read_columns
from receiver.store import couplings


def candidates_of(work: Work, now: Situation) -> tuple[Candidate, ...]:
    """The records that a person, or the mapping, may choose instead of a new one; none where nothing is created.

    The source is inside the filter. Raises: what Dataverse and the database raise.
    """
    if not _may_create(now):
        return ()
    is_restored = now.is_restored or now.coupling is not None
    if not is_restored and now.mapping.when_a_match_exists is MatchExists.CREATE:
        return _former(work, now)
    likeness = likeness_of(now.mapping, is_restored=is_restored)
    found = _alikes(work, now, is_restored=is_restored) if likeness.fields else []
    alike = [one for one in found if are_lookups_alike(likeness, now.lookups, now.toward, one.values)]
    let_go = frozenset(one.id for one in alike if _was_let_go(work, now, one))
    offered = (*_former(work, now), *as_candidates(now.mapping, now.toward, alike, let_go))
    return tuple({one.key: one for one in reversed(offered)}.values())[::-1]


def _may_create(now: Situation) -> bool:
    mapping = now.mapping
    if not mapping.is_enabled or not mapping.direction.allows(now.toward):
        return False
    if now.coupling is not None:
        is_gone = now.destination is None and not now.namesakes
        return is_gone and mapping.resolve_deletion_conflicts is DeletionConflict.RESTORE
    if now.uncoupled_by and not now.is_click:
        return False  # it is not created by itself anyway
    return now.may_create or not mapping.synch_only_coupled_records


def _former(work: Work, now: Situation) -> tuple[Candidate, ...]:
    """Whom a person uncoupled it from, if that one is there and free: to create beside it would make a twin."""
    remembered = work.known.uncoupled(now.mapping.name, now.toward, now.source.id) if now.uncoupled_by else None
    if remembered is None or not remembered.other_id:
        return ()
    if work.known.coupling(now.mapping.name, now.toward.back, remembered.other_id) is not None:
        return ()
    if now.toward is Direction.FROM:
        found = work.known.record(now.mapping.local_table, remembered.other_id)
    else:
        row = work.read(now.mapping.dataverse_table, remembered.other_id)
        found = row if row.exists and not row.unread else None
    return () if found is None else as_candidates(now.mapping, now.toward, [found], frozenset({found.id}))


def _alikes(work: Work, now: Situation, *, is_restored: bool) -> list[Record]:
    key = (now.mapping.name, now.toward, now.source.id)
    if key not in work.look_alikes:
        sources = {now.source.id: now.source.values}
        work.look_alikes |= _looked_up(work, now.mapping, now.toward, sources, is_restored=is_restored)
    return work.look_alikes.get(key, [])


def look_ahead(work: Work, mapping: TableMapping, toward: Direction, sources: Mapping[str, Values]) -> None:
    """Ask for what looks like any of these uncoupled records, with one query; each is decided upon it later."""
    is_asked = mapping.when_a_match_exists is not MatchExists.CREATE
    inside = {id_: one for id_, one in sources.items() if matches(mapping.source_filter(toward), one)}
    if inside and is_asked and likeness_of(mapping, is_restored=False).fields:
        work.look_alikes |= _looked_up(work, mapping, toward, inside, is_restored=False)


def _looked_up(
    work: Work, mapping: TableMapping, toward: Direction, sources: Mapping[str, Values], *, is_restored: bool
) -> dict[tuple[str, Direction, str], list[Record]]:
    likeness = likeness_of(mapping, is_restored=is_restored)
    if toward is Direction.FROM:
        with work.services.database.reading() as connection:
            found = local_alikes(connection, mapping, likeness, sources)
    else:
        columns = read_columns(work.mappings, mapping.dataverse_table)
        found = dataverse_alikes(work.dataverse, mapping, likeness, columns, sources)
        with work.services.database.reading() as connection:
            taken = _coupled_rows(connection, mapping, (one.id for rows in found.values() for one in rows))
        found = {key: [one for one in rows if one.id not in taken] for key, rows in found.items()}
    return {(mapping.name, toward, id_): found.get(id_, []) for id_ in sources}


def _coupled_rows(connection: Connection, mapping: TableMapping, ids: Iterable[str]) -> frozenset[str]:
    coupled = couplings.of_rows(connection, sorted(set(ids)))
    return frozenset(id_ for id_, own in coupled.items() if mapping.name in own)


def _was_let_go(work: Work, now: Situation, one: Record) -> bool:
    return work.known.uncoupled(now.mapping.name, now.toward.back, one.id) is not None
