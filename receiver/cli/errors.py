"""Coupled Data Synchronization Errors: list, retry, restore, delete, find for deleted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from receiver.cli.explained import ExplainedGroup
from receiver.cli.outcome import print_result
from receiver.cli.shared import (
    EMPTY,
    FAILED,
    LIMIT,
    WHO,
    as_json,
    ask,
    previewed,
    print_json,
    said,
    say,
    services,
    sure,
    table,
    with_application,
)
from receiver.commands.coupling.pairs import mapping_named
from receiver.commands.following import coupled_errors, failed_records, open_questions, standing_causes
from receiver.commands.following.coupled_errors import ErrorLine
from receiver.commands.synchronizing.synchronize_now import Choice, only_direction
from receiver.errors import ReceiverError, StoreUnavailableError

of_mapping = click.option("--mapping", default="", metavar="MAPPING", help="Of this mapping alone.")


@click.group(cls=ExplainedGroup)
def errors() -> None:
    """What stands failed: list, retry, synchronize, restore, delete."""


@errors.command("list")
@of_mapping
@click.option(
    "--limit",
    default=coupled_errors.FIRST_LINES,
    show_default=True,
    type=LIMIT,
    help="At most so many.",
)
@as_json
@with_application
def list_errors(mapping: str, limit: int, is_json: bool) -> None:
    """List everything that stands failed, what only a person can say, and what waits, with the commands that help."""
    skipped, untold = _coupled(mapping, limit)
    failed = failed_records.listed(services(), mapping, limit)
    asked = open_questions.listed(services(), mapping, limit)
    waiting = standing_causes.listed(services(), mapping)
    if is_json:
        if untold:
            raise ReceiverError(untold)  # half a list would be taken for the whole
        print_json([one.plain() for found in (skipped, failed, asked, waiting) for one in found])
        return
    if untold:
        say(f"Couplings that failed cannot be looked at now; receiver status counts them. {untold}", err=True)
    _print_lines(skipped, "" if failed or asked or waiting or untold else "Nothing stands failed.", is_json=False)
    for record in failed:
        say(record.sentence)
        say(f"  {record.command}")
    for one in asked:
        say(one.sentence)
        for command in one.commands:
            say(f"  {command}")
    for cause in waiting:
        say(f"{cause.sentence} {cause.remedy}".strip())
    if untold:
        click.get_current_context().exit(FAILED)


def _coupled(mapping: str, limit: int) -> tuple[list[ErrorLine], str]:
    """The couplings that failed; or why they cannot be looked at now: what else stands is told all the same."""
    try:
        return coupled_errors.listed(services(), mapping, limit), ""
    except StoreUnavailableError:
        raise
    except ReceiverError as error:
        if not error.waiting_helps:
            raise
        return [], str(error)


@errors.command("retry")
@click.argument("mapping", required=False, default="")
@click.argument("keys", metavar="KEY...", nargs=-1)
@click.option("--all", "is_all", is_flag=True, help="Every coupling that failed, of MAPPING if it is given.")
@previewed
@sure
@as_json
@with_application
def retry(mapping: str, keys: Sequence[str], is_all: bool, is_preview: bool, is_sure: bool, is_json: bool) -> None:
    """Take couplings back from Skipped and synchronize them again."""
    if is_all == bool(keys):
        raise click.UsageError("Name a mapping and the keys of its local records, or give --all without keys.")
    if is_preview:
        result = coupled_errors.would_retry(services(), mapping, None if is_all else keys)
        print_result(result, "Retry", is_json=is_json)
        return
    if is_all:
        count = coupled_errors.count(services(), mapping)
        if count:
            ask(f"Synchronize {count} coupling(s) again?", is_sure=is_sure)
        result = coupled_errors.retry_all(services(), WHO, mapping)
    else:
        result = coupled_errors.retry(services(), mapping, keys, WHO)
    print_result(result, "Retry", is_json=is_json)


@errors.command("synchronize")
@click.argument("mapping")
@click.argument("keys", metavar="KEY...", nargs=-1, required=True)
@click.option(
    "--direction", type=click.Choice([one.value for one in Choice]), help="To or from Dataverse, or merge both."
)
@previewed
@sure
@as_json
@with_application
def synchronize(
    mapping: str, keys: Sequence[str], direction: str | None, is_preview: bool, is_sure: bool, is_json: bool
) -> None:
    """Take couplings back from Skipped and use the data of one side."""
    going = Choice(direction) if direction else only_direction(mapping_named(services(), mapping))
    if going is None:
        raise click.UsageError("Say whose data is used: --direction to sends ours to Sales, from takes that of Sales.")
    if is_preview:
        result = coupled_errors.would_synchronize(services(), mapping, keys, going)
        print_result(result, "Synchronize", is_json=is_json)
        return
    if len(keys) > 1:
        ask(f"Overwrite {len(keys)} records {going.where}?", is_sure=is_sure)
    result = coupled_errors.synchronize(services(), mapping, keys, going, WHO)
    print_result(result, "Synchronize", is_json=is_json)


@errors.command("restore")
@click.argument("mapping")
@click.argument("keys", metavar="KEY...", nargs=-1, required=True)
@previewed
@as_json
@with_application
def restore(mapping: str, keys: Sequence[str], is_preview: bool, is_json: bool) -> None:
    """Make the deleted record of a pair anew from the one that is left."""
    result = coupled_errors.restore(services(), mapping, keys, WHO, is_preview=is_preview)
    print_result(result, "Restore Records", is_json=is_json)


@errors.command("delete")
@click.argument("mapping")
@click.argument("keys", metavar="KEY...", nargs=-1, required=True)
@previewed
@sure
@as_json
@with_application
def delete(mapping: str, keys: Sequence[str], is_preview: bool, is_sure: bool, is_json: bool) -> None:
    """Delete the record that is left of a pair, and the coupling."""
    if not is_preview:
        for line in coupled_errors.delete(services(), mapping, keys, WHO, is_preview=True).lines:
            say(line.sentence, err=True)
        ask("Delete for good what is left?", is_sure=is_sure)
    result = coupled_errors.delete(services(), mapping, keys, WHO, is_preview=is_preview)
    print_result(result, "Delete Records", is_json=is_json)


@errors.command("find-deleted")
@of_mapping
@click.option("--mark", "marks", is_flag=True, help="Make them Skipped, so that they stand in the list.")
@as_json
@with_application
def find_deleted(mapping: str, marks: bool, is_json: bool) -> None:
    """Find couplings whose record or row was deleted."""
    found = coupled_errors.find_deleted(services(), mapping, marks=marks)
    _print_lines(found, "Both records of every coupling exist.", is_json=is_json)


def _print_lines(lines: Sequence[ErrorLine], nothing: str, *, is_json: bool) -> None:
    if is_json:
        print_json([one.plain() for one in lines])
        return
    if not lines:
        if nothing:
            say(nothing)
        return
    heads = ("MAPPING", "STATE", "RECORD", "NAME", "EXISTS", "DATAVERSE ROW", "EXISTS", "FAILED ON")
    notes = [(one.message, *one.commands) for one in lines]
    table("Coupled Data Synchronization Errors", heads, [_row(one) for one in lines], notes)


def _row(one: ErrorLine) -> tuple[Any, ...]:
    exist = ["yes" if exists else "no" for exists in (one.record_exists, one.row_exists)]
    return (
        one.mapping,
        one.state,
        one.local_id,
        one.name or EMPTY,
        exist[0],
        one.dataverse_id,
        exist[1],
        said(one.failed_on),
    )


COMMANDS = (errors,)
