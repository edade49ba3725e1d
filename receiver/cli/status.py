"""Whether all is in step, and what keeps it from being so."""

from __future__ import annotations

import sys

import click

from receiver.cli.shared import FAILED, as_json, print_json, said, say, services, with_application


@click.command()
@as_json
@with_application
def status(is_json: bool) -> None:
    """Say up to when each mapping is in step, or what keeps it from being so. Exit code 1: not all are."""
    from receiver.commands.following.in_step import status as found_of

    found = found_of(services())
    if is_json:
        print_json(found.plain())
    else:
        for one in found.of_all:
            _print(f"All ({one.kind})", one.sentence, one.since, one.remedy)
        for standing in found.standings:
            as_of = standing.sentence if not found.of_all else standing.but_for_all
            say(f"{standing.mapping}: {as_of}")
            for one in standing.hindrances:
                _print(f"  {one.kind}", one.sentence, one.since, one.remedy)
    if not found.is_in_step:
        sys.exit(FAILED)


def _print(what: str, sentence: str, since: object, remedy: str) -> None:
    begun = f" (since {said(since)})" if since else ""
    say(f"{what}: {sentence}{begun}")
    if remedy:
        say(f"    What to do: {remedy}")


COMMANDS = (status,)
