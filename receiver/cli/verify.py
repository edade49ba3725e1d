"""Verify that both sides of a mapping are in step, and repair what is not."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

import click

from receiver.cli.outcome import value_said
from receiver.cli.shared import EMPTY, FAILED, WHO, as_json, print_json, said, say, services, table, with_application
from receiver.cli.tasks import here, seen_through
from receiver.commands.synchronizing.verification import repaired_of, start, verifications_of
from receiver.commands.synchronizing.verify import KINDS, Finding, Verification, findings

LISTED_TOGETHER = 500


@click.command()
@click.argument("mapping", required=False, default="")
@click.option("--all", "is_all", is_flag=True, help="Every mapping that is switched on.")
@click.option("--repair", is_flag=True, help="Then synchronize what is not in step.")
@click.option("--list", "lists", is_flag=True, help="List each record that is not in step, or not coupled.")
@here
@as_json
@with_application
def verify(mapping: str, is_all: bool, repair: bool, lists: bool, here: bool, is_json: bool) -> None:
    """Compare both sides of a mapping, and change nothing without --repair. Exit code 1: they are not in step."""
    if is_all == bool(mapping):
        raise click.UsageError("Name a mapping, or give --all.")
    ended = seen_through(
        lambda: start(services(), [mapping] if mapping else [], WHO, repairs=repair), is_here=here, is_json=is_json
    )
    if ended is None:
        click.get_current_context().exit(FAILED)
    found, repaired = verifications_of(services(), ended), repaired_of(ended)
    if is_json:
        print_json([_plain(one, repaired.get(one.mapping), lists=lists) for one in found])
    else:
        _print(found, lists=lists, repairs=repair)
        for name, counts in repaired.items():
            say(f"{name} repaired: {_counted(counts)}")
    if not all(one.is_in_step for one in found):
        click.get_current_context().exit(FAILED)


def _plain(one: Verification, repaired: dict[str, int] | None, *, lists: bool) -> dict[str, object]:
    plain: dict[str, object] = one.plain()
    if lists:
        plain["findings"] = [vars(found) for found in findings(services(), one.id)]
    if repaired is not None:
        plain["repaired"] = repaired
    return plain


def _print(found: Iterable[Verification], *, lists: bool, repairs: bool) -> None:
    for one in found:
        state = f"in step as of {said(one.started_at)}" if one.is_in_step else "NOT in step"
        say(f"{one.mapping}: {state}; {_counted(one.counts)}; digest {one.digest}")
        if lists and any(one.counts.get(kind) for kind in KINDS):
            heads = ("FINDING", "WHY", "RECORD", "DATAVERSE ROW")
            listed = findings(services(), one.id)
            while some := list(islice(listed, LISTED_TOGETHER)):
                table(f"{one.mapping} verified", heads, [_row(row) for row in some], [_note(row) for row in some])
        elif not one.is_in_step and not repairs:
            say(f"To see what: receiver verify {one.mapping} --list; to mend it: --repair")


def _row(one: Finding) -> tuple[str, str, str, str]:
    return one.kind, one.why or EMPTY, one.local_id or EMPTY, one.dataverse_id or EMPTY


def _note(one: Finding) -> str:
    fields = [
        f"{name}: {value_said(here)} here, {value_said(there)} in Sales"
        + (f" ({one.reasons[name]})" if name in one.reasons else "")
        for name, (here, there) in one.fields.items()
    ]
    of_all = [reason for name, reason in one.reasons.items() if not name]
    return "; ".join([*of_all, *fields])


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "nothing"


COMMANDS = (verify,)
