"""Set Up Coupling, Synchronize Now, Delete Coupling: what Business Central's scenarios do not say."""

from __future__ import annotations

import json

import pytest
from company import Company
from scenarios.pairs import ACCOUNT, CONTACT, SECOND_ACCOUNT, account, change_both, couple_customer, is_skipped

from receiver.cli import receiver
from receiver.commands.coupling.delete_coupling import uncouple
from receiver.commands.coupling.set_up_coupling import AfterCoupling, couple, create_new
from receiver.commands.synchronizing.synchronize_now import Choice, choices, synchronize_now
from receiver.engine.coalesce import Ask
from receiver.errors import NotFoundError, ReceiverError, RefusedError, StalePreviewError
from receiver.lanes import held as held_lanes
from receiver.lanes import lane as lanes
from receiver.runs.carry_out import carry_out, wanted_to


def run(company: Company, *words: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    result = company.app.test_cli_runner().invoke(receiver, list(words))
    return result.exit_code, result.stdout, result.stderr


# -- Set Up Coupling -------------------------------------------------------------------------------------------


def test_a_preview_of_a_coupling_tells_what_would_be_written_and_stores_nothing(company: Company) -> None:
    key = company.insert_local("customer", name="Our name")
    before = account(company)

    foretold = couple(company.services, "CUSTOMER", key, ACCOUNT, "Ada", is_preview=True)
    assert account(company) == before
    assert company.coupling("CUSTOMER", ACCOUNT) is None

    done = couple(company.services, "CUSTOMER", key, ACCOUNT, "Ada")
    assert foretold.counts == done.counts == {"coupled": 1, "modified": 1}
    assert foretold.lines[1].fields == done.lines[1].fields


def test_the_coupling_stays_where_the_first_synchronization_fails(company: Company) -> None:
    key = company.insert_local("customer", name="Alone", salesperson_code="NOBODY")

    done = couple(company.services, "CUSTOMER", key, ACCOUNT, "Ada")

    assert done.counts == {"coupled": 1, "failed": 1}
    assert company.coupling("CUSTOMER", ACCOUNT).local_id == key


def test_a_coupling_with_a_row_deleted_in_dataverse_makes_way(company: Company) -> None:
    key = couple_customer(company)
    company.sandbox.delete("account", ACCOUNT)

    couple(company.services, "CUSTOMER", key, SECOND_ACCOUNT, "Ada", AfterCoupling.NO)

    assert company.coupling("CUSTOMER", SECOND_ACCOUNT).local_id == key
    assert company.coupling("CUSTOMER", ACCOUNT) is None


def test_coupling_wakes_what_waits_for_the_row(company: Company) -> None:
    """A contact whose company was not coupled comes in by itself."""
    company.open_for_all("CONTACT")
    company.sandbox.update("contact", CONTACT, {"jobtitle": "Boss", "telephone1": "1"})
    company.work()
    assert company.coupling("CONTACT", CONTACT) is None
    key = company.insert_local("customer", name="Its company")

    couple(company.services, "CUSTOMER", key, ACCOUNT, "Ada", AfterCoupling.NO)
    company.work()

    assert company.coupled_record("CONTACT", CONTACT)["company_no"] == key


def test_what_is_being_synchronized_is_not_coupled(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_lanes, "PATIENCE_SECONDS", 0.1)
    key = company.insert_local("customer", name="Alone")
    with company.services.database.writing() as connection:
        lanes.lease_named(connection, "another", company.now(), 60, [("account", ACCOUNT)])

    with pytest.raises(RefusedError, match="being synchronized right now"):
        couple(company.services, "CUSTOMER", key, ACCOUNT, "Ada")

    assert company.coupling("CUSTOMER", ACCOUNT) is None


def test_what_does_not_exist_or_is_switched_off_is_refused_in_a_sentence(company: Company) -> None:
    key = company.insert_local("customer", name="Alone")
    with pytest.raises(NotFoundError, match="There is no Customer NOSUCH"):
        couple(company.services, "CUSTOMER", "NOSUCH", ACCOUNT, "Ada")
    with pytest.raises(NotFoundError, match="There is no account"):
        couple(company.services, "CUSTOMER", key, CONTACT, "Ada")
    with pytest.raises(RefusedError, match="goes FromIntegrationTable alone"):
        couple(company.services, "SALESPEOPLE", key, ACCOUNT, "Ada", AfterCoupling.LOCAL)
    company.set("CUSTOMER", is_enabled=False)
    with pytest.raises(RefusedError, match="CUSTOMER is switched off"):
        couple(company.services, "CUSTOMER", key, ACCOUNT, "Ada")
    with pytest.raises(RefusedError, match="CUSTOMER is switched off"):
        synchronize_now(company.services, "CUSTOMER", [key], Choice.SEND, "Ada")


# -- Synchronize Now -------------------------------------------------------------------------------------------


def test_a_preview_of_synchronize_now_is_held_to_what_it_saw(company: Company) -> None:
    key = couple_customer(company)
    company.change_local("customer", key, name="Our name")
    foretold = synchronize_now(company.services, "CUSTOMER", [key], Choice.SEND, "Ada", is_preview=True)
    assert foretold.counts == {"modified": 1}
    company.change_local("customer", key, name="Another name")

    with pytest.raises(StalePreviewError):
        synchronize_now(company.services, "CUSTOMER", [key], Choice.SEND, "Ada", token=foretold.token)

    assert account(company)["name"] != "Another name"


def test_a_skipped_coupling_is_passed_by_without_a_job(company: Company) -> None:
    key = couple_customer(company)
    change_both(company, key)
    company.sandbox.update("account", ACCOUNT, {"fax": "3"})
    company.work()
    company.sandbox.update("account", ACCOUNT, {"fax": "3", "telephone1": "1"})
    company.work()
    assert is_skipped(company)
    before = len(company.jobs("CUSTOMER"))

    done = synchronize_now(company.services, "CUSTOMER", [key], Choice.SEND, "Ada")

    assert [(line.decision, line.reason) for line in done.lines] == [("Skip", "SKIPPED")]
    assert len(company.jobs("CUSTOMER")) == before


def test_by_force_several_are_sent_over_newer_rows(company: Company) -> None:
    keys = [couple_customer(company), couple_customer(company, SECOND_ACCOUNT)]
    company.sandbox.update("account", ACCOUNT, {"name": "Their name"})

    assert synchronize_now(company.services, "CUSTOMER", keys, Choice.SEND, "Ada").counts["skipped"] == 1
    forced = synchronize_now(company.services, "CUSTOMER", keys, Choice.SEND, "Ada", is_forced=True)

    assert "skipped" not in forced.counts
    assert account(company)["name"] == company.local("customer", keys[0])["name"]


def test_what_cannot_be_asked_of_a_pair_is_refused(company: Company) -> None:
    key = couple_customer(company)
    alone = company.insert_local("customer", name="Alone")
    for choice in (Choice.SEND, Choice.GET):
        with pytest.raises(NotFoundError, match=f"Customer {alone} is not coupled by CUSTOMER. Couple it first"):
            synchronize_now(company.services, "CUSTOMER", [alone], choice, "Ada")
    with pytest.raises(RefusedError, match="Several records go in one direction"):
        synchronize_now(company.services, "CUSTOMER", [key, alone], Choice.MERGE, "Ada")
    with pytest.raises(RefusedError, match="SALESPEOPLE goes FromIntegrationTable alone"):
        synchronize_now(company.services, "SALESPEOPLE", ["SP"], Choice.SEND, "Ada")
    company.sandbox.delete("account", ACCOUNT)
    with pytest.raises(NotFoundError, match="one was deleted"):
        choices(company.services, "CUSTOMER", key)


def test_a_mapping_that_goes_to_dataverse_alone_warns_of_a_newer_row(company: Company) -> None:
    key = company.insert_local("customer", name="Firm")
    create_new(company.services, "CUSTOMER", key, "Ada")
    company.set("CUSTOMER", direction="ToIntegrationTable")
    row = choices(company.services, "CUSTOMER", key).dataverse_id
    assert choices(company.services, "CUSTOMER", key).default is Choice.SEND
    company.sandbox.update("account", row, {"name": "Their name"})

    asked = choices(company.services, "CUSTOMER", key)

    assert (asked.choices, asked.default) == ((Choice.SEND,), None)
    assert "Dataverse row is newer" in asked.warning


# -- Delete Coupling -------------------------------------------------------------------------------------------


def test_a_record_that_a_person_uncoupled_is_not_created_in_dataverse_by_itself(company: Company) -> None:
    company.open_for_all("CUSTOMER")
    key = company.insert_local("customer", name="Firm")
    create_new(company.services, "CUSTOMER", key, "Ada")
    uncouple(company.services, "CUSTOMER", [key], "Ada")

    (done,) = carry_out(company.services, wanted_to(company.services, "CUSTOMER", [key], Ask()))
    assert (done.settled.decision, done.settled.reason) == ("Skip", "UNCOUPLED")
    assert "Ada on " in done.settled.sentence

    (asked,) = carry_out(company.services, wanted_to(company.services, "CUSTOMER", [key], Ask(is_click=True)))
    assert asked.settled.reason == "MATCHES_FOUND"  # its former row is there: a new one would be its twin
    meant = Ask(is_click=True, creates_new=True)
    (asked,) = carry_out(company.services, wanted_to(company.services, "CUSTOMER", [key], meant))
    assert asked.settled.decision == "Insert"


def test_coupled_to_another_row_a_record_is_forgotten_as_uncoupled_and_its_old_row_is_not(company: Company) -> None:
    key = couple_customer(company)
    uncouple(company.services, "CUSTOMER", [key], "Ada")
    couple(company.services, "CUSTOMER", key, SECOND_ACCOUNT, "Ada", AfterCoupling.NO)
    company.open_for_all("CUSTOMER")
    company.set("CUSTOMER", resolve_deletion_conflicts="Delete coupling")
    company.sandbox.delete("account", SECOND_ACCOUNT)
    company.sandbox.update("account", ACCOUNT, {"name": "Their name"})
    company.work()
    assert company.coupling("CUSTOMER", ACCOUNT) is None

    (done,) = carry_out(company.services, wanted_to(company.services, "CUSTOMER", [key], Ask()))

    assert done.settled.decision == "Insert"


def test_a_preview_of_delete_coupling_removes_nothing(company: Company) -> None:
    key = couple_customer(company)

    foretold = uncouple(company.services, "CUSTOMER", [key], "Ada", is_preview=True)

    assert foretold.counts == {"uncoupled": 1}
    assert company.coupling("CUSTOMER", ACCOUNT) is not None
    assert company.jobs("CUSTOMER")[-1]["type"] != "Uncoupling"


def test_a_pair_that_is_being_synchronized_stays_coupled_and_is_named(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_lanes, "PATIENCE_SECONDS", 0.1)
    keys = [couple_customer(company), couple_customer(company, SECOND_ACCOUNT)]
    with company.services.database.writing() as connection:
        lanes.lease_named(connection, "another", company.now(), 60, [("account", ACCOUNT)])

    done = uncouple(company.services, "CUSTOMER", keys, "Ada")

    assert done.counts == {"uncoupled": 1, "failed": 1}
    assert company.coupling("CUSTOMER", ACCOUNT) is not None
    assert company.last_job("CUSTOMER") == {"uncoupled": 1, "failed": 1}


def test_where_dataverse_is_away_the_job_says_so_and_doing_it_again_goes_on(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.open_for_all("CUSTOMER", "CONTACT")
    key = company.couple_by_click("account", ACCOUNT)
    company.couple_by_click("contact", CONTACT)
    with monkeypatch.context() as away:
        away.setattr(company.services.dataverse, "_root", "https://127.0.0.1:9/")
        with pytest.raises(ReceiverError, match="cannot be reached"):
            uncouple(company.services, "CUSTOMER", [key], "Ada")
    assert "interrupted" in company.jobs("CUSTOMER")[-1]["message"]

    assert uncouple(company.services, "CUSTOMER", [key], "Ada").counts == {"uncoupled": 2}


# -- the terminal ----------------------------------------------------------------------------------------------


def test_the_terminal_couples_synchronizes_and_uncouples(small_company: Company) -> None:
    key = small_company.insert_local("customer", name="Our name")
    name = account(small_company)["name"]

    assert run(small_company, "couple", "CUSTOMER", key, "--name", name[:6], "--synchronize", "dataverse")[0] == 0
    small_company.change_local("customer", key, city="Graz")
    code, output, _ = run(small_company, "synchronize", "CUSTOMER", key, "--preview", "--json")
    foretold = json.loads(output)
    assert (code, foretold["counts"], bool(foretold["token"])) == (0, {"modified": 1}, True)
    code, output, _ = run(small_company, "synchronize", "CUSTOMER", ACCOUNT, "--token", foretold["token"])
    assert (code, output.splitlines()[-1]) == (0, "modified 1, unchanged 1")
    assert account(small_company)["address1_city"] == "Graz"
    assert (
        "Preview, nothing was changed: uncoupled 1"
        in run(small_company, "uncouple", "CUSTOMER", "--all", "--preview")[1]
    )
    assert run(small_company, "uncouple", "CUSTOMER", "--all", "--yes")[0] == 0
    assert small_company.coupling("CUSTOMER", ACCOUNT) is None
    assert run(small_company, "couple", "CUSTOMER", key, "--create")[0] == 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("couple", "CUSTOMER", "C1"), 2, "Say which row"),
        (("couple", "CUSTOMER", "C1", "--row", ACCOUNT, "--create"), 2, "Say which row"),
        (("couple", "CUSTOMER", "C1", "--create", "--synchronize", "no"), 2, "leave --synchronize out"),
        (("couple", "CUSTOMER", "C1", "--row", "no-guid"), 2, "is not a valid UUID"),
        (("couple", "CUSTOMER", "C1", "--name", "Nobody at all"), 2, "There is no account whose name"),
        (("couple", "NOSUCH", "C1", "--create"), 2, "There is no mapping NOSUCH"),
        (("synchronize", "CUSTOMER"), 2, "Missing argument"),
        (("synchronize", "CUSTOMER", "C1"), 2, "Customer C1 is not coupled"),
        (("synchronize", "CUSTOMER", "C1", "C2"), 2, "say --direction to or from"),
        (("uncouple", "CUSTOMER"), 2, "Name the records, or say --all"),
        (("uncouple", "CUSTOMER", "C1", "--all"), 2, "Name the records, or say --all"),
        (("uncouple", "CUSTOMER", "C1"), 2, "Customer C1 is not coupled"),
        (("uncouple", "CUSTOMER", "--all"), 1, "Nothing was done: nobody answered."),
    ],
)
def test_bad_input_is_said_in_a_sentence(small_company: Company, words: tuple[str, ...], code: int, said: str) -> None:
    found, _, error = run(small_company, *words)

    assert found == code
    assert said in error


def test_the_terminal_overwrites_nothing_that_was_not_named(small_company: Company) -> None:
    key = couple_customer(small_company)
    small_company.change_local("customer", key, fax_no="1")
    small_company.sandbox.update("account", ACCOUNT, {"fax": "2"})

    code, _, error = run(small_company, "synchronize", "CUSTOMER", key)

    assert code == 2
    assert "Both records have changed" in error
    assert "say --direction to or from" in error
    assert run(small_company, "synchronize", "CUSTOMER", key, "--direction", "to")[0] == 0
    assert account(small_company)["fax"] == "1"
