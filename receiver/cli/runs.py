"""Runs of whole mappings, and of all of them."""

from __future__ import annotations

import click

from receiver.cli.mappings import mappings
from receiver.cli.outcome import print_result
from receiver.cli.shared import WHO, as_json, ask, print_json, said, services, sure, table, with_application
from receiver.cli.tasks import here, started

DIRECTIONS = ("to", "from", "both")


@mappings.command("run")
@click.argument("mapping", required=False, default="")
@click.option(
    "--direction", type=click.Choice(DIRECTIONS), default="both", show_default=True, help="To or from Dataverse."
)
@click.option("--full", is_flag=True, help="Everything inside the filter, not only what changed.")
@click.option("--unconditional", is_flag=True, help="The same by force; for one-way mappings.")
@click.option("--preview", "is_preview", is_flag=True, help="Say what would be done, and do nothing.")
@here
@as_json
@with_application
def run_mapping(
    mapping: str, direction: str, full: bool, unconditional: bool, is_preview: bool, here: bool, is_json: bool
) -> None:
    """Run a mapping, or all of them: Synchronize Modified Records, or a full synchronization."""
    from receiver.commands.synchronizing import run_mapping as run
    from receiver.core.mapping import Direction
    from receiver.runs.run_pages import Scope

    if full and unconditional:
        raise click.UsageError("Name --full or --unconditional, not both.")
    scope = Scope.UNCONDITIONAL if unconditional else Scope.FULL if full else Scope.MODIFIED
    toward = {"to": Direction.TO, "from": Direction.FROM, "both": None}[direction]
    if is_preview:
        would = (
            run.preview(services(), mapping, WHO, toward, scope)
            if mapping
            else run.preview_all(services(), WHO, toward, scope)
        )
        print_result(would, "What would be done", is_json=is_json)
    elif mapping:
        started(lambda: run.start(services(), mapping, WHO, toward, scope), is_here=here, is_json=is_json)
    else:
        started(lambda: run.start_all(services(), WHO, toward, scope), is_here=here, is_json=is_json)


@click.command("full-synchronization")
@click.option("--review", "is_review", is_flag=True, help="Only say what is recommended for each mapping.")
@click.option("--full", "full", multiple=True, metavar="MAPPING", help="Recommend Full Synchronization for it.")
@sure
@here
@as_json
@with_application
def full_synchronization(is_review: bool, full: tuple[str, ...], is_sure: bool, here: bool, is_json: bool) -> None:
    """Synchronize all mappings in full, each after those it needs."""
    from receiver.commands.synchronizing import full_synchronization as command

    lines = command.review(services(), full)
    if is_review and is_json:
        print_json([one.plain() for one in lines])
        return
    if not is_json:
        heads = ("MAPPING", "NEEDS", "RECOMMENDATION", "REASON")
        rows = [(one.mapping, said(list(one.needs)), one.recommendation.value, one.reason) for one in lines]
        table("Full Synchronization Review", heads, rows)
    if is_review:
        return
    ask("Start the full synchronization?", is_sure=is_sure)
    started(lambda: command.start(services(), WHO, full), is_here=here, is_json=is_json)


COMMANDS = (full_synchronization,)
