"""The key that Dataverse sends: list, rotate."""

from __future__ import annotations

import click

from receiver.cli.explained import ExplainedGroup
from receiver.cli.shared import FAILED, WHO, as_json, print_json, said, say, services, table, with_application


@click.group(cls=ExplainedGroup)
def keys() -> None:
    """The key that Dataverse sends with each notification: list, rotate."""


@keys.command("list")
@as_json
@with_application
def list_keys(is_json: bool) -> None:
    """List the keys by fingerprint, with when each was used last."""
    from receiver.commands.connection.keys import listed

    found = listed(services())
    if is_json:
        print_json([one.plain() for one in found])
        return
    heads = ("FINGERPRINT", "FROM", "VALID", "REGISTERED", "LAST USED", "ENDS")
    rows = [
        (one.fingerprint, one.origin, _yes(one.is_valid), _yes(one.is_registered), said(one.last_used_at),
         said(one.ends_at))
        for one in found
    ]  # fmt: skip
    table("Keys", heads, rows)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


@keys.command()
@click.option("--wait", "seconds", type=click.FloatRange(min=0), default=60.0, show_default=True,
              help="Seconds to wait for a notification with the new key.")  # fmt: skip
@click.option("--grace", type=click.FloatRange(min=0), default=600.0, show_default=True,
              help="Seconds that the old keys stay valid once the new one has come.")  # fmt: skip
@click.option("--finish", "is_finish", is_flag=True, help="Make no key: let the old ones end if the new one has come.")
@as_json
@with_application
def rotate(seconds: float, grace: float, is_finish: bool, is_json: bool) -> None:
    """Replace the key, without losing a notification. The exit code is 1 while the new one has not come."""
    from receiver.commands.connection import keys as command

    if is_finish:
        found = command.finish(services(), WHO, grace_seconds=grace)
    else:
        found = command.rotate(services(), WHO, wait_seconds=seconds, grace_seconds=grace)
    if is_json:
        print_json(found.plain())
    elif not found.is_proven:
        say(
            f"No notification has come with the key {found.fingerprint} yet; every key stays valid. "
            "Once one has come: receiver keys rotate --finish"
        )
    else:
        ended = f"; valid until {said(found.ends_at)}: {', '.join(found.ended)}" if found.ended else ""
        say(f"A notification has come with the key {found.fingerprint}{ended}.")
    if not found.is_proven:
        click.get_current_context().exit(FAILED)


COMMANDS = (keys,)
