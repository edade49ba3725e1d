"""docs/setup.md from the connection on: every command ends with what the page says."""

from __future__ import annotations

from commands.connection.environment import Machine

from receiver.commands.connection.role import EVERY_DAY, SET_UP, roles
from receiver.settings_file import overlaid


def test_from_a_connection_to_steps_and_button_and_a_doctor_who_finds_them(machine: Machine) -> None:
    machine.run("connect", *machine.options(), *machine.secret())
    here = {"RECEIVER_PUBLIC_URL": "https://receiver.example", "RECEIVER_WEBHOOK_KEYS": "a-key-of-our-own"}
    where = {"RECEIVER_SETTINGS_FILE": str(machine.settings_file)}
    machine.environment = overlaid({**machine.environment, **where}) | here

    for words in (("steps", "register"), ("steps", "check"), ("button", "install"), ("button", "check")):
        code, output, trouble = machine.run(*words)
        assert code == 0, output + trouble
    found = machine.steps("doctor")

    assert [found[name]["verdict"] for name in ("Steps", "Button", "Privileges")] == ["ok", "ok", "ok"]


def test_the_role_for_every_day_suffices_once_steps_and_button_are_there(machine: Machine) -> None:
    machine.environment |= {"RECEIVER_PUBLIC_URL": "https://receiver.example", "RECEIVER_WEBHOOK_KEYS": "a-key"}
    machine.run("connect", *machine.options(), *machine.secret())
    where = {"RECEIVER_SETTINGS_FILE": str(machine.settings_file)}
    machine.environment = overlaid({**machine.environment, **where})
    for words in (("steps", "register"), ("button", "install")):
        assert machine.run(*words)[0] == 0
    machine.sandbox.organization.withheld.update(roles()[SET_UP].keys() - roles()[EVERY_DAY].keys())
    found = machine.steps("doctor")

    assert {name: step["verdict"] for name, step in found.items() if step["verdict"] in {"warning", "failed"}} == {
        "Worker": "failed",
        "Public address": "warning",
    }
    assert found["Privileges"]["verdict"] == "note"
