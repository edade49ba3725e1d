"""The terminal: what it prints, and the exit codes 0 done, 1 failed or refused, 2 asked for wrongly."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from admin.visitor import app_with
from company import Company
from scenarios.pairs import POUND

from receiver.cli import receiver
from receiver.cli.shared import said, table
from receiver.commands.following import synch_jobs
from receiver.commands.mappings.change_mapping import named
from receiver.core.mapping import Direction
from receiver.runs.tasks import newest

ROOT = Path(__file__).parents[2]
ACCOUNT = "a0000000-0000-4000-8000-000000000001"
NOBODY = "a0000000-0000-4000-8000-00000000ffff"


def run(company: Company, *words: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error, as `flask --app wsgi receiver …` gives them."""
    result = company.app.test_cli_runner().invoke(receiver, list(words))
    return result.exit_code, result.stdout, result.stderr


def run_json(company: Company, *words: str) -> Any:
    code, output, _ = run(company, *words, "--json")
    assert code == 0
    return json.loads(output)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("mappings", "show", "NOSUCH"), 2, "There is no mapping NOSUCH"),
        (("mappings", "reset", "NOSUCH"), 2, "No mapping NOSUCH is shipped"),
        (("mappings", "set", "NOSUCH", "--enabled", "off"), 2, "There is no mapping NOSUCH"),
        (("mappings", "set", "CUSTOMER"), 2, "Nothing to set"),
        (("mappings", "set", "CUSTOMER", "--direction", "Sideways"), 2, "is not one of"),
        (("mappings", "set", "CUSTOMER", "--field", "10", "perhaps"), 2, "on or off"),
        (("mappings", "set", "CUSTOMER", "--field", "999", "on"), 2, "no field mapping 999"),
        (("mappings", "set", "CUSTOMER", "--table-filter", "colour = 'red'"), 2, "Column “colour”"),
        (("mappings", "set", "CUSTOMER", "--table-filter", "name ="), 2, "ends where a value was expected"),
        (
            ("mappings", "set", "SALESPEOPLE", "--direction", "ToIntegrationTable"),
            2,
            "needs at least one enabled field",
        ),
        (("inbox", "show", "4711"), 2, "There is no notification 4711"),
        (("inbox", "retry", "4711"), 2, "There is no notification 4711"),
        (("inbox", "retry"), 2, "NUMBER"),
        (("inbox", "retry", "1", "--all"), 2, "NUMBER"),
        (("inbox", "show", "99999999999999999999"), 2, "NUMBER"),
        (("inbox", "list", "--limit", "99999999999999999999"), 2, "--limit"),
        (("inbox", "purge", "--older-than-days", "99999999"), 2, "--older-than-days"),
        (("jobs", "purge", "--older-than-days", "99999999"), 2, "--older-than-days"),
        (("tasks", "show", "99999999999999999999"), 2, "NUMBER"),
        (("rows", "CUSTOMER", "--key", "C99"), 2, "There is no Customer C99. Look the key up in the table customer."),
        (("create", "to", "CUSTOMER", "C99"), 2, "There is no Customer C99. Look the key up in the table customer."),
        (("create", "from", "CUSTOMER", NOBODY), 2, f"There is no account {NOBODY}. `receiver rows CUSTOMER` lists"),
        (("match", "CUSTOMER", "--record", "C99", "--preview"), 2, "There is no Customer C99. Look the key up"),
        (("synchronize", "CUSTOMER", "C99"), 2, "Couple it first, by Set Up Coupling: receiver couple CUSTOMER C99"),
        (("role", "--solution", "/nowhere/role.zip"), 2, "/nowhere/role.zip cannot be written"),
        (("mappings", "export", "/dev/null/mappings"), 2, "/dev/null/mappings cannot be written"),
        (("mappings", "diff", "/nowhere"), 2, "/nowhere: There is no mapping here"),
        (("show", "account", "no-guid"), 2, "There is no mapping or local table account"),
        (("show", "lead", NOBODY), 2, "No mapping reads the table lead"),
        (("show", "CUSTOMER", "C99"), 2, "There is no Customer C99. `receiver records CUSTOMER` lists them."),
        (("records", "NOSUCH"), 2, "There is no mapping NOSUCH"),
        (("mappings", "reset", "CUSTOMER", "--preview", "--all"), 2, "Name the mapping, or say --all."),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    small_company: Company, words: tuple[str, ...], code: int, said: str
) -> None:
    found = run(small_company, *words)

    assert (found[0], found[1]) == (code, "")
    assert said in found[2]
    assert "Traceback" not in found[2]


