"""A full run after another: what is remembered at the version that its row has is not read, and nothing else is missed."""

from __future__ import annotations

from collections import Counter

import pytest
from company import Company

from receiver.commands.coupling.pairs import mapping_named
from receiver.core.mapping import DeletionConflict, Direction
from receiver.runs.mapping_run import parts_of, run_part
from receiver.runs.run_pages import Scope

FROM = Direction.FROM


@pytest.fixture
def firms(company: Company) -> list[str]:
    """The ids of three accounts that a full run has brought in."""
    for row in company.sandbox.rows("account"):
        company.sandbox.update("account", row["accountid"], {"statecode": 1, "statuscode": 2}, deliver=False)
    company.open_for_all("CUSTOMER")
    names = ("Ahlers", "Brandt", "Coolen")
    ids = [
        company.sandbox.create("account", {"name": one, "customertypecode": 3, "telephone1": "1"}, deliver=False)
        for one in names
    ]
    assert full(company) == {"Insert": 3}
    return ids


def full(company: Company, scope: Scope = Scope.FULL) -> Counter[str]:
    """Run CUSTOMER from Dataverse; how often each decision was taken."""
    (part,) = parts_of(mapping_named(company.services, "CUSTOMER"), FROM, scope, "the test")
    done = [one for step in run_part(company.services, part) for one in step.done]
    return Counter(one.settled.decision if one.settled else str(one.error) for one in done)


def read_whole(company: Company, before: int) -> int:
    """How many requests asked for a mapped column."""
    return sum("address1_line1" in made.path for made in company.sandbox.requests[before:])


def test_nothing_changed_so_nothing_is_read_whole_and_all_is_counted(company: Company, firms: list[str]) -> None:
    before = len(company.sandbox.requests)

    assert full(company) == {"IgnoreUnchanged": len(firms)}
    assert company.last_job("CUSTOMER") == {"unchanged": len(firms)}
    assert read_whole(company, before) == 0


def test_only_what_changed_is_read_whole(company: Company, firms: list[str]) -> None:
    company.sandbox.update("account", firms[1], {"name": "Brandt & Co."}, deliver=False)
    company.sandbox.create("account", {"name": "Dahl", "customertypecode": 3}, deliver=False)
    before = len(company.sandbox.requests)

    assert full(company) == {"IgnoreUnchanged": 2, "Modify": 1, "Insert": 1}
    assert read_whole(company, before) == 1
    assert {one["name"] for one in company.locals("customer")} == {"Ahlers", "Brandt & Co.", "Coolen", "Dahl"}
    assert full(company) == {"IgnoreUnchanged": 4}


def test_what_is_newly_mapped_is_read_again(company: Company, firms: list[str]) -> None:
    company.sandbox.update("account", firms[0], {"telephone2": "+49 170 1"}, deliver=False)
    assert full(company) == {"IgnoreUnchanged": 3}
    company.set_field("CUSTOMER", "mobile_phone_no", is_enabled=True)
    before = len(company.sandbox.requests)

    assert full(company) == {"IgnoreUnchanged": 2, "Modify": 1}
    assert read_whole(company, before) == 1


def test_a_local_record_that_is_gone_is_noticed(company: Company, firms: list[str]) -> None:
    company.set("CUSTOMER", resolve_deletion_conflicts=DeletionConflict.RESTORE)
    coupled = company.coupling("CUSTOMER", firms[2])
    assert coupled is not None
    company.delete_local("customer", coupled.local_id)

    assert full(company) == {"IgnoreUnchanged": 2, "Insert": 1}


def test_a_field_that_changed_there_while_ours_went_out_comes_in(company: Company, firms: list[str]) -> None:
    coupled = company.coupling("CUSTOMER", firms[0])
    assert coupled is not None
    company.change_local("customer", coupled.local_id, phone_no="2")
    company.sandbox.update("account", firms[0], {"name": "Ahlers KG"}, deliver=False)
    (part,) = parts_of(mapping_named(company.services, "CUSTOMER"), Direction.TO, Scope.MODIFIED, "the test")
    list(run_part(company.services, part))

    assert full(company) == {"IgnoreUnchanged": 2, "Modify": 1}
    assert full(company) == {"IgnoreUnchanged": 3}


