"""Records and the rows that they are coupled to."""

from __future__ import annotations

from typing import Any

import click

from receiver.cli.outcome import value_said
from receiver.cli.shared import EMPTY, LIMIT, as_json, print_json, said, say, services, table, with_application
from receiver.commands.following import record_list
from receiver.commands.following.record_list import Kind
from receiver.commands.following.records import coupled_to, record_of
from receiver.core.values import guid


@click.command()
@click.argument("mapping")
@click.option("--coupled", "kind", flag_value=Kind.COUPLED, type=Kind, help="Only coupled ones.")
@click.option("--uncoupled", "kind", flag_value=Kind.UNCOUPLED, type=Kind, help="Only ones that are not coupled.")
@click.option("--failed", "kind", flag_value=Kind.FAILED, type=Kind, help="Only ones that are skipped or failed last.")
@click.option("--find", default="", metavar="TEXT", help="Only those whose key or name holds the text.")
@click.option("--after", default="", metavar="KEY", help="Go on behind this key.")
@click.option("--limit", default=record_list.FIRST_RECORDS, show_default=True, type=LIMIT, help="At most so many.")
@as_json
@with_application
def records(mapping: str, kind: Kind | None, find: str, after: str, limit: int, is_json: bool) -> None:
    """List the local records of a mapping, and what each is coupled to."""
    found = record_list.listed(services(), mapping, kind or Kind.ALL, find, after, limit)
    if is_json:
        print_json([vars(one) for one in found])
        return
    if not found:
        say("There is no such record.")
        return
    heads = ("RECORD", "NAME", "STATE", "DATAVERSE ROW", "IN FILTER")
    rows = [
        (one.id, one.name or EMPTY, one.state, one.dataverse_id or EMPTY, "yes" if one.is_inside_filter else "no")
        for one in found
    ]
    table(f"Records of {mapping.upper()}", heads, rows)
    if len(found) == limit:
        say(f"To go on: --after {found[-1].id}")


@click.command()
@click.argument("table_name", metavar="TABLE")
@click.argument("id_", metavar="ID")
@as_json
@with_application
def show(table_name: str, id_: str, is_json: bool) -> None:
    """Show a record and what it is coupled to.

    TABLE is a Dataverse table, such as account, with a row's guid as ID; or a mapping or local table with a key.
    """
    row_id = guid(id_)
    found = coupled_to(services(), table_name.lower(), row_id) if row_id else record_of(services(), table_name, id_)
    if is_json:
        print_json(found)
        return
    if not found:
        say(f"Nothing is coupled to {table_name} {id_}.")
    for one in found:
        _print(one)


def _print(one: dict[str, Any]) -> None:
    coupling = one["coupling"]
    if coupling is None:
        say(f"{one['mapping']}: {one['key']}, not coupled")
    else:
        say(f"{one['mapping']}: {one['key']}, coupled to {coupling['dataverse_id']}{_state(coupling)}")
    for name, value in (one["record"] or {"(deleted)": ""}).items():
        say(f"  {name}: {said(None) if value is None or value == '' else value_said(value)}")
    for name, note in (coupling or {"notes": {}})["notes"].items():
        say(f"  Note on {name}: {note}")
    for caption, run in (("from", "last_from"), ("to", "last_to")):
        if coupling and coupling[run]["error"]:
            say(f"  Last run {caption} Dataverse failed: {coupling[run]['error']}")


def _state(coupling: dict[str, Any]) -> str:
    return ", skipped" if coupling["skipped"] else ""


COMMANDS = (records, show)