def test_a_refused_mapping_leaves_the_old_one(small_company: Company) -> None:
    before = run_json(small_company, "mappings", "show", "CUSTOMER")

    run(small_company, "mappings", "set", "CUSTOMER", "--table-filter", "colour = 'red'", "--enabled", "off")

    assert run_json(small_company, "mappings", "show", "CUSTOMER") == before


@pytest.mark.parametrize(
    "wrong",
    [("--field", "999", "on"), ("--field", "10", "perhaps"), ("--field", "20", "off", "--table-filter", "colour = 1")],
)
def test_of_several_settings_all_are_taken_or_none(small_company: Company, wrong: tuple[str, ...]) -> None:
    before = run_json(small_company, "mappings", "show", "CUSTOMER")

    assert run(small_company, "mappings", "set", "CUSTOMER", "--enabled", "off", *wrong)[0] == 2

    assert run_json(small_company, "mappings", "show", "CUSTOMER") == before


def test_an_empty_answer_is_a_sentence(small_company: Company) -> None:
    assert run(small_company, "inbox", "list")[1] == "Nothing has come yet.\n"
    assert run(small_company, "inbox", "list", "--state", "failed")[1] == "There is no such notification.\n"
    assert run(small_company, "mappings", "bring-in", "CUSTOMER")[1].startswith("No row was passed over")
    said = "No row with a name that begins with “zzz” is inside the integration table filter of CUSTOMER.\n"
    assert run(small_company, "rows", "customer", "--begins", "zzz")[1] == said


def test_who_is_not_in_step_hears_how_to_see_and_mend_it(small_company: Company) -> None:
    small_company.open_for_all("CUSTOMER")
    code, said, _ = run(small_company, "verify", "CUSTOMER", "--here")

    assert code == 1
    assert said.endswith("To see what: receiver verify CUSTOMER --list; to mend it: --repair\n")


def test_a_preview_says_what_would_be_set_and_sets_nothing(small_company: Company) -> None:
    words = ("mappings", "set", "CUSTOMER", "--enabled", "off", "--field", "20", "off")
    before = run_json(small_company, "mappings", "show", "CUSTOMER")

    _, would, _ = run(small_company, *words, "--preview")
    assert would.splitlines() == [
        "CUSTOMER would be changed.",
        "  is_enabled: on → off",
        "  field mapping 20 is_enabled: on → off",
    ]
    assert run_json(small_company, "mappings", "show", "CUSTOMER") == before

    assert len(run_json(small_company, *words)["changes"]) == 2
    assert run(small_company, *words)[1] == "CUSTOMER is so already: nothing was changed.\n"


def test_a_mapping_is_set_and_reset(small_company: Company) -> None:
    words = ("--synch-only-coupled-records", "off", "--direction", "FromIntegrationTable", "--field", "20", "off")
    code, _, _ = run(small_company, "mappings", "set", "customer", *words)

    changed = run_json(small_company, "mappings", "show", "CUSTOMER")
    assert (code, changed["synch_only_coupled_records"], changed["direction"]) == (0, False, "FromIntegrationTable")
    assert [row["enabled"] for row in changed["fields"] if row["number"] == 20] == [False]

    _, foretold, _ = run(small_company, "mappings", "reset", "CUSTOMER", "--preview")
    assert "CUSTOMER, direction: FromIntegrationTable → Bidirectional" in foretold
    code, _, refused = run(small_company, "mappings", "reset", "CUSTOMER")
    assert code == 1
    assert refused.endswith("Nothing was done: nobody answered. Say --yes where it is meant.\n")
    assert run_json(small_company, "mappings", "show", "CUSTOMER") == changed

    run(small_company, "mappings", "reset", "CUSTOMER", "--yes")
    reset = run_json(small_company, "mappings", "show", "CUSTOMER")
    assert (reset["synch_only_coupled_records"], reset["direction"]) == (True, "Bidirectional")


def test_switching_only_coupled_off_tells_how_many_rows_were_passed_over(small_company: Company) -> None:
    small_company.sandbox.update("account", ACCOUNT, {"name": "Nordwind AG"})
    small_company.work()

    _, said, _ = run(small_company, "mappings", "set", "CUSTOMER", "--synch-only-coupled-records", "off")
    assert "1 row(s) were passed over" in said

    foretold = "1 row(s) would be looked at again; those inside the filter may be created here.\n"
    assert run(small_company, "mappings", "bring-in", "CUSTOMER", "--preview")[1] == foretold
    assert run(small_company, "mappings", "bring-in", "CUSTOMER", "--yes")[0] == 0
    small_company.work()
    assert small_company.coupled_record("CUSTOMER", ACCOUNT)["name"] == "Nordwind AG"


