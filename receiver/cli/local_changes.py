"""Local edits that go to Dataverse at once: install, remove and show the trigger that tells of them."""

from __future__ import annotations

import click

from receiver.cli.explained import ExplainedGroup
from receiver.cli.shared import as_json, print_json, said, say, services, table, with_application


@click.group("local-changes", cls=ExplainedGroup)
def local_changes() -> None:
    """Let edits of local records go to Dataverse within a second (PostgreSQL)."""


@local_changes.command("install")
@click.argument("mapping")
@with_application
def install_trigger(mapping: str) -> None:
    """Hang a trigger on the mapping's local table."""
    from receiver.commands.mappings.local_changes import install

    _check_database()
    done = install(services(), mapping)
    say(f"Edits of {done.table} go to Dataverse under {done.mapping} while a worker runs.")


@local_changes.command("remove")
@click.argument("mapping")
@with_application
def remove_trigger(mapping: str) -> None:
    """Take the trigger off; edits then wait for the next run."""
    from receiver.commands.mappings.local_changes import remove

    _check_database()
    done = remove(services(), mapping)
    say(f"Edits of {done.table} wait for the next run: receiver mappings run {done.mapping} --direction to")


@local_changes.command("show")
@click.argument("mapping", required=False, default="")
@click.option("--sql", "is_sql", is_flag=True, help="Print the statements that install it.")
@as_json
@with_application
def show_triggers(mapping: str, is_sql: bool, is_json: bool) -> None:
    """Say which tables tell of their edits."""
    from receiver.commands.mappings.local_changes import show

    _check_database()
    found = show(services(), mapping)
    if is_json:
        print_json([vars(one) for one in found])
    elif is_sql:
        click.echo("\n\n".join(dict.fromkeys(one.sql for one in found)))
    else:
        rows = [(one.mapping, one.table, said(one.is_installed)) for one in found]
        table("Local changes", ("MAPPING", "TABLE", "TRIGGER"), rows)


def _check_database() -> None:
    from receiver.commands.mappings.local_changes import NOT_OFFERED

    if services().database.is_sqlite:
        raise click.UsageError(NOT_OFFERED)


COMMANDS = (local_changes,)
