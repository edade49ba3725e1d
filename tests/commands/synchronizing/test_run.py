"""Runs of whole mappings: what is asked and what is not, the watermark, deletions, pauses, and going on after a crash."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from company import Company

from receiver.commands.coupling.pairs import mapping_named
from receiver.commands.mappings import change_mapping as mapping_commands
from receiver.commands.synchronizing import run_mapping as run
from receiver.core.mapping import DeletionConflict, Direction
from receiver.engine.coalesce import Ask
from receiver.errors import NotFoundError, RefusedError
from receiver.lanes import held as held_lanes
from receiver.lanes import lane as lanes
from receiver.runs.mapping_run import Position, Progress, parts_of, run_part
from receiver.runs.run_pages import Part, Scope
from receiver.store import runs as stored

TO, FROM = Direction.TO, Direction.FROM
ACCOUNT = "a0000000-0000-4000-8000-000000000001"
SECOND_ACCOUNT = "a0000000-0000-4000-8000-000000000002"


def parts(company: Company, mapping: str, toward: Direction | None = None, scope: Scope = Scope.MODIFIED) -> list[Part]:
    return parts_of(mapping_named(company.services, mapping), toward, scope, "the test")


def run_all(
    company: Company, mapping: str, toward: Direction | None = None, scope: Scope = Scope.MODIFIED
) -> list[Progress]:
    return [one for part in parts(company, mapping, toward, scope) for one in run_part(company.services, part)]


def decisions(steps: Sequence[Progress]) -> list[str]:
    found = [one for step in steps for one in step.done]
    return [one.settled.decision if one.settled else str(one.error) for one in found]


def watermark(company: Company, mapping: str = "CUSTOMER") -> datetime | None:
    with company.services.database.reading() as connection:
        return stored.watermark(connection, mapping)


def in_step(company: Company, count: int = 3) -> list[str]:
    """Customers that were sent, and that came back unchanged."""
    company.open_for_all("CUSTOMER")
    keys = [company.insert_local("customer", name=f"Firm {number}", city="Graz") for number in range(count)]
    assert decisions(run_all(company, "CUSTOMER", TO)) == ["Insert"] * count
    company.work()
    return keys


def test_toward_dataverse_only_what_differs_from_its_base_is_asked(company: Company) -> None:
    keys = in_step(company)
    company.change_local("customer", keys[1], phone_no="+43 1")

    assert decisions(run_all(company, "CUSTOMER", TO)) == ["Modify"]
    assert company.last_job("CUSTOMER") == {"modified": 1}
    assert decisions(run_all(company, "CUSTOMER", TO)) == []
    assert company.last_job("CUSTOMER") == {}


def test_a_change_outside_the_filter_or_of_an_unmapped_column_is_not_asked(company: Company) -> None:
    keys = in_step(company)
    company.change_local("customer", keys[0], phone_no="+43 1", blocked="All")
    company.change_local("customer", keys[1], mobile_phone_no="+43 2")

    assert decisions(run_all(company, "CUSTOMER", TO)) == []


def test_what_failed_is_asked_again_whatever_the_filter_until_it_is_skipped(company: Company) -> None:
    keys = in_step(company, 1)
    company.change_local("customer", keys[0], salesperson_code="XX")

    assert decisions(run_all(company, "CUSTOMER", TO)) == ["Fail"]
    company.change_local("customer", keys[0], blocked="All")
    assert decisions(run_all(company, "CUSTOMER", TO)) == ["Skip"]
    company.change_local("customer", keys[0], blocked="")
    assert decisions(run_all(company, "CUSTOMER", TO)) == ["Fail"]
    assert decisions(run_all(company, "CUSTOMER", TO)) == ["Skip"]


def test_a_deleted_local_record_is_decided_by_the_strategy(company: Company) -> None:
    keys = in_step(company, 2)
    company.set("CUSTOMER", resolve_deletion_conflicts=DeletionConflict.DELETE_COUPLING)
    company.delete_local("customer", keys[0])

    assert decisions(run_all(company, "CUSTOMER", TO)) == ["RemoveCoupling"]


def test_from_dataverse_rows_are_read_once_and_come_in_pages(company: Company) -> None:
    company.open_for_all("CUSTOMER")
    company.insert_currency("GBP")
    for number in range(4):
        company.sandbox.create("account", {"name": f"New {number}", "customertypecode": 3}, deliver=False)
    before = len(company.sandbox.requests)

    steps = run_all(company, "CUSTOMER", FROM)

    assert set(decisions(steps)) == {"Insert"}
    assert [made.path for made in company.sandbox.requests[before:] if "/accounts(" in made.path] == []
    assert {one["name"] for one in company.locals("customer")} >= {f"New {number}" for number in range(4)}


def test_the_watermark_is_the_newest_row_and_what_is_behind_it_is_not_read_again(company: Company) -> None:
    company.open_for_all("CUSTOMER")
    company.insert_currency("GBP")
    run_all(company, "CUSTOMER", FROM)

    newest = max(row["modifiedon"] for row in company.sandbox.rows("account"))
    mark = watermark(company)
    assert mark is not None
    assert mark <= newest
    assert mark <= company.now()
    with company.services.database.writing() as connection:
        stored.advance_watermark(connection, "CUSTOMER", mark + timedelta(hours=1))
        stored.advance_watermark(connection, "CUSTOMER", mark)
    assert watermark(company) == mark + timedelta(hours=1)
    assert decisions(run_all(company, "CUSTOMER", FROM)) == []
    assert set(decisions(run_all(company, "CUSTOMER", FROM, Scope.FULL))) == {"IgnoreUnchanged"}
    assert watermark(company) == mark


def test_an_uncoupled_row_is_left_out_without_a_word_where_only_coupled_ones_are_synchronized(
    company: Company,
) -> None:
    assert decisions(run_all(company, "CUSTOMER")) == []
    assert [(one["direction"], one["skipped"]) for one in company.jobs("CUSTOMER")] == [(TO, 0), (FROM, 0)]


@pytest.mark.parametrize("scope", [Scope.MODIFIED, Scope.FULL])
def test_a_row_deleted_in_dataverse_is_found_though_nobody_told(company: Company, scope: Scope) -> None:
    company.open_for_all("CUSTOMER")
    run_all(company, "CUSTOMER", FROM)
    company.set("CUSTOMER", resolve_deletion_conflicts=DeletionConflict.DELETE_COUPLING)
    company.sandbox.delete("account", ACCOUNT, deliver=False)

    assert decisions(run_all(company, "CUSTOMER", FROM, scope)).count("RemoveCoupling") == 1
    assert company.coupling("CUSTOMER", ACCOUNT) is None


def test_a_run_waits_while_dataverse_asks_for_a_pause_and_loses_nothing(company: Company) -> None:
    company.insert_currency("GBP")
    keys = in_step(company)
    for key in keys:
        company.change_local("customer", key, phone_no=f"+43 {key}")

    with company.sandbox.faults.switched(too_many_requests=2, retry_after_seconds=1):
        steps = run_all(company, "CUSTOMER")

    assert any(step.waits_until for step in steps)
    assert decisions(steps).count("Modify") == 3
    assert [one["failed"] for one in company.jobs("CUSTOMER")[-2:]] == [0, 0]


def test_a_row_that_failed_before_it_was_coupled_is_asked_for_again(company: Company) -> None:
    company.open_for_all("CUSTOMER")
    assert decisions(run_all(company, "CUSTOMER", FROM)).count("Fail") == 1
    company.pass_time(3600)
    with company.services.database.writing() as connection:
        stored.advance_watermark(connection, "CUSTOMER", company.now())

    assert decisions(run_all(company, "CUSTOMER", FROM)) == ["Fail"]
    company.insert_currency("GBP")
    assert decisions(run_all(company, "CUSTOMER", FROM)) == ["Insert"]
    assert decisions(run_all(company, "CUSTOMER", FROM)) == []


def test_the_watermark_stops_before_a_row_that_could_not_be_decided(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another worker holds the row's lane for too long."""
    monkeypatch.setattr(held_lanes, "PATIENCE_SECONDS", 0.1)
    company.open_for_all("CUSTOMER")
    company.sandbox.update("account", ACCOUNT, {"telephone1": "1"}, deliver=False)
    row = company.sandbox.create("account", {"name": "Later", "customertypecode": 3}, deliver=False)
    with company.services.database.writing() as connection:
        lanes.lease_named(connection, "another", company.now(), 60, [("account", ACCOUNT)])

    steps = run_all(company, "CUSTOMER", FROM)

    assert company.coupling("CUSTOMER", row) is not None
    undecided = next(one for step in steps for one in step.done if one.error)
    assert undecided.wanted.row is not None
    assert watermark(company) == undecided.wanted.row.version.modified_on
    assert Position.of(steps[-1].position.plain()) == steps[-1].position


