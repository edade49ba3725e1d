"""Registering, checking and removing steps: everything against the sandbox, which plays Dataverse's platform tables."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from admin.visitor import Visitor
from company import ADMIN_TOKEN, KEY, Company
from registration.registering import IMAGE, STEP, Registering, registration_of

from receiver.cli import receiver
from receiver.commands.connection.check_steps import check, hint
from receiver.commands.connection.register_steps import catch_up, due_for_catch_up, register, remove
from receiver.core.message import image_alias
from receiver.errors import DataverseError, RefusedError, ThrottledError
from receiver.registration import rows
from receiver.registration.steps import OURS, authvalue
from receiver.sandbox import Sandbox
from receiver.services import image_columns

WHO = "the test"
TABLES = ("account", "contact", "systemuser", "transactioncurrency")


@pytest.fixture
def bare(sqlite_url: str, sandbox: Sandbox) -> Iterator[Registering]:
    """A company whose environment knows nothing of it yet."""
    with closing(Registering(sqlite_url, sandbox)) as made:
        yield made


@pytest.fixture
def registered(bare: Registering) -> Registering:
    register(bare.services, WHO)
    return bare


def steps_of(company: Company) -> dict[tuple[str, str], dict[str, Any]]:
    """By table and message."""
    return {(one["table"], one["message"]): one for one in registration_of(company.sandbox)["steps"]}


def row_of(company: Company, table: str, message: str) -> dict[str, Any]:
    one = steps_of(company)[table, message]
    found = company.sandbox.row(STEP, one["id"])
    assert found is not None
    return found


# -- what is registered -------------------------------------------------------------------------------------------


def test_a_first_registration_makes_one_asynchronous_step_a_table_and_message(registered: Registering) -> None:
    found = steps_of(registered)

    assert {pair for pair in found if pair[0] != "none"} == {
        (table, message) for table in TABLES for message in ("Create", "Update", "Delete", "Restore")
    }
    assert {(one["mode"], one["stage"], one["rank"], one["asyncautodelete"]) for one in found.values()} == {
        (1, 40, 1, True)
    }


def test_images_are_of_the_id_on_create_of_the_target_otherwise_and_before_a_deletion(registered: Registering) -> None:
    found = {pair: one["images"] for pair, one in steps_of(registered).items() if pair[0] == "account"}
    with registered.services.database.reading() as connection:
        columns = image_columns(registered.services.mappings(connection), "account")

    assert {message: [(i["imagetype"], i["messagepropertyname"], i["entityalias"]) for i in images]
            for (_, message), images in found.items()} == {
        "Create": [(1, "Id", image_alias("post", columns))],
        "Update": [(1, "Target", image_alias("post", columns))],
        "Delete": [(0, "Target", image_alias("pre", columns))],
        "Restore": [],
    }  # fmt: skip
    assert {i["attributes"] for images in found.values() for i in images} == {",".join(sorted(columns))}


def test_a_notification_comes_through_what_was_registered(registered: Registering) -> None:
    registered.sandbox.update("account", "a0000000-0000-4000-8000-000000000001", {"telephone1": "4711"})

    registered.work()

    assert [one["table_name"] for one in registered.notifications()] == ["account"]
    assert registered.sandbox.deliveries[-1].status == 202


def test_registering_again_does_nothing_at_all(registered: Registering) -> None:
    before = registration_of(registered.sandbox)
    sent = len(registered.written())

    found = register(registered.services, WHO)

    assert found.actions == ()
    assert len(registered.written()) == sent
    assert registration_of(registered.sandbox) == before


def test_a_preview_says_it_and_writes_nothing(bare: Registering) -> None:
    before = registration_of(bare.sandbox)

    foretold = register(bare.services, WHO, is_preview=True)

    assert bare.written() == []
    assert registration_of(bare.sandbox) == before
    assert foretold.actions == register(bare.services, WHO).actions
    assert foretold.actions[0] == "Create publisher receiver."


def test_components_are_in_our_solution(registered: Registering) -> None:
    found = registered.sandbox.rows("solutioncomponent")
    steps, images = registered.sandbox.rows(STEP), registered.sandbox.rows(IMAGE)

    assert sorted(one["componenttype"] for one in found) == sorted([95] + [92] * len(steps) + [93] * len(images))
    assert [(one["uniquename"], one["version"]) for one in registered.sandbox.rows("solution")] == [
        ("receiver", "1.0.0.0")
    ]
    assert registered.sandbox.rows("publisher")[0]["customizationprefix"] == "rcv"


def test_a_key_with_marks_of_xml_reaches_the_door_as_it_is(sqlite_url: str, sandbox: Sandbox) -> None:
    key = "a<b>&\"c'd"
    with closing(Registering(sqlite_url, sandbox, RECEIVER_WEBHOOK_KEYS=key)) as company:
        register(company.services, WHO)
        sandbox.update("account", "a0000000-0000-4000-8000-000000000001", {"telephone1": "1"})
        company.work()

        assert sandbox.deliveries[-1].status == 202
        assert authvalue("x-receiver-key", 'a<b>&"').count("&lt;b&gt;&amp;") == 1


@pytest.mark.usefixtures("no_waiting")
def test_without_a_key_in_the_setting_one_is_made_and_kept_nowhere(sqlite_url: str, sandbox: Sandbox) -> None:
    with closing(Registering(sqlite_url, sandbox, RECEIVER_WEBHOOK_KEYS="")) as company:
        register(company.services, WHO)
        sandbox.update("account", "a0000000-0000-4000-8000-000000000001", {"telephone1": "1"})
        company.work()

        assert sandbox.deliveries[-1].status == 202
        assert register(company.services, WHO).actions == ()


@pytest.mark.parametrize("url", ["", "receiver.example", "ftp://receiver.example", "https://receiver.example/?a=b"])
def test_without_an_address_nothing_is_registered(sqlite_url: str, sandbox: Sandbox, url: str) -> None:
    with closing(Registering(sqlite_url, sandbox, RECEIVER_PUBLIC_URL=url)) as company:
        with pytest.raises(RefusedError, match="RECEIVER_PUBLIC_URL must be this receiver's address"):
            register(company.services, WHO)
        assert company.written() == []


def test_a_key_that_is_too_long_is_refused(sqlite_url: str, sandbox: Sandbox) -> None:
    with (
        closing(Registering(sqlite_url, sandbox, RECEIVER_WEBHOOK_KEYS="k" * 2048)) as company,
        pytest.raises(RefusedError, match="The key is too long"),
    ):
        register(company.services, WHO)


def test_two_companies_in_one_environment_do_not_touch_each_other(
    sqlite_url: str, postgresql_url: str, sandbox: Sandbox
) -> None:
    other = "c0000000-0000-4000-8000-00000000000b"
    with (
        closing(Registering(sqlite_url, sandbox)) as one,
        closing(Registering(postgresql_url, sandbox, RECEIVER_COMPANY_ID=other)) as two,
    ):
        register(one.services, WHO)
        register(two.services, WHO)
        assert len(sandbox.rows("serviceendpoint")) == 2

        remove(two.services, WHO)

        assert check(one.services) == []


# -- the button's step --------------------------------------------------------------------------------------------


def test_without_the_custom_api_its_step_is_left_out_and_it_is_said(bare: Registering) -> None:
    found = register(bare.services, WHO)

    assert ("none", "rcv_OpenInBusinessCentral") not in steps_of(bare)
    assert any("rcv_OpenInBusinessCentral does not exist in the environment" in note for note in found.notes)


@pytest.mark.parametrize(("allowed", "is_there"), [(0, False), (1, True), (2, True)])
def test_the_custom_api_gets_a_step_if_it_lets_one_be_registered(
    bare: Registering, allowed: int, is_there: bool
) -> None:
    name = "rcv_OpenInBusinessCentral"
    bare.sandbox.create("customapi", {"uniquename": name, "name": name, "allowedcustomprocessingsteptype": allowed})

    register(bare.services, WHO)

    assert (("none", name) in steps_of(bare)) is is_there


# -- what changes -------------------------------------------------------------------------------------------------


def test_a_changed_mapping_changes_exactly_what_differs(registered: Registering) -> None:
    registered.set_field("CUSTOMER", "phone_no", is_enabled=False)
    registered.set_field("VENDOR", "phone_no", is_enabled=False)

    found = register(registered.services, WHO)

    assert [words.partition("rcv_")[0] for words in found.actions] == [
        "Create image ", "Switch off step for account/Create.", "Switch on step for account/Create.", "Delete image ",
        "Change step for account/Update: filteringattributes -telephone1.",
        "Create image ", "Switch off step for account/Update.", "Switch on step for account/Update.", "Delete image ",
        "Create image ", "Switch off step for account/Delete.", "Switch on step for account/Delete.", "Delete image ",
    ]  # fmt: skip
    assert check(registered.services) == []


def test_steps_of_a_table_that_is_not_mapped_any_more_are_removed_with_their_images(registered: Registering) -> None:
    registered.set("CURRENCY", is_enabled=False)

    register(registered.services, WHO)

    assert "transactioncurrency" not in {table for table, _ in steps_of(registered)}
    owners = {one["sdkmessageprocessingstepid"] for one in registered.sandbox.rows(IMAGE)}
    with_image = [one for one in registered.sandbox.rows(STEP) if "Restore" not in one["name"]]
    assert owners == {one["sdkmessageprocessingstepid"] for one in with_image}


def test_what_was_made_by_hand_is_taken_over(bare: Registering) -> None:
    bare.register_by_hand()
    before = {one["id"] for one in registration_of(bare.sandbox)["steps"]}

    found = register(bare.services, WHO)

    assert {one["id"] for one in registration_of(bare.sandbox)["steps"]} == before
    assert not any(words.startswith("Create step") for words in found.actions)
    assert {one["description"] for one in bare.sandbox.rows(STEP)} == {OURS}
    assert check(bare.services) == []


# -- breaking off -------------------------------------------------------------------------------------------------


class KilledError(BaseException):
    """The process ends here."""


def killed_at_each_write(company: Registering, act: Callable[[], Any]) -> int:
    """Start *act* again and again, each time ended after one more write; how often it took."""
    for count in range(1, 200):
        company.end_after(1)
        try:
            act()
        except KilledError:
            continue
        finally:
            company.end_after(None)
        return count
    raise AssertionError("It never comes to its end.")


@pytest.fixture
def killable(sqlite_url: str, sandbox: Sandbox) -> Iterator[Registering]:
    with closing(Registering(sqlite_url, sandbox, killed=KilledError)) as made:
        yield made


def test_a_registration_ended_at_each_request_in_turn_comes_to_the_same_rows(killable: Registering) -> None:
    register(killable.services, WHO)
    wanted = registration_of(killable.sandbox)
    remove(killable.services, WHO)

    assert killed_at_each_write(killable, lambda: register(killable.services, WHO)) > 20

    assert registration_of(killable.sandbox) == wanted


def test_a_change_of_a_mapping_ended_at_each_request_in_turn_comes_to_the_same_rows(killable: Registering) -> None:
    register(killable.services, WHO)
    for mapping in ("CUSTOMER", "VENDOR"):
        killable.set_field(mapping, "phone_no", is_enabled=False)

    assert killed_at_each_write(killable, lambda: register(killable.services, WHO)) == 13

    found = registration_of(killable.sandbox)
    assert not any(step["statecode"] for step in found["steps"])
    assert all(len(step["images"]) == int("Restore" not in step["name"]) for step in found["steps"])
    assert check(killable.services) == []
    assert register(killable.services, WHO).actions == ()
    assert due_for_catch_up(killable.services) != []
    remove(killable.services, WHO)
    register(killable.services, WHO)
    assert registration_of(killable.sandbox) == found


def test_a_removal_ended_at_each_request_in_turn_leaves_nothing(killable: Registering) -> None:
    register(killable.services, WHO)

    killed_at_each_write(killable, lambda: remove(killable.services, WHO))

    assert registration_of(killable.sandbox) == {"endpoints": [], "steps": []}
    assert killable.sandbox.rows(IMAGE) == []


@pytest.mark.parametrize("fault", ["too_many_requests", "unavailable", "lose_answer"])
def test_a_registration_goes_through_faults(bare: Registering, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    monkeypatch.setattr(rows, "USUAL_PAUSE", 0.0)
    with bare.sandbox.faults.switched(**{fault: 3, "retry_after_seconds": 0}):
        register(bare.services, WHO)

    assert check(bare.services) == []
    assert len(bare.sandbox.rows("serviceendpoint")) == 1


@pytest.mark.parametrize(("fault", "error"), [("too_many_requests", ThrottledError), ("unavailable", DataverseError)])
def test_a_fault_without_end_is_told_and_the_next_start_goes_on(
    bare: Registering, monkeypatch: pytest.MonkeyPatch, fault: str, error: type[Exception]
) -> None:
    monkeypatch.setattr(rows, "USUAL_PAUSE", 0.0)
    with bare.sandbox.faults.switched(**{fault: -1, "retry_after_seconds": 0}), pytest.raises(error):
        register(bare.services, WHO)

    register(bare.services, WHO)

    assert check(bare.services) == []


# -- removing -----------------------------------------------------------------------------------------------------


def test_removing_takes_ours_alone(registered: Registering) -> None:
    foreign = registered.foreign_step()

    with pytest.raises(RefusedError, match="not ours: by hand"):
        remove(registered.services, WHO)
    assert len(registered.sandbox.rows(STEP)) > 1

    registered.sandbox.delete(STEP, foreign)
    done = remove(registered.services, WHO)

    assert done[-1] == "Delete service endpoint receiver."
    assert registration_of(registered.sandbox) == {"endpoints": [], "steps": []}
    assert remove(registered.services, WHO) == []


# -- nothing is lost ----------------------------------------------------------------------------------------------


def test_what_changed_while_a_step_was_off_is_caught_up(registered: Registering) -> None:
    account = "a0000000-0000-4000-8000-000000000001"
    registered.set("CUSTOMER", synch_only_coupled_records=False)
    number = registered.couple_by_click("account", account)
    catch_up(registered.services, WHO)
    registered.run_tasks()
    assert due_for_catch_up(registered.services) == []
    registered.pass_time(300)
    step = steps_of(registered)["account", "Update"]["id"]
    registered.sandbox.put_row(STEP, step, {"statecode": 1, "statuscode": 2})
    registered.sandbox.update("account", account, {"telephone1": "4711"})
    registered.work()

    found = register(registered.services, WHO)
    assert found.catch_up == ("CUSTOMER", "VENDOR")
    assert due_for_catch_up(registered.services) == ["CUSTOMER", "VENDOR"]
    catch_up(registered.services, WHO)
    registered.run_tasks()

    customer = registered.local("customer", number)
    assert customer is not None
    assert customer["phone_no"] == "4711"
    assert due_for_catch_up(registered.services) == []


# -- the terminal and the page ------------------------------------------------------------------------------------


def run(company: Company, *words: str) -> tuple[int, str, str]:
    result = company.app.test_cli_runner().invoke(receiver, list(words), input="n\n")
    return result.exit_code, result.stdout, result.stderr


def test_the_terminal_registers_checks_and_removes(bare: Registering) -> None:
    code, said, _ = run(bare, "steps", "register", "--preview")
    assert (code, "Would: Create service endpoint receiver." in said) == (0, True)
    assert run(bare, "steps", "check")[0] == 1
    code, said, _ = run(bare, "steps", "register")
    assert (code, "Create service endpoint receiver." in said, KEY in said) == (0, True, False)
    assert "receiver steps register --catch-up" in said
    assert run(bare, "steps", "check") == (0, "Everything is registered as the mappings want it.\n", "")
    code, said, _ = run(bare, "steps", "register", "--json")
    assert (code, json.loads(said)["actions"]) == (0, [])
    code, _, asked = run(bare, "steps", "remove")
    assert (code, "Nothing was removed." in asked) == (1, True)
    code, said, _ = run(bare, "steps", "remove", "--yes")
    assert (code, said.splitlines()[-1]) == (0, "Delete service endpoint receiver.")
    assert run(bare, "steps", "remove", "--yes")[1] == "Nothing of ours is registered.\n"
    assert run(bare, "steps", "register", "--preview", "--catch-up")[0] == 2


def page(company: Company) -> str:
    return Visitor(company.app.test_client()).signed_in(ADMIN_TOKEN).get("/admin/mappings").text


def test_the_mappings_page_says_that_images_are_outdated_without_asking_dataverse(registered: Registering) -> None:
    assert hint(registered.services) == ""

    registered.set_field("CONTACT", "pager", is_enabled=False)
    asked = len(registered.sandbox.requests)

    assert hint(registered.services).startswith("The images of contact are outdated: rows are read until")
    assert "The images of contact are outdated" in page(registered)
    assert len(registered.sandbox.requests) == asked
    register(registered.services, WHO)
    assert hint(registered.services) == ""


@pytest.mark.usefixtures("no_waiting")
def test_what_another_installation_has_registered_is_replaced_only_where_a_person_takes_it_over(
    sqlite_template: Path, tmp_path: Path, sandbox: Sandbox
) -> None:
    def installed(name: str) -> Registering:
        shutil.copy(sqlite_template, tmp_path / name)
        return Registering(f"sqlite:///{tmp_path / name}", sandbox)

    with closing(installed("first")) as first, closing(installed("second")) as second:
        register(first.services, "Ann")
        before = sandbox.rows("serviceendpoint")
        with pytest.raises(RefusedError, match=f"sends to {first.url}/dataverse/notifications: another installation"):
            register(second.services, "Bob")
        assert sandbox.rows("serviceendpoint") == before
        assert any("another installation" in one for one in register(second.services, "Bob", is_preview=True).notes)
        register(second.services, "Bob", takes_over=True)
        (endpoint,) = sandbox.rows("serviceendpoint")
        assert endpoint["url"] == f"{second.url}/dataverse/notifications"
        said = [one.words for one in check(first.services)]
        assert any(f"sends to {second.url}" in one for one in said)
