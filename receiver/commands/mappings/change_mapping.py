"""Mappings by a person: set, switch a field, reset to default, delete, bring in what was passed over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, case, func, select

from receiver.core.filters import FilterError, parse
from receiver.core.mapping import Direction, FieldMapping, TableMapping
from receiver.core.mapping_problems import problems
from receiver.dataverse.columns import TABLES as DATAVERSE_TABLES
from receiver.engine.look_at_lane import COUNTERPART
from receiver.errors import ChangedMeanwhileError, InvalidMappingError, NotFoundError, RefusedError
from receiver.lanes.touch import Touch, touch
from receiver.runs import schedule
from receiver.services import Services, unknown_table
from receiver.store import mappings as stored
from receiver.store.local_tables import columns_of
from receiver.store.models import coupling, job, passed_over
from receiver.store.runs import has_unresolved_option
from receiver.tables import BY_NAME, TABLES

#: a statement may have some thousand placeholders, and the door waits for no more on SQLite
TOUCHED_AT_ONCE = 500
#: how many changes of others are told to one who is refused
LAST_CHANGES = 5
#: so that one can be put between two
FIELD_NUMBERS_APART = 10


def named(services: Services, name: str) -> TableMapping:
    """The stored mapping, with every column. Raises: NotFoundError."""
    with services.database.reading() as connection:
        return _named(connection, name)


def _named(connection: Connection, name: str) -> TableMapping:
    found = stored.load(connection).get(name.upper())
    if found is None:
        raise NotFoundError(f"There is no mapping {name}. `receiver mappings list` names them all.")
    return found


@dataclass(frozen=True)
class Looked:
    """What the person looked at: the mapping's version, or the values of settings and, by number, of field mappings."""

    version: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    fields: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)


NOT_TOLD = Looked()


@dataclass(frozen=True)
class Change:
    """A mapping as it became, or would become, and what differs: what, before, after."""

    mapping: TableMapping
    differences: tuple[tuple[str, str, str], ...]
    is_preview: bool


def set_mapping(services: Services, name: str, who: str, **changes: Any) -> TableMapping:
    """Change a mapping's own settings, such as `direction=…`; the changed mapping comes back.

    Raises: NotFoundError; InvalidMappingError with every problem, then nothing was changed.
    """
    return change(services, name, who, changes).mapping


def set_field(services: Services, name: str, number: int, who: str, **changes: Any) -> TableMapping:
    """Change one field mapping, such as `is_enabled=…`. Raises: as `set_mapping`."""
    return change(services, name, who, {}, {number: changes}).mapping


def change(
    services: Services,
    name: str,
    who: str,
    changes: Mapping[str, Any],
    fields: Mapping[int, Mapping[str, Any]] | None = None,
    *,
    looked_at: Looked = NOT_TOLD,
    is_preview: bool = False,
) -> Change:
    """Change a mapping's own settings and, by number, those of its field mappings: all of it or nothing.

    Raises: as `set_mapping`; ChangedMeanwhileError when what was *looked_at* is another by now.
    """
    wanted = {**changes, **_parsed(changes)}
    with services.database.writing() as connection:
        stored.hold(connection)
        before = _named(connection, name)
        changed = replace(before, **wanted)
        changed = replace(changed, fields=_with_fields(changed, fields or {}))
        if changed != before:
            _check_unchanged(connection, before, looked_at)
        _check(connection, changed)
        if not is_preview:
            stored.save(connection, changed, who, services.clock())
            _look_again_at_options(connection, before, changed, services.clock())
            look_anew(connection, before, changed, services.clock())
    if not is_preview:
        services.waker.ring()
    return Change(changed, tuple(stored.differences(before, changed)), is_preview)


def look_anew(connection: Connection, before: TableMapping | None, changed: TableMapping, now: datetime) -> None:
    """A mapping that sees other rows than before has them looked at once, all of them, by catch-up."""
    if before is None or not (changed.is_enabled and changed.direction.allows(Direction.FROM)):
        return
    is_widened = before.dataverse_filter != changed.dataverse_filter
    is_opened = not before.is_enabled or not before.direction.allows(Direction.FROM)
    if is_widened or is_opened:
        why = f"the filter of {changed.name} was changed" if is_widened else f"{changed.name} was switched on"
        schedule.owe(connection, [changed.dataverse_table], why, now, [changed.name] if is_widened else [])


