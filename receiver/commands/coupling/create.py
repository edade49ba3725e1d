"""Create in Dataverse, Create from Dataverse: new records on the other side for records that are not coupled.

Source: BC C5330.CreateNewRecordsInCRM, CreateNewRecordsFromCRM; reference §5.4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import Connection

from receiver.commands.coupling.chosen_records import unknown_records, unknown_rows
from receiver.commands.coupling.pairs import Pair, mapping_named, pairs_of
from receiver.commands.result import CommandResult, Line, carried_out
from receiver.core.coupling import Coupling
from receiver.core.mapping import Direction, TableMapping
from receiver.dataverse.columns import CHANGE_COLUMNS
from receiver.engine.coalesce import Ask
from receiver.errors import RefusedError
from receiver.runs.carry_out import Wanted, wanted_from, wanted_to
from receiver.services import Services
from receiver.store import couplings
from receiver.store.local_tables import LocalTable
from receiver.tables import BY_NAME


def create_in_dataverse(
    services: Services, mapping: str, keys: Sequence[str], who: str, *, is_preview: bool = False, token: str = ""
) -> CommandResult:
    """A row for each of these local records, whatever *Synch. Only Coupled Records* says.

    One that is coupled already is skipped; a coupling whose row was deleted is removed, and the record used.
    Raises: NotFoundError for a record that does not exist; RefusedError; StalePreviewError.
    """
    found = _allowing(services, mapping, Direction.TO)
    chosen = list(dict.fromkeys(keys))
    with services.database.reading() as connection:
        local = LocalTable(connection, BY_NAME[found.local_table])
        missing = sorted(set(chosen) - {one.id for one in local.get_all(chosen)})
        coupled = couplings.of_records(connection, found.name, chosen)
    if missing:
        raise unknown_records(found, missing)
    ask = Ask(is_click=True, creates_new=True, may_create=True, why=f"Create in Dataverse by {who}")

    def wanted(some: Sequence[str]) -> list[Wanted]:
        return wanted_to(services, found.name, some, ask)

    return _created(services, found, (chosen, coupled), wanted, is_preview=is_preview, token=token)


def create_from_dataverse(
    services: Services, mapping: str, ids: Sequence[str], who: str, *, is_preview: bool = False, token: str = ""
) -> CommandResult:
    """A local record for each of these rows; as `create_in_dataverse`.

    Raises: as it does, NotFoundError for a row that does not exist.
    """
    found = _allowing(services, mapping, Direction.FROM)
    chosen = list(dict.fromkeys(ids))
    with services.database.reading() as connection:
        coupled = _coupled_rows(connection, found, chosen)
    new = [id_ for id_ in chosen if id_ not in coupled]
    there = services.dataverse.read_many(found.dataverse_table, new, CHANGE_COLUMNS) if new else {}
    if missing := [id_ for id_ in new if id_ not in there]:
        raise unknown_rows(found, missing)
    ask = Ask(is_click=True, creates_new=True, may_create=True, why=f"Create from Dataverse by {who}")

    def wanted(some: Sequence[str]) -> list[Wanted]:
        return wanted_from(found.name, found.dataverse_table, some, ask)

    return _created(services, found, (chosen, coupled), wanted, is_preview=is_preview, token=token)


def _allowing(services: Services, name: str, toward: Direction) -> TableMapping:
    """Raises: NotFoundError; RefusedError where the mapping does not go there."""
    mapping = mapping_named(services, name)
    if not mapping.is_enabled:
        raise RefusedError(f"{mapping.name} is switched off. Enable it first.")
    if not mapping.direction.allows(toward):
        raise RefusedError(f"{mapping.name} goes {mapping.direction} alone. Set it to Bidirectional or {toward} first.")
    return mapping


def _coupled_rows(connection: Connection, mapping: TableMapping, ids: Sequence[str]) -> dict[str, Coupling]:
    found = couplings.of_rows(connection, ids)
    return {id_: found[id_][mapping.name] for id_ in ids if mapping.name in found.get(id_, {})}


def _created(
    services: Services,
    mapping: TableMapping,
    chosen: tuple[Sequence[str], Mapping[str, Coupling]],
    wanted: Callable[[Sequence[str]], list[Wanted]],
    *,
    is_preview: bool,
    token: str,
) -> CommandResult:
    keys, coupled = chosen
    pairs = dict(zip(coupled, pairs_of(services, mapping, list(coupled.values())), strict=True))
    stale = {key: pair for key, pair in pairs.items() if pair.local is None or pair.row_is_gone}
    lines = [_already_coupled(pair) for key, pair in pairs.items() if key not in stale]
    done = carried_out(services, wanted([key for key in keys if key not in pairs]), is_preview=is_preview, token=token)
    if is_preview:
        again = tuple(_would_create(pair) for pair in stale.values())
    else:
        again = _created_again(services, stale, wanted)
    return CommandResult((*lines, *done.lines, *again), is_preview=is_preview, token=done.token)


def _created_again(
    services: Services, stale: Mapping[str, Pair], wanted: Callable[[Sequence[str]], list[Wanted]]
) -> tuple[Line, ...]:
    if not stale:
        return ()
    with services.database.writing() as connection:
        for pair in stale.values():
            couplings.remove(connection, pair.coupling)
    return carried_out(services, wanted(list(stale))).lines


def _already_coupled(pair: Pair) -> Line:
    return pair.line("Skip", "skipped", f"{pair.caption} and {pair.row_caption} are coupled already.")


def _would_create(pair: Pair) -> Line:
    gone = pair.caption if pair.local is None else pair.row_caption
    return pair.line("Insert", "inserted", f"{gone} was deleted: its coupling would be removed, and it is made anew.")
