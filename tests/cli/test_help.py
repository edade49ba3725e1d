"""`--help` as somebody new reads it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from receiver.cli import receiver
from receiver.cli.explained import argument_name


def every(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    for name, inner in command.commands.items() if isinstance(command, click.Group) else ():
        yield from every(inner, (*path, name))


PAGES = Path(__file__).parents[2] / "docs" / "commands"
COMMANDS = list(every(receiver))


def help_of(path: tuple[str, ...], command: click.Command) -> str:
    parent = click.Context(receiver, info_name="receiver")
    return command.get_help(click.Context(command, info_name=" ".join(path), parent=parent))


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=[" ".join(path) for path, _ in COMMANDS])
def test_help_is_whole_sentences_and_says_what_each_argument_and_option_is(
    path: tuple[str, ...], command: click.Command
) -> None:
    text = help_of(path, command)
    usage, _, rest = text.partition("\n\n")

    assert "..." not in rest
    assert (command.help or "").strip()
    for one in command.params:
        if isinstance(one, click.Argument) and not isinstance(one.type, click.Choice):
            assert argument_name(one) in rest, usage
        elif isinstance(one, click.Option):
            assert one.help, one.opts


def test_each_command_has_a_page_with_an_example() -> None:
    pages = "\n".join(path.read_text(encoding="utf-8") for path in PAGES.glob("*.md"))
    for path, command in COMMANDS:
        if path and not isinstance(command, click.Group):
            assert re.search(rf"receiver {path[0]}\b", pages), path
            assert re.search(rf"\b{path[-1]}\b", pages), path
