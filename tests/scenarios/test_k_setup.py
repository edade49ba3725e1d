"""Group K: mappings as a person sees, adds, deletes and resets them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from company import Company
from scenarios.pairs import ACCOUNT, BIDIRECTIONAL, FROM, SECOND_ACCOUNT, TO, account, couple_customer
from sqlalchemy import select

from receiver.cli import receiver
from receiver.commands.coupling.create import create_in_dataverse
from receiver.commands.coupling.pairs import mapping_named
from receiver.commands.mappings import change_mapping as mappings
from receiver.commands.mappings.mapping_files import MappingFilesError, import_mappings
from receiver.commands.synchronizing import full_synchronization
from receiver.commands.synchronizing.synchronize_now import Choice, synchronize_now
from receiver.core.dependencies import ordered
from receiver.core.mapping import Direction
from receiver.core.values import ColumnType
from receiver.dataverse.columns import TABLES as DATAVERSE_TABLES
from receiver.errors import InvalidMappingError, NotFoundError, RefusedError
from receiver.runs.mapping_run import parts_of, run_part
from receiver.runs.run_pages import Scope
from receiver.store import mappings as stored
from receiver.store.models import field_mapping, passed_over
from receiver.store.runs import watermark
from receiver.tables import TABLES

SHIPPED = [one.mapping.name for one in TABLES]


def names(company: Company) -> list[str]:
    with company.services.database.reading() as connection:
        return list(stored.load(connection))


def said(company: Company, *words: str) -> tuple[int, str]:
    result = company.app.test_cli_runner().invoke(receiver, list(words))
    return result.exit_code, result.output


def write_prospects(folder: Path, name: str = "PROSPECTS", column: str = "fax") -> None:
    """The file of a mapping of one's own."""
    folder.mkdir(exist_ok=True)
    text = f"""name: "{name}"
table: customer
integration_table: account
direction: FromIntegrationTable
integration_table_filter: customertypecode = 9
fields:
  - number: 1
    local_column: name
    dataverse_column: name
    direction: FromIntegrationTable
  - number: 2
    local_column: fax_no
    dataverse_column: {column}
    direction: FromIntegrationTable
"""
    (folder / "PROSPECTS.yaml").write_text(text)


def add_prospects(company: Company, folder: Path) -> None:
    write_prospects(folder)
    import_mappings(company.services, folder, "Ada")


# -- the list ------------------------------------------------------------------------------------------------------


def test_g31_and_k1_what_is_carried_out_adds_no_mapping_to_the_list(company: Company) -> None:
    key = couple_customer(company)
    create_in_dataverse(company.services, "CUSTOMER", [company.insert_local("customer", name="New")], "Ada")
    synchronize_now(company.services, "CUSTOMER", [key], Choice.GET, "Ada")

    assert names(company) == SHIPPED
    assert {one["mapping"] for one in company.jobs("CUSTOMER")} == {"CUSTOMER"}


@pytest.mark.parametrize("direction", [BIDIRECTIONAL, TO, FROM])
def test_k2_a_mapping_is_listed_with_both_tables_and_its_direction(small_company: Company, direction: str) -> None:
    small_company.set("CUSTOMER", direction=direction)

    (line,) = [one for one in said(small_company, "mappings", "list")[1].splitlines() if one.startswith("CUSTOMER ")]

    assert line.split()[:4] == ["CUSTOMER", "customer", "account", str(direction)]


def test_k3_a_mapping_shows_its_own_field_mappings(small_company: Company, tmp_path: Path) -> None:
    add_prospects(small_company, tmp_path / "own")

    shown = said(small_company, "mappings", "show", "PROSPECTS")[1].splitlines()

    rows = shown[next(at for at, line in enumerate(shown) if line.startswith("NUMBER")) + 1 :]
    assert [line.split()[:4] for line in rows] == [
        ["1", "name", "FromIntegrationTable", "name"],
        ["2", "fax_no", "FromIntegrationTable", "fax"],
    ]


