"""A table's classic ribbon button, as RibbonDiffXml. Source: reference/dataverse.md §5.2."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as ET

from receiver.button.rows import LABEL, TOOLTIP
from receiver.button.script import FUNCTION, NAME

_SEQUENCE = "900"


def ribbon_of(table: str, languages: Sequence[int]) -> ET.Element:
    """One button on the table's form. Its captions are labels: where one stands plainly, the client draws no button."""
    ids = f"rcv.{table}.BusinessCentral"
    texts = {"LabelText": LABEL, "ToolTipTitle": LABEL, "ToolTipDescription": TOOLTIP}
    ribbon = ET.Element("RibbonDiffXml")
    ribbon.append(_custom_actions(table, ids, list(texts)))
    ET.SubElement(ET.SubElement(ribbon, "Templates"), "RibbonTemplates", Id="Mscrm.Templates")
    ribbon.append(_commands(ids))
    rules = ET.SubElement(ribbon, "RuleDefinitions")
    for name in ("TabDisplayRules", "DisplayRules", "EnableRules"):
        ET.SubElement(rules, name)
    labels = ET.SubElement(ribbon, "LocLabels")
    for name, text in texts.items():
        titles = ET.SubElement(ET.SubElement(labels, "LocLabel", Id=f"{ids}.{name}"), "Titles")
        for language in languages:
            ET.SubElement(titles, "Title", description=text, languagecode=str(language))
    return ribbon


def _custom_actions(table: str, ids: str, captions: list[str]) -> ET.Element:
    actions = ET.Element("CustomActions")
    location = f"Mscrm.Form.{table}.MainTab.Save.Controls._children"
    action = ET.SubElement(actions, "CustomAction", Id=f"{ids}.CustomAction", Location=location, Sequence=_SEQUENCE)
    labels = {name: f"$LocLabels:{ids}.{name}" for name in captions}
    button = {"Id": f"{ids}.Button", "Command": f"{ids}.Command", "Sequence": _SEQUENCE, "TemplateAlias": "o1"}
    ET.SubElement(ET.SubElement(action, "CommandUIDefinition"), "Button", {**button, **labels})
    return actions


def _commands(ids: str) -> ET.Element:
    commands = ET.Element("CommandDefinitions")
    command = ET.SubElement(commands, "CommandDefinition", Id=f"{ids}.Command")
    ET.SubElement(command, "EnableRules")
    ET.SubElement(command, "DisplayRules")
    function = ET.SubElement(
        ET.SubElement(command, "Actions"),
        "JavaScriptFunction",
        Library=f"$webresource:{NAME}",
        FunctionName=FUNCTION,
    )
    ET.SubElement(function, "CrmParameter", Value="PrimaryControl")
    return commands
