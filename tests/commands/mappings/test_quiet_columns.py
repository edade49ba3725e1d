"""A mapping says which of its columns change without a notification and without a version."""

from __future__ import annotations

from company import Company

from receiver.catalogue.described import described
from receiver.commands.mappings.change_mapping import named
from receiver.commands.mappings.mapping_fit import misfits_of
from receiver.store import descriptions


def test_a_column_that_dataverse_calculates_is_named_with_what_finds_its_changes(company: Company) -> None:
    with company.services.database.reading() as connection:
        facts = {name: dict(one) for name, one in descriptions.load(connection)["account"].items()}
    mapping = named(company.services, "CUSTOMER")
    assert not any("calculated" in one for one in misfits_of(mapping, described("account", facts)))
    facts["creditlimit"]["source"] = 2
    said = [one for one in misfits_of(mapping, described("account", facts)) if "calculated or rolled up" in one]
    assert len(said) == 1
    assert said[0].startswith("account.creditlimit: ")
    assert "receiver verify CUSTOMER --repair" in said[0]
