"""Mappings as files: written to a folder, compared with it, and taken from it, all of it or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from receiver.catalogue.described import described
from receiver.commands.mappings import schedule_file
from receiver.commands.mappings.change_mapping import LAST_CHANGES, look_anew
from receiver.core.dependencies import CycleError, ordered
from receiver.core.mapping import TableMapping
from receiver.core.mapping_problems import placed_problems
from receiver.core.values import Column
from receiver.dataverse.columns import OPTIONAL_COLUMNS
from receiver.dataverse.columns import TABLES as DATAVERSE_TABLES
from receiver.dataverse.metadata import facts_of
from receiver.errors import ReceiverError
from receiver.schemas.mapping_file import key_of
from receiver.schemas.mapping_yaml import Found, read, written
from receiver.services import Services
from receiver.store import mappings as stored
from receiver.store.local_tables import columns_of
from receiver.store.mappings import Mappings
from receiver.store.schedules import Setting
from receiver.tables import BY_NAME

STEPS = (
    "The columns that are read of {tables} have changed: register the steps again (receiver steps register); until "
    "then each notification makes the receiver read the row."
)


@dataclass(frozen=True)
class FileProblem:
    """What is wrong, and where."""

    file: str
    line: int
    sentence: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.sentence}"


class MappingFilesError(ReceiverError):
    """The files were refused, and nothing was changed; `problems` has everything that is wrong with any of them."""

    def __init__(self, problems: list[FileProblem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


@dataclass(frozen=True)
class MappingChange:
    """One thing that differs between the stored mapping and its file."""

    mapping: str
    what: str
    before: str
    after: str


@dataclass(frozen=True)
class Imported:
    """What an import changes, or would change; `notes` are sentences for the person."""

    changes: tuple[MappingChange, ...]
    notes: tuple[str, ...]
    is_preview: bool


@dataclass(frozen=True)
class _File:
    name: str
    found: Found


def export_mappings(services: Services, folder: Path) -> list[Path]:
    """A file for each mapping; the same mappings always give the same files. Other files stay."""
    with services.database.reading() as connection:
        found = stored.load(connection)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for mapping in found.values():
        path = folder / f"{mapping.name}.yaml"
        path.write_text(written(mapping), encoding="utf-8", newline="\n")
        paths.append(path)
    path = folder / schedule_file.NAME
    path.write_text(schedule_file.written(services), encoding="utf-8", newline="\n")
    return [*paths, path]


def import_mappings(services: Services, folder: Path, who: str, *, is_preview: bool = False) -> Imported:
    """Take over every mapping that has a file in *folder*; a mapping without one stays as it is.

    Raises: MappingFilesError with all problems of all files, then nothing was changed.
    """
    files, problems = _read(folder)
    runs, wrong = _schedule(services, folder)
    problems += [FileProblem(schedule_file.NAME, 1, said) for said in wrong]
    described, notes = _columns(services, {one.found.mapping.dataverse_table for one in files if one.found.mapping})
    with services.database.writing() as connection:
        before = stored.load(connection)
        wanted = {one.found.mapping.name: one.found.mapping for one in files if one.found.mapping}
        problems += [*_problems(files, described, before), *_changed_since(connection, files, before)]
        if problems:
            raise MappingFilesError(sorted(problems, key=lambda one: (one.file, one.line)))
        changed = {name: one for name, one in wanted.items() if _changes(before, one)}
        changes = tuple(change for one in changed.values() for change in _changes(before, one))
        if not is_preview:
            _save(connection, services, before, changed, who)
    if runs is not None:
        changes += tuple(MappingChange("schedule", *told) for told in schedule_file.differences(services, runs))
        if not is_preview:
            schedule_file.take(services, runs, who)
    return Imported(changes, (*notes, *_notes(before, changed, wanted)), is_preview)


def _schedule(services: Services, folder: Path) -> tuple[dict[str, Setting] | None, list[str]]:
    """What its file says, None where there is none; and what is wrong with it."""
    path = folder / schedule_file.NAME
    return schedule_file.read(services, path) if path.exists() else (None, [])


def _read(folder: Path) -> tuple[list[_File], list[FileProblem]]:
    """The folder's files with their form checked, and what is wrong with that."""
    files, problems, names = list[_File](), list[FileProblem](), dict[str, str]()
    named = (path for path in folder.glob("*") if path.suffix in {".yaml", ".yml"})
    paths = sorted(path for path in named if path.name != schedule_file.NAME)
    if not paths:
        problems.append(FileProblem(str(folder), 0, "There is no mapping here: no file ends in .yaml."))
    for path in paths:
        try:
            one = _File(path.name, read(path.read_text(encoding="utf-8")))
        except (OSError, UnicodeError) as error:
            problems.append(FileProblem(path.name, 0, f"The file cannot be read as UTF-8 text: {error}"))
            continue
        problems += [FileProblem(one.name, line, said) for line, said in one.found.problems]
        mapping = one.found.mapping
        if mapping is not None and mapping.name in names:
            said = f"{mapping.name} stands in {names[mapping.name]} already."
            problems.append(FileProblem(one.name, one.found.line("name"), said))
        elif mapping is not None:
            names[mapping.name] = one.name
            files.append(one)
    return files, problems


