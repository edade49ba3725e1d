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
from receiver.errors import ReceiverError
from receiver.runs.carry_out import carry_out
from receiver.runs.catch_up import GONE, WHO
from receiver.runs.run_pages import Part, Scope, wanted_of_records
from receiver.services import Services
from receiver.store import couplings, schedules, tracking, triggers
from receiver.store import runs as stored_runs
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
        _keep(services, held, LocalLook(mapping.name, read_at=began))
        return _and(gone, "A trigger tells of edits.")
    with services.database.reading() as connection:
        keys = stored_runs.keys_after(connection, mapping, known.after, PAGE)
    is_first = known.read_at is None
    done, left = _asked(services, held, mapping, keys, is_first=is_first) if keys else (0, 0)
    is_last = len(keys) < PAGE
    # what could not be decided now is asked for in the next round; this one does not say that all is known
    round_at = None if left else began if not known.after else known.round_at
    read_at = (round_at or known.read_at) if is_last else known.read_at
    _keep(services, held, LocalLook(mapping.name, "" if is_last else keys[-1], round_at, read_at))
    if left:
        raise UndecidedError(f"{done} record(s) looked at; {left} could not be decided now, and are asked for again.")
    return _and(gone, f"{len(keys)} record(s) compared, {done} had something to say.")


class UndecidedError(ReceiverError):
    """Some records could not be decided now."""

    waiting_helps = True


def _keep(services: Services, held: Due, look: LocalLook) -> None:
    with services.database.writing() as connection:
        schedules.hold(connection, held, services.clock() + timedelta(seconds=services.options.lease_seconds))
        tracking.keep_local(connection, look)


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


def _stay_here(services: Services, mapping: TableMapping, keys: Sequence[str], *, is_first: bool) -> set[str]:
    """Records that are not coupled, and were there before the mapping made any there: a person brings them in.

    They are remembered as they are: each is asked for once it says something else, as one that could not go out.
    """
    if not is_first and not mapping.synch_only_coupled_records:
        return set()
    with services.database.reading() as connection:
        coupled = couplings.of_records(connection, mapping.name, keys)
        free = [key for key in keys if key not in coupled]
        records = LocalTable(connection, BY_NAME[mapping.local_table]).get_all(free)
    now = services.clock()
    rows = [{"mapping": mapping.name, "local_id": one.id, "digest": said(mapping, one), "at": now} for one in records]
    if rows:
        with services.database.writing() as connection:
            tracking.remember_unsettled(connection, rows)
    return {one.id for one in records}


def _asked(
    services: Services, held: Due, mapping: TableMapping, keys: Sequence[str], *, is_first: bool
) -> tuple[int, int]:
    """How many of these records were looked at, since they have something to say, and how many not, for now."""
    part = Part(mapping, Direction.TO, Scope.MODIFIED, Ask(why=WHO, is_by_itself=True))
    with services.database.reading() as connection:
        met = tracking.unsettled_of(connection, mapping.name, keys)
        records = LocalTable(connection, BY_NAME[mapping.local_table]).get_all(list(met))
    still = {one.id for one in records if said(mapping, one) == met[one.id]}
    still |= _stay_here(services, mapping, [key for key in keys if key not in met], is_first=is_first)
    wanted = wanted_of_records(services, part, [key for key in keys if key not in still])
    left = 0
    for start in range(0, len(wanted), TOGETHER):
        done = carry_out(services, wanted[start : start + TOGETHER])
        left += sum(one.error is not None for one in done)
        with services.database.writing() as connection:
            schedules.hold(connection, held, services.clock() + timedelta(seconds=services.options.lease_seconds))
    return len(wanted) - left, left
