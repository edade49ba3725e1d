"""Couple, synchronize and uncouple records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from receiver.cli.outcome import print_result, print_told
from receiver.cli.shared import WHO, as_json, ask, say, services, sure, with_application
from receiver.cli.tasks import here, seen_through
from receiver.commands.coupling.delete_coupling import uncouple as uncouple_records
from receiver.commands.coupling.delete_coupling import uncouple_all
from receiver.commands.coupling.pairs import mapping_named
from receiver.commands.coupling.row_search import row_named
from receiver.commands.coupling.set_up_coupling import AfterCoupling, check_default, create_new
from receiver.commands.coupling.set_up_coupling import couple as couple_records
from receiver.commands.coupling.uncouple_all import start as start_uncoupling
from receiver.commands.result import CommandResult
from receiver.commands.synchronizing import synchronize_now as now

SET_UP, SYNCHRONIZE, DELETE = "Set Up Coupling", "Synchronize Now", "Delete Coupling"
preview_option = click.option("--preview", "is_preview", is_flag=True, help="Say what would be done, and do nothing.")


@click.command()
@click.argument("mapping")
@click.argument("key")
@click.option("--row", "row_id", type=click.UUID, help="The Dataverse row, by its id.")
@click.option("--name", help="The row of this name, or the first that begins so.")
@click.option("--create", is_flag=True, help="A new row of the local record's data.")
@click.option(
    "--synchronize",
    type=click.Choice([one.value for one in AfterCoupling]),
    help="After coupling: no, or whose data to use; by default what the mapping's direction says.",
)
@preview_option
@as_json
@with_application
def couple(
    mapping: str,
    key: str,
    row_id: Any,
    name: str | None,
    create: bool,
    synchronize: str | None,
    is_preview: bool,
    is_json: bool,
) -> None:
    """Couple a local record with a Dataverse row."""
    if [row_id is not None, name is not None, create].count(True) != 1:
        raise click.UsageError("Say which row: --row ID, --name TEXT or --create.")
    if create and synchronize not in {None, AfterCoupling.LOCAL}:
        raise click.UsageError("A new row is made of the local data: leave --synchronize out.")
    if create:
        _print(create_new(services(), mapping, key, WHO, is_preview=is_preview), SET_UP, is_json)
        return
    chosen = str(row_id) if row_id else row_named(services(), mapping, name or "")
    after = AfterCoupling(synchronize) if synchronize else None
    if after is None and not is_preview:
        check_default(services(), mapping, key, chosen)
    _print(couple_records(services(), mapping, key, chosen, WHO, after, is_preview=is_preview), SET_UP, is_json)


@click.command()
@click.argument("mapping")
@click.argument("keys", metavar="KEY...", nargs=-1, required=True)
@click.option(
    "--direction", type=click.Choice([one.value for one in now.Choice]), help="To or from Dataverse, or both."
)
@click.option("--force", "is_forced", is_flag=True, help="Overwrite what has changed where it is written.")
@preview_option
@click.option("--token", default="", help="Of a preview: nothing is done if a record has changed since.")
@as_json
@with_application
def synchronize(
    mapping: str,
    keys: tuple[str, ...],
    direction: str | None,
    is_forced: bool,
    is_preview: bool,
    token: str,
    is_json: bool,
) -> None:
    """Synchronize coupled records now, named by their local keys or Dataverse ids."""
    chosen = now.Choice(direction) if direction else _default_direction(mapping, keys)
    found = now.synchronize_now(
        services(), mapping, keys, chosen, WHO, is_forced=is_forced, is_preview=is_preview, token=token
    )
    _print(found, SYNCHRONIZE, is_json)


def _default_direction(mapping: str, keys: Sequence[str]) -> now.Choice:
    """What is preselected, as long as nothing can be lost by it."""
    if len(keys) > 1:
        direction = now.only_direction(mapping_named(services(), mapping))
        if direction is None:
            raise click.UsageError("Several records go in one direction: say --direction to or from.")
        return direction
    asked = now.choices(services(), mapping, keys[0])
    if asked.default is None or (asked.warning and asked.default is not now.Choice.MERGE):
        offered = " or ".join(asked.choices)
        raise click.UsageError(f"{asked.warning} If that is meant, say --direction {offered}.")
    return asked.default


@click.command()
@click.argument("mapping")
@click.argument("keys", metavar="[KEY]...", nargs=-1)
@click.option("--all", "is_all", is_flag=True, help="Every coupling of the mapping.")
@sure
@preview_option
@here
@as_json
@with_application
def uncouple(
    mapping: str, keys: tuple[str, ...], is_all: bool, is_sure: bool, is_preview: bool, here: bool, is_json: bool
) -> None:
    """Delete couplings; no record is deleted."""
    if bool(keys) is is_all:
        raise click.UsageError("Name the records, or say --all.")
    if not is_all:
        _print(uncouple_records(services(), mapping, keys, WHO, is_preview=is_preview), DELETE, is_json)
        return
    name = mapping_named(services(), mapping).name
    if not is_preview:
        ask(f"Delete every coupling of {name}?", is_sure=is_sure)
    if is_preview:
        _print(uncouple_all(services(), name, WHO, is_preview=True), DELETE, is_json)
        return
    ended = seen_through(lambda: start_uncoupling(services(), name, WHO), is_here=here, is_json=is_json)
    print_told(ended, DELETE, is_json=is_json)


def _print(found: CommandResult, title: str, is_json: bool) -> None:
    print_result(found, title, is_json=is_json)
    if found.token and not is_json:
        say(f"To do exactly this: --token {found.token}")


COMMANDS = (couple, synchronize, uncouple)