def test_show_prints_what_is_coupled_and_an_empty_list_if_nothing_is(small_company: Company) -> None:
    assert run_json(small_company, "show", "account", NOBODY) == []

    small_company.open_for_all("CUSTOMER")
    key = small_company.couple_by_click("account", ACCOUNT)
    (found,) = run_json(small_company, "show", "account", "{" + ACCOUNT.upper() + "}")

    assert (found["mapping"], found["coupled"], found["record"]["no"]) == ("CUSTOMER", True, key)
    assert found["coupling"]["dataverse_id"] == ACCOUNT


def test_the_inbox_is_listed_shown_retried_and_purged(small_company: Company) -> None:
    small_company.sandbox.update("account", ACCOUNT, {"name": "Nordwind AG"})
    small_company.work()

    (listed,) = run_json(small_company, "inbox", "list")
    shown = run_json(small_company, "inbox", "show", str(listed["id"]))
    assert (listed["state"], listed["message"], listed["table_name"]) == ("ignored", "Update", "account")
    assert json.loads(shown["body"])["PrimaryEntityId"] == ACCOUNT

    assert run(small_company, "inbox", "retry", str(listed["id"]))[0] == 0
    assert run_json(small_company, "inbox", "list", "--state", "waiting")[0]["id"] == listed["id"]
    small_company.work()

    small_company.pass_time(31 * 24 * 3600)
    purge = ("inbox", "purge", "--older-than-days", "30")
    assert run(small_company, *purge, "--preview")[1] == "1 notification(s) would be deleted.\n"
    assert run(small_company, *purge, "--yes")[1] == "1 notification(s) were deleted.\n"
    assert run_json(small_company, "inbox", "list") == []


def test_the_steps_are_those_that_the_images_are_believed_by(small_company: Company) -> None:
    steps = {(step["table"], step["message"]): step for step in run_json(small_company, "steps", "list")}
    create, update, delete = (steps["account", message] for message in ("Create", "Update", "Delete"))

    assert {step["mode"] for step in steps.values()} == {1}
    assert create["image"]["message_property_name"] == "Id"
    assert update["image"]["alias"] == create["image"]["alias"]
    assert set(update["image"]["attributes"]) - set(update["filtering_attributes"]) == {"modifiedon", "versionnumber"}
    assert delete["image"]["alias"].startswith("rcv_pre_")
    assert ("none", "rcv_OpenInBusinessCentral") in steps


def test_a_step_on_a_computed_name_listens_to_its_parts(small_company: Company) -> None:
    steps = {(step["table"], step["message"]): step for step in run_json(small_company, "steps", "list")}

    assert {"fullname", "firstname", "lastname"} <= set(steps["systemuser", "Update"]["filtering_attributes"])


def test_every_list_is_readable_without_json(small_company: Company) -> None:
    small_company.sandbox.update("account", ACCOUNT, {"name": "Nordwind AG"})
    small_company.work()

    assert "CUSTOMER" in run(small_company, "mappings", "list")[1]
    assert "transactioncurrencyid" in run(small_company, "mappings", "show", "CUSTOMER")[1]
    assert "only coupled" in run(small_company, "inbox", "list")[1]
    assert "rcv_post_" in run(small_company, "steps", "list")[1]
    assert "ReadWholeSource" in run(small_company, "rules")[1]
    assert "RECEIVER_DATABASE_URL" in run(small_company, "settings")[1]


def test_a_mapping_is_shown_in_words(small_company: Company) -> None:
    lines = run(small_company, "mappings", "show", "CUSTOMER")[1].splitlines()

    assert {"Name: CUSTOMER", "Enabled: on", "Resolve Update Conflicts: -"} <= set(lines)
    assert any(line.startswith("Depends on: ") and "[" not in line for line in lines)
    shown = [line.split() for line in lines if line.startswith("10 ")]
    assert shown == [["10", "name", "Bidirectional", "name", "-", "on"]]