def test_k10_a_row_is_known_by_its_guid(small_company: Company) -> None:
    for name in names(small_company):
        described = DATAVERSE_TABLES[mappings.named(small_company.services, name).dataverse_table]

        assert described.columns[described.primary_id].type is ColumnType.GUID


def test_k31_and_k33_every_mapping_has_one_place_in_the_order_of_a_full_synchronization(company: Company) -> None:
    assert ordered({}) == []

    lines = full_synchronization.review(company.services)

    assert sorted(one.mapping for one in lines) == sorted(names(company))
    at = {one.mapping: place for place, one in enumerate(lines)}
    assert all(at[needed] < at[one.mapping] for one in lines for needed in one.needs)


# -- Not Null, filters, names --------------------------------------------------------------------------------------


def test_k7_not_null_keeps_an_empty_owner_and_an_empty_text_from_being_written(company: Company) -> None:
    """Business Central knows Not Null for guids alone; here an empty text can be kept out, too."""
    company.set_field("CUSTOMER", "fax_no", not_null=True)
    company.sandbox.update("account", ACCOUNT, {"fax": "2222"})
    key = couple_customer(company)
    owner = account(company)["ownerid"]

    company.change_local("customer", key, fax_no="", salesperson_code="", phone_no="")
    synchronize_now(company.services, "CUSTOMER", [key], Choice.SEND, "Ada")

    row = account(company)
    assert (row["fax"], row["ownerid"], row["telephone1"]) == ("2222", owner, None)


def test_k34_a_filter_is_set_and_checked_without_asking_dataverse(small_company: Company) -> None:
    before = len(small_company.sandbox.requests)

    mappings.set_mapping(small_company.services, "CUSTOMER", "Ada", dataverse_filter_text="statecode = 0")
    with pytest.raises(InvalidMappingError, match="Column “colour”"):
        mappings.set_mapping(small_company.services, "CUSTOMER", "Ada", dataverse_filter_text="colour = 'red'")

    assert mappings.named(small_company.services, "CUSTOMER").dataverse_filter_text == "statecode = 0"
    assert len(small_company.sandbox.requests) == before


@pytest.mark.parametrize("name", ["", "  ", "A NAME OF MORE THAN TWENTY"])
def test_k65_a_mapping_has_a_name_and_a_short_one(small_company: Company, tmp_path: Path, name: str) -> None:
    write_prospects(tmp_path / "own", name)

    with pytest.raises(MappingFilesError, match=r"PROSPECTS.yaml:1: name:"):
        import_mappings(small_company.services, tmp_path / "own", "Ada")

    assert names(small_company) == SHIPPED


# -- added, deleted, reset -----------------------------------------------------------------------------------------


def test_k37_a_mapping_of_ones_own_is_added_and_works(company: Company, tmp_path: Path) -> None:
    add_prospects(company, tmp_path / "own")
    company.open_for_all("PROSPECTS")
    row_id = company.sandbox.create("account", {"name": "Perhaps GmbH", "customertypecode": 9})
    company.work()

    assert names(company) == [*SHIPPED, "PROSPECTS"]
    assert company.coupled_record("PROSPECTS", row_id)["name"] == "Perhaps GmbH"


def test_k45_a_field_that_does_not_exist_there_is_named_and_nothing_is_saved(
    small_company: Company, tmp_path: Path
) -> None:
    write_prospects(tmp_path / "own", column="telefax")

    with pytest.raises(MappingFilesError, match="Column “telefax” of field mapping 2"):
        import_mappings(small_company.services, tmp_path / "own", "Ada")

    assert names(small_company) == SHIPPED


def numbers(company: Company, mapping: str) -> Iterable[int]:
    query = select(field_mapping.c.number).where(field_mapping.c.mapping == mapping).order_by(field_mapping.c.number)
    with company.services.database.reading() as connection:
        return connection.execute(query).scalars().all()