def _look_again_at_options(connection: Connection, before: TableMapping, changed: TableMapping, now: datetime) -> None:
    """What had no counterpart may have one in another table of codes."""
    if [row.transformation_rule for row in before.fields] == [row.transformation_rule for row in changed.fields]:
        return
    held = (coupling.c.mapping == changed.name, has_unresolved_option(changed))
    rows = connection.execute(select(coupling.c.dataverse_id).where(*held)).scalars().all()
    _touch(connection, [Touch(changed.dataverse_table, id_, now, COUNTERPART) for id_ in rows])


def _touch(connection: Connection, touches: Sequence[Touch]) -> None:
    for start in range(0, len(touches), TOUCHED_AT_ONCE):
        touch(connection, touches[start : start + TOUCHED_AT_ONCE])


def _check_unchanged(connection: Connection, now: TableMapping, looked_at: Looked) -> None:
    rows = {row.number: row for row in now.fields}
    told = [(now, looked_at.settings), *((rows.get(number), seen) for number, seen in looked_at.fields.items())]
    is_moved = looked_at.version not in {None, now.version}
    if not is_moved and all(getattr(one, name) == value for one, seen in told for name, value in seen.items()):
        return
    names = [
        *looked_at.settings,
        *(f"field mapping {row} {name}" for row, seen in looked_at.fields.items() for name in seen),
    ]
    changes = stored.changes_since(connection, now.name, looked_at.version or 0, None if is_moved else names)
    raise ChangedMeanwhileError(
        f"{now.name} was changed since you looked: {'; '.join(changes[-LAST_CHANGES:])}. Nothing of yours was saved. "
        f"Look at it as it is now, version {now.version}, then change it again."
    )


def _parsed(changes: Mapping[str, Any]) -> dict[str, Any]:
    """What is given as text, as the rules want it."""
    named = {"direction": Direction(changes["direction"])} if "direction" in changes else {}
    kinds = {"local_filter_text": "local_filter", "dataverse_filter_text": "dataverse_filter"}
    try:
        return named | {kinds[name]: parse(text) for name, text in changes.items() if name in kinds}
    except FilterError as error:
        raise InvalidMappingError([str(error)]) from error


def _with_fields(mapping: TableMapping, fields: Mapping[int, Mapping[str, Any]]) -> tuple[FieldMapping, ...]:
    unknown = fields.keys() - {row.number for row in mapping.fields}
    if unknown:
        raise NotFoundError(
            f"{mapping.name} has no field mapping {min(unknown)}. `receiver mappings show {mapping.name}` lists them."
        )
    return tuple(replace(row, **fields.get(row.number, {})) for row in mapping.fields)


def add_field(
    services: Services,
    name: str,
    who: str,
    columns: tuple[str, str],
    direction: Direction | None = None,
    *,
    is_preview: bool = False,
) -> Change:
    """A new field mapping of a local and a Dataverse column, switched off, behind the others.

    Raises: NotFoundError; InvalidMappingError, also where it could not be switched on.
    """
    with services.database.writing() as connection:
        stored.hold(connection)
        before = _named(connection, name)
        number = max((row.number for row in before.fields), default=0) + FIELD_NUMBERS_APART
        added = FieldMapping(number, *columns, direction=direction or before.direction, is_enabled=True)
        _check(connection, replace(before, fields=(*before.fields, added)))
        changed = replace(before, fields=(*before.fields, replace(added, is_enabled=False)))
        if not is_preview:
            stored.save(connection, changed, who, services.clock())
    return Change(changed, tuple(stored.differences(before, changed)), is_preview)


def would_reset(services: Services, name: str | None) -> list[tuple[str, str, str, str]]:
    """What Use Default Synchronization Setup would change: mapping, what, before, after. Raises: NotFoundError."""
    shipped = [one.mapping for one in TABLES] if name is None else [_shipped(name)]
    with services.database.reading() as connection:
        before = stored.load(connection)
    missing = [(one.name, "created", "", "as it was shipped") for one in shipped if one.name not in before]
    there = [one for one in shipped if one.name in before]
    return missing + [(one.name, *told) for one in there for told in stored.differences(before[one.name], one)]


def _shipped(name: str) -> TableMapping:
    found = next((one.mapping for one in TABLES if one.mapping.name == name.upper()), None)
    if found is None:
        raise NotFoundError(f"No mapping {name} is shipped. `receiver mappings list` names them all.")
    return found


def reset(services: Services, name: str, who: str) -> TableMapping:
    """Use Default Synchronization Setup: the shipped mapping again. Raises: NotFoundError."""
    shipped = _shipped(name)
    with services.database.writing() as connection:
        _save(services, connection, shipped, who)
    return shipped


