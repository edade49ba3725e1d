"""Delete Coupling: for records, or for whole mappings. No record is deleted; a row's company id is given back.

Contacts of a customer or vendor are uncoupled before it: whatever interrupts, doing it again goes on.
Source: BC C5357, C5337; reference §8.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, select

from receiver.commands.coupling.chosen_records import called, coupled, distinct, not_coupled, not_coupled_lines
from receiver.commands.coupling.company_id import cleared, is_kept, stuck
from receiver.commands.coupling.pairs import mapping_named
from receiver.commands.result import CommandResult, Line
from receiver.core.company import COMPANY_ID
from receiver.core.coupling import Coupling
from receiver.core.mapping import TableMapping
from receiver.core.values import Reference
from receiver.engine.write_lanes import end_failed_of_pairs
from receiver.errors import NotFoundError, ReceiverError
from receiver.lanes import lane as lanes
from receiver.lanes.held import BUSY, give_back, lanes_held
from receiver.services import Services
from receiver.store import couplings, jobs
from receiver.store.models import coupling as coupling_rows
from receiver.tables.contact import COMPANIES, CONTACT

#: couplings removed in one transaction
TOGETHER = 100
JOB_TYPE = "Uncoupling"
PARENT = "parentcustomerid"


def uncouple(
    services: Services, mapping: str, keys: Sequence[str], who: str, *, is_preview: bool = False
) -> CommandResult:
    """Uncouple these records, each named by its local key or its Dataverse id; nothing couples them again by itself.

    Of several, those that are not coupled are passed by. Raises: NotFoundError, also for one that is not coupled.
    """
    found = mapping_named(services, mapping)
    pairs = coupled(services, found, keys)
    if len(pairs) == 1 and not any(pairs.values()):
        raise NotFoundError(f"{not_coupled(found, keys[0])} There is nothing to delete.")
    going = distinct(pairs)
    run, lines = Run(services, who, is_preview), list(not_coupled_lines(found, pairs))
    with _job(run, found) as job:
        for start in range(0, len(going), TOGETHER):
            lines += _with_contacts(run, found, going[start : start + TOGETHER], job)
    return CommandResult(tuple(lines), is_preview=is_preview)


def uncouple_all(services: Services, mapping: str, who: str, *, is_preview: bool = False) -> CommandResult:
    """Delete every coupling of a mapping, then clear our company id from the rows of its filter that still carry it.

    It goes on where it was when it is interrupted and asked for again. Raises: NotFoundError; what Dataverse raises.
    """
    found = mapping_named(services, mapping)
    run, lines = Run(services, who, is_preview), list[Line]()
    with _job(run, found) as job:
        for _, some in pieces(run, found, job):
            lines += some
    return CommandResult(tuple(lines), is_preview=is_preview)


def pieces(run: Run, mapping: TableMapping, job: int, after: int = 0) -> Iterator[tuple[int, list[Line]]]:
    """The same piece by piece, behind the coupling *after*: up to which one it is done, and what was done."""
    seen: set[str] = set()
    for last, couples in _couplings_after(run.services, mapping, after):
        after = last
        lines = _with_contacts(run, mapping, couples, job)
        seen |= {line.dataverse_id for line in lines}
        yield after, lines
    if is_kept(mapping):
        for ids in stuck(run.services, mapping):
            yield after, _cleared_alone(run, mapping, [id_ for id_ in ids if id_ not in seen], job)


@dataclass(frozen=True)
class Run:
    services: Services
    who: str
    is_preview: bool


@contextmanager
def _job(run: Run, mapping: TableMapping) -> Iterator[int]:
    """The job that counts what is done; 0 in a preview, which has none."""
    if run.is_preview:
        yield 0
        return
    services, said = run.services, f"Delete Coupling by {run.who}"
    with services.database.writing() as connection:
        number = jobs.begin(connection, mapping.name, mapping.direction, services.clock(), JOB_TYPE)
    try:
        yield number
    except ReceiverError as error:
        said = f"{said}, interrupted: {error}"
        raise
    finally:
        with services.database.writing() as connection:
            jobs.finish(connection, number, services.clock(), said)


def _couplings_after(services: Services, mapping: TableMapping, after: int) -> Iterator[tuple[int, list[Coupling]]]:
    while True:
        query = select(coupling_rows.c.id, coupling_rows.c.local_id).where(coupling_rows.c.mapping == mapping.name)
        with services.database.reading() as connection:
            page = connection.execute(
                query.where(coupling_rows.c.id > after).order_by(coupling_rows.c.id).limit(TOGETHER)
            ).all()
            found = couplings.of_records(connection, mapping.name, [row.local_id for row in page])
        if not page:
            return
        after = page[-1].id
        yield after, list(found.values())


def _with_contacts(run: Run, mapping: TableMapping, pairs: Sequence[Coupling], job: int) -> list[Line]:
    lines: list[Line] = []
    contacts = _contacts_of(run.services, mapping, pairs)
    if contacts:
        of_contacts = mapping_named(run.services, CONTACT.mapping.name)
        with _job(run, of_contacts) as own:
            for start in range(0, len(contacts), TOGETHER):
                lines += _removed(run, of_contacts, contacts[start : start + TOGETHER], own)
    return lines + _removed(run, mapping, pairs, job)


def _contacts_of(services: Services, mapping: TableMapping, pairs: Sequence[Coupling]) -> list[Coupling]:
    """The coupled contacts that belong to one of these customers or vendors on both sides."""
    if mapping.name not in COMPANIES:
        return []
    accounts, columns = {one.local_id: one.dataverse_id for one in pairs}, CONTACT.table.c
    of_companies = (columns.company_type == mapping.local_table, columns.company_no.in_(list(accounts)))
    with services.database.reading() as connection:
        contacts = connection.execute(select(columns.no, columns.company_no).where(*of_companies))
        here: dict[str, str] = {row.no: row.company_no for row in contacts}
        found = list(couplings.of_records(connection, CONTACT.mapping.name, list(here)).values())
    if not found:
        return []
    rows = services.dataverse.read_many("contact", [one.dataverse_id for one in found], frozenset({PARENT}))
    there = {id_: row.values[PARENT] for id_, row in rows.items()}
    return [one for one in found if there.get(one.dataverse_id) == Reference("account", accounts[here[one.local_id]])]


def _removed(run: Run, mapping: TableMapping, pairs: Sequence[Coupling], job: int) -> list[Line]:
    services, table = run.services, mapping.dataverse_table
    ids = [one.dataverse_id for one in pairs]
    keeps_id = is_kept(mapping)
    if run.is_preview:
        foretold = cleared(services, mapping, ids, is_preview=True) if keeps_id else {}
        return _lines(mapping, pairs, foretold, would=True)
    with lanes_held(services, [(table, id_) for id_ in ids]) as held:
        free = [one for one in pairs if lanes.key_of(table, one.dataverse_id) in held]
        answers = cleared(services, mapping, [one.dataverse_id for one in free], is_preview=False) if keeps_id else {}
        with services.database.writing() as connection:
            still = _still_coupled(connection, mapping, free)
            for one in still:
                if answers.get(one.dataverse_id) is None:
                    couplings.remove(connection, one)
                    couplings.remember_uncoupling(connection, one, run.who, services.clock())
            end_failed_of_pairs(connection, mapping, [one.dataverse_id for one in still], services.clock())
            lines = _lines(mapping, still, answers) + _busy_lines(mapping, [one for one in pairs if one not in free])
            _count(connection, services, job, lines)
            give_back(connection, held.values())
    return lines


def _still_coupled(connection: Connection, mapping: TableMapping, pairs: Sequence[Coupling]) -> list[Coupling]:
    """Somebody may have uncoupled them while their lanes were waited for."""
    now = couplings.of_records(connection, mapping.name, [one.local_id for one in pairs])
    return [one for one in pairs if one.local_id in now and now[one.local_id].dataverse_id == one.dataverse_id]


def _cleared_alone(run: Run, mapping: TableMapping, ids: Sequence[str], job: int) -> list[Line]:
    answers = cleared(run.services, mapping, ids, is_preview=run.is_preview)
    lines = [_id_line(mapping, "", id_, error, would=run.is_preview) for id_, error in answers.items()]
    if not run.is_preview:
        with run.services.database.writing() as connection:
            _count(connection, run.services, job, lines)
    return lines


def _count(connection: Connection, services: Services, job: int, lines: Sequence[Line]) -> None:
    errors = [
        jobs.JobError(line.local_id, line.dataverse_id, line.sentence) for line in lines if line.counter == "failed"
    ]
    jobs.add(connection, job, [line.counter for line in lines], errors, services.clock())


def _lines(
    mapping: TableMapping,
    pairs: Sequence[Coupling],
    answers: Mapping[str, ReceiverError | None],
    *,
    would: bool = False,
) -> list[Line]:
    lines: list[Line] = []
    for one in pairs:
        if one.dataverse_id in answers:
            lines.append(_id_line(mapping, one.local_id, one.dataverse_id, answers[one.dataverse_id], would=would))
        if answers.get(one.dataverse_id) is None:
            pair = f"{called(mapping, one)} and {mapping.dataverse_table} {one.dataverse_id}"
            said = f"{pair} {'would no longer be' if would else 'are no longer'} coupled."
            ids = (one.local_id, one.dataverse_id)
            lines.append(Line(mapping.name, *ids, "RemoveCoupling", "uncoupled", "", said))
    return lines


def _id_line(mapping: TableMapping, key: str, id_: str, error: ReceiverError | None, *, would: bool) -> Line:
    row = f"{mapping.dataverse_table} {id_}"
    if error is not None:
        said = f"{row}: its company id could not be cleared, so the coupling stays: {error}"
        return Line(mapping.name, key, id_, "Fail", "failed", "REFUSED", said, "Mend what the message says; try again.")
    said = f"{row}: its company id {'would be' if would else 'is'} cleared."
    return Line(mapping.name, key, id_, "Modify", "modified", "", said, fields={COMPANY_ID: ["ours", None]})


def _busy_lines(mapping: TableMapping, pairs: Sequence[Coupling]) -> list[Line]:
    return [
        Line(mapping.name, one.local_id, one.dataverse_id, "Error", "failed", "", f"{called(mapping, one)}: {BUSY}")
        for one in pairs
    ]
