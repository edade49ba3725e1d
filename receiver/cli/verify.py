"""Verify that both sides of a mapping are in step, and repair what is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import islice

import click

from receiver.cli.shared import EMPTY, FAILED, WHO, as_json, print_json, said, services, table, with_application
from receiver.commands.repair import repair as repaired
from receiver.commands.verify import KINDS, Finding, Verification, findings, verify_all
from receiver.commands.verify import verify as verified

LISTED_TOGETHER = 500


@click.command()
@click.argument("mapping", required=False, default="")
@click.option("--all", "is_all", is_flag=True, help="Every mapping that is switched on.")
@click.option("--repair", is_flag=True, help="Then synchronize what is not in step.")
@click.option("--list", "lists", is_flag=True, help="List each record that is not in step, or not coupled.")
@as_json
@with_application
def verify(mapping: str, is_all: bool, repair: bool, lists: bool, is_json: bool) -> None:
    """Compare both sides of a mapping, changing nothing. Exit code 1: they are not in step."""
    if is_all == bool(mapping):
        raise click.UsageError("Name a mapping, or give --all.")
    found = list(verify_all(services()) if is_all else [verified(services(), mapping)])
    if is_json:
        print_json([_plain(one, lists=lists, repairs=repair) for one in found])
    else:
        _print(found, lists=lists)
        for one in found if repair else ():
            click.echo(f"{one.mapping} repaired: {_counted(_repair(one))}")
    if not all(one.is_in_step for one in found):
        click.get_current_context().exit(FAILED)


def _plain(one: Verification, *, lists: bool, repairs: bool) -> dict[str, object]:
    plain: dict[str, object] = one.plain()
    if lists:
        plain["findings"] = [vars(found) for found in findings(services(), one.id)]
    if repairs:
        plain["repaired"] = dict(_repair(one))
    return plain


def _repair(one: Verification) -> Counter[str]:
    return Counter(line.counter for line in repaired(services(), one, WHO))


def _print(found: Iterable[Verification], *, lists: bool) -> None:
    for one in found:
        state = f"in step as of {said(one.started_at)}" if one.is_in_step else "NOT in step"
        click.echo(f"{one.mapping}: {state}; {_counted(one.counts)}; digest {one.digest}")
        if lists and any(one.counts.get(kind) for kind in KINDS):
            heads = ("FINDING", "RECORD", "DATAVERSE ROW")
            listed = findings(services(), one.id)
            while some := list(islice(listed, LISTED_TOGETHER)):
                table(f"{one.mapping} verified", heads, [_row(row) for row in some], [_note(row) for row in some])


def _row(one: Finding) -> tuple[str, str, str]:
    return one.kind, one.local_id or EMPTY, one.dataverse_id or EMPTY


def _note(one: Finding) -> str:
    return "; ".join(f"{name}: {said(here)} here, {said(there)} there" for name, (here, there) in one.fields.items())


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "nothing"


COMMANDS = (verify,)
