"""Records and the rows that they are coupled to."""

from __future__ import annotations

import click

from receiver.cli.shared import as_json, print_json, said, say, services, with_application
from receiver.commands.following.records import coupled_to
from receiver.core.values import guid
from receiver.errors import NotFoundError


@click.command()
@click.argument("table")
@click.argument("row_id", metavar="GUID")
@as_json
@with_application
def show(table: str, row_id: str, is_json: bool) -> None:
    """Show what is coupled to a row of Dataverse; TABLE is its table, such as account."""
    id_ = guid(row_id)
    if id_ is None:
        raise click.BadParameter(f"“{row_id}” is no guid.")
    found = coupled_to(services(), table.lower(), id_)
    if is_json:
        print_json(found)
        return
    if not found:
        raise NotFoundError(f"Nothing is coupled to {table} {id_}.")
    for one in found:
        say(f"{one['mapping']}: {one['coupling']['local_id']}")
        for name, value in (one["record"] or {"(deleted)": ""}).items():
            say(f"  {name}: {said(value)}")
        for name, note in one["coupling"]["notes"].items():
            say(f"  Note on {name}: {note}")


COMMANDS = (show,)
