"""Each command that a message, a page or a document tells people to run exists, with the options that it names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from receiver.cli import receiver

ROOT = Path(__file__).parents[2]
#: what stands before a command in a sentence, as against a sentence about the receiver
BEFORE = r"(?:`|Run: |run: |again: |first: |on: |it: |; |to mend it: |To [a-z ,]+: |Couple: |^)"
COMMAND = re.compile(
    BEFORE + r"receiver ((?:[a-z][a-z-]*|--[a-z-]+|[A-Z{][\w{}.-]*|[\"“\w-]+)(?: [^`;,.()\n]+)?)", re.MULTILINE
)


def texts() -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / "receiver").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield str(path.relative_to(ROOT)), node.value
            elif isinstance(node, ast.JoinedStr):
                parts = (one.value if isinstance(one, ast.Constant) else "X" for one in node.values)
                yield str(path.relative_to(ROOT)), "".join(map(str, parts))
    for path in sorted((ROOT / "receiver").rglob("*.html")):
        yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")


def named() -> list[tuple[str, str]]:
    found = [(place, line.strip()) for place, text in texts() for line in COMMAND.findall(text)]
    return sorted({(place, line) for place, line in found if line.split()[0] in receiver.commands})


@pytest.mark.parametrize(("place", "line"), named(), ids=[f"{place}: {line}" for place, line in named()])
def test_a_command_that_a_message_names_exists(place: str, line: str) -> None:
    command: click.Command = receiver
    words = line.split()
    while isinstance(command, click.Group) and words and re.fullmatch(r"[a-z][a-z-]*", words[0]):
        inner = command.commands.get(words[0])
        assert inner is not None, f"{place}: receiver {line}: there is no {words[0]}"
        command, words = inner, words[1:]
    options = {option for one in command.params for option in (*one.opts, *one.secondary_opts)}
    for word in words:
        if re.fullmatch(r"--[a-z-]+", word):
            assert word in options, f"{place}: receiver {line}: {word} is no option"


def test_messages_name_commands() -> None:
    assert len(named()) > 40
