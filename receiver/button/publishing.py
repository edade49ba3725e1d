"""Publishing: what was changed of tables and web resources is drawn on forms from then on.

Source: reference/dataverse.md §5.2.
"""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree import ElementTree as ET

from receiver.dataverse.client import DataverseClient
from receiver.dataverse.web_api import dumps
from receiver.registration.rows import patiently


def publish(client: DataverseClient, tables: Iterable[str], web_resources: Iterable[str]) -> None:
    """Publish these tables' customizations and these web resources, and nothing that others left unpublished.

    Raises: what Dataverse raises, after it was asked again where waiting helps.
    """
    named, scripts = tuple(tables), tuple(web_resources)
    if not named and not scripts:
        return
    body = dumps({"ParameterXml": _parameter(named, scripts)})
    patiently(lambda: client.call("POST", "PublishXml", body=body))


def _parameter(tables: Iterable[str], web_resources: Iterable[str]) -> str:
    root = ET.Element("importexportxml")
    entities, resources = ET.SubElement(root, "entities"), ET.SubElement(root, "webresources")
    for table in tables:
        ET.SubElement(entities, "entity").text = table
    for id_ in web_resources:
        ET.SubElement(resources, "webresource").text = f"{{{id_}}}"
    return ET.tostring(root, encoding="unicode")
