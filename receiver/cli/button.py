"""The command *Business Central* on the forms of Sales."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from receiver.cli.explained import ExplainedGroup
from receiver.cli.shared import FAILED, as_json, print_json, say, services, settings, with_application

if TYPE_CHECKING:
    from receiver.commands.connection.button import ButtonResult

USAGE = 2
AS_IT_SHOULD_BE = "The button is installed as it should be."
preview = click.option("--preview", "is_preview", is_flag=True, help="Say what would be done; nothing is written.")
with_custom_api = click.option("--with-custom-api", is_flag=True, help="And the Custom API that raises our message.")


@click.group(cls=ExplainedGroup)
def button() -> None:
    """The button Business Central on the forms of Sales: install, check, remove."""


@button.command("install")
@with_custom_api
@preview
@as_json
@with_application
def install_button(with_custom_api: bool, is_preview: bool, is_json: bool) -> None:
    """Install the button for every table with an enabled mapping, take it from the others, and publish."""
    from receiver.commands.connection.button import install

    found = install(services(), settings().public_url, with_custom_api=with_custom_api, is_preview=is_preview)
    _print(found, AS_IT_SHOULD_BE, is_json=is_json)


@button.command("check")
@as_json
@with_application
def check_button(is_json: bool) -> None:
    """Say what differs from what install would leave. Exit code 1: something does."""
    from receiver.commands.connection.button import INSTALL, check

    found = check(services(), settings().public_url)
    if is_json:
        print_json([vars(one) for one in found])
    else:
        for one in found:
            say(one.words)
        say(f"Run: {INSTALL}" if found else AS_IT_SHOULD_BE)
    if found:
        click.get_current_context().exit(FAILED)


@button.command("remove")
@with_custom_api
@click.option("--yes", is_flag=True, help="Do not ask first.")
@preview
@as_json
@with_application
def remove_button(with_custom_api: bool, yes: bool, is_preview: bool, is_json: bool) -> None:
    """Take the commands and their script away again."""
    from receiver.commands.connection.button import remove

    if not yes and not is_preview:
        click.confirm("Remove the button from every form of this environment?", abort=True, err=True)
    found = remove(services(), with_custom_api=with_custom_api, is_preview=is_preview)
    _print(found, "No button of ours is there.", is_json=is_json)


@button.command("use-microsofts")
@click.option("--name", default="Receiver", show_default=True, help="What people choose where there are several.")
@click.option("--undo", "is_undone", is_flag=True, help="Delete our connection again.")
@preview
@as_json
@with_application
def use_microsofts_button(name: str, is_undone: bool, is_preview: bool, is_json: bool) -> None:
    """Let the button of Microsoft's own integration solution open this receiver."""
    from receiver.commands.connection.microsofts_button import NoIntegrationSolutionError, use_microsofts

    address = settings().public_url
    try:
        found = use_microsofts(services(), address, name, is_undone=is_undone, is_preview=is_preview)
    except NoIntegrationSolutionError as error:
        say(str(error), err=True)
        click.get_current_context().exit(USAGE)
    _print(found, "Nothing is to be done.", is_json=is_json)


def _print(found: ButtonResult, nothing: str, *, is_json: bool) -> None:
    if is_json:
        print_json(found.plain())
        return
    for words in found.actions or (nothing,):
        say(words)
    if found.published:
        does = "Would publish" if found.is_preview else "Published"
        say(f"{does}: {', '.join(found.published)}.")


COMMANDS = (button,)
