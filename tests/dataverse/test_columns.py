"""Dataverse's columns: what a value looks like where it is written."""

from receiver.core.values import Reference
from receiver.dataverse.columns import TABLES, to_web_api

ROW = "a0000000-0000-4000-8000-000000000009"


def test_a_lookup_to_a_table_that_is_not_mapped_names_its_entity_set_as_dataverse_does() -> None:
    column = TABLES["account"].columns["bcbi_companyid"]
    name, value = to_web_api(column, Reference("bcbi_company", ROW))
    assert name == "bcbi_CompanyId@odata.bind"
    assert value == f"/bcbi_companies({ROW})"
