"""Match-based coupling from the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from receiver.cli.outcome import print_result
from receiver.cli.shared import WHO, as_json, services, with_application

if TYPE_CHECKING:
    from receiver.commands.match import Tell


@click.command("match")
@click.argument("mappings", nargs=-1, metavar="MAPPING...")
@click.option("--all", "is_all", is_flag=True, help="Every enabled mapping.")
@click.option("--record", "keys", multiple=True, metavar="KEY", help="Only this local record; may be repeated.")
@click.option("--synchronize/--no-synchronize", default=None, help="Synchronize what was coupled; else as set.")
@click.option("--create-new/--no-create-new", default=None, help="Create in Dataverse what has no match; else as set.")
@click.option("--preview", "is_preview", is_flag=True, help="Say what would be done; nothing is written.")
@click.option("--token", default="", help="Of a preview: do what it said, or nothing.")
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
    is_json: bool,
) -> None:
    """Match-Based Coupling: couple local records with the Dataverse rows that are equal to them."""
    from receiver.commands.match import match
    from receiver.commands.match_plan import Choices

    if is_all == bool(mappings):
        raise click.UsageError("Name at least one mapping, or --all.")
    if keys and len(mappings) != 1:
        raise click.UsageError("--record needs exactly one mapping.")
    choices = Choices(synchronize, create_new)
    with _progress() as tell:
        result = match(
            services(), mappings, WHO, choices, keys=keys or None, is_preview=is_preview, token=token, tell=tell
        )
    print_result(result, "Match-Based Coupling", is_json=is_json)


@contextmanager
def _progress() -> Iterator[Tell]:
    """A line for each step on a terminal, with its count; nothing where the output is no terminal."""
    if not sys.stderr.isatty():
        yield lambda _what, _count: None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description} {task.completed:.0f}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        steps: dict[str, TaskID] = {}

        def tell(what: str, count: int) -> None:
            if what not in steps:
                steps[what] = progress.add_task(what, total=None)
            progress.advance(steps[what], count)

        yield tell


COMMANDS = (match_command,)
