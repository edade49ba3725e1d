"""The gates before Dataverse: list, open."""

from __future__ import annotations

import click

from receiver.cli.explained import ExplainedGroup
from receiver.cli.shared import as_json, print_json, said, say, services, table, with_application


@click.group("gates", cls=ExplainedGroup)
def gates_group() -> None:
    """What keeps requests from Dataverse: a pause it asked for, or a set-up to mend."""


@gates_group.command("list")
@as_json
@with_application
def list_gates(is_json: bool) -> None:
    """List the closed gates, with the reason and what to do."""
    from receiver.commands.connection.gates import closed

    found = closed(services())
    if is_json:
        print_json([vars(one) for one in found])
        return
    heads = ("GATE", "KIND", "CLOSED", "LOOKED AT AGAIN", "LOOKS", "REASON")
    rows = [
        (one.name, _kind(is_set_up=one.is_set_up), said(one.closed_at), said(one.until), one.looks, one.reason)
        for one in found
    ]
    table("Gates", heads, rows)


def _kind(*, is_set_up: bool) -> str:
    return "set-up" if is_set_up else "pause"


@gates_group.command("open")
@click.argument("names", nargs=-1, metavar="[GATE]...")
@with_application
def open_gate(names: tuple[str, ...]) -> None:
    """Open gates, all where none is named: what waits is tried now."""
    from receiver.commands.connection.gates import open_gates

    opened = open_gates(services(), names)
    say(f"Open: {', '.join(opened)}. What waits is tried now." if opened else "No gate is closed.")


COMMANDS = (gates_group,)
