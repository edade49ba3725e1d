"""Mappings by a person: set, switch a field, reset to default, delete, bring in what was passed over."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, case, func, select

from receiver import lanes
from receiver.core.filters import FilterError, parse
from receiver.core.mapping import TableMapping
from receiver.core.mapping_problems import problems
from receiver.dataverse.columns import TABLES as DATAVERSE_TABLES
from receiver.errors import InvalidMappingError, NotFoundError, RefusedError
from receiver.services import Services
from receiver.store import mappings as stored
from receiver.store.local_tables import columns_of
from receiver.store.models import coupling, job, passed_over
from receiver.tables import BY_NAME, TABLES

#: a statement may have some thousand placeholders
TOUCHED_AT_ONCE = 500


def named(services: Services, name: str) -> TableMapping:
    """The stored mapping, with every column. Raises: NotFoundError."""
    with services.database.reading() as connection:
        return _named(connection, name)


def _named(connection: Connection, name: str) -> TableMapping:
    found = stored.load(connection).get(name.upper())
    if found is None:
        raise NotFoundError(f"There is no mapping {name}. `receiver mappings list` names them all.")
    return found


def set_mapping(services: Services, name: str, who: str, **changes: Any) -> TableMapping:
    """Change a mapping's own settings, such as `direction=…`; the changed mapping comes back.

    Raises: NotFoundError; InvalidMappingError with every problem, then nothing was changed.
    """
    for text, parsed in (("local_filter_text", "local_filter"), ("dataverse_filter_text", "dataverse_filter")):
        if text in changes:
            try:
                changes[parsed] = parse(changes[text])
            except FilterError as error:
                raise InvalidMappingError([str(error)]) from error
    with services.database.writing() as connection:
        changed = replace(_named(connection, name), **changes)
        _save(services, connection, changed, who)
    return changed


def set_field(services: Services, name: str, number: int, who: str, **changes: Any) -> TableMapping:
    """Change one field mapping, such as `is_enabled=…`. Raises: as `set_mapping`."""
    with services.database.writing() as connection:
        mapping = _named(connection, name)
        if number not in {row.number for row in mapping.fields}:
            raise NotFoundError(f"{mapping.name} has no field mapping {number}.")
        rows = tuple(replace(row, **changes) if row.number == number else row for row in mapping.fields)
        changed = replace(mapping, fields=rows)
        _save(services, connection, changed, who)
    return changed


def reset(services: Services, name: str, who: str) -> TableMapping:
    """Use Default Synchronization Setup: the shipped mapping again. Raises: NotFoundError."""
    shipped = next((one.mapping for one in TABLES if one.mapping.name == name.upper()), None)
    if shipped is None:
        raise NotFoundError(f"No mapping {name} is shipped. `receiver mappings list` names them all.")
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
    """*coming* are the names of mappings that are saved in the same transaction."""
    local = columns_of(BY_NAME[mapping.local_table].table)
    dataverse = DATAVERSE_TABLES[mapping.dataverse_table].columns
    found = problems(mapping, local, dataverse, frozenset(stored.load(connection)) | coming)
    if found:
        raise InvalidMappingError(found)
    stored.save(connection, mapping, who, services.clock())


def bring_in(services: Services, name: str) -> int:
    """Look again at every row that *Synch. Only Coupled Records* kept out; how many. Raises: NotFoundError."""
    now = services.clock()
    with services.database.writing() as connection:
        mapping = _named(connection, name)
        rows = (
            connection.execute(select(passed_over.c.row_id).where(passed_over.c.mapping == mapping.name))
            .scalars()
            .all()
        )
        wish = f"brought in by {mapping.name}"
        touches = [lanes.Touch(mapping.dataverse_table, row_id, now, wish) for row_id in rows]
        for start in range(0, len(touches), TOUCHED_AT_ONCE):
            lanes.touch(connection, touches[start : start + TOUCHED_AT_ONCE])
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