def test_a_notification_is_shown_in_words(small_company: Company) -> None:
    small_company.open_for_all("CUSTOMER")
    key = small_company.couple_by_click("account", ACCOUNT)
    small_company.sandbox.update("account", ACCOUNT, {"name": "Südwind AG"})
    small_company.work()
    newest = run_json(small_company, "inbox", "list")[0]

    shown = run(small_company, "inbox", "show", str(newest["id"]))[1]

    lines = [line.strip() for line in shown.splitlines()]
    assert {"State: done", "Synchronous: off", "Note: -", "CUSTOMER: Modify", f"Record: {key}"} <= set(lines)
    assert any(line.startswith("name: ") and line.endswith("→ Südwind AG") for line in lines)
    assert '"PrimaryEntityName": "account",' in lines
    assert not any(word in shown for word in ("{'", "[{", "None", "True", "False"))


def test_the_list_says_what_to_do_about_a_failed_notification_alone(small_company: Company) -> None:
    fail_by_conflict(small_company)
    lines = run(small_company, "inbox", "list")[1].splitlines()

    at = next(number for number, line in enumerate(lines) if "  failed  " in line)
    assert lines[at + 1].startswith("  What to do: ")
    assert len([line for line in lines if "What to do" in line]) == 1


def fail_by_conflict(company: Company) -> None:
    """The same field changes on both sides, and the mapping names no winner."""
    company.open_for_all("CUSTOMER")
    key = company.couple_by_click("account", ACCOUNT)
    company.change_local("customer", key, phone_no="ours")
    company.sandbox.update("account", ACCOUNT, {"telephone1": "Sales"})
    company.work()


@pytest.mark.parametrize(
    ("value", "words"),
    [(True, "on"), (False, "off"), (None, "-"), ("", "-"), ([], "-"), (["A", "B"], "A, B"), (0, "0")],
)
def test_a_value_is_said_as_people_read_it(value: Any, words: str) -> None:
    assert said(value) == words


ROWS = [(1, "[a] :smile:"), (22, "b" * 200)]


def test_a_table_is_aligned_text_for_other_programs(capsys: pytest.CaptureFixture[str]) -> None:
    table("Things", ("NO", "WHAT"), ROWS, ["a note", ""])

    assert capsys.readouterr().out.splitlines() == ["NO  WHAT", "1   [a] :smile:", "  a note", f"22  {'b' * 200}"]


def test_a_table_on_a_terminal_has_a_title_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]  # a stand-in for a terminal
    monkeypatch.setattr(sys, "stdout", terminal)
    table("Things", ("NO", "WHAT"), ROWS, ["a note", ""])

    drawn = terminal.getvalue()
    assert all(text in drawn for text in ("Things", "WHAT", "[a] :smile:", "  a note"))
    assert drawn.count("b") == 200


def test_asking_for_help_loads_nothing_that_only_a_command_needs() -> None:
    command = "import sys, receiver.cli; print(sorted({'rich', 'alembic', 'receiver.sandbox'} & set(sys.modules)))"
    ended = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, timeout=100, check=True)

    assert ended.stdout.strip() == "[]"


def test_migrate_says_where_the_schema_stands(small_company: Company) -> None:
    assert re.fullmatch(r"The schema is \d{4}\.\n", run(small_company, "migrate")[1])


def test_an_empty_database_is_answered_with_the_command_to_run(tmp_path: Path) -> None:
    environment = {**os.environ, "RECEIVER_DATABASE_URL": f"sqlite:///{tmp_path}/empty.sqlite"}
    command = [sys.executable, "-m", "receiver", "mappings", "list"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.strip().endswith("Run: receiver migrate")


def test_flask_finds_the_same_commands(small_company: Company) -> None:
    environment = {**os.environ, **small_company.environment}
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "receiver", "mappings", "list", "--json"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False, cwd=ROOT)

    assert json.loads(ended.stdout)[0]["name"] == "SALESPEOPLE"


def test_a_name_from_outside_steers_no_terminal_and_begins_no_line(small_company: Company) -> None:
    name = "Nord\x1b[2J\nforged: 1\u202e"
    key = small_company.insert_local("customer", name=name)
    small_company.sandbox.update("account", ACCOUNT, {"name": name})
    printed = [
        run(small_company, "couple", "CUSTOMER", key, ACCOUNT, "--preview"),
        run(small_company, "couple", "CUSTOMER", key, ACCOUNT, "--after", "dataverse"),
        run(small_company, "couple", "CUSTOMER", key, ACCOUNT),
        run(small_company, "show", "account", ACCOUNT),
        run(small_company, "show", "account", ACCOUNT, "--json"),
        run(small_company, "history", "account", ACCOUNT),
        run(small_company, "rows", "CUSTOMER"),
        run(small_company, "rows", "CUSTOMER", "--json"),
        run(small_company, "verify", "CUSTOMER", "--list"),
    ]

    lines = [line for _, *texts in printed for text in texts for line in text.split("\n")]
    assert all(line.isprintable() for line in lines)
    assert any("forged" in line for line in lines)
    assert not [line for line in lines if line.startswith("forged")]