def test_k9_a_deleted_mapping_takes_its_field_mappings_along_and_no_others(company: Company, tmp_path: Path) -> None:
    add_prospects(company, tmp_path / "own")
    company.sandbox.create("account", {"name": "Perhaps GmbH", "customertypecode": 9})
    company.register_steps()
    company.sandbox.create("account", {"name": "Perhaps AG", "customertypecode": 9})
    company.work()
    others = {name: numbers(company, name) for name in SHIPPED}
    assert list(numbers(company, "PROSPECTS")) == [1, 2]

    code, told = said(company, "mappings", "delete", "prospects", "--yes")

    assert (code, told.strip()) == (0, "PROSPECTS was deleted.")
    assert names(company) == SHIPPED
    assert list(numbers(company, "PROSPECTS")) == []
    assert {name: numbers(company, name) for name in SHIPPED} == others
    with company.services.database.reading() as connection:
        assert "PROSPECTS" not in set(connection.execute(select(passed_over.c.mapping)).scalars())
    with pytest.raises(NotFoundError, match="There is no mapping PROSPECTS"):
        mappings.delete(company.services, "PROSPECTS", "Ada")


def test_k9_a_mapping_that_couples_records_or_is_referred_to_is_not_deleted(company: Company) -> None:
    couple_customer(company)

    with pytest.raises(RefusedError, match=r"CUSTOMER couples 1 record\(s\).*receiver uncouple CUSTOMER --all"):
        mappings.delete(company.services, "CUSTOMER", "Ada")
    with pytest.raises(RefusedError, match=r"CUSTOMER, VENDOR, CONTACT refer\(s\) to CURRENCY"):
        mappings.delete(company.services, "CURRENCY", "Ada")

    assert names(company) == SHIPPED


def delete_all(company: Company) -> None:
    with company.services.database.writing() as connection:
        for mapping in stored.load(connection).values():
            stored.remove(connection, mapping, "Ada", company.now())


def test_k35_the_default_setup_of_all_mappings_keeps_their_number(company: Company, tmp_path: Path) -> None:
    add_prospects(company, tmp_path / "own")
    for name in SHIPPED:
        company.set(name, synch_only_coupled_records=False)

    code, told = said(company, "mappings", "reset", "--all", "--yes")

    assert (code, told.strip().splitlines()[-1]) == (0, f"{', '.join(SHIPPED)} are as they were shipped.")
    assert names(company) == [*SHIPPED, "PROSPECTS"]
    for one in TABLES:
        assert stored.differences(mappings.named(company.services, one.mapping.name), one.mapping) == []


def test_k69_the_default_setup_makes_mappings_where_there_are_none(company: Company) -> None:
    delete_all(company)
    assert names(company) == []

    assert list(mappings.reset_all(company.services, "Ada")) == SHIPPED

    assert names(company) == SHIPPED
    company.register_steps()
    couple_customer(company)
    assert company.last_job("CUSTOMER") == {"inserted": 1}


@pytest.mark.parametrize("words", [(), ("CUSTOMER", "--all")])
def test_k69_a_reset_names_one_mapping_or_says_all(small_company: Company, words: tuple[str, ...]) -> None:
    assert said(small_company, "mappings", "reset", *words)[0] == 2


# -- where a run begins --------------------------------------------------------------------------------------------


def test_k11_without_a_watermark_every_row_is_looked_at_whenever_it_was_modified(company: Company) -> None:
    key, _ = couple_customer(company), couple_customer(company, SECOND_ACCOUNT)
    company.change_local("customer", key, fax_no="1111")
    with company.services.database.reading() as connection:
        assert watermark(connection, "CUSTOMER") is None

    for part in parts_of(mapping_named(company.services, "CUSTOMER"), Direction.FROM, Scope.MODIFIED, "Ada"):
        list(run_part(company.services, part))

    assert company.last_job("CUSTOMER") == {"unchanged": 2}