def test_an_interrupted_run_goes_on_behind_its_last_page(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "PAGE", 2)
    keys = in_step(company, 5)
    for key in keys:
        company.change_local("customer", key, phone_no="+43 5")
    (part,) = parts(company, "CUSTOMER", TO)
    running = run_part(company.services, part)
    first = [next(running) for _ in range(3)]
    running.close()
    assert decisions(first) == ["Modify"] * 2

    rest = list(run_part(company.services, part, Position.of(first[-1].position.plain())))

    assert decisions(rest) == ["Modify"] * 3
    assert company.last_job("CUSTOMER") == {"modified": 5}
    assert company.jobs("CUSTOMER")[-1]["finished_at"] is not None


def test_what_a_person_uncoupled_is_not_made_anew_by_a_run(company: Company) -> None:
    from receiver.store import couplings

    keys = in_step(company, 1)
    with company.services.database.writing() as connection:
        found = couplings.find(connection, "CUSTOMER", TO, keys[0])
        assert found is not None
        couplings.remove(connection, found)
        couplings.remember_uncoupling(connection, found, "Ann", company.now())

    assert decisions(run_all(company, "CUSTOMER", TO)) == []


def test_a_preview_says_what_a_run_would_do_and_writes_nothing(company: Company) -> None:
    keys = in_step(company, 2)
    company.change_local("customer", keys[0], phone_no="+43 1")
    before = len(company.jobs("CUSTOMER"))

    found = run.preview(company.services, "CUSTOMER", "Ann", TO)

    assert found.counts == {"modified": 1}
    assert len(company.jobs("CUSTOMER")) == before


