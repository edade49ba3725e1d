"""Create in Dataverse, Create from Dataverse."""

from __future__ import annotations

from collections.abc import Sequence

import click

from receiver.cli.explained import ExplainedGroup
from receiver.cli.outcome import print_result
from receiver.cli.shared import WHO, as_json, previewed, services, with_application
from receiver.commands.coupling.create import create_from_dataverse, create_in_dataverse
from receiver.core.values import guid


@click.group(cls=ExplainedGroup)
def create() -> None:
    """Create records on the other side, and couple them."""


@create.command("to")
@click.argument("mapping")
@click.argument("keys", metavar="KEY...", nargs=-1, required=True)
@previewed
@as_json
@with_application
def create_to(mapping: str, keys: Sequence[str], is_preview: bool, is_json: bool) -> None:
    """Create in Dataverse: a row for each of these local records."""
    result = create_in_dataverse(services(), mapping, keys, WHO, is_preview=is_preview)
    print_result(result, "Create in Dataverse", is_json=is_json)


@create.command("from")
@click.argument("mapping")
@click.argument("keys", metavar="GUID...", nargs=-1, required=True)
@previewed
@as_json
@with_application
def create_from(mapping: str, keys: Sequence[str], is_preview: bool, is_json: bool) -> None:
    """Create from Dataverse: a local record for each of these rows."""
    ids: list[str] = []
    for key in keys:
        id_ = guid(key)
        if id_ is None:
            raise click.BadParameter(f"“{key}” is no guid.")
        ids.append(id_)
    result = create_from_dataverse(services(), mapping, ids, WHO, is_preview=is_preview)
    print_result(result, "Create from Dataverse", is_json=is_json)


COMMANDS = (create,)
