"""The steps in Dataverse: list what is wanted, register, check, remove."""

from __future__ import annotations

import click

from receiver.cli.explained import ExplainedGroup
from receiver.cli.shared import FAILED, WHO, as_json, print_json, say, services, with_application
from receiver.commands.connection.steps import steps_to_register
from receiver.errors import RefusedError


@click.group(cls=ExplainedGroup)
def steps() -> None:
    """The steps in Dataverse: list, register, check, remove."""


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
        say(f"{step['message']} of {step['table']}: asynchronous, PostOperation")
        if step["filtering_attributes"]:
            say(f"  filtering attributes: {','.join(step['filtering_attributes'])}")
        if image:
            say(f"  {image['type']} image {image['alias']} of {image['message_property_name']}")
            say(f"  its columns: {','.join(image['attributes'])}")


@steps.command()
@click.option("--preview", "is_preview", is_flag=True, help="Say what would be done, and do nothing.")
@click.option(
    "--catch-up", "is_catch_up", is_flag=True, help="Start a run of each mapping that may have missed changes."
)
@click.option("--take-over", "takes_over", is_flag=True, help="Replace what another installation has registered.")
@as_json
@with_application
def register(is_preview: bool, is_catch_up: bool, takes_over: bool, is_json: bool) -> None:
    """Register service endpoint, steps and images in Dataverse, as the mappings want them."""
    from receiver.commands.connection import register_steps as command

    if is_preview and is_catch_up:
        raise click.UsageError("Name --preview or --catch-up, not both.")
    found = command.register(
        services(),
        WHO,
        is_preview=is_preview,
        takes_over=takes_over,
        done=lambda one: None if is_json else say(one.words),
    )
    tasks = command.catch_up(services(), WHO) if is_catch_up else []
    if is_json:
        print_json({**found.plain(), "tasks": tasks})
        return
    for words in found.actions if is_preview else ():
        say(f"Would: {words}")
    for words in ("Nothing is to be done.",) if not found.actions else ():
        say(words)
    for note in found.notes:
        say(note)
    for number in tasks:
        say(f"A run has been started: receiver tasks show {number}")
    if found.catch_up and not tasks:
        after = "Afterwards" if is_preview else "Now"
        say(
            f"Changes made in Dataverse while a step was off, lacking or new were not told "
            f"({', '.join(found.catch_up)}). A worker's catch-up finds them within minutes. {after}, at once: "
            "receiver steps register --catch-up"
        )


@steps.command()
@as_json
@with_application
def check(is_json: bool) -> None:
    """Compare what is registered with what the mappings want. The exit code is 1 when they differ."""
    from receiver.commands.connection.check_steps import check as find

    found = find(services())
    if is_json:
        print_json([{**vars(one), "mappings": list(one.mappings)} for one in found])
    for one in () if is_json else found:
        say(f"{one.words} {_remedy(one.remedy)}")
    if not found and not is_json:
        say("Everything is registered as the mappings want it.")
    if found:
        click.get_current_context().exit(FAILED)


def _remedy(remedy: str) -> str:
    return f"→ {remedy}"


@steps.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
@with_application
def remove(yes: bool, is_json: bool) -> None:
    """Remove our steps, then our service endpoint: Dataverse tells nothing any more."""
    from receiver.commands.connection import register_steps as command

    planned = command.plan_removal(services())
    if planned and not yes:
        for one in planned:
            say(one.words, err=True)
        if not click.confirm("Remove these from Dataverse?", err=True):
            raise RefusedError("Nothing was removed.")
    done = command.remove(services(), WHO)
    if is_json:
        print_json(done)
        return
    for words in done or ("Nothing of ours is registered.",):
        say(words)


COMMANDS = (steps,)
