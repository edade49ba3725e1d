"""What can be looked up: the rules, the settings and Dataverse's answers, as the code has them."""

from __future__ import annotations

import click


@click.command()
def rules() -> None:
    """Print the decision table, from the code."""
    from receiver.commands.mappings.rules import decision_table

    click.echo(decision_table())


@click.command()
def settings() -> None:
    """Print every setting with its meaning, as .env.example has it."""
    from receiver.config import example

    click.echo("\n".join(example()))


@click.command()
def answers() -> None:
    """Print what Dataverse's codes mean and what to do about each, from the code."""
    from receiver.commands.connection.answer_table import answer_tables

    click.echo(answer_tables())


COMMANDS = (rules, settings, answers)
