"""Mappings as files: written, compared, taken over all or none, and every problem with its file and line."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from company import Company
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from receiver.cli import receiver
from receiver.commands.mappings.change_mapping import named
from receiver.commands.mappings.mapping_files import MappingFilesError, export_mappings, import_mappings
from receiver.core.filters import parse
from receiver.core.mapping import (
    Conversion,
    DeletionConflict,
    Direction,
    FieldMapping,
    TableMapping,
    UpdateConflict,
)
from receiver.core.values import from_plain, to_plain
from receiver.runs import schedule
from receiver.schemas.mapping_file import json_schema
from receiver.schemas.mapping_yaml import read, written
from receiver.store.mappings import differences
from receiver.store.models import change

ROOT = Path(__file__).parents[3]


def edit(folder: Path, name: str, before: str, after: str) -> None:
    path = folder / f"{name}.yaml"
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))


def line_of(folder: Path, name: str, words: str, which: int = 0) -> int:
    lines = (folder / f"{name}.yaml").read_text().splitlines()
    return [at for at, line in enumerate(lines, 1) if words in line][which]


def refused(company: Company, folder: Path) -> list[tuple[str, int, str]]:
    with pytest.raises(MappingFilesError) as error:
        import_mappings(company.services, folder, "Ann")
    return [(one.file, one.line, one.sentence) for one in error.value.problems]


@pytest.fixture
def folder(small_company: Company, tmp_path: Path) -> Path:
    export_mappings(small_company.services, tmp_path)
    return tmp_path


def test_what_was_exported_changes_nothing_when_it_is_imported(company: Company, tmp_path: Path) -> None:
    paths = export_mappings(company.services, tmp_path)

    found = import_mappings(company.services, tmp_path, "Ann")

    assert [path.name for path in paths] == [
        "SALESPEOPLE.yaml",
        "CURRENCY.yaml",
        "CUSTOMER.yaml",
        "VENDOR.yaml",
        "CONTACT.yaml",
        "schedule.yaml",
    ]
    assert (found.changes, found.notes) == ((), ())
    before = [path.read_text() for path in paths]
    export_mappings(company.services, tmp_path)
    assert [path.read_text() for path in paths] == before


def test_a_changed_file_is_previewed_then_taken_over_and_recorded(company: Company, tmp_path: Path) -> None:
    export_mappings(company.services, tmp_path)
    edit(
        tmp_path, "CUSTOMER", "direction: Bidirectional", "direction: Bidirectional\nsynch_only_coupled_records: false"
    )
    edit(tmp_path, "CUSTOMER", "local_column: name", "local_column: name\n    transformation_rule: TRIM")
    expected = [
        ("CUSTOMER", "synch_only_coupled_records", "on", "off"),
        ("CUSTOMER", "field mapping 10 transformation_rule", "", "TRIM"),
    ]

    preview = import_mappings(company.services, tmp_path, "Ann", is_preview=True)
    assert named(company.services, "CUSTOMER").synch_only_coupled_records
    done = import_mappings(company.services, tmp_path, "Ann")

    for found in (preview, done):
        assert [(one.mapping, one.what, one.before, one.after) for one in found.changes] == expected
    assert not named(company.services, "CUSTOMER").synch_only_coupled_records
    with company.services.database.reading() as connection:
        rows = connection.execute(select(change.c.what).where(change.c.who == "Ann").order_by(change.c.id)).scalars()
        assert list(rows) == [f"{mapping}: {what}" for mapping, what, *_ in expected]
    assert import_mappings(company.services, tmp_path, "Ann").changes == ()


def test_a_mapping_of_a_new_name_is_created_beside_the_others(company: Company, tmp_path: Path) -> None:
    (tmp_path / "partner.yaml").write_text(
        "name: PARTNER\ntable: vendor\nintegration_table: account\ndirection: FromIntegrationTable\n"
        "integration_table_filter: customertypecode = 5\nfields:\n  - number: 1\n    local_column: name\n    dataverse_column: name\n"
    )  # fmt: skip

    found = import_mappings(company.services, tmp_path, "Ann")

    assert [(one.mapping, one.what) for one in found.changes] == [("PARTNER", "created")]
    assert "No file: SALESPEOPLE, CURRENCY, CUSTOMER, VENDOR, CONTACT." in found.notes[1]
    assert "register the steps again" in found.notes[0]
    assert named(company.services, "PARTNER").fields == (FieldMapping(1, "name", "name"),)


def test_all_problems_of_all_files_are_told_with_their_lines_and_nothing_is_changed(
    small_company: Company, folder: Path
) -> None:
    edit(folder, "CUSTOMER", "name: CUSTOMER", "name: CUSTOMER\nsynch_only_coupled_records: false\ncolour: red")
    edit(
        folder,
        "CUSTOMER",
        "dataverse_column: fax",
        "dataverse_column: faxx\n    transformation_rule: REGEX_REPLACE('(a)\\1', '')",
    )
    edit(folder, "VENDOR", "dataverse_column: fax", "dataverse_column: faxx\n    transformation_rule: SUBSTRING(0, 1)")
    edit(folder, "VENDOR", "local_column: name", "local_column: county")
    edit(folder, "CONTACT", "depends_on: [CUSTOMER, VENDOR]", "depends_on: [NOBODY]")
    (folder / "CURRENCY.yaml").write_text("name: CURRENCY\ntable: [\n")

    told = refused(small_company, folder)

    assert told == [
        ("CONTACT.yaml", line_of(folder, "CONTACT", "depends_on"), "Mapping “NOBODY”, which CONTACT depends on, does not exist."),
        ("CURRENCY.yaml", 3, "This is no YAML: expected the node content, but found '<stream end>'."),
        ("CUSTOMER.yaml", 4, "colour: a mapping has nothing of that name"),
        ("VENDOR.yaml", line_of(folder, "VENDOR", "local_column: county"), "The local column of field mapping 10 (county ↔ name) holds 50 characters, Dataverse's 160. A bidirectional field must be at least as long here, or its text would be cut and sent back cut."),
        ("VENDOR.yaml", line_of(folder, "VENDOR", "faxx"), "Column “faxx” of field mapping 20 (fax_no ↔ faxx) does not exist in the Dataverse table."),
        ("VENDOR.yaml", line_of(folder, "VENDOR", "SUBSTRING"), "Transformation rule “SUBSTRING(0, 1)” of field mapping 20 (fax_no ↔ faxx) cannot be used. “0” is no whole number from 1 up."),
    ]  # fmt: skip
    assert named(small_company.services, "CUSTOMER").synch_only_coupled_records


ODD = [
    ("a list", "- 1", 1, "A mapping was expected"),
    ("nothing", "", 1, "A mapping was expected"),
    ("a key twice", "name: A\nname: B\n", 2, "found duplicate key"),
    ("an alias", "name: &a [1]\ntable: *a\n", 1, "it repeats itself"),
    ("a Python object", "name: !!python/object:os.system x\n", 1, "of a kind that no mapping has"),
    ("a control character", "name: \x01", 1, "special characters are not allowed"),
    ("not a number", "name: A\nlocal_template:\n  a: .nan\n", 1, "no number that a column holds"),
    ("a moment without zone", "name: A\nlocal_template:\n  a: 2026-11-22 10:00:00\n", 3, "was expected"),
    ("a tag that does not read", "name: A\nlocal_template:\n  a: {$decimal: x}\n", 3, "was expected"),
    ("a switch in words", "name: A\nenabled: on\n", 2, "enabled: true or false was expected"),
    ("an empty name", "name: ''\n", 1, "name: it is empty"),
    ("a name in small letters", "name: customer\n", 1, "at most 20 capital letters"),
    ("too much", "#" * 1_000_001, 1, "A mapping has at most 256 kB, and this file 976 kB."),
    ("too many parts", "a: [" + "1," * 120_000 + "]", 1, "too many parts"),
    ("too many lines", "- a\n" * 60_000, 1, "too many parts"),
    ("brackets in brackets", "[" * 5_000, 1, "too many parts"),
    ("a deep one", "a: " + "[" * 9 + "]" * 9, 1, "goes deeper"),
]


@pytest.mark.parametrize(("text", "line", "said"), [row[1:] for row in ODD], ids=[row[0] for row in ODD])
def test_a_file_of_an_odd_form_is_refused_with_the_line(text: str, line: int, said: str) -> None:
    assert [at for at, sentence in read(text).problems if said in sentence] == [line]


MEANT = [
    ("a table that is not here", "table: customer", "table: customers", "There is no local table customers"),
    ("a Dataverse table that is not known", "integration_table: account", "integration_table: accounts", "The Dataverse table accounts is not known"),
    ("another table", "table: customer", "table: vendor", "CUSTOMER couples customer with account; its tables stay."),
    ("a filter that cannot be read", "table_filter: blocked is empty", "table_filter: blocked is", "“is” is no comparison"),
    ("a number twice", "number: 11", "number: 12", "CUSTOMER has two field mappings of number 12."),
    ("a template of nothing", "customertypecode: 3", "nonsense: 3", "Column “nonsense” in a template of CUSTOMER does not exist."),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "said"), [row[1:] for row in MEANT], ids=[row[0] for row in MEANT])
def test_a_file_that_means_nothing_possible_is_refused(
    small_company: Company, folder: Path, before: str, after: str, said: str
) -> None:
    edit(folder, "CUSTOMER", before, after)

    (told,) = [one for one in refused(small_company, folder) if said in one[2]]

    assert told[0] == "CUSTOMER.yaml"
    assert line_of(folder, "CUSTOMER", after, -1) - told[1] in {0, 1}  # a template's key stands a line above its values


def test_the_same_mapping_in_two_files_and_a_file_that_is_no_text_are_refused(
    small_company: Company, folder: Path
) -> None:
    (folder / "Z.yml").write_text((folder / "VENDOR.yaml").read_text())
    (folder / "Y.yml").write_bytes(b"\xff")

    told = refused(small_company, folder)

    assert [one[:2] for one in told] == [("Y.yml", 0), ("Z.yml", 2)]
    assert "VENDOR stands in VENDOR.yaml already" in told[1][2]


def test_a_folder_without_mappings_is_refused(small_company: Company, tmp_path: Path) -> None:
    assert "There is no mapping here" in refused(small_company, tmp_path / "none")[0][2]


def test_a_changed_field_is_held_to_the_columns_of_the_environment_as_they_are_now(
    small_company: Company, folder: Path
) -> None:
    tables = small_company.sandbox.organization.schema.tables
    account = tables["account"]
    longer = [replace(one, length=300) if one.name == "name" else one for one in account.columns]
    tables["account"] = replace(account, columns=tuple(one for one in longer if one.name != "fax"))
    assert import_mappings(small_company.services, folder, "Ann").changes == ()
    for column in ("name", "fax"):
        edit(folder, "CUSTOMER", f"dataverse_column: {column}\n", f"dataverse_column: {column}\n    not_null: true\n")

    told = [one[2] for one in refused(small_company, folder)]

    assert told[0].startswith(
        "The local column of field mapping 10 (name ↔ name) holds 160 characters, Dataverse's 300."
    )
    assert told[1] == "Column “fax” of field mapping 20 (fax_no ↔ fax) does not exist in the Dataverse table."


# -- any mapping ---------------------------------------------------------------------------------------------------

texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=20)
values = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63), texts, st.dates(), st.datetimes(timezones=st.just(None)).map(str),
    st.decimals(allow_nan=False, allow_infinity=False, places=3),
)  # fmt: skip
directions = st.sampled_from(list(Direction))
rows = st.builds(
    FieldMapping,
    number=st.integers(1, 9999),
    local_column=st.none() | texts,
    dataverse_column=st.none() | texts,
    direction=directions,
    constant=values,
    transformation_rule=texts,
    transformation_direction=directions,
    clear_value_on_failed_sync=st.booleans(),
    not_null=st.booleans(),
    match_on_this_field=st.booleans(),
    is_enabled=st.booleans(),
    conversion=st.sampled_from(list(Conversion)),
    related=st.lists(texts, max_size=3).map(tuple),
    match_priority=st.integers(0, 9),
    case_sensitive_matching=st.booleans(),
)
filters = st.sampled_from(["", "name is empty", "a = 'O''Neill' or b in (1, 2)"])


@st.composite
def mappings(draw: st.DrawFn) -> TableMapping:
    local, dataverse = draw(filters), draw(filters)
    fields = draw(st.lists(rows, max_size=4, unique_by=lambda row: row.number))
    return TableMapping(
        draw(st.from_regex(r"[A-Z0-9][A-Z0-9 _-]{0,18}", fullmatch=True)),
        draw(texts),
        draw(texts),
        draw(directions),
        tuple(sorted(fields, key=lambda row: row.number)),
        draw(st.booleans()),
        parse(local),
        parse(dataverse),
        local,
        dataverse,
        draw(st.sampled_from(list(DeletionConflict))),
        draw(st.sampled_from(list(UpdateConflict))),
        draw(st.booleans()),
        draw(st.lists(texts, max_size=2).map(tuple)),
        draw(st.dictionaries(texts, values, max_size=2)),
        draw(st.dictionaries(texts, values, max_size=2)),
        draw(st.booleans()),
        draw(st.booleans()),
    )


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(mappings())
def test_any_mapping_comes_back_from_its_file_as_it_was(mapping: TableMapping) -> None:
    found = read(written(mapping))

    assert found.problems == ()
    assert found.mapping == mapping
    assert differences(mapping, found.mapping) == []
    assert written(found.mapping) == written(mapping)


@given(values)
def test_any_value_comes_back_from_its_plain_form(value: Any) -> None:
    assert from_plain(to_plain(value)) == value


# -- the schema and the terminal -------------------------------------------------------------------------------------


def test_the_published_schema_is_what_the_code_prints() -> None:
    assert json.loads((ROOT / "docs/mapping.schema.json").read_text()) == json_schema()


def run(company: Company, *words: str) -> tuple[int, str, str]:
    result = company.app.test_cli_runner().invoke(receiver, list(words))
    return result.exit_code, result.stdout, result.stderr


def test_the_terminal_exports_compares_and_imports(small_company: Company, tmp_path: Path) -> None:
    code, said, _ = run(small_company, "mappings", "export", str(tmp_path))
    assert (code, len(said.splitlines())) == (0, 6)
    assert "the same" in run(small_company, "mappings", "diff", str(tmp_path))[1]
    edit(tmp_path, "VENDOR", "name: VENDOR", "name: VENDOR\nenabled: false")

    for words in (("diff", str(tmp_path)), ("import", str(tmp_path), "--preview")):
        assert "1 mapping(s) would change." in run(small_company, "mappings", *words)[1]
    code, said, _ = run(small_company, "mappings", "import", str(tmp_path), "--json")

    assert code == 0
    assert json.loads(said)["changes"] == [{"mapping": "VENDOR", "what": "is_enabled", "before": "on", "after": "off"}]
    assert not named(small_company.services, "VENDOR").is_enabled


def test_the_terminal_says_each_problem_on_a_line_and_ends_with_2(small_company: Company, folder: Path) -> None:
    edit(folder, "VENDOR", "name: VENDOR", "name: VENDOR\nenabled: maybe")

    code, _, said = run(small_company, "mappings", "import", str(folder))

    assert code == 2
    assert said.splitlines() == ["VENDOR.yaml:3: enabled: true or false was expected", "Nothing was changed."]


def test_the_terminal_prints_the_schema_and_the_rules(small_company: Company) -> None:
    assert json.loads(run(small_company, "mappings", "schema")[1]) == json_schema()
    assert run(small_company, "mappings", "rules")[1] == (ROOT / "docs/transformation-rules.md").read_text()
    assert json.loads(run(small_company, "mappings", "rules", "--json")[1])[0] == {
        "rule": "UPPERCASE",
        "meaning": "capitals",
        "from": "Größe",
        "to": "GRÖSSE",
    }


@pytest.mark.parametrize("text", ["no", "No", "y", "on", "OFF", "12:30", "017", "2026-11-29", "2026-11-29 10:00"])
def test_what_yaml_1_1_takes_for_no_text_stands_in_quotes(company: Company, text: str) -> None:
    mapping = replace(named(company.services, "CUSTOMER"), local_template={"city": text})

    assert f'city: "{text}"\n' in written(mapping)
    assert read(written(mapping)).mapping.local_template == {"city": text}


# -- what runs by itself -------------------------------------------------------------------------------------------


def test_what_runs_by_itself_is_exported_and_imported_with_the_mappings(company: Company, tmp_path: Path) -> None:
    schedule.set_(company.services, "verify", "Ann", cron="0 3 * * *", is_paused=True)
    export_mappings(company.services, tmp_path)
    schedule.set_(company.services, "verify", "Ann", cron="", is_paused=False)
    path = tmp_path / "schedule.yaml"
    path.write_text(path.read_text() + "catch-up:\n  cron: '*/2 * * * *'\n")

    would = import_mappings(company.services, tmp_path, "Ann", is_preview=True)
    done = import_mappings(company.services, tmp_path, "Ann")

    assert would.changes == done.changes
    assert [(one.what, one.after) for one in done.changes] == [
        ("catch-up", "*/2 * * * *"),
        ("verify", "0 3 * * *, paused"),
    ]
    schedule.keep_rows(company.services)
    found = {(one.due.what, one.cron, one.is_paused) for one in schedule.listed(company.services)}
    assert {("catch-up", "*/2 * * * *", False), ("verify", "0 3 * * *", True)} <= found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nothing: {cron: '* * * * *'}", "Nothing called nothing runs by itself"),
        ("verify: {cron: 'at night'}", "cannot be understood"),
        ("verify: {paused: 7}", "true or false was expected"),
        ("verify: {often: true}", "cron and paused were expected"),
        ("- verify", "was expected"),
        ("verify: [", "The file cannot be read"),
    ],
)
def test_what_is_wrong_with_the_schedule_changes_nothing(
    small_company: Company, tmp_path: Path, text: str, said: str
) -> None:
    export_mappings(small_company.services, tmp_path)
    (tmp_path / "schedule.yaml").write_text(text)
    with pytest.raises(MappingFilesError, match=re.escape(said)):
        import_mappings(small_company.services, tmp_path, "Ann")
