"""Multi-Company Synchronization: whether a mapping also synchronizes the rows of other companies.

It is the filter that says so, as in Business Central: on takes its condition on the company away, off puts it back.
Source: reference §13.6.
"""

from __future__ import annotations

from receiver.commands.mappings.change_mapping import named, set_mapping
from receiver.core.company import COMPANY_ID
from receiver.core.filters import columns_of
from receiver.core.mapping import TableMapping
from receiver.dataverse.columns import TABLES as DATAVERSE_TABLES
from receiver.errors import RefusedError
from receiver.services import Services
from receiver.tables.shipped import OWN_OR_EMPTY


def is_multi_company(mapping: TableMapping) -> bool:
    """Whether the integration table filter has no condition on the company."""
    return COMPANY_ID not in columns_of(mapping.dataverse_filter)


def set_multi_company(services: Services, name: str, who: str, *, is_on: bool) -> TableMapping:
    """Switch it; the changed mapping comes back. Raises: NotFoundError; RefusedError; InvalidMappingError."""
    mapping = named(services, name)
    if COMPANY_ID not in DATAVERSE_TABLES[mapping.dataverse_table].columns:
        raise RefusedError(f"{mapping.dataverse_table} of {mapping.name} knows no company: there is nothing to switch.")
    if is_multi_company(mapping) is is_on:
        return mapping
    text = _without_condition(mapping) if is_on else _with_condition(mapping.dataverse_filter_text)
    return set_mapping(services, mapping.name, who, dataverse_filter_text=text)


def _without_condition(mapping: TableMapping) -> str:
    parts = mapping.dataverse_filter_text.split(OWN_OR_EMPTY)
    text = " and ".join(
        part.strip().removeprefix("and ").removesuffix(" and").strip() for part in parts if part.strip()
    )
    if len(parts) == 1 or COMPANY_ID in text:
        raise RefusedError(
            f"The integration table filter of {mapping.name} has a condition on the company that was made by hand. "
            f"Change it by hand: receiver mappings set {mapping.name} --integration-table-filter TEXT"
        )
    return text


def _with_condition(text: str) -> str:
    if not text:
        return OWN_OR_EMPTY
    return f"({text}) and {OWN_OR_EMPTY}" if " or " in text else f"{text} and {OWN_OR_EMPTY}"
