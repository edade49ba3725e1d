"""The steps to register in Dataverse."""

from __future__ import annotations

import click

from receiver.cli.shared import as_json, print_json, services, with_application
from receiver.commands.steps import steps_to_register


@click.group()
def steps() -> None:
    """The steps to register in Dataverse."""


@steps.command("list")
@as_json
@with_application
def list_steps(is_json: bool) -> None:
    """List steps, filtering attributes and images to register."""
    found = steps_to_register(services())
    if is_json:
        print_json(found)
        return
    for step in found:
        image = step["image"]
        click.echo(f"{step['message']} of {step['table']}: asynchronous, PostOperation")
        if step["filtering_attributes"]:
            click.echo(f"  filtering attributes: {','.join(step['filtering_attributes'])}")
        if image:
            click.echo(f"  {image['type']} image {image['alias']} of {image['message_property_name']}")
            click.echo(f"  its columns: {','.join(image['attributes'])}")


COMMANDS = (steps,)
