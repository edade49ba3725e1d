"""Each way in which a connection does not come about is told from the others, and says what to do about it."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import certifi
import pytest
from commands.connection.environment import Machine, make_certificate

from receiver.commands.connection.connection_steps import misspelled
from receiver.errors import SettingError
from receiver.sandbox import Sandbox, SandboxSettings
from receiver.settings_file import overlaid

NAMES = [
    "Address", "TLS", "Clock", "Sign-in", "Application user", "Organisation", "Privileges", "Change tracking", "Columns",
    "Local currency",
]  # fmt: skip


def test_a_connection_that_works_is_kept_in_a_file_that_its_owner_alone_may_read(machine: Machine) -> None:
    code, output, _ = machine.run("connect", *machine.options(), *machine.secret())

    assert code == 0, output
    assert [line.split(":")[0].split(maxsplit=1)[1] for line in output.splitlines() if line.startswith("ok")] == NAMES
    assert f"Kept in {machine.settings_file}" in output
    assert stat.S_IMODE(machine.settings_file.stat().st_mode) == 0o600
    assert machine.sandbox.client_secret not in output


def test_whatever_starts_later_reads_the_file_and_the_environment_wins(machine: Machine) -> None:
    machine.run("connect", *machine.options(), *machine.secret())

    said = overlaid({**os.environ, "RECEIVER_TENANT_ID": "another"})

    assert said["RECEIVER_DATAVERSE_URL"] == machine.sandbox.api_url
    assert said["RECEIVER_CLIENT_SECRET"] == machine.sandbox.client_secret
    assert said["RECEIVER_TENANT_ID"] == "another"


def test_what_the_file_said_of_other_things_stays(machine: Machine) -> None:
    machine.settings_file.write_text("# ours\nRECEIVER_TRUST=read\nRECEIVER_CLIENT_CERTIFICATE=/old.pem\n")

    machine.run("connect", *machine.options(), *machine.secret())

    kept = machine.settings_file.read_text()
    assert kept.startswith("# ours\nRECEIVER_TRUST=read\n")
    assert "/old.pem" not in kept


@pytest.mark.parametrize(
    ("options", "step", "said", "remedy"),
    [
        ({"url": "nonsense"}, "Address", "is no address", "copy it from the browser"),
        ({"url": "http://contoso.crm4.dynamics.com"}, "Address", "not an HTTPS", "https://contoso.crm4.dynamics.com"),
        ({"url": "contoso.crm4.dynamics.com"}, "Address", "not an HTTPS", "https://contoso.crm4.dynamics.com"),
        (
            {"url": "https://contoso.crm4.dynamics.com/main.aspx?appid=1"},
            "Address",
            "address of a page",
            "https://contoso.crm4.dynamics.com",
        ),
        ({"url": "https://nowhere.invalid"}, "Address", "no host has this name", "DNS"),
        ({"url": "https://localhost:1"}, "Address", "nothing listens there", "firewall"),
        ({"tenant": "x", "authority": "{api}/elsewhere"}, "Sign-in", "no tenant's sign-in", "Directory (tenant) ID"),
        ({"authority": "https://localhost:1/tenant"}, "Sign-in", "cannot be reached", "login.microsoftonline.com"),
        ({"client": "c1000000-0000-4000-8000-00000000ffff"}, "Sign-in", "AADSTS700016", "Application (client) ID"),
    ],
)
def test_t4_wrong_data_is_refused_naming_what_is_wrong_and_nothing_is_kept(
    machine: Machine, options: dict[str, str], step: str, said: str, remedy: str
) -> None:
    options = {name: text.format(api=machine.sandbox.api_url) for name, text in options.items()}
    found = machine.steps("connect", *machine.options(**options), *machine.secret())

    last = found[list(found)[-1]]
    assert (last["name"], last["verdict"]) == (step, "failed")
    assert said in last["said"]
    assert remedy in last["remedy"]
    assert not machine.settings_file.exists()


@pytest.mark.parametrize(
    ("switch", "step", "said", "remedy"),
    [
        ("expired_secret", "Sign-in", "AADSTS7000222", "Make a new secret"),
        ("no_application_user", "Application user", "0x80072560", "New app user"),
    ],
)
def test_a_fault_of_the_environment_ends_the_steps_that_stand_on_it(
    machine: Machine, switch: str, step: str, said: str, remedy: str
) -> None:
    setattr(machine.sandbox.faults, switch, -1)
    found = machine.steps("connect", *machine.options(), *machine.secret())

    last = found[list(found)[-1]]
    assert (last["name"], last["verdict"]) == (step, "failed")
    assert said in last["said"]
    assert remedy in last["remedy"]
    assert not machine.settings_file.exists()


def test_a_wrong_secret_says_that_its_value_is_wanted_and_is_told_nowhere(machine: Machine) -> None:
    code, output, trouble = machine.run("connect", *machine.options(), *machine.secret("wrong-secret"))

    assert code == 1
    assert "AADSTS7000215" in output
    assert "Value, not its Secret ID" in output
    assert "Nothing was kept." in output
    assert "wrong-secret" not in output + trouble


def test_a_certificate_that_nobody_knows_ends_at_tls(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, certifi.where())
    found = machine.steps("connect", *machine.options(), *machine.secret())

    assert found["Address"]["verdict"] == "ok"
    assert found["TLS"]["verdict"] == "failed"
    assert "certificate" in found["TLS"]["said"]
    assert "REQUESTS_CA_BUNDLE" in found["TLS"]["remedy"]
    assert list(found)[-1] == "TLS"


def test_a_file_of_authorities_that_is_not_there_is_told_by_its_variable(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(machine.folder / "none.pem"))
    found = machine.steps("connect", *machine.options(), *machine.secret())

    assert "none.pem" in found["Address"]["said"]
    assert "Correct REQUESTS_CA_BUNDLE" in found["Address"]["remedy"]


def test_an_address_without_tls_is_told_so(machine: Machine) -> None:
    url = machine.sandbox.page_url.replace("http://", "https://")
    found = machine.steps("connect", *machine.options(url=url), *machine.secret())

    assert "does not speak TLS" in found["TLS"]["said"]


def test_a_sign_in_address_that_is_away_is_told_in_words(machine: Machine) -> None:
    options = machine.options(authority="https://localhost:1/tenant")
    found = machine.steps("connect", *options, *machine.secret())

    said = "The sign-in address https://localhost:1/tenant cannot be reached: nothing listens there."
    assert found["Sign-in"]["said"] == said


def test_a_proxy_that_does_not_answer_is_told_from_an_address_that_does_not(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://localhost:1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    found = machine.steps("connect", *machine.options(), *machine.secret())

    assert found["Address"]["verdict"] == "failed"
    assert "HTTPS_PROXY" in found["Address"]["remedy"]


def test_a_certificate_for_another_host_ends_at_tls(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    with Sandbox(SandboxSettings(page_port=0, api_port=0, host="127.0.0.2")) as elsewhere:
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            monkeypatch.setenv(name, str(elsewhere.ca_file))
        url = elsewhere.api_url.replace("localhost", "127.0.0.2")
        found = machine.steps("connect", *machine.options(url=url), *machine.secret())

    assert found["TLS"]["verdict"] == "failed"
    assert "127.0.0.2" in found["TLS"]["said"]


def test_an_address_that_answers_otherwise_is_no_dataverse(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("receiver.commands.connection.connection_steps.PROBE", "/nothing-here")
    found = machine.steps("connect", *machine.options(), *machine.secret())

    assert "not as Dataverse does (status 404)" in found["Address"]["said"]
    assert list(found) == ["Address"]


@pytest.mark.parametrize("url", ["https://contoso.crm4.dynamics.com/", "HTTPS://Contoso.CRM4.dynamics.com"])
def test_an_address_may_be_written_in_any_case_and_with_a_slash_at_its_end(url: str) -> None:
    assert misspelled(url) == ("", "")


@pytest.mark.parametrize("seconds", [600, -600])
def test_a_clock_that_is_off_by_more_than_five_minutes_is_a_warning(machine: Machine, seconds: int) -> None:
    machine.sandbox.faults.clock_ahead_seconds = seconds
    found = machine.steps("connect", *machine.options(), *machine.secret())

    assert found["Clock"]["verdict"] == "warning"
    assert ("behind" if seconds > 0 else "ahead of") in found["Clock"]["said"]
    assert "NTP" in found["Clock"]["remedy"]
    assert machine.settings_file.exists()


def test_our_own_clock_counts_the_same(machine: Machine) -> None:
    machine.ahead = timedelta(seconds=900)

    assert machine.steps("connect", *machine.options(), *machine.secret())["Clock"]["verdict"] == "warning"


@pytest.mark.parametrize("missing", ["prvReadAccount", "prvWriteAccount", "prvAssignContact", "prvReadUser"])
def test_a_privilege_that_is_missing_is_named_with_what_needs_it(machine: Machine, missing: str) -> None:
    machine.sandbox.organization.withheld.add(missing)
    found = machine.steps("connect", *machine.options(), *machine.secret())

    assert found["Privileges"]["verdict"] == "failed"
    assert f"{missing} is missing: " in found["Privileges"]["said"]
    assert "security role" in found["Privileges"]["remedy"]
    assert not machine.settings_file.exists()


@pytest.mark.parametrize("missing", ["prvCreateServiceEndpoint", "prvPublishCustomization"])
def test_privileges_for_steps_and_button_alone_are_only_a_note(machine: Machine, missing: str) -> None:
    machine.sandbox.organization.withheld.add(missing)
    found = machine.steps("connect", *machine.options(), *machine.secret())

    assert found["Privileges"]["verdict"] == "note"
    assert missing in found["Privileges"]["said"]
    assert machine.settings_file.exists()


def test_change_tracking_that_is_off_is_a_warning_that_says_how_to_switch_it_on(machine: Machine) -> None:
    machine.sandbox.organization.untracked.add("account")
    found = machine.steps("connect", *machine.options(), *machine.secret())

    assert found["Change tracking"]["verdict"] == "warning"
    assert "Off for account" in found["Change tracking"]["said"]
    assert "Track changes" in found["Change tracking"]["remedy"]


def test_columns_that_a_mapping_needs_and_the_environment_lacks_are_told_by_mapping(machine: Machine) -> None:
    tables = machine.sandbox.organization.schema.tables
    account = tables["account"]
    columns = tuple(
        replace(column, length=20) if column.name == "name" else column
        for column in account.columns
        if column.name != "telephone1"
    )
    tables["account"] = replace(account, columns=columns)
    found = machine.steps("connect", *machine.options(), *machine.secret())

    assert found["Columns"]["verdict"] == "warning"
    assert "account has no column telephone1" in found["Columns"]["said"]
    assert "account.name holds 20 characters" in found["Columns"]["said"]


def test_another_organisation_than_the_one_that_is_set_is_refused(machine: Machine) -> None:
    machine.environment["RECEIVER_ORGANIZATION_ID"] = "0d000000-0000-4000-8000-00000000ffff"
    found = machine.steps("connect", *machine.options(), *machine.secret())

    assert found["Organisation"]["verdict"] == "failed"
    assert machine.sandbox.organization_id in found["Organisation"]["said"]


def test_t5_a_local_currency_that_dataverse_does_not_have_is_named(machine: Machine) -> None:
    machine.environment["RECEIVER_LOCAL_CURRENCY"] = "XAU"
    found = machine.steps("connect", *machine.options(), *machine.secret())

    assert found["Local currency"]["verdict"] == "failed"
    assert "XAU" in found["Local currency"]["said"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"url": ""}, "--url or RECEIVER_DATAVERSE_URL"),
        ({"tenant": "", "authority": ""}, "--tenant or RECEIVER_TENANT_ID"),
        ({"client": ""}, "--client or RECEIVER_CLIENT_ID"),
    ],
)
def test_t3_a_value_that_is_missing_is_named(machine: Machine, options: dict[str, str], said: str) -> None:
    code, _, trouble = machine.run("connect", *machine.options(**options), *machine.secret())

    assert code == 2
    assert said in trouble


def test_a_missing_secret_is_named_with_every_way_to_give_it(machine: Machine) -> None:
    code, _, trouble = machine.run("connect", *machine.options())

    assert code == 2
    assert "--secret-file, --certificate or RECEIVER_CLIENT_SECRET" in trouble


def test_forced_it_is_kept_although_it_does_not_work(machine: Machine) -> None:
    code, output, _ = machine.run("connect", *machine.options(url="https://localhost:1"), *machine.secret(), "--force")

    assert code == 1
    assert "Kept in" in output
    assert "https://localhost:1" in machine.settings_file.read_text()


def test_a_preview_tries_the_same_and_keeps_nothing(machine: Machine) -> None:
    code, output, _ = machine.run("connect", *machine.options(), *machine.secret(), "--preview")

    assert code == 0
    assert "Nothing was kept" in output
    assert not machine.settings_file.exists()


def test_t14_on_a_terminal_what_is_missing_is_asked_for_and_https_is_offered(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("receiver.cli.connection.is_terminal", lambda: True)
    machine.environment["RECEIVER_AUTHORITY"] = machine.sandbox.authority
    host = machine.sandbox.api_url.removeprefix("https://")
    answers = f"{host}\ny\n\n{machine.sandbox.client_id}\n{machine.sandbox.client_secret}\n"

    code, output, _ = machine.run("connect", answers=answers)

    assert code == 0, output
    assert f"Use {machine.sandbox.api_url}?" in output
    assert f"Directory (tenant) ID [{machine.sandbox.tenant_id}]" in output
    assert machine.sandbox.client_secret not in output
    assert f"RECEIVER_DATAVERSE_URL={machine.sandbox.api_url}\n" in machine.settings_file.read_text()


def test_a_certificate_signs_in(machine: Machine, tmp_path: Path) -> None:
    path = make_certificate(tmp_path / "ours.pem")

    code, output, _ = machine.run("connect", *machine.options(certificate=str(path)))

    assert code == 0, output
    assert f"RECEIVER_CLIENT_CERTIFICATE={path}" in machine.settings_file.read_text()


def test_a_certificate_is_kept_by_its_whole_path(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_certificate(tmp_path / "ours.pem")
    monkeypatch.chdir(tmp_path)

    machine.run("connect", *machine.options(certificate=path.name))

    assert f"RECEIVER_CLIENT_CERTIFICATE={path}\n" in machine.settings_file.read_text()


def test_a_certificate_that_is_not_the_registered_one_is_told_so(machine: Machine, tmp_path: Path) -> None:
    registered = make_certificate(tmp_path / "registered.pem").read_bytes()
    path = make_certificate(tmp_path / "ours.pem")
    settings = SandboxSettings(page_port=0, api_port=0, client_certificate=registered)
    with Sandbox(settings) as strict, pytest.MonkeyPatch.context() as patch:
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            patch.setenv(name, str(strict.ca_file))
        options = machine.options(url=strict.api_url, authority=strict.authority, certificate=str(path))
        found = machine.steps("connect", *options)

    assert found["Sign-in"]["verdict"] == "failed"
    assert "AADSTS700027" in found["Sign-in"]["said"]
    assert "Upload the certificate" in found["Sign-in"]["remedy"]


@pytest.mark.parametrize("content", [None, b"nonsense"])
def test_a_certificate_that_cannot_be_read_is_told_so(machine: Machine, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "ours.pem"
    if content is not None:
        path.write_bytes(content)
    found = machine.steps("connect", *machine.options(certificate=str(path)))

    assert found["Sign-in"]["verdict"] == "failed"
    assert "PEM file" in found["Sign-in"]["remedy"]


def test_t19_starting_the_receiver_asks_dataverse_nothing(machine: Machine) -> None:
    machine.run("connect", *machine.options(), *machine.secret())
    machine.sandbox.organization.requests.clear()

    assert machine.is_connected()
    assert machine.sandbox.requests == []


def test_t1_without_settings_there_is_no_connection_and_with_them_there_is(machine: Machine) -> None:
    assert not machine.is_connected()

    machine.run("connect", *machine.options(), *machine.secret())

    assert machine.is_connected()


def test_a_line_of_the_file_that_is_no_setting_is_named_by_its_number(machine: Machine) -> None:
    machine.settings_file.write_text("RECEIVER_TRUST=read\nPASSWORD hunter2\n")

    with pytest.raises(SettingError, match="line 2") as told:
        overlaid({"RECEIVER_SETTINGS_FILE": str(machine.settings_file)})
    assert "hunter2" not in str(told.value)
