"""Local edits that nobody told of: a page of records a look is compared with what their couplings remember.

Where a trigger tells (`local_edits.py`), only deletions are looked for, which it does not tell. A record that could not
be brought in step is asked for again once it says something else; so a failure is met once, not each time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import Connection

from receiver.core.mapping import Direction, TableMapping
from receiver.engine.coalesce import Ask
from receiver.engine.kept_aside import said
from receiver.runs.carry_out import carry_out
from receiver.runs.catch_up import GONE, WHO
from receiver.runs.run_pages import Part, Scope, wanted_of_records
from receiver.services import Services
from receiver.store import runs as stored_runs
from receiver.store import schedules, tracking, triggers
from receiver.store import tasks as stored_tasks
from receiver.store.local_tables import LocalTable
from receiver.store.schedules import Due
from receiver.store.tracking import LocalLook
from receiver.tables import BY_NAME

#: records that a look compares; asked for together
PAGE, TOGETHER = 1000, 100


def mappings(services: Services) -> list[str]:
    """The names of the mappings by which local records go to Dataverse."""
    with services.database.reading() as connection:
        found = services.mappings(connection).values()
    return [one.name for one in found if one.is_enabled and one.direction.allows(Direction.TO)]


def look(services: Services, held: Due) -> str:
    """Look at the next page of a mapping's records, *held* for it; what was done, in a sentence.

    Raises: LeaseLostError; what Dataverse and the database raise: the page is looked at again then.
    """
    services.check_gate()
    with services.database.reading() as connection:
        mapping = services.mappings(connection).get(held.subject)
        known = tracking.local_of(connection, held.subject)
        is_told = mapping is not None and _is_told(services, connection, mapping)
    if mapping is None or not mapping.is_enabled:
        return "The mapping is switched off."
    gone = _name_gone(services, held, mapping)
    began = services.clock()
    if is_told:
        with services.database.writing() as connection:
            tracking.keep_local(connection, LocalLook(mapping.name, read_at=began))
        return _and(gone, "A trigger tells of edits.")
    with services.database.reading() as connection:
        keys = stored_runs.keys_after(connection, mapping, known.after, PAGE)
    done, left = _asked(services, held, mapping, keys) if keys else (0, 0)
    if left:
        return _and(
            gone, f"{done} record(s) looked at; {left} could not be decided now, and the page is looked at again."
        )
    is_last = len(keys) < PAGE
    round_at = known.round_at or began
    after = LocalLook(
        mapping.name,
        "" if is_last else keys[-1],
        None if is_last else round_at,
        round_at if is_last else known.read_at,
    )
    with services.database.writing() as connection:
        tracking.keep_local(connection, after)
    return _and(gone, f"{len(keys)} record(s) compared, {done} had something to say.")


def _is_told(services: Services, connection: Connection, mapping: TableMapping) -> bool:
    return not services.database.is_sqlite and mapping.local_table in triggers.installed(connection)


def _and(gone: int, words: str) -> str:
    return f"{gone} seem(s) to be gone. {words}" if gone else words


def _name_gone(services: Services, held: Due, mapping: TableMapping) -> int:
    """Couplings whose record is not there: a run looks for each, and keeps what is too much to its end."""
    keys, after = list[str](), ""
    with services.database.reading() as connection:
        kept = tracking.kept_back(connection, mapping.name)
        while page := stored_runs.gone_pairs_after(connection, mapping, after):
            after = page[-1][0]
            keys += [key for key, row_id in page if row_id not in kept]
        under_way = {
            key
            for one in stored_tasks.not_ended(connection, GONE)
            if one.arguments["mapping"] == mapping.name and one.arguments["toward"] == Direction.TO
            for key in one.arguments["ids"]
        }
    named = [key for key in keys if key not in under_way]
    if named:
        asked = {"mapping": mapping.name, "toward": Direction.TO, "ids": named}
        now = services.clock()
        with services.database.writing() as connection:
            schedules.hold(connection, held, now + timedelta(seconds=services.options.lease_seconds))
            stored_tasks.create(connection, GONE, asked, WHO, now)
        services.waker.ring()
    return len(named)


def _asked(services: Services, held: Due, mapping: TableMapping, keys: Sequence[str]) -> tuple[int, int]:
    """How many of these records were looked at, since they have something to say, and how many not, for now."""
    part = Part(mapping, Direction.TO, Scope.MODIFIED, Ask(why=WHO, is_by_itself=True))
    with services.database.reading() as connection:
        met = tracking.unsettled_of(connection, mapping.name, keys)
        records = LocalTable(connection, BY_NAME[mapping.local_table]).get_all(list(met))
    still = {one.id for one in records if said(mapping, one) == met[one.id]}
    wanted = wanted_of_records(services, part, [key for key in keys if key not in still])
    left = 0
    for start in range(0, len(wanted), TOGETHER):
        done = carry_out(services, wanted[start : start + TOGETHER])
        left += sum(one.error is not None and one.error.waiting_helps for one in done)
        with services.database.writing() as connection:
            schedules.hold(connection, held, services.clock() + timedelta(seconds=services.options.lease_seconds))
    return len(wanted) - left, left
