"""History of a record, and undo of its last change."""

from __future__ import annotations

import click

from receiver.cli.outcome import changed, print_result
from receiver.cli.shared import LIMIT, WHO, as_json, print_json, said, say, services, table, with_application
from receiver.commands.following import history as commands
from receiver.commands.following import undo as undo_command
from receiver.commands.following.history import Entry


@click.command()
@click.argument("table_name", metavar="TABLE")
@click.argument("id_", metavar="ID")
@click.option("--limit", default=50, show_default=True, type=LIMIT, help="At most so many.")
@as_json
@with_application
def history(table_name: str, id_: str, limit: int, is_json: bool) -> None:
    """List what synchronization changed of a record, newest first.

    TABLE is a Dataverse table with a guid as ID, or a local table or a mapping with a record's key.
    """
    found = commands.listed(services(), table_name, id_, limit)
    if is_json:
        print_json([one.plain() for one in found])
    elif not found:
        say(f"Nothing is remembered of {table_name} {id_}.")
    else:
        heads = ("NO", "AT", "MAPPING", "RECORD", "DIRECTION", "CHANGE", "WHY")
        table(f"History of {table_name} {id_}", heads, [_row(one) for one in found], [_note(one) for one in found])


@click.command()
@click.argument("table_name", metavar="TABLE")
@click.argument("id_", metavar="ID")
@click.option("--preview", "is_preview", is_flag=True, help="Say what would be done, and do nothing.")
@as_json
@with_application
def undo(table_name: str, id_: str, is_preview: bool, is_json: bool) -> None:
    """Take the last change of a record back, on both sides; TABLE and ID as for `history`."""
    result = undo_command.undo(services(), table_name, id_, WHO, is_preview=is_preview)
    print_result(result, f"Undo of {table_name} {id_}", is_json=is_json)


def _row(one: Entry) -> tuple[str, ...]:
    change = one.decision if one.undone_by is None else f"{one.decision}, undone by {one.undone_by}"
    return (str(one.id), said(one.at), one.mapping, one.local_id, one.direction, change, said(one.why))


def _note(one: Entry) -> str:
    return "; ".join(changed(one.fields))


COMMANDS = (history, undo)
