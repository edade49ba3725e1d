"""Security roles with nothing that is not needed: one for every day, one for whoever registers steps and button.

Source: reference/dataverse.md §4.5, §5.4; learn, security roles and privileges.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from uuid import NAMESPACE_URL, uuid5
from xml.etree import ElementTree as ET

from receiver.dataverse.privileges import BUTTON, DELETING, STEPS, WHOLE, needed
from receiver.registration.solution import publisher
from receiver.tables import TABLES

EVERY_DAY, SET_UP = "Receiver", "Receiver Set-up"
_ROLE = 20
_CONTENT_TYPES = (
    '<?xml version="1.0" encoding="utf-8"?>'
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="xml" ContentType="text/xml" /></Types>'
)


def roles() -> dict[str, dict[str, str]]:
    """Each role's privileges, with what needs them; all of them for the whole organisation."""
    every_day = needed(shipped.mapping for shipped in TABLES)
    reading = [name for name in (*STEPS, *BUTTON) if name.startswith("prvRead")]
    every_day |= dict.fromkeys(reading, "steps check, button check, doctor")
    every_day |= dict.fromkeys(DELETING, "deleting a row from the errors page, and nothing else")
    set_up = dict.fromkeys(STEPS, "steps register, check, remove")
    set_up |= dict.fromkeys(BUTTON, "button install, check, remove")
    return {EVERY_DAY: every_day, SET_UP: set_up}


def tables() -> str:
    """As docs/role.md has them."""
    return "\n".join(line for name, held in roles().items() for line in _table(name, held))


def _table(role: str, held: Mapping[str, str]) -> Iterator[str]:
    yield f"| {role} | What needs it |"
    yield "|---|---|"
    for name, why in held.items():
        yield f"| `{name}` | {why} |"
    yield ""


def solution() -> bytes:
    """An unmanaged solution's zip that holds both roles."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        # a fixed date: the same roles make the same file
        for name, text in (
            ("[Content_Types].xml", _CONTENT_TYPES),
            ("solution.xml", _written(_manifest())),
            ("customizations.xml", _written(_customizations())),
        ):
            file.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), text)
    return packed.getvalue()


def _written(root: ET.Element) -> str:
    ET.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _id(role: str) -> str:
    return f"{{{uuid5(NAMESPACE_URL, f'receiver/role/{role}')}}}"


def _customizations() -> ET.Element:
    root = ET.Element("ImportExportXml")
    ET.SubElement(root, "Entities")
    listed = ET.SubElement(root, "Roles")
    for name, held in roles().items():
        role = ET.SubElement(listed, "Role", {"id": _id(name), "name": name, "isinherited": "1"})
        ET.SubElement(role, "IsCustomizable").text = "1"
        privileges = ET.SubElement(role, "RolePrivileges")
        for privilege in sorted(held):
            ET.SubElement(privileges, "RolePrivilege", {"name": privilege, "level": WHOLE})
    _english(root)
    return root


def _english(root: ET.Element) -> None:
    ET.SubElement(ET.SubElement(root, "Languages"), "Language").text = "1033"


def _manifest() -> ET.Element:
    root = ET.Element("ImportExportXml", {"version": "9.2", "SolutionPackageVersion": "9.2", "languagecode": "1033"})
    manifest = ET.SubElement(root, "SolutionManifest")
    _named(manifest, "receiver_roles", "Receiver roles")
    ET.SubElement(manifest, "Version").text = "1.0.0.0"
    ET.SubElement(manifest, "Managed").text = "0"
    ours, element = publisher().body, ET.SubElement(manifest, "Publisher")
    _named(element, ours["uniquename"], ours["friendlyname"])
    ET.SubElement(element, "CustomizationPrefix").text = ours["customizationprefix"]
    ET.SubElement(element, "CustomizationOptionValuePrefix").text = str(ours["customizationoptionvalueprefix"])
    parts = ET.SubElement(manifest, "RootComponents")
    for name in roles():
        ET.SubElement(parts, "RootComponent", {"type": str(_ROLE), "id": _id(name), "behavior": "0"})
    ET.SubElement(manifest, "MissingDependencies")
    return root


def _named(parent: ET.Element, unique_name: str, caption: str) -> None:
    ET.SubElement(parent, "UniqueName").text = unique_name
    names = ET.SubElement(parent, "LocalizedNames")
    ET.SubElement(names, "LocalizedName", {"description": caption, "languagecode": "1033"})
    ET.SubElement(parent, "Descriptions")
