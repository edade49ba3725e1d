"""Dataverse rows to couple with."""

from __future__ import annotations

import click

from receiver.cli.shared import EMPTY, as_json, print_json, say, services, table, with_application
from receiver.commands.coupling.row_list import FIRST_ROWS, rows_offered


@click.command()
@click.argument("mapping")
@click.option("--begins", default="", metavar="TEXT", help="Only rows whose name begins so.")
@click.option("--key", default="", metavar="KEY", help="A local record: the row that it is coupled to comes first.")
@click.option("--limit", default=FIRST_ROWS, show_default=True, type=click.IntRange(1, 1000), help="At most so many.")
@as_json
@with_application
def rows(mapping: str, begins: str, key: str, limit: int, is_json: bool) -> None:
    """List the Dataverse rows that a mapping may couple, and which it has coupled."""
    found = rows_offered(services(), mapping, key=key, begins=begins, limit=limit)
    if is_json:
        print_json([vars(one) for one in found])
        return
    if not found:
        begun = f" with a name that begins with “{begins}”" if begins else ""
        say(f"No row{begun} is inside the integration table filter of {mapping.upper()}.")
        return
    heads = ("NAME", "DATAVERSE ROW", "COUPLED", "RECORD")
    table("Dataverse rows", heads, [(one.name, one.id, one.coupled, one.local_id or EMPTY) for one in found])


COMMANDS = (rows,)
