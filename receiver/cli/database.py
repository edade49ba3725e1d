"""The database's own schema."""

from __future__ import annotations

import click

from receiver.cli.shared import say, services, with_application


@click.command()
@with_application
def migrate() -> None:
    """Bring the database's schema up to date and install the shipped mappings."""
    from receiver.store import schema

    before, after = schema.migrate(services().database, services().clock())
    say(f"The schema is {after}." if before == after else f"The schema went from {before} to {after}.")


COMMANDS = (migrate,)
