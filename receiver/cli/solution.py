"""The button as a solution file."""

from __future__ import annotations

from pathlib import Path

import click

from receiver.cli.explained import ExplainedGroup
from receiver.cli.shared import say, services, settings, with_application, writing


@click.group(cls=ExplainedGroup)
def solution() -> None:
    """The button as a solution file, for the classic ribbon."""


@solution.command("build")
@click.option(
    "--output",
    default="receiver_ribbon.zip",
    show_default=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write.",
)
@click.option(
    "--language",
    "languages",
    multiple=True,
    type=click.IntRange(1025, 65535),
    default=(1033,),
    show_default=True,
    help="Language code of your environment; may be repeated, its base language first.",
)
@with_application
def build_solution(output: Path, languages: tuple[int, ...]) -> None:
    """Write an unmanaged solution with a ribbon button for each table that has an enabled mapping."""
    from receiver.commands.connection.solution import build

    built = build(services(), settings().public_url, languages)
    with writing(output):
        output.write_bytes(built.content)
    say(f"{output}: a ribbon button for {', '.join(built.tables)}. Import it, then publish all customizations.")


COMMANDS = (solution,)
