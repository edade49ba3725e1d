"""FetchXML, as far as it asks for the recycle bin: columns, and conditions eq and in that all hold.

Source: DP/restore-deleted-records; DP/fetchxml/overview.
"""

from __future__ import annotations

from xml.etree import ElementTree as ET

from flask import Response

from receiver.sandbox.errors import invalid_argument, unknown_property
from receiver.sandbox.organization import Organization
from receiver.sandbox.storage import Row
from receiver.sandbox.table import Table
from receiver.sandbox.values import to_json
from receiver.sandbox.web_api import privileges, sight
from receiver.sandbox.web_api.asked import Asked
from receiver.sandbox.web_api.rendering import selected, shown

OPTION = "fetchXml"
_OPERATORS = ("eq", "in")


def deleted_rows(asked: Asked, table: Table) -> Response:
    """`accounts?fetchXml=<fetch datasource='bin'>...`. Raises ApiError for any other FetchXML."""
    organization = asked.organization
    privileges.require(organization, "Read", table)
    entity = _entity(asked.option(OPTION) or "", table)
    names = [one.get("name", "") for one in entity.findall("attribute")]
    columns = selected(table, ",".join(_property_name(table, name) for name in names) or None)
    found = sight.in_sight(organization, organization.recycle_bin.rows(table))
    wanted = [row for row in found if all(_holds(organization, table, row, one) for one in _conditions(entity))]
    members = [shown(organization, row, columns, is_annotated=asked.wants_annotations) for row in wanted]
    return asked.answer({"@odata.context": f"{asked.base}/$metadata#{table.set_name}", "value": members})


def _entity(text: str, table: Table) -> ET.Element:
    try:
        root = ET.fromstring(text)  # noqa: S314 - a local sandbox, and Python's expat refuses entity bombs
    except ET.ParseError:
        raise invalid_argument("'fetchXml' is no XML.") from None
    entity = root.find("entity")
    if root.tag != "fetch" or root.get("datasource") != "bin" or entity is None or entity.get("name") != table.name:
        raise invalid_argument("The sandbox answers FetchXML for the recycle bin alone, and for the set's own table.")
    for one in (*root, *entity, *entity.findall("filter/*")):
        if one.tag not in ("entity", "attribute", "all-attributes", "order", "filter", "condition"):
            raise invalid_argument(f"The sandbox does not answer <{one.tag}> in FetchXML.")
    return entity


def _conditions(entity: ET.Element) -> list[ET.Element]:
    """Raises ApiError for a filter whose conditions need not all hold."""
    filters = entity.findall("filter")
    if any(one.get("type", "and") != "and" for one in filters):
        raise invalid_argument("The sandbox answers filters of type 'and' alone in FetchXML.")
    return [condition for one in filters for condition in one.findall("condition")]


def _holds(organization: Organization, table: Table, row: Row, condition: ET.Element) -> bool:
    name, operator = condition.get("attribute", ""), condition.get("operator", "")
    if operator not in _OPERATORS:
        raise invalid_argument(f"The sandbox does not answer the operator '{operator}' in FetchXML.")
    column = table.by_name[_known(table, name)]
    given = [condition.get("value", "")] if operator == "eq" else [one.text or "" for one in condition.findall("value")]
    value, key = row.get(column.name), organization.collation.key
    return value is not None and key(str(to_json(column, value))) in {key(one.strip("{}")) for one in given}


def _property_name(table: Table, name: str) -> str:
    return table.by_name[_known(table, name)].property_name


def _known(table: Table, name: str) -> str:
    if not table.has(name):
        raise unknown_property(name, table.name)
    return name
