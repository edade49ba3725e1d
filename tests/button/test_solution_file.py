"""The solution file, unpacked: everything that is named is there, and what is there is named."""

from __future__ import annotations

import re
from collections.abc import Mapping
from io import BytesIO
from uuid import UUID
from xml.etree import ElementTree as ET
from zipfile import ZipFile

import pytest
from company import Company

from receiver.button.rows import web_resource
from receiver.button.script import FUNCTION, NAME, script
from receiver.button.solution_file import solution_file
from receiver.commands.connection.button import mapped_tables
from receiver.commands.connection.solution import build
from receiver.errors import RefusedError

URL = "https://receiver.example"
TABLES = ["account", "contact"]
LANGUAGES = (1033, 1031)


@pytest.fixture(scope="module")
def files() -> Mapping[str, bytes]:
    with ZipFile(BytesIO(solution_file(TABLES, URL, LANGUAGES))) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def manifest(files: Mapping[str, bytes]) -> ET.Element:
    found = ET.fromstring(files["solution.xml"]).find("SolutionManifest")
    assert found is not None
    return found


@pytest.fixture(scope="module")
def customizations(files: Mapping[str, bytes]) -> ET.Element:
    return ET.fromstring(files["customizations.xml"])


def test_equal_input_gives_equal_bytes() -> None:
    assert solution_file(TABLES, URL, LANGUAGES) == solution_file(TABLES, URL, LANGUAGES)
    assert solution_file(TABLES, URL, LANGUAGES) != solution_file(TABLES, f"{URL}/bc", LANGUAGES)


def test_it_holds_the_three_documents_and_the_script(files: Mapping[str, bytes]) -> None:
    *documents, path = files

    assert documents == ["[Content_Types].xml", "solution.xml", "customizations.xml"]
    assert re.fullmatch(r"WebResources/rcv_business_centraljs[0-9A-F-]{36}", path)


def test_every_part_has_a_content_type(files: Mapping[str, bytes]) -> None:
    root = ET.fromstring(files["[Content_Types].xml"])
    space = "{http://schemas.openxmlformats.org/package/2006/content-types}"
    assert {one.tag for one in root} == {f"{space}Default", f"{space}Override"}
    extensions = {one.get("Extension") for one in root.iterfind(f"{space}Default")}
    parts = {one.get("PartName") for one in root.iterfind(f"{space}Override")}

    for name in files:
        assert name.rpartition(".")[2] in extensions or f"/{name}" in parts


def test_the_manifest_is_an_unmanaged_solution_of_our_publisher(manifest: ET.Element) -> None:
    assert manifest.findtext("Managed") == "0"
    assert re.fullmatch(r"\w+", manifest.findtext("UniqueName") or "")
    assert re.fullmatch(r"\d+\.\d+\.\d+\.\d+", manifest.findtext("Version") or "")
    assert manifest.findtext("Publisher/CustomizationPrefix") == "rcv"
    assert 10000 <= int(manifest.findtext("Publisher/CustomizationOptionValuePrefix") or 0) <= 99999
    assert len(manifest.findall("Publisher/Addresses/Address")) == 2
    names = [name.get("languagecode") for name in manifest.iterfind("LocalizedNames/LocalizedName")]
    assert names == ["1033", "1031"]
    assert manifest.find("MissingDependencies") is not None


def test_every_root_component_is_in_the_file_and_nothing_else_is(
    manifest: ET.Element, customizations: ET.Element
) -> None:
    roots = {(one.get("type"), one.get("schemaName")) for one in manifest.iterfind("RootComponents/RootComponent")}
    tables = {("1", one.findtext("Name")) for one in customizations.iterfind("Entities/Entity")}
    scripts = {("61", one.findtext("Name")) for one in customizations.iterfind("WebResources/WebResource")}

    assert roots == tables | scripts
    assert tables == {("1", table) for table in TABLES}


def test_the_script_is_the_installed_one_under_the_same_id(
    files: Mapping[str, bytes], customizations: ET.Element
) -> None:
    (resource,) = customizations.iterfind("WebResources/WebResource")
    path = (resource.findtext("FileName") or "").removeprefix("/")

    assert (resource.findtext("Name"), resource.findtext("WebResourceType")) == (NAME, "3")
    assert str(UUID(resource.findtext("WebResourceId"))) == web_resource(URL).id
    assert files[path].decode() == script(URL)


def test_no_id_stands_twice(customizations: ET.Element) -> None:
    ids = [one.get("Id") for tag in ("CustomAction", "Button", "CommandDefinition", "LocLabel") for one in
           customizations.iter(tag)]  # fmt: skip

    assert len(ids) == len(set(ids)) == len(TABLES) * 6
    assert all(id_ and id_.startswith("rcv.") for id_ in ids)


@pytest.mark.parametrize("table", TABLES)
def test_a_tables_ribbon_has_every_section_and_its_references_resolve(customizations: ET.Element, table: str) -> None:
    (ribbon,) = [
        one.find("RibbonDiffXml") for one in customizations.iterfind("Entities/Entity") if one.findtext("Name") == table
    ]
    assert ribbon is not None
    sections = ["CustomActions", "Templates", "CommandDefinitions", "RuleDefinitions", "LocLabels"]
    assert [one.tag for one in ribbon] == sections
    assert ribbon.find("Templates/RibbonTemplates[@Id='Mscrm.Templates']") is not None
    assert [one.tag for one in ribbon.find("RuleDefinitions") or ()] == [
        "TabDisplayRules",
        "DisplayRules",
        "EnableRules",
    ]
    (action,) = ribbon.iterfind("CustomActions/CustomAction")
    assert action.get("Location") == f"Mscrm.Form.{table}.MainTab.Save.Controls._children"
    (button,) = action.iterfind("CommandUIDefinition/Button")
    (command,) = ribbon.iterfind("CommandDefinitions/CommandDefinition")
    assert button.get("Command") == command.get("Id")
    (function,) = command.iterfind("Actions/JavaScriptFunction")
    assert (function.get("Library"), function.get("FunctionName")) == (f"$webresource:{NAME}", FUNCTION)
    assert [one.get("Value") for one in function.iterfind("CrmParameter")] == ["PrimaryControl"]
    labels = {one.get("Id"): one for one in ribbon.iterfind("LocLabels/LocLabel")}
    for caption in ("LabelText", "ToolTipTitle", "ToolTipDescription"):
        label = labels.pop((button.get(caption) or "").removeprefix("$LocLabels:"))
        assert [one.get("languagecode") for one in label.iterfind("Titles/Title")] == ["1033", "1031"]
    assert labels == {}


def test_it_is_built_for_the_tables_that_are_mapped_and_asks_dataverse_nothing(small_company: Company) -> None:
    small_company.set("CURRENCY", is_enabled=False)
    asked = len(small_company.sandbox.requests)
    built = build(small_company.services, URL)

    assert list(built.tables) == mapped_tables(small_company.services) == ["account", "contact", "systemuser"]
    assert len(small_company.sandbox.requests) == asked


def test_without_a_mapping_there_is_nothing_to_build(small_company: Company) -> None:
    for mapping in ("CUSTOMER", "VENDOR", "CONTACT", "SALESPEOPLE", "CURRENCY"):
        small_company.set(mapping, is_enabled=False)

    with pytest.raises(RefusedError, match="No mapping is enabled"):
        build(small_company.services, URL)
