"""Match-based coupling from the terminal."""

from __future__ import annotations

import click

from receiver.cli.outcome import print_result, print_told
from receiver.cli.shared import WHO, as_json, services, with_application
from receiver.cli.tasks import here, seen_through

TITLE = "Match-Based Coupling"


@click.command("match")
@click.argument("mappings", nargs=-1, metavar="MAPPING...")
@click.option("--all", "is_all", is_flag=True, help="Every enabled mapping.")
@click.option("--record", "keys", multiple=True, metavar="KEY", help="Only this local record; may be repeated.")
@click.option("--synchronize/--no-synchronize", default=None, help="Synchronize what was coupled; else as set.")
@click.option("--create-new/--no-create-new", default=None, help="Create in Dataverse what has no match; else as set.")
@click.option("--preview", "is_preview", is_flag=True, help="Say what would be done; nothing is written.")
@click.option("--token", default="", help="Of a preview: do what it said, or nothing.")
@here
@as_json
@with_application
def match_command(
    mappings: tuple[str, ...],
    is_all: bool,
    keys: tuple[str, ...],
    synchronize: bool | None,
    create_new: bool | None,
    is_preview: bool,
    token: str,
    here: bool,
    is_json: bool,
) -> None:
    """Match-Based Coupling: couple local records with the Dataverse rows that are equal to them."""
    from receiver.commands.coupling.match import match
    from receiver.commands.coupling.match_plan import Choices
    from receiver.commands.coupling.matching_task import start

    if is_all == bool(mappings):
        raise click.UsageError("Name at least one mapping, or --all.")
    if keys and len(mappings) != 1:
        raise click.UsageError("--record needs exactly one mapping.")
    choices = Choices(synchronize, create_new)
    if is_preview:
        result = match(services(), mappings, WHO, choices, keys=keys or None, is_preview=True, token=token)
        print_result(result, TITLE, is_json=is_json)
        return
    ended = seen_through(
        lambda: start(services(), mappings, WHO, choices, keys=keys or None, token=token), is_here=here, is_json=is_json
    )
    print_told(ended, TITLE, is_json=is_json)


COMMANDS = (match_command,)