def _columns(services: Services, tables: Iterable[str]) -> tuple[Mapping[str, Mapping[str, Column]], list[str]]:
    """The Dataverse tables' columns by table: as they are today if Dataverse can be asked, else as we know them."""
    known = {name: DATAVERSE_TABLES[name].columns for name in sorted(tables) if name in DATAVERSE_TABLES}
    try:
        client = services.dataverse
        today = {name: described(name, facts).columns for name, facts in facts_of(client, known).items()}
    except ReceiverError as error:
        return known, [f"Dataverse could not be asked for its columns ({error}), so those we know of were believed."]
    optional = {
        table: {name: columns[name] for name in columns if name in OPTIONAL_COLUMNS} for table, columns in known.items()
    }
    return {table: {**optional[table], **columns} for table, columns in today.items()}, []


def _problems(files: list[_File], described: Mapping[str, Mapping[str, Column]], before: Mappings) -> list[FileProblem]:
    found: list[FileProblem] = []
    names = frozenset(before) | {one.found.mapping.name for one in files if one.found.mapping}
    for one in files:
        assert one.found.mapping is not None  # _read kept no other
        told = partial(FileProblem, one.name)
        tables = list(_table_problems(one.found.mapping, before))
        found += [told(one.found.line(key), said) for key, said in tables]
        if not tables:
            found += [told(line, said) for line, said in _meant(one, described, names, before)]
    return found


def _table_problems(mapping: TableMapping, before: Mappings) -> Iterator[tuple[str, str]]:
    if mapping.local_table not in BY_NAME:
        yield "table", f"There is no local table {mapping.local_table}; there are {', '.join(BY_NAME)}."
    if mapping.dataverse_table not in DATAVERSE_TABLES:
        known = ", ".join(DATAVERSE_TABLES)
        yield "integration_table", f"The Dataverse table {mapping.dataverse_table} is not known; known are {known}."
    old = before.get(mapping.name)
    if old is not None and (old.local_table, old.dataverse_table) != (mapping.local_table, mapping.dataverse_table):
        said = f"{mapping.name} couples {old.local_table} with {old.dataverse_table}; its tables stay."
        yield "table", f"{said} Give a mapping of other tables another name."


def _meant(
    one: _File, described: Mapping[str, Mapping[str, Column]], names: frozenset[str], before: Mappings
) -> Iterator[tuple[int, str]]:
    """A field mapping that is stored just so is held to the columns we know of, not to those of today."""
    mapping = one.found.mapping
    assert mapping is not None  # _read kept no other
    local, known = columns_of(BY_NAME[mapping.local_table].table), DATAVERSE_TABLES[mapping.dataverse_table].columns
    stands = frozenset(before[mapping.name].fields) if mapping.name in before else frozenset()
    always = placed_problems(mapping, local, known, names)
    for problem in placed_problems(mapping, local, described[mapping.dataverse_table], names):
        if problem.at is not None and mapping.fields[problem.at] in stands and problem not in always:
            continue
        path = () if problem.at is None else ("fields", problem.at)
        yield one.found.line(*path, key_of(problem.part, in_field=bool(path))), problem.sentence


def _changes(before: Mappings, mapping: TableMapping) -> list[MappingChange]:
    old = before.get(mapping.name)
    if old is None:
        return [MappingChange(mapping.name, "created", "", f"{mapping.local_table} and {mapping.dataverse_table}")]
    return [MappingChange(mapping.name, *told) for told in stored.differences(old, mapping)]


def _changed_since(connection: Connection, files: list[_File], before: Mappings) -> Iterator[FileProblem]:
    """What somebody changed since the file was written, and the file would change back."""
    for one in files:
        mapping = one.found.mapping
        old = before.get(mapping.name) if mapping is not None else None
        if mapping is None or old is None or one.found.version in {None, old.version}:
            continue
        named = [changed.what for changed in _changes(before, mapping)]
        told = stored.changes_since(connection, old.name, one.found.version or 0, named)
        if told:
            said = f"{old.name} was changed since this file was written: {'; '.join(told[-LAST_CHANGES:])}."
            remedy = "Export it again and change it there, or take the version out of the file to overwrite that."
            yield FileProblem(one.name, one.found.line("version"), f"{said} {remedy}")


def _save(connection: Connection, services: Services, before: Mappings, changed: Mappings, who: str) -> None:
    for name, mapping in changed.items():
        stored.save(connection, mapping, who, services.clock())
        look_anew(connection, before.get(name), mapping, services.clock())


def _notes(before: Mappings, changed: Mappings, wanted: Mappings) -> Iterator[str]:
    read_anew = sorted(
        {one.dataverse_table for name, one in changed.items() if _reads(one) != _reads(before.get(name))}
    )
    if read_anew:
        yield STEPS.format(tables=" and ".join(read_anew))
    without = [name for name in before if name not in wanted]
    if without:
        yield f"No file: {', '.join(without)}. What has no file stays as it is."
    try:
        ordered({**before, **wanted})
    except CycleError as error:
        yield f"{error} Full synchronization needs an order."


def _reads(mapping: TableMapping | None) -> frozenset[str]:
    return frozenset() if mapping is None else mapping.dataverse_columns()
