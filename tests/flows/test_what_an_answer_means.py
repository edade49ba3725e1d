"""Outages, set-up faults and a record's own trouble: what waits, what closes a gate, what is told at once."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from company import Company
from scenarios.pairs import ACCOUNT, SECOND_ACCOUNT, couple_customer, is_skipped

from receiver.cli import receiver
from receiver.sandbox import ALWAYS, Answer
from receiver.store import gates

PAGE = "<!DOCTYPE html><html><head><title>Sign in</title></head></html>"


def run(company: Company, words: str) -> Any:
    return company.app.test_cli_runner().invoke(receiver, words.split())


def renamed(company: Company, name: str = "Nordwind AG") -> None:
    """The account is renamed, and its image is left out: the row has to be read."""
    company.sandbox.faults.strip = 1
    company.sandbox.update("account", ACCOUNT, {"name": name})


def later(company: Company, times: int = 4) -> None:
    for _ in range(times):
        company.pass_time(1000)
        company.work()


def closed(company: Company) -> list[gates.Gate]:
    with company.services.database.reading() as connection:
        return gates.found(connection)


def states(company: Company) -> set[str]:
    return {one["state"] for one in company.notifications()}


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (500, "0x80044151"),
        (500, "0x80040216"),
        (500, ""),
        (503, ""),
        (408, ""),
        (400, "0x8004a104"),
        (403, "0x8004a104"),
        (403, "0x8004a113"),
        (401, ""),
        (403, "0x80072560"),
        (403, "0x80040225"),
        (403, "0x80040220"),
        (404, "0x80060888"),
        (429, "0x80072322"),
    ],
)
def test_what_came_during_an_outage_is_done_afterwards(small_company: Company, status: int, code: str) -> None:
    c = small_company
    couple_customer(c)
    if code == "0x80040220":
        c.sandbox.organization.withheld.add("prvReadAccount")
    answer = Answer.error(status, code, "Later.", times=ALWAYS)
    c.sandbox.faults.answers.append(answer)
    renamed(c)
    c.work()
    assert states(c) <= {"done", "ignored", "waiting"}
    later(c, 1)
    c.sandbox.faults.answers.remove(answer)
    c.sandbox.organization.withheld.clear()
    later(c)
    assert c.coupled_record("CUSTOMER", ACCOUNT)["name"] == "Nordwind AG"
    assert closed(c) == []


@pytest.mark.parametrize(
    "answer",
    [Answer(200, PAGE), Answer(302, PAGE), Answer(302), Answer(502, PAGE), Answer(403, PAGE), Answer(404, PAGE)],
)
def test_a_page_in_place_of_an_answer_lets_notifications_wait(small_company: Company, answer: Answer) -> None:
    c = small_company
    couple_customer(c)
    c.sandbox.faults.answers.append(answer)
    renamed(c)
    c.work()
    later(c, 1)
    assert c.coupled_record("CUSTOMER", ACCOUNT)["name"] == "Nordwind AG"


def test_half_an_answer_lets_notifications_wait(small_company: Company) -> None:
    c = small_company
    couple_customer(c)
    c.sandbox.faults.answers.append(Answer(0, method="GET", path="accounts(", change=lambda body: body[:20]))
    renamed(c)
    c.work()
    later(c, 1)
    assert c.coupled_record("CUSTOMER", ACCOUNT)["name"] == "Nordwind AG"


@pytest.mark.parametrize(
    "words", ["synchronize CUSTOMER C00010 C00020 --direction to --force", "rows CUSTOMER", "doctor"]
)
def test_a_command_is_told_at_once_and_holds_nothing(small_company: Company, words: str) -> None:
    c = small_company
    couple_customer(c)
    couple_customer(c, SECOND_ACCOUNT)
    c.sandbox.faults.answers.append(Answer(200, PAGE, times=ALWAYS))
    done = run(c, words)
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    assert done.exit_code != 0
    assert "Dataverse" in done.output
    c.sandbox.faults.answers.clear()
    assert "right now" not in run(c, words).output


def test_two_time_outs_do_not_skip_a_record(small_company: Company) -> None:
    c = small_company
    key = couple_customer(c)
    c.change_local("customer", key, name="Neu AG")
    c.sandbox.faults.answers.append(Answer.error(500, "0x80044151", "SQL timeout expired.", method="PATCH", times=2))
    for _ in range(3):
        run(c, "mappings run CUSTOMER --here --direction to")
    assert not is_skipped(c)
    assert c.sandbox.row("account", ACCOUNT)["name"] == "Neu AG"


def test_the_same_passing_answer_three_times_while_others_go_through_is_the_records_own(small_company: Company) -> None:
    c = small_company
    couple_customer(c)
    c.sandbox.faults.answers.append(
        Answer.error(500, "0x80040216", "Unexpected.", method="GET", path=f"accounts({ACCOUNT})", times=ALWAYS)
    )
    renamed(c)
    c.work()
    later(c, 1)
    assert states(c) <= {"done", "ignored", "waiting"}, "twice is no proof"
    later(c, 2)
    assert c.notifications()[-1]["state"] == "failed"
    coupling = c.coupling("CUSTOMER", ACCOUNT)
    assert coupling is not None
    assert "3 times" in coupling.last_from.error


def test_the_same_passing_answer_to_everybody_is_nobodys_own(small_company: Company) -> None:
    c = small_company
    couple_customer(c)
    c.sandbox.faults.answers.append(Answer.error(500, "0x80040216", "Unexpected.", times=ALWAYS))
    renamed(c)
    later(c, 6)
    assert states(c) <= {"done", "ignored", "waiting"}
    c.sandbox.faults.answers.clear()
    later(c, 2)
    assert c.coupled_record("CUSTOMER", ACCOUNT)["name"] == "Nordwind AG"


def test_a_set_up_fault_is_said_once_closes_its_gate_and_opens_by_itself(small_company: Company) -> None:
    c = small_company
    couple_customer(c)
    couple_customer(c, SECOND_ACCOUNT)
    c.sandbox.organization.withheld.add("prvReadAccount")
    for row_id in (ACCOUNT, SECOND_ACCOUNT):
        c.sandbox.faults.strip = 1
        c.sandbox.update("account", row_id, {"name": "Neu AG"})
    c.work()
    (gate,) = closed(c)
    assert (gate.name, gate.is_set_up) == ("read account", True)
    assert "prvReadAccount" in gate.reason
    assert "security role" in gate.reason
    before = len(c.sandbox.requests)
    c.work()
    assert len(c.sandbox.requests) == before, "nobody asks while the gate is closed"
    c.sandbox.organization.withheld.clear()
    later(c, 2)
    assert closed(c) == []
    assert c.coupled_record("CUSTOMER", ACCOUNT)["name"] == "Neu AG"
    assert c.coupled_record("CUSTOMER", SECOND_ACCOUNT)["name"] == "Neu AG"


def test_a_missing_privilege_that_our_roles_give_is_this_records_trouble(small_company: Company) -> None:
    c = small_company
    key = couple_customer(c)
    c.change_local("customer", key, name="Neu AG")
    c.sandbox.faults.answers.append(
        Answer.error(
            403, "0x80040220", "Principal user is missing prvWriteAccount privilege.", method="PATCH", times=ALWAYS
        )
    )
    run(c, "mappings run CUSTOMER --here --direction to")
    assert closed(c) == []
    coupling = c.coupling("CUSTOMER", ACCOUNT)
    assert coupling is not None
    assert "plug-in" in coupling.last_to.error


def test_a_closed_set_up_gate_ends_a_run_with_its_reason(small_company: Company) -> None:
    c = small_company
    key = couple_customer(c)
    c.change_local("customer", key, name="Neu AG")
    c.sandbox.organization.withheld.add("prvWriteAccount")
    done = run(c, "mappings run CUSTOMER --here --direction to")
    assert done.exit_code == 1
    assert "prvWriteAccount" in done.output
    c.sandbox.organization.withheld.clear()
    c.pass_time(1000)
    assert run(c, "mappings run CUSTOMER --here --direction to").exit_code == 0
    assert c.sandbox.row("account", ACCOUNT)["name"] == "Neu AG"


@pytest.mark.parametrize("asked", ["1e13", "Wed, 21 Oct 2099 07:28:00 GMT", "nan", ""])
def test_a_pause_is_never_longer_than_the_setting_and_a_person_can_end_it(small_company: Company, asked: str) -> None:
    c = small_company
    couple_customer(c)
    c.sandbox.faults.answers.append(Answer.error(429, "0x80072322", "Too many.", headers={"Retry-After": asked}))
    renamed(c)
    c.work()
    (gate,) = closed(c)
    assert (gate.until - c.now()).total_seconds() <= c.services.options.longest_pause_seconds
    listed = run(c, "gates list")
    assert "everything" in listed.output
    if asked not in {"nan", ""}:
        assert "900 at most" in listed.output
    assert run(c, "gates open everything").exit_code == 0
    c.work()
    assert c.coupled_record("CUSTOMER", ACCOUNT)["name"] == "Nordwind AG"


@pytest.mark.parametrize(
    "answer",
    [
        Answer.error(429, "0x80072322", "Too many.", headers={"Retry-After": "7"}),
        Answer(429),
        Answer(401),
        Answer.error(503, "0x80072326", "Busy."),
        Answer.error(500, "0x80044151", "SQL timeout expired."),
    ],
    ids=lambda answer: str(answer.status),
)
def test_a_part_of_a_batch_that_has_to_wait_is_no_records_failure(small_company: Company, answer: Answer) -> None:
    c = small_company
    keys = {row_id: couple_customer(c, row_id) for row_id in (ACCOUNT, SECOND_ACCOUNT)}
    for key in keys.values():
        c.change_local("customer", key, city="Bremen")
    c.sandbox.faults.answers.append(replace(answer, method="PATCH", path=ACCOUNT, in_batch=True))

    run(c, "mappings run CUSTOMER --here --direction to")
    c.pass_time(1000)
    run(c, "mappings run CUSTOMER --here --direction to")

    assert [c.sandbox.row("account", row_id)["address1_city"] for row_id in keys] == ["Bremen", "Bremen"]
    assert not any(is_skipped(c, row_id) for row_id in keys)
    assert closed(c) == []


@pytest.mark.parametrize("kind", ["other host", "itself", "no next link"])
def test_every_page_is_read_or_nothing_is_concluded(
    small_company: Company, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr("receiver.dataverse.client.PAGE", 2)  # so that there are several pages
    c = small_company
    c.open_for_all("CUSTOMER")

    def other_host(body: bytes) -> bytes:
        return body.replace(c.sandbox.api_url.encode(), b"https://org.api.crm4.dynamics.com")

    def to_itself(body: bytes) -> bytes:
        found = json.loads(body)
        if "@odata.nextLink" in found:
            found["@odata.nextLink"] = f"{c.sandbox.api_url}/api/data/v9.2/accounts?$select=name"
        return json.dumps(found).encode()

    def without_link(body: bytes) -> bytes:
        found = json.loads(body)
        found.pop("@odata.nextLink", None)
        return json.dumps({**found, "@Microsoft.Dynamics.CRM.morerecords": True}).encode()

    change = {"other host": other_host, "itself": to_itself, "no next link": without_link}[kind]
    c.sandbox.faults.answers.append(Answer(0, method="GET", path="accounts?", change=change, times=ALWAYS))
    done = run(c, "mappings run CUSTOMER --here --direction from")
    verified = run(c, "verify CUSTOMER --here")
    if kind == "other host":
        assert "Inserted 3" in done.output
        assert len(c.locals("customer")) > 2
    else:
        assert done.exit_code == 1
        assert verified.exit_code == 1, "what was not read is not proven"


def test_what_has_been_passing_for_an_hour_stands_on_the_errors_list_once(small_company: Company) -> None:
    c = small_company
    couple_customer(c)
    couple_customer(c, SECOND_ACCOUNT)
    c.sandbox.faults.answers.append(Answer.error(500, "0x80044151", "SQL timeout expired.", times=ALWAYS))
    for row_id in (ACCOUNT, SECOND_ACCOUNT):
        c.sandbox.faults.strip = 1
        c.sandbox.update("account", row_id, {"name": "Neu AG"})
        c.work()
    c.sandbox.faults.answers.clear()
    waiting = "2 record(s) wait since"
    assert waiting not in run(c, "errors list").output
    c.pass_time(4000)
    said = run(c, "errors list").output
    assert said.count(waiting) == 1
    assert "SQL timeout expired" in said
    c.work()
    assert waiting not in run(c, "errors list").output