def test_force_is_for_one_way_mappings_and_transfers_everything(company: Company) -> None:
    with pytest.raises(RefusedError, match="bidirectional"):
        parts(company, "CUSTOMER", scope=Scope.UNCONDITIONAL)
    keys = in_step(company, 2)
    company.set("CUSTOMER", direction=TO)
    row_id = next(row["accountid"] for row in company.sandbox.rows("account") if row["name"] == "Firm 0")
    company.sandbox.update("account", row_id, {"name": "Theirs"})

    assert len(keys) == len(decisions(run_all(company, "CUSTOMER", scope=Scope.UNCONDITIONAL)))
    assert company.sandbox.row("account", row_id)["name"] == "Firm 0"


@pytest.mark.parametrize(
    ("mapping", "changes", "direction", "said"),
    [
        ("CUSTOMER", {"is_enabled": False}, None, "switched off"),
        ("CUSTOMER", {"direction": TO}, FROM, "not configured for FromIntegrationTable"),
    ],
)
def test_what_cannot_be_run_is_refused(
    small_company: Company, mapping: str, changes: dict[str, object], direction: Direction | None, said: str
) -> None:
    small_company.set(mapping, **changes)

    with pytest.raises(RefusedError, match=said):
        run.start(small_company.services, mapping, "Ann", direction)
    with pytest.raises(NotFoundError):
        mapping_commands.named(small_company.services, "NOSUCH")
    assert Ask().job is None
