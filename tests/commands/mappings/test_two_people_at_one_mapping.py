"""Two people at one mapping: the second is told, and nobody works with an older mapping than one that was saved."""

from __future__ import annotations

import threading
from contextlib import closing
from pathlib import Path

import pytest
from company import Company
from sqlalchemy import insert

from receiver.cli import receiver
from receiver.commands.mappings import change_mapping
from receiver.commands.mappings.mapping_files import MappingFilesError, export_mappings, import_mappings
from receiver.core.mapping import Direction
from receiver.engine.coalesce import Ask
from receiver.engine.look_at_lane import known_of, look_at
from receiver.engine.work import Work, not_at_once
from receiver.engine.write_lanes import write
from receiver.errors import MovedError
from receiver.lanes.held import leased
from receiver.sandbox import Sandbox
from receiver.store import mappings as stored
from receiver.store.models import change

ACCOUNT = "a0000000-0000-4000-8000-000000000001"


def terminal(company: Company, *words: str) -> tuple[int, str]:
    result = company.app.test_cli_runner().invoke(receiver, ["mappings", "set", "CUSTOMER", *words])
    return result.exit_code, result.output


def version(company: Company) -> int:
    return change_mapping.named(company.services, "CUSTOMER").version


def test_a_command_that_expects_an_older_version_is_refused_and_says_what_was_changed(company: Company) -> None:
    seen = str(version(company))
    assert terminal(company, "--direction", "FromIntegrationTable", "--expect", seen)[0] == 0
    before = change_mapping.named(company.services, "CUSTOMER")

    code, said = terminal(company, "--enabled", "off", "--expect", seen)

    assert code == 1
    assert "direction “Bidirectional” → “FromIntegrationTable” (the terminal" in said
    assert change_mapping.named(company.services, "CUSTOMER") == before
    assert terminal(company, "--enabled", "off", "--expect", str(version(company)))[0] == 0


def test_a_file_that_would_take_anothers_change_back_is_refused_and_says_which(
    company: Company, tmp_path: Path
) -> None:
    export_mappings(company.services, tmp_path)
    company.set("CUSTOMER", direction=Direction.FROM)
    path = tmp_path / "CUSTOMER.yaml"
    own = path.read_text().replace("direction:", "synch_only_coupled_records: false\ndirection:", 1)

    path.write_text(own)
    with pytest.raises(MappingFilesError) as refused:
        import_mappings(company.services, tmp_path, "Bob")
    (problem,) = refused.value.problems
    assert (problem.file, problem.line) == ("CUSTOMER.yaml", line_of(own, "version:"))
    assert "direction “Bidirectional” → “FromIntegrationTable” (the test" in problem.sentence
    assert change_mapping.named(company.services, "CUSTOMER").synch_only_coupled_records

    path.write_text(own.replace("direction: Bidirectional", "direction: FromIntegrationTable", 1))
    import_mappings(company.services, tmp_path, "Bob")
    now = change_mapping.named(company.services, "CUSTOMER")
    assert (now.direction, now.synch_only_coupled_records) == (Direction.FROM, False), "they touched different things"

    path.write_text("\n".join(line for line in own.splitlines() if not line.startswith("version:")))
    import_mappings(company.services, tmp_path, "Bob")
    assert change_mapping.named(company.services, "CUSTOMER").direction is Direction.BIDIRECTIONAL, (
        "no version, no look"
    )


def line_of(text: str, words: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if line.startswith(words))


@pytest.mark.parametrize("another", ["record", "mapping"])
def test_a_change_committed_late_is_seen_though_a_later_one_was_committed_before(
    postgresql_url: str, sandbox: Sandbox, another: str
) -> None:
    """Its number is the lower one."""
    with closing(Company(postgresql_url, sandbox)) as company:
        services = company.services
        noted, go_on = threading.Event(), threading.Event()

        def slowly() -> None:
            with services.database.writing() as connection:
                now = stored.load(connection)["CUSTOMER"]
                stored.save(connection, now.without_columns(frozenset({"fax"})), "Ann", company.now())
                noted.set()
                go_on.wait(10)

        thread = threading.Thread(target=slowly)
        thread.start()
        assert noted.wait(10)
        if another == "record":
            with services.database.writing() as connection:
                values = {"at": company.now(), "who": "Bob", "what": "another", "before": "", "after": ""}
                connection.execute(insert(change).values(values))
            with services.database.reading() as connection:
                assert "fax" in services.mappings(connection)["CUSTOMER"].dataverse_columns()
        else:
            waiting = threading.Thread(target=lambda: company.set("VENDOR", is_enabled=False))
            waiting.start()
        go_on.set()
        thread.join()
        if another == "mapping":
            waiting.join()

        with services.database.reading() as connection:
            mappings = services.mappings(connection)
        assert "fax" not in mappings["CUSTOMER"].dataverse_columns()
        assert mappings["VENDOR"].is_enabled is (another == "record")


def test_what_was_decided_by_a_mapping_that_was_changed_meanwhile_is_decided_anew(company: Company) -> None:
    company.open_for_all("CUSTOMER")
    services, ask = company.services, Ask(is_wanted=True)
    (lease,) = leased(services, [("account", ACCOUNT)], patience=0.0).values()
    with services.database.reading() as connection:
        mappings = services.mappings(connection)
        known = known_of(services, connection, mappings, [(lease, [])])
    look = look_at(Work(services, mappings, known, not_at_once), lease, [], company.now(), ask)
    company.set("CUSTOMER", synch_only_coupled_records=True)

    with pytest.raises(MovedError), services.database.writing() as connection:
        write(connection, services, [look], company.now())

    assert company.locals("customer") == []
