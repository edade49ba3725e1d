"""The terminal: the same commands as the pages. Exit codes: 0 done, 1 failed or refused, 2 asked for wrongly.

In come words of a terminal, out go lines and an exit code. A module holds one group of commands and names them in
`COMMANDS`; what is slow to import is imported by the command that needs it. Read `coupling.py` first.
"""

from __future__ import annotations

import click
from flask import Flask

from receiver.cli import (
    button,
    connection,
    coupling,
    create,
    database,
    errors,
    gates,
    history,
    inbox,
    jobs,
    keys,
    local_changes,
    mapping_files,
    mappings,
    match,
    programs,
    records,
    reference,
    rows,
    runs,
    sandbox,
    schedule,
    solution,
    status,
    steps,
    tasks,
    verify,
)
from receiver.cli.explained import explain
from receiver.cli.shared import ReceiverGroup

MODULES = (
    programs,
    status,
    connection,
    sandbox,
    database,
    reference,
    records,
    rows,
    coupling,
    mappings,
    mapping_files,
    match,
    inbox,
    keys,
    gates,
    local_changes,
    jobs,
    steps,
    button,
    solution,
    errors,
    create,
    runs,
    schedule,
    tasks,
    verify,
    history,
)


@click.group(cls=ReceiverGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="receiver")
def receiver() -> None:
    """Keep a company's own SQL database coupled and synchronized with Dataverse.

    `receiver COMMAND --help` explains each command. Exit codes: 0 done, 1 failed or refused, 2 asked for wrongly, and
    then nothing was changed.
    """


for module in MODULES:
    for command in module.COMMANDS:
        receiver.add_command(command)
explain(receiver)


def init_app(app: Flask) -> None:
    app.cli.add_command(receiver)


def main() -> None:
    """The console script: the application is made when a command needs it."""
    receiver(obj=None, prog_name="receiver")
