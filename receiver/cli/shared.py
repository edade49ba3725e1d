"""What the commands share: the application, expected errors, `--json`, tables and readable values."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import wraps
from typing import Any

import click
from flask import Flask
from flask.cli import ScriptInfo

from receiver.cli.explained import ExplainedGroup
from receiver.core.visible import visible
from receiver.errors import InvalidMappingError, NotFoundError, ReceiverError, RefusedError
from receiver.services import Services
from receiver.web import application

FAILED, USAGE = 1, 2
#: what was asked for is wrong, or does not exist: nothing was changed
ASKED_WRONGLY = (NotFoundError, InvalidMappingError)
#: one makes the schema, one waits for a database that is away, one says that it is
MANAGES_ITS_SCHEMA = frozenset({"migrate", "worker", "doctor"})
WHO = "the terminal"
EMPTY = "-"

#: what databases can hold, and people mean
NUMBER = click.IntRange(1, 2**63 - 1)
LIMIT = click.IntRange(1, 1_000_000)
DAYS = click.IntRange(0, 36_500)

#: the option `--json`: the command prints with `print_json`
as_json = click.option("--json", "is_json", is_flag=True, help="Print JSON.")


class ReceiverGroup(ExplainedGroup):
    """Says an expected error in one sentence on standard error."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ReceiverError as error:
            say(str(error), err=True)
            ctx.exit(USAGE if isinstance(error, ASKED_WRONGLY) else FAILED)


# -- the application -------------------------------------------------------------------------------------------


services, settings = application.services, application.settings


def with_application(command: Callable[..., Any]) -> Callable[..., Any]:
    """Under `flask --app wsgi receiver …` the application is there; the console script makes it.

    Every command but `migrate` wants this version's schema. Raises: SchemaError with the command to run.
    """

    @click.pass_context
    @wraps(command)
    def within(ctx: click.Context, /, *args: Any, **kwargs: Any) -> Any:
        from receiver.store import schema

        flask_cli = ctx.find_object(ScriptInfo)
        app = _make_app() if flask_cli is None else flask_cli.load_app()
        made: Services = app.extensions["receiver"]
        try:
            with app.app_context():
                if ctx.info_name not in MANAGES_ITS_SCHEMA:
                    schema.check(made.database)
                with _a_person_waits(made):
                    return ctx.invoke(command, *args, **kwargs)
        finally:
            if flask_cli is None:
                made.close()

    return within


@contextmanager
def _a_person_waits(made: Services) -> Iterator[None]:
    """Who waits for Dataverse before the terminal is told so, once, and does not wait as long as a worker."""
    if made.client is None or click.get_current_context().info_name == "worker":
        yield
        return
    is_told = threading.Event()

    def tell() -> None:
        if not is_told.is_set():
            is_told.set()
            say("Waiting for Dataverse …", err=True)

    made.client.waited_for(tell)
    try:
        yield
    finally:
        made.client.waited_for(None)


def _make_app() -> Flask:
    from receiver import create_app

    return create_app()


@contextmanager
def writing(path: object) -> Iterator[None]:
    """A file that cannot be written ends the command with a sentence and exit code 2."""
    try:
        yield
    except OSError as error:
        raise click.UsageError(f"{path} cannot be written: {error.strerror}. Name another place.") from None


#: the option `--yes` of what writes many or cannot be taken back
sure = click.option("--yes", "is_sure", is_flag=True, help="Do not ask.")
#: the option `--preview`
previewed = click.option("--preview", "is_preview", is_flag=True, help="Say what would be done, and do nothing.")


def ask(question: str, *, is_sure: bool) -> None:
    """A person says yes before it is done. Raises: RefusedError where nobody does."""
    if is_sure:
        return
    try:
        is_meant = click.confirm(visible(question), err=True)
    except click.Abort:
        raise RefusedError("Nothing was done: nobody answered. Say --yes where it is meant.") from None
    if not is_meant:
        raise RefusedError("Nothing was done.")


# -- printing --------------------------------------------------------------------------------------------------


def say(text: str, *, err: bool = False) -> None:
    """A line. What comes from outside cannot begin another, nor steer the terminal."""
    click.echo(visible(text), err=err)


def print_json(data: Any) -> None:
    text = json.dumps(data, indent=2, ensure_ascii=False, default=str)
    click.echo("\n".join(line if line.isprintable() else _escaped(line) for line in text.split("\n")))


def _escaped(line: str) -> str:
    return "".join(one if one.isprintable() else json.dumps(one)[1:-1] for one in line)


def said(value: Any) -> str:
    """A value as people read it: on or off, a dash for nothing."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S} UTC"
    if isinstance(value, list | tuple):
        return ", ".join(map(said, value)) or EMPTY
    return EMPTY if value is None or value == "" else str(value)


def print_captioned(captions: Mapping[str, str], values: Mapping[Any, Any]) -> None:
    """A line for each of *captions*, `{name in values: caption}`."""
    for name, caption in captions.items():
        say(f"{caption}: {said(values[name])}")


def table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], notes: Sequence[str | Sequence[str]] = ()
) -> None:
    """Print a table: with lines and its title on a terminal, else as aligned text that other programs can read.

    Nothing is cut. *notes* has a text for each row, or its lines, which follow the row indented; empty: there is none.
    """
    texts = [[visible(str(value)) for value in row] for row in rows]
    below = [list(map(visible, [note] if isinstance(note, str) else note)) for note in notes] or [[] for _ in texts]
    if sys.stdout.isatty():
        _print_drawn(title, columns, texts, below)
        return
    widths = [max(map(len, column)) for column in zip(columns, *texts, strict=True)]
    for row, lines in zip([columns, *texts], [[], *below], strict=True):
        click.echo("  ".join(value.ljust(width) for value, width in zip(row, widths, strict=True)).rstrip())
        for line in filter(None, lines):
            click.echo(f"  {line}")


def _print_drawn(title: str, columns: Sequence[str], rows: list[list[str]], notes: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    drawn = Table(title=title, title_justify="left")
    for column in columns:
        drawn.add_column(column, overflow="fold")
    for (*first, last), lines in zip(rows, notes, strict=True):
        drawn.add_row(*first, "\n  ".join([last, *filter(None, lines)]))
    Console(markup=False, emoji=False, highlight=False).print(drawn)
