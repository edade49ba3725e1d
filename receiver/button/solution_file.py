"""An unmanaged solution file with a classic ribbon button: for environments that draw no modern commands.

The same script as the modern command's, under the same id: whichever came first, the other meets it. Equal input gives
equal bytes. Source: reference/dataverse.md §5.2, §5.4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from xml.etree import ElementTree as ET
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from receiver.button.ribbon import ribbon_of
from receiver.button.rows import JSCRIPT, web_resource
from receiver.button.script import DISPLAY_NAME, NAME, script
from receiver.registration.solution import PREFIX, PUBLISHER, publisher

UNIQUE_NAME, VERSION = "receiver_ribbon", "1.0.0.0"
_TABLE, _WEB_RESOURCE, _SHELL_ONLY = "1", "61", "2"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_CONTENT_TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
#: elements of customizations.xml that stay empty, around the two that do not
_BEFORE = ("Roles", "Workflows", "FieldSecurityProfiles", "Templates", "EntityMaps", "EntityRelationships")
_BEHIND = ("CustomControls", "EntityDataProviders")
_OLDEST = (1980, 1, 1, 0, 0, 0)


def solution_file(tables: Sequence[str], public_url: str, languages: Sequence[int]) -> bytes:
    """The zip. Raises: RefusedError for an address that no browser would reach."""
    resource_id = web_resource(public_url).id
    path = f"WebResources/{NAME.replace('/', '').replace('.', '')}{resource_id.upper()}"
    return _zipped(
        {
            "[Content_Types].xml": _content_types(path),
            "solution.xml": _manifest(tables, languages),
            "customizations.xml": _customizations(tables, languages, resource_id, path),
            path: script(public_url).encode(),
        }
    )


def _zipped(files: Mapping[str, bytes]) -> bytes:
    """Neither the clock nor the machine nor a version of the compression shows."""
    written = BytesIO()
    with ZipFile(written, "w", ZIP_STORED) as archive:
        for name, content in files.items():
            entry = ZipInfo(name, _OLDEST)
            entry.create_system = 0
            archive.writestr(entry, content)
    return written.getvalue()


def _content_types(path: str) -> bytes:
    root = ET.Element("Types", xmlns=_CONTENT_TYPES)
    octets = "application/octet-stream"
    ET.SubElement(root, "Default", Extension="xml", ContentType=octets)
    ET.SubElement(root, "Override", PartName=f"/{path}", ContentType=octets)
    return _written(root)


def _manifest(tables: Sequence[str], languages: Sequence[int]) -> bytes:
    root = _root(languages)
    manifest = ET.SubElement(root, "SolutionManifest")
    _text(manifest, "UniqueName", UNIQUE_NAME)
    _names(manifest, "LocalizedNames", "LocalizedName", "Receiver: ribbon button", languages)
    ET.SubElement(manifest, "Descriptions")
    _text(manifest, "Version", VERSION)
    _text(manifest, "Managed", "0")
    manifest.append(_publisher(languages))
    roots = ET.SubElement(manifest, "RootComponents")
    ET.SubElement(roots, "RootComponent", type=_WEB_RESOURCE, schemaName=NAME, behavior="0")
    for table in tables:
        ET.SubElement(roots, "RootComponent", type=_TABLE, schemaName=table, behavior=_SHELL_ONLY)
    ET.SubElement(manifest, "MissingDependencies")
    return _written(root)


def _publisher(languages: Sequence[int]) -> ET.Element:
    """The same as the rows' one (registration/solution.py)."""
    wanted = publisher().body
    found = ET.Element("Publisher")
    _text(found, "UniqueName", PUBLISHER)
    _names(found, "LocalizedNames", "LocalizedName", str(wanted["friendlyname"]), languages)
    ET.SubElement(found, "Descriptions")
    _text(found, "CustomizationPrefix", PREFIX)
    _text(found, "CustomizationOptionValuePrefix", str(wanted["customizationoptionvalueprefix"]))
    addresses = ET.SubElement(found, "Addresses")
    for number in ("1", "2"):
        address = ET.SubElement(addresses, "Address")
        _text(address, "AddressNumber", number)
        _text(address, "AddressTypeCode", "1")
    return found


def _customizations(tables: Sequence[str], languages: Sequence[int], resource_id: str, path: str) -> bytes:
    root = _root(languages)
    entities = ET.SubElement(root, "Entities")
    for table in tables:
        entity = ET.SubElement(entities, "Entity")
        _text(entity, "Name", table)
        information = ET.SubElement(ET.SubElement(entity, "EntityInfo"), "entity", Name=table, unmodified="1")
        ET.SubElement(information, "attributes")
        entity.append(ribbon_of(table, languages))
    for name in _BEFORE:
        ET.SubElement(root, name)
    ET.SubElement(root, "WebResources").append(_web_resource(resource_id, path))
    for name in _BEHIND:
        ET.SubElement(root, name)
    spoken = ET.SubElement(root, "Languages")
    for language in languages:
        _text(spoken, "Language", str(language))
    return _written(root)


def _web_resource(resource_id: str, path: str) -> ET.Element:
    found = ET.Element("WebResource")
    values = {
        "WebResourceId": f"{{{resource_id}}}",
        "Name": NAME,
        "DisplayName": DISPLAY_NAME,
        "WebResourceType": str(JSCRIPT),
        "IntroducedVersion": VERSION,
        "IsEnabledForMobileClient": "0",
        "IsAvailableForMobileOffline": "0",
        "IsCustomizable": "1",
        "CanBeDeleted": "1",
        "IsHidden": "0",
        "FileName": f"/{path}",
    }
    for name, value in values.items():
        _text(found, name, value)
    return found


def _root(languages: Sequence[int]) -> ET.Element:
    spoken = {"languagecode": str(languages[0])}
    versions = {"version": "9.2.0.0", "SolutionPackageVersion": "9.2"}
    return ET.Element("ImportExportXml", {**versions, **spoken, "generatedBy": "CrmLive", "xmlns:xsi": _XSI})


def _names(parent: ET.Element, plural: str, one: str, text: str, languages: Sequence[int]) -> None:
    names = ET.SubElement(parent, plural)
    for language in languages:
        ET.SubElement(names, one, description=text, languagecode=str(language))


def _text(parent: ET.Element, name: str, text: str) -> None:
    ET.SubElement(parent, name).text = text


def _written(root: ET.Element) -> bytes:
    ET.indent(root)
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode").encode() + b"\n"
