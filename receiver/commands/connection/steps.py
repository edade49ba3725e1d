"""The steps, filtering attributes and images to register in Dataverse. Source: reference/dataverse.md §4."""

from __future__ import annotations

from typing import Any

from receiver.core.message import POST_OPERATION, image_alias
from receiver.dataverse.columns import CHANGE_COLUMNS
from receiver.services import Services, image_columns, mappings_of
from receiver.store.mappings import Mappings

#: tables without a recycle bin know no such message; then a row that comes back is found by catching up
OPTIONAL_MESSAGES = frozenset({"Restore"})


def steps_to_register(services: Services) -> list[dict[str, Any]]:
    """One asynchronous post-operation step a table and message, and one for the button's Custom API."""
    with services.database.reading() as connection:
        mappings = services.mappings(connection)
    enabled = {mapping.dataverse_table for mapping in mappings.values() if mapping.is_enabled}
    steps = [step for table in sorted(enabled) for step in _of_table(mappings, table)]
    return [*steps, _step("none", services.options.ribbon_message)]


def _of_table(mappings: Mappings, table: str) -> list[dict[str, Any]]:
    assert mappings_of(mappings, table)  # only tables with a mapping have steps
    columns = image_columns(mappings, table)
    create, update, delete, restore = (_step(table, one) for one in ("Create", "Update", "Delete", "Restore"))
    update["filtering_attributes"] = sorted(columns - CHANGE_COLUMNS)
    create["image"] = _image("post", "Id", columns)
    update["image"] = _image("post", "Target", columns)
    delete["image"] = _image("pre", "Target", columns)
    return [create, update, delete, restore]


def _step(table: str, message: str) -> dict[str, Any]:
    return {
        "table": table,
        "message": message,
        "stage": POST_OPERATION,
        "mode": 1,
        "filtering_attributes": None,
        "image": None,
    }


def _image(kind: str, message_property: str, columns: frozenset[str]) -> dict[str, Any]:
    return {
        "type": kind,
        "alias": image_alias(kind, columns),
        "message_property_name": message_property,
        "attributes": sorted(columns),
    }
