"""A failure is waited out, or kept until a person has mended its cause; nothing strands."""

import json
from uuid import uuid4

from company import KEY, Company
from sqlalchemy import select

from receiver.commands.following import notifications
from receiver.core.coupling import Result
from receiver.core.mapping import UpdateConflict
from receiver.store.models import inbox

ACCOUNT = "a0000000-0000-4000-8000-000000000001"
CONTACT = "c0000000-0000-4000-8000-000000000001"


def in_conflict(company: Company) -> None:
    """A pair whose phone both sides changed; the first notification of it failed."""
    company.open_for_all("CUSTOMER")
    key = company.couple_by_click("account", ACCOUNT)
    company.change_local("customer", key, phone_no="local")
    company.sandbox.update("account", ACCOUNT, {"telephone1": "Sales"})
    company.work()
    assert company.notifications()[-1]["state"] == "failed"


def process_again(company: Company) -> str:
    number = company.notifications()[-1]["id"]
    notifications.process_again(company.services, number)
    company.work()
    return str(company.notifications()[-1]["state"])


def test_process_again_takes_a_skipped_pair_back_once_its_cause_is_mended(company: Company) -> None:
    in_conflict(company)
    assert process_again(company) == "failed"
    coupling = company.coupling("CUSTOMER", ACCOUNT)
    assert coupling is not None
    assert coupling.is_skipped

    company.set("CUSTOMER", resolve_update_conflicts=UpdateConflict.GET)
    assert process_again(company) == "done"

    assert company.coupled_record("CUSTOMER", ACCOUNT)["phone_no"] == "Sales"


def test_a_skipped_pair_stays_on_the_list_of_failures(company: Company) -> None:
    in_conflict(company)
    process_again(company)

    company.sandbox.update("account", ACCOUNT, {"telephone1": "Sales again"})
    company.work()

    newest = company.notifications()[-1]
    assert (newest["state"], company.last_outcome("CUSTOMER")["reason"]) == ("failed", "SKIPPED")


def test_clicks_do_not_make_a_pair_skipped(company: Company) -> None:
    in_conflict(company)

    for _ in range(3):
        company.open("account", ACCOUNT)

    coupling = company.coupling("CUSTOMER", ACCOUNT)
    assert coupling is not None
    assert not coupling.is_skipped


def test_a_parent_that_cannot_be_read_now_is_waited_for(company: Company) -> None:
    company.open_for_all("CUSTOMER", "CONTACT")
    company.sandbox.faults.unavailable = 2
    company.sandbox.update("contact", CONTACT, {"emailaddress1": "new@example.com"})
    company.work()
    assert company.notifications()[-1]["state"] == "waiting"

    for _ in range(4):
        company.pass_time(30)
        company.work()

    assert company.notifications()[-1]["state"] == "done"
    assert company.coupled_record("CONTACT", CONTACT)["e_mail"] == "new@example.com"


def test_what_is_empty_here_and_was_never_sent_wipes_out_nothing_in_sales(company: Company) -> None:
    company.open_for_all("CUSTOMER")
    company.set("CUSTOMER", resolve_update_conflicts=UpdateConflict.SEND)
    key = company.couple_by_click("account", ACCOUNT)
    before = company.sandbox.row("account", ACCOUNT)
    assert before is not None
    assert before["creditlimit"]

    company.change_local("customer", key, phone_no="local")
    company.sandbox.update("account", ACCOUNT, {"telephone1": "Sales"})
    company.work()

    after = company.sandbox.row("account", ACCOUNT)
    assert after is not None
    assert (after["telephone1"], after["creditlimit"]) == ("local", before["creditlimit"])


def test_a_late_notification_does_not_end_a_failure(company: Company) -> None:
    """It says nothing of the row as it is: the pair must stay on the list, and the next run must ask for it."""
    company.open_for_all("CUSTOMER")
    key = company.couple_by_click("account", ACCOUNT)
    company.sandbox.update("account", ACCOUNT, {"fax": "1"})
    company.work()
    with company.services.database.reading() as connection:
        body = connection.execute(select(inbox.c.body).order_by(inbox.c.id.desc()).limit(1)).scalar_one()
    company.change_local("customer", key, phone_no="local")
    company.sandbox.update("account", ACCOUNT, {"telephone1": "Sales"})
    company.work()

    late = {**json.loads(body), "OperationId": str(uuid4())}
    client = company.app.test_client()
    assert client.post("/dataverse/notifications", json=late, headers={"x-receiver-key": KEY}).status_code == 202
    company.work()

    coupling = company.coupling("CUSTOMER", ACCOUNT)
    assert company.last_outcome("CUSTOMER")["reason"] == "UPDATE_CONFLICT"
    assert coupling is not None
    assert coupling.last_from.result is Result.FAILURE
    assert not coupling.is_skipped, "what was read is what had failed: nothing new failed a second time"
