"""Integration Table Mappings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from receiver.cli.explained import ExplainedGroup
from receiver.cli.outcome import print_result
from receiver.cli.shared import (
    EMPTY,
    NUMBER,
    WHO,
    as_json,
    ask,
    previewed,
    print_captioned,
    print_json,
    said,
    say,
    services,
    sure,
    table,
    with_application,
)
from receiver.commands.mappings import change_mapping as mapping_commands
from receiver.commands.mappings.mapping_fit import misfits
from receiver.commands.mappings.multi_company import set_multi_company
from receiver.core.mapping import DeletionConflict, Direction, MatchExists, TableMapping, UpdateConflict
from receiver.store import mappings as stored_mappings

CAPTIONS = {
    "name": "Name",
    "table": "Table",
    "integration_table": "Integration Table",
    "direction": "Direction",
    "synch_only_coupled_records": "Synch. Only Coupled Records",
    "enabled": "Enabled",
    "table_filter": "Table Filter",
    "integration_table_filter": "Integration Table Filter",
    "resolve_deletion_conflicts": "Resolve Deletion Conflicts",
    "resolve_update_conflicts": "Resolve Update Conflicts",
    "when_a_match_exists": "When a Match Exists",
    "depends_on": "Depends on",
    "version": "Version",
}
SWITCH = click.Choice(["on", "off"])
DIFFERS = ("what", "before", "after")


def _is_on(text: str) -> bool:
    return text == "on"


#: an option, by what it is called in a mapping, and how its text becomes a value
SETTINGS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "synch_only_coupled_records": ("synch_only_coupled_records", _is_on),
    "enabled": ("is_enabled", _is_on),
    "direction": ("direction", Direction),
    "resolve_deletion_conflicts": ("resolve_deletion_conflicts", DeletionConflict),
    "resolve_update_conflicts": ("resolve_update_conflicts", UpdateConflict),
    "when_a_match_exists": ("when_a_match_exists", MatchExists),
    "table_filter": ("local_filter_text", str),
    "integration_table_filter": ("dataverse_filter_text", str),
}

#: the same of a field mapping
FIELD_SETTINGS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "enabled": ("is_enabled", _is_on),
    "direction": ("direction", Direction),
    "constant": ("constant", lambda text: text or None),
    "not_null": ("not_null", _is_on),
    "clear_value_on_failed_sync": ("clear_value_on_failed_sync", _is_on),
    "match_on_this_field": ("match_on_this_field", _is_on),
    "transformation_rule": ("transformation_rule", str),
    "transformation_direction": ("transformation_direction", Direction),
}


@click.group(cls=ExplainedGroup)
def mappings() -> None:
    """Integration Table Mappings: see and set them, run them, keep them as files."""


@mappings.command("list")
@as_json
@with_application
def list_mappings(is_json: bool) -> None:
    """List every mapping with its figures."""
    found = _all_mappings()
    figures, unfit = mapping_commands.figures(services()), misfits(services())
    if is_json:
        print_json([{**_plain(one), **figures[one.name], "misfits": unfit[one.name]} for one in found])
        return
    heads = ("NAME", "TABLE", "DATAVERSE", "DIRECTION", "ONLY COUPLED", "ENABLED", "COUPLED", "SKIPPED", "ERRORS")
    counted = ("coupled", "skipped", "errors")
    rows = [(*_row(one), *(figures[one.name][name] for name in counted)) for one in found]
    table("Integration Table Mappings", heads, rows, [" ".join(unfit[one.name]) for one in found])


@mappings.command("show")
@click.argument("name", metavar="MAPPING")
@as_json
@with_application
def show_mapping(name: str, is_json: bool) -> None:
    """Show one mapping with its field mappings."""
    mapping = mapping_commands.named(services(), name)
    plain = {**_plain(mapping), "misfits": misfits(services())[mapping.name]}
    if is_json:
        print_json(plain)
        return
    print_captioned(CAPTIONS, plain)
    for sentence in plain["misfits"]:
        say(sentence)
    columns = ("number", "local_column", "direction", "dataverse_column", "transformation_rule", "enabled")
    heads = tuple(name.replace("_", " ").upper() for name in columns)
    rows = [tuple(said(row[name]) for name in columns) for row in plain["fields"]]
    table("Integration Field Mappings", heads, rows)


@mappings.command("set")
@click.argument("name", metavar="MAPPING")
@click.option("--synch-only-coupled-records", type=SWITCH, help="Off: rows may be created by themselves.")
@click.option("--enabled", type=SWITCH, help="Off: nothing of this mapping is synchronized.")
@click.option("--direction", type=click.Choice([one.value for one in Direction]), help="Which way its records go.")
@click.option(
    "--resolve-deletion-conflicts",
    type=click.Choice([one.value for one in DeletionConflict]),
    help="When one of the two records was deleted.",
)
@click.option(
    "--resolve-update-conflicts",
    type=click.Choice([one.value for one in UpdateConflict]),
    help="When both sides changed the same field.",
)
@click.option(
    "--when-a-match-exists",
    type=click.Choice([one.value for one in MatchExists]),
    help="Instead of creating beside an uncoupled record that is equal in Match on this Field.",
)
@click.option("--table-filter", help="Which local records, in the filter grammar.")
@click.option("--integration-table-filter", help="Which Dataverse rows, in the filter grammar.")
@click.option("--field", "fields", nargs=2, multiple=True, metavar="NUMBER on|off", help="Switch a field mapping.")
@click.option("--expect", "expected", type=click.IntRange(0), metavar="VERSION", help="Refuse if it is another by now.")
@previewed
@as_json
@with_application
def set_mapping(
    name: str,
    fields: tuple[tuple[str, str], ...],
    expected: int | None,
    is_preview: bool,
    is_json: bool,
    **options: str | None,
) -> None:
    """Change settings of a mapping: all that are given, or none if one is refused."""
    changes = {SETTINGS[key][0]: SETTINGS[key][1](text) for key, text in options.items() if text is not None}
    if not changes and not fields:
        raise click.UsageError("Nothing to set: name at least one option.")
    switched = dict(map(_switched, fields))
    found = mapping_commands.change(
        services(), name, WHO, changes, switched, looked_at=mapping_commands.Looked(expected), is_preview=is_preview
    )
    if is_json:
        print_json(
            {"is_preview": is_preview, "changes": [dict(zip(DIFFERS, one, strict=True)) for one in found.differences]}
        )
        return
    _print_change(found)
    passed = mapping_commands.figures(services())[found.mapping.name]["passed_over"]
    if options.get("synch_only_coupled_records") == "off" and passed and not is_preview:
        say(f"{passed} row(s) were passed over. To bring them in: receiver mappings bring-in {found.mapping.name}")


def _switched(field: tuple[str, str]) -> tuple[int, dict[str, bool]]:
    number, state = field
    if state not in {"on", "off"} or not number.isdigit():
        raise click.BadParameter(f"--field {number} {state}: a number and on or off were expected.")
    return int(number), {"is_enabled": _is_on(state)}


def _print_change(found: mapping_commands.Change) -> None:
    if not found.differences:
        say(f"{found.mapping.name} is so already: nothing was changed.")
        return
    say(f"{found.mapping.name} {'would be' if found.is_preview else 'was'} changed.")
    for what, before, after in found.differences:
        say(f"  {what}: {before or EMPTY} → {after or EMPTY}")


@mappings.command("field")
@click.argument("name", metavar="MAPPING")
@click.argument("number", type=NUMBER)
@click.option("--enabled", type=SWITCH, help="Off: the field is not transferred.")
@click.option("--direction", type=click.Choice([one.value for one in Direction]), help="Which way its value goes.")
@click.option("--constant", help="Used where the source has no column; empty: none.")
@click.option("--not-null", type=SWITCH, help="On: an empty value is not written.")
@click.option("--clear-value-on-failed-sync", type=SWITCH, help="On: a lookup that leads nowhere is left empty.")
@click.option("--match-on-this-field", type=SWITCH, help="On: records with equal values are offered for coupling.")
@click.option("--transformation-rule", help="See docs/transformation-rules.md; empty: none.")
@click.option(
    "--transformation-direction", type=click.Choice([one.value for one in Direction]), help="Where the rule works."
)
@previewed
@with_application
def set_field(name: str, number: int, is_preview: bool, **options: str | None) -> None:
    """Change one field mapping: all that is given, or nothing if one is refused."""
    changes = {
        FIELD_SETTINGS[key][0]: FIELD_SETTINGS[key][1](text) for key, text in options.items() if text is not None
    }
    if not changes:
        raise click.UsageError("Nothing to set: name at least one option.")
    _print_change(mapping_commands.change(services(), name, WHO, {}, {number: changes}, is_preview=is_preview))


@mappings.command("add-field")
@click.argument("name", metavar="MAPPING")
@click.option("--field-name", "local_column", required=True, help="Column of the local table.")
@click.option("--integration-field-name", "dataverse_column", required=True, help="Column of the Dataverse table.")
@click.option("--direction", type=click.Choice([one.value for one in Direction]), help="By default the mapping's own.")
@previewed
@with_application
def add_field(name: str, local_column: str, dataverse_column: str, direction: str | None, is_preview: bool) -> None:
    """Add a field mapping. It starts switched off: look at it, then switch it on."""
    found = mapping_commands.add_field(
        services(), name, WHO, (local_column, dataverse_column), Direction(direction) if direction else None,
        is_preview=is_preview,
    )  # fmt: skip
    _print_change(found)
    if not is_preview:
        number = found.mapping.fields[-1].number
        say(f"To switch it on: receiver mappings field {found.mapping.name} {number} --enabled on")


@mappings.command("multi-company")
@click.argument("name", metavar="MAPPING")
@click.argument("state", type=SWITCH, metavar="on|off")
@previewed
@sure
@with_application
def multi_company(name: str, state: str, is_preview: bool, is_sure: bool) -> None:
    """Multi-Company Synchronization: on, rows of other companies are synchronized too."""
    rows = "of every company" if _is_on(state) else "of our company and of none"
    mapping = mapping_commands.named(services(), name)
    if is_preview:
        say(f"{mapping.name} would synchronize rows {rows}.")
        return
    ask(f"Let {mapping.name} synchronize rows {rows}?", is_sure=is_sure)
    changed = set_multi_company(services(), name, WHO, is_on=_is_on(state))
    say(
        f"{changed.name} synchronizes rows {rows}. "
        "Its steps in Dataverse read other columns now: receiver steps register"
    )


@mappings.command("bring-in")
@click.argument("name", metavar="MAPPING")
@previewed
@sure
@with_application
def bring_in(name: str, is_preview: bool, is_sure: bool) -> None:
    """Look again at the rows that were passed over while only coupled records were synchronized."""
    mapping = mapping_commands.named(services(), name)
    count = mapping_commands.figures(services())[mapping.name]["passed_over"]
    if not count:
        say("No row was passed over: nothing to do.")
        return
    creates = "are passed over again" if mapping.synch_only_coupled_records else "may be created here"
    if is_preview:
        say(f"{count} row(s) would be looked at again; those inside the filter {creates}.")
        return
    ask(f"Look at {count} row(s) again? Those inside the filter {creates}.", is_sure=is_sure)
    say(f"{mapping_commands.bring_in(services(), name)} row(s) will be looked at by the worker.")


@mappings.command("reset")
@click.argument("name", metavar="[MAPPING]", required=False)
@click.option("--all", "is_all", is_flag=True, help="Every shipped mapping, one that was deleted too.")
@previewed
@sure
@with_application
def reset_mapping(name: str | None, is_all: bool, is_preview: bool, is_sure: bool) -> None:
    """Use Default Synchronization Setup: the shipped mapping again."""
    if (name is not None) is is_all:
        raise click.UsageError("Name the mapping, or say --all.")
    would = mapping_commands.would_reset(services(), name)
    for of, what, before, after in would:
        say(f"{of}, {what}: {before or EMPTY} → {after or EMPTY}", err=not is_preview)
    if is_preview or not would:
        say("Preview, nothing was changed." if would else "It is as it was shipped: nothing to do.")
        return
    ask(f"Take back {len(would)} setting(s)?", is_sure=is_sure)
    if name is None:
        say(f"{', '.join(mapping_commands.reset_all(services(), WHO))} are as they were shipped.")
        return
    mapping_commands.reset(services(), name, WHO)
    say(f"{name.upper()} is as it was shipped.")


@mappings.command("delete")
@click.argument("name", metavar="MAPPING")
@sure
@with_application
def delete_mapping(name: str, is_sure: bool) -> None:
    """Delete a mapping that couples nothing; no record is deleted."""
    found = mapping_commands.named(services(), name)
    ask(f"Delete the mapping {found.name}?", is_sure=is_sure)
    mapping_commands.delete(services(), found.name, WHO)
    say(f"{found.name} was deleted.")


@mappings.command("confirm")
@click.argument("name", metavar="MAPPING")
@previewed
@sure
@as_json
@with_application
def confirm_kept(name: str, is_preview: bool, is_sure: bool, is_json: bool) -> None:
    """Show what was kept back, too many records being concerned at once, and carry it out."""
    from receiver.commands.mappings.confirm import confirm, kept_back

    found = kept_back(services(), name)
    if not found and not is_json:
        say(f"Nothing is kept back of {name.upper()}.")
        return
    if not is_preview and not is_sure:
        print_result(confirm(services(), name, WHO, is_preview=True), "Would be done", is_json=False)
        for one in found:
            say(one.sentence)
        ask("Carry it out?", is_sure=is_sure)
    print_result(confirm(services(), name, WHO, is_preview=is_preview), "Confirm", is_json=is_json)


def _all_mappings() -> list[TableMapping]:
    with services().database.reading() as connection:
        return list(stored_mappings.load(connection).values())


def _row(mapping: TableMapping) -> tuple[Any, ...]:
    switches = (mapping.synch_only_coupled_records, mapping.is_enabled)
    words = map(said, switches)
    return (mapping.name, mapping.local_table, mapping.dataverse_table, mapping.direction.value, *words)


def _plain(mapping: TableMapping) -> dict[str, Any]:
    return {
        "name": mapping.name,
        "table": mapping.local_table,
        "integration_table": mapping.dataverse_table,
        "direction": mapping.direction.value,
        "synch_only_coupled_records": mapping.synch_only_coupled_records,
        "enabled": mapping.is_enabled,
        "table_filter": mapping.local_filter_text,
        "integration_table_filter": mapping.dataverse_filter_text,
        "resolve_deletion_conflicts": mapping.resolve_deletion_conflicts.value,
        "resolve_update_conflicts": mapping.resolve_update_conflicts.value,
        "when_a_match_exists": mapping.when_a_match_exists.value,
        "depends_on": list(mapping.depends_on),
        "version": mapping.version,
        "fields": [
            {
                "number": row.number,
                "local_column": row.local_column or "",
                "dataverse_column": row.dataverse_column or "",
                "direction": row.direction.value,
                "transformation_rule": row.transformation_rule,
                "enabled": row.is_enabled,
            }
            for row in mapping.fields
        ],
    }


COMMANDS = (mappings,)