@pytest.mark.parametrize("words", ["mappings run CUSTOMER --here", "verify CUSTOMER --here", "match CUSTOMER --here"])
def test_without_a_connection_a_run_says_so_at_once_and_leaves_nothing_open(tmp_path: Path, words: str) -> None:
    app = app_with(tmp_path)
    try:
        done = app.test_cli_runner().invoke(receiver, words.split())
        assert done.exit_code == 1
        assert "No connection to Dataverse is set up. Run receiver connect" in done.stderr
        assert newest(app.extensions["receiver"]) == []
        assert synch_jobs.listed(app.extensions["receiver"]) == []
    finally:
        app.extensions["receiver"].close()


def test_a_failure_within_a_run_is_exit_code_1_and_says_where_to_look(small_company: Company) -> None:
    small_company.open_for_all("CUSTOMER")
    small_company.sandbox.put_row("account", ACCOUNT, {"transactioncurrencyid": POUND})

    code, _, errors = run(small_company, "mappings", "run", "CUSTOMER", "--direction", "from", "--here")

    assert code == 1
    assert "failed. To see which, and why: receiver jobs list CUSTOMER; what stands: receiver errors list" in errors


def test_the_settings_of_a_field_mapping_are_set_by_command(small_company: Company) -> None:
    words = ("--direction", "FromIntegrationTable", "--not-null", "on", "--transformation-rule", "UPPERCASE")
    code, said, _ = run(small_company, "mappings", "field", "CUSTOMER", "15", *words, "--preview")
    assert (code, said.splitlines()[0]) == (0, "CUSTOMER would be changed.")
    assert run(small_company, "mappings", "field", "CUSTOMER", "15", *words)[0] == 0

    (field,) = [one for one in named(small_company.services, "CUSTOMER").fields if one.number == 15]
    assert (field.direction, field.not_null, field.transformation_rule) == (Direction.FROM, True, "UPPERCASE")
    assert run(small_company, "mappings", "field", "CUSTOMER", "15")[0] == 2
    assert run(small_company, "mappings", "field", "CUSTOMER", "999", "--enabled", "on")[0] == 2


def test_a_new_field_mapping_starts_switched_off_and_is_refused_where_it_could_not_be_switched_on(
    small_company: Company,
) -> None:
    add = ("mappings", "add-field", "CUSTOMER", "--integration-field-name", "telephone2", "--field-name")
    assert run(small_company, *add, "nosuch")[0] == 2
    code, said, _ = run(small_company, *add, "mobile_phone_no")

    added = named(small_company.services, "CUSTOMER").fields[-1]
    assert code == 0
    assert (added.local_column, added.dataverse_column, added.is_enabled) == ("mobile_phone_no", "telephone2", False)
    assert f"To switch it on: receiver mappings field CUSTOMER {added.number} --enabled on" in said


def test_a_default_that_would_blank_what_sales_has_is_not_the_default(small_company: Company) -> None:
    key = small_company.insert_local("customer", name="Nordwind Trading GmbH")
    code, _, errors = run(small_company, "couple", "CUSTOMER", key, "--row", ACCOUNT)

    assert code == 1
    assert "By default a blank would overwrite" in errors
    assert "then say --synchronize local, dataverse or no." in errors
    assert small_company.coupling("CUSTOMER", ACCOUNT) is None
    _, foretold, _ = run(small_company, "couple", "CUSTOMER", key, "--row", ACCOUNT, "--preview")
    assert "A blank would overwrite" in foretold
    assert "address1_city: Hamburg → (empty)" in foretold
    assert run(small_company, "couple", "CUSTOMER", key, "--row", ACCOUNT, "--synchronize", "dataverse")[0] == 0


def test_a_preview_of_a_creation_says_that_its_number_is_not_known_yet(small_company: Company) -> None:
    _, said, _ = run(small_company, "create", "from", "CUSTOMER", ACCOUNT, "--preview")

    assert "A new Customer would be created from account “Nordwind Trading GmbH”" in said
    assert "it gets its number when it is made" in said
    assert "city: (empty) → Hamburg" in said