def reset_all(services: Services, who: str) -> tuple[str, ...]:
    """Use Default Synchronization Setup: every shipped mapping again, one that was deleted too; their names.

    A mapping of one's own stays. Raises: InvalidMappingError.
    """
    shipped = [one.mapping for one in TABLES]
    with services.database.writing() as connection:
        for one in shipped:
            _save(services, connection, one, who, frozenset(mapping.name for mapping in shipped))
    return tuple(one.name for one in shipped)


def delete(services: Services, name: str, who: str) -> None:
    """Delete a mapping with its field mappings; no record is touched, and its jobs stay in the log.

    Raises: NotFoundError; RefusedError while it couples records, or another mapping refers to it.
    """
    with services.database.writing() as connection:
        mapping = _named(connection, name)
        query = select(func.count()).where(coupling.c.mapping == mapping.name)
        if count := connection.execute(query).scalar_one():
            raise RefusedError(
                f"{mapping.name} couples {count} record(s). Delete the couplings first: "
                f"receiver uncouple {mapping.name} --all"
            )
        others = [one for one in stored.load(connection).values() if one.name != mapping.name]
        if users := [one.name for one in others if mapping.name in _referred_to(one)]:
            raise RefusedError(
                f"{', '.join(users)} refer(s) to {mapping.name}, by a field mapping or by Depends on. "
                f"Take that away first, or switch {mapping.name} off instead."
            )
        stored.remove(connection, mapping, who, services.clock())


def _referred_to(mapping: TableMapping) -> set[str]:
    return {*mapping.depends_on, *(name for row in mapping.fields if row.is_enabled for name in row.related)}


def _save(
    services: Services, connection: Connection, mapping: TableMapping, who: str, coming: frozenset[str] = frozenset()
) -> None:
    _check(connection, mapping, coming)
    before = stored.load(connection).get(mapping.name)
    stored.save(connection, mapping, who, services.clock())
    look_anew(connection, before, mapping, services.clock())


def _check(connection: Connection, mapping: TableMapping, coming: frozenset[str] = frozenset()) -> None:
    """*coming* are the names of mappings that are saved in the same transaction. Raises: InvalidMappingError."""
    if unknown := unknown_table(mapping):
        if mapping.is_enabled:
            raise InvalidMappingError([unknown])
        return
    local = columns_of(BY_NAME[mapping.local_table].table)
    dataverse = DATAVERSE_TABLES[mapping.dataverse_table].columns
    found = problems(mapping, local, dataverse, frozenset(stored.load(connection)) | coming)
    if found:
        raise InvalidMappingError(found)


def bring_in(services: Services, name: str) -> int:
    """Look again at every row that *Synch. Only Coupled Records* kept out; how many. Raises: NotFoundError."""
    now = services.clock()
    with services.database.reading() as connection:
        mapping = _named(connection, name)
        rows = (
            connection.execute(select(passed_over.c.row_id).where(passed_over.c.mapping == mapping.name))
            .scalars()
            .all()
        )
    wish = f"brought in by {mapping.name}"
    touches = [Touch(mapping.dataverse_table, row_id, now, wish) for row_id in rows]
    for start in range(0, len(touches), TOUCHED_AT_ONCE):
        with services.database.writing() as connection:
            touch(connection, touches[start : start + TOUCHED_AT_ONCE])
    services.waker.ring()
    return len(rows)


def figures(services: Services) -> dict[str, dict[str, Any]]:
    """By mapping: coupled, skipped, errors, passed_over (counts), synchronized_at (when last)."""
    with services.database.reading() as connection:
        found = {name: _no_figures() for name in stored.load(connection)}
        skipped = func.count().filter(coupling.c.is_skipped)
        couplings = select(coupling.c.mapping, func.count(), skipped).group_by(coupling.c.mapping)
        for name, count, skipped_count in connection.execute(couplings):
            found.setdefault(name, _no_figures()).update({"coupled": count, "skipped": skipped_count})
        in_step = job.c.inserted + job.c.modified + job.c.unchanged
        jobs = select(job.c.mapping, func.sum(job.c.failed), func.max(case((in_step > 0, job.c.finished_at)))).group_by(
            job.c.mapping
        )
        for name, errors, last_at in connection.execute(jobs):
            found.setdefault(name, _no_figures()).update({"errors": int(errors), "synchronized_at": last_at})
        passed = select(passed_over.c.mapping, func.count()).group_by(passed_over.c.mapping)
        for name, count in connection.execute(passed):
            found.setdefault(name, _no_figures())["passed_over"] = count
    return found


def _no_figures() -> dict[str, Any]:
    return {"coupled": 0, "skipped": 0, "errors": 0, "passed_over": 0, "synchronized_at": None}