def test_a_row_that_left_the_filter_and_came_back_unchanged_is_looked_at(company: Company, firms: list[str]) -> None:
    company.sandbox.update("account", firms[0], {"name": "Ahlers AG", "customertypecode": 1}, deliver=False)
    company.work()
    full(company)
    company.sandbox.update("account", firms[0], {"customertypecode": 3}, deliver=False)

    assert full(company) == {"IgnoreUnchanged": 2, "Modify": 1}


def test_an_unconditional_run_reads_everything(company: Company, firms: list[str]) -> None:
    company.set("CUSTOMER", direction=FROM)
    before = len(company.sandbox.requests)

    assert full(company, Scope.UNCONDITIONAL).total() == len(firms)
    assert read_whole(company, before) == 1


def test_a_field_switched_off_and_on_again_brings_in_what_changed_meanwhile(company: Company, firms: list[str]) -> None:
    """Another field's change moved the version on, while what the field was when last equal stayed remembered."""
    company.set_field("CUSTOMER", "phone_no", is_enabled=False)
    company.sandbox.update("account", firms[0], {"name": "Ahlers KG", "telephone1": "2"}, deliver=False)
    assert full(company) == {"IgnoreUnchanged": 2, "Modify": 1}
    company.set_field("CUSTOMER", "phone_no", is_enabled=True)

    assert full(company) == {"IgnoreUnchanged": 2, "Modify": 1}
    assert company.coupled_record("CUSTOMER", firms[0])["phone_no"] == "2"


def test_a_field_emptied_when_it_was_switched_off_brings_in_what_came_meanwhile(
    company: Company, firms: list[str]
) -> None:
    company.sandbox.update("account", firms[0], {"telephone1": None}, deliver=False)
    assert full(company) == {"IgnoreUnchanged": 2, "Modify": 1}
    company.set_field("CUSTOMER", "phone_no", is_enabled=False)
    company.sandbox.update("account", firms[0], {"name": "Ahlers KG", "telephone1": "2"}, deliver=False)
    assert full(company) == {"IgnoreUnchanged": 2, "Modify": 1}
    company.set_field("CUSTOMER", "phone_no", is_enabled=True)

    assert full(company) == {"IgnoreUnchanged": 2, "Modify": 1}
    assert company.coupled_record("CUSTOMER", firms[0])["phone_no"] == "2"


def test_a_field_that_went_one_way_and_now_goes_both_brings_in_what_changed_meanwhile(
    company: Company, firms: list[str]
) -> None:
    company.set_field("CUSTOMER", "phone_no", direction=Direction.TO)
    company.sandbox.update("account", firms[0], {"name": "Ahlers KG", "telephone1": "2"}, deliver=False)
    assert full(company) == {"IgnoreUnchanged": 2, "Modify": 1}
    company.set_field("CUSTOMER", "phone_no", direction=Direction.BIDIRECTIONAL)

    assert full(company) == {"IgnoreUnchanged": 2, "Modify": 1}
    assert company.coupled_record("CUSTOMER", firms[0])["phone_no"] == "2"


def test_where_a_field_is_switched_off_rows_are_read_again_and_nothing_is_written(
    company: Company, firms: list[str]
) -> None:
    company.set_field("CUSTOMER", "phone_no", is_enabled=False)
    company.sandbox.update("account", firms[0], {"name": "Ahlers KG"}, deliver=False)
    assert full(company) == {"IgnoreUnchanged": 2, "Modify": 1}
    before = len(company.sandbox.requests)

    assert full(company) == {"IgnoreUnchanged": 3}
    assert read_whole(company, before) == 1
