"""The roles hold what the code asks for by name, and nothing else; the documents say the same."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from xml.etree import ElementTree as ET

from commands.connection.environment import Machine

from receiver.commands.connection import role
from receiver.dataverse.privileges import needed
from receiver.tables import TABLES

ROOT = Path(__file__).parents[3]


def test_the_page_of_the_roles_is_what_the_code_prints() -> None:
    assert role.tables() in (ROOT / "docs/role.md").read_text()


def test_the_role_for_every_day_holds_what_the_shipped_mappings_need() -> None:
    assert set(role.roles()[role.EVERY_DAY]) >= set(needed(shipped.mapping for shipped in TABLES))


def test_the_solution_holds_both_roles_with_their_privileges() -> None:
    packed = zipfile.ZipFile(io.BytesIO(role.solution()))
    found = ET.fromstring(packed.read("customizations.xml"))
    held = {one.get("name"): {each.get("name") for each in one.iter("RolePrivilege")} for one in found.iter("Role")}

    assert held == {name: set(privileges) for name, privileges in role.roles().items()}
    assert packed.namelist() == ["[Content_Types].xml", "solution.xml", "customizations.xml"]
    named = {one.get("id") for one in ET.fromstring(packed.read("solution.xml")).iter("RootComponent")}
    assert named == {one.get("id") for one in found.iter("Role")}
    assert role.solution() == role.solution()


def test_the_terminal_prints_them_and_writes_the_file(machine: Machine) -> None:
    assert "prvReadAccount" in machine.run("role")[1]

    code, output, _ = machine.run("role", "--solution", str(machine.folder / "roles.zip"))

    assert code == 0
    assert "roles.zip holds the roles Receiver, Receiver Set-up" in output
    assert zipfile.is_zipfile(machine.folder / "roles.zip")
