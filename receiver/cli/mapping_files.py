"""Mappings as files, their JSON schema, and the transformation rules."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from receiver.cli.mappings import mappings
from receiver.cli.shared import EMPTY, WHO, as_json, print_json, say, services, table, with_application, writing
from receiver.commands.mappings import mapping_files
from receiver.commands.mappings.mapping_files import Imported, MappingFilesError
from receiver.commands.mappings.transformation_rules import EXAMPLES, rules_page

USAGE = 2
FOLDER = click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))


def _refusing(command: Callable[..., None]) -> Callable[..., None]:
    """Each problem on a line of its own; exit code 2."""

    @wraps(command)
    def refusing(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except MappingFilesError as error:
            say(str(error), err=True)
            say("Nothing was changed.", err=True)
            click.get_current_context().exit(USAGE)

    return refusing


@mappings.command("export")
@FOLDER
@with_application
def export_mappings(folder: Path) -> None:
    """Write each mapping to a YAML file in DIR."""
    with writing(folder):
        written = mapping_files.export_mappings(services(), folder)
    for path in written:
        say(str(path))


@mappings.command("import")
@FOLDER
@click.option("--preview", is_flag=True, help="Only say what would change.")
@as_json
@with_application
@_refusing
def import_mappings(folder: Path, preview: bool, is_json: bool) -> None:
    """Take over the mappings of the YAML files in DIR: all of them, or none if one has a problem."""
    _say(mapping_files.import_mappings(services(), folder, WHO, is_preview=preview), is_json=is_json)


@mappings.command("diff")
@FOLDER
@as_json
@with_application
@_refusing
def diff_mappings(folder: Path, is_json: bool) -> None:
    """Say what an import of DIR would change; the same as import --preview."""
    _say(mapping_files.import_mappings(services(), folder, WHO, is_preview=True), is_json=is_json)


@mappings.command("schema")
def schema() -> None:
    """Print the JSON schema of a mapping's file."""
    from receiver.schemas.mapping_file import json_schema

    print_json(json_schema())


@mappings.command("rules")
@as_json
def rules(is_json: bool) -> None:
    """Print the transformation rules with examples."""
    if is_json:
        print_json([{"rule": o.written, "meaning": o.meaning, "from": o.before, "to": o.after} for o in EXAMPLES])
        return
    click.echo(rules_page(), nl=False)


def _say(found: Imported, *, is_json: bool) -> None:
    if is_json:
        print_json({"is_preview": found.is_preview, "changes": list(map(vars, found.changes)), "notes": found.notes})
        return
    if found.changes:
        rows = [(one.mapping, one.what, one.before or EMPTY, one.after or EMPTY) for one in found.changes]
        table("Changes", ("MAPPING", "WHAT", "STORED", "FILE"), rows)
    count = len({one.mapping for one in found.changes})
    does = "would change" if found.is_preview else "changed"
    say(f"{count} mapping(s) {does}." if count else "The files and the stored mappings are the same.")
    for note in found.notes:
        say(note)


COMMANDS = ()
