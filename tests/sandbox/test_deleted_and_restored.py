"""Rows that come back: one by one from the recycle bin, all of them from a backup, or in a copy of the environment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from receiver.sandbox import Sandbox, SandboxSettings
from receiver.sandbox.seed import FIRST_ACCOUNT, SALES_PERSON

COPY = "0d000000-0000-4000-8000-00000000c0b1"
TRACK = {"Prefer": "odata.track-changes"}


def code(answer):
    return answer.status_code, answer.json()["error"]["code"] if answer.status_code >= 400 else None


@pytest.fixture
def keeping(sandbox):
    sandbox.keep_deleted_days = 30
    yield sandbox
    sandbox.keep_deleted_days = 0


def deleted(sandbox, **more):
    row_id = sandbox.create("account", {"name": "Deleted", "telephone1": "1", "ownerid": SALES_PERSON, **more})
    sandbox.delete("account", row_id)
    return row_id


def target(row_id, **more):
    return {"Target": {"@odata.type": "Microsoft.Dynamics.CRM.account", "accountid": row_id, **more}}


def fetch(api, *ids, inside="", operator="in", table="account", source="bin"):
    values = "".join(f"<value>{one}</value>" for one in ids)
    condition = f"<condition attribute='accountid' operator='in'>{values}</condition>"
    if operator == "eq":
        condition = f"<condition attribute='accountid' operator='eq' value='{{{ids[0].upper()}}}'/>"
    entity = f"<entity name='{table}'>{inside}<filter>{condition}</filter></entity>"
    text = f"<fetch datasource='{source}'>{entity}</fetch>"
    return api.session.get(f"{api.base}accounts", params={"fetchXml": text})


@pytest.mark.parametrize("operator", ["eq", "in"])
def test_a_deleted_row_is_in_the_bin_and_nowhere_else(keeping, api, operator):
    row_id = deleted(keeping)
    found = fetch(api, row_id, inside="<attribute name='name'/><attribute name='ownerid'/>", operator=operator)
    (row,) = found.json()["value"]
    assert {name: row[name] for name in row if "@" not in name} == {
        "accountid": row_id,
        "name": "Deleted",
        "_ownerid_value": SALES_PERSON,
    }
    assert code(api("GET", f"accounts({row_id})")) == (404, "0x80040217")


def test_the_bin_holds_what_was_asked_for_and_what_may_be_seen(keeping, api):
    first, second, third = (deleted(keeping) for _ in range(3))
    found = fetch(api, first, second, FIRST_ACCOUNT).json()["value"]
    assert {row["accountid"] for row in found} == {first, second}
    keeping.hide("account", first)
    assert [row["accountid"] for row in fetch(api, first, third).json()["value"]] == [third]
    keeping.show("account", first)


@pytest.mark.parametrize(
    "odd",
    [
        {"source": "retained"},
        {"table": "contact"},
        {"inside": "<link-entity name='contact'/>"},
        {"inside": "<filter type='or'/>"},
        {"inside": "<attribute name='nothing'/>"},
        {"inside": "<filter><condition attribute='name' operator='like' value='x'/></filter>"},
        {"inside": "<"},
    ],
)
def test_other_fetch_xml_is_refused(keeping, api, odd):
    deleted(keeping)
    assert fetch(api, FIRST_ACCOUNT, **odd).status_code == 400


def test_a_bin_that_is_off_keeps_nothing_and_says_so(sandbox, api):
    row_id = deleted(sandbox)
    assert fetch(api, row_id).status_code == 400
    sandbox.keep_deleted_days = 30
    assert fetch(api, row_id).json()["value"] == []
    sandbox.keep_deleted_days = 0
    assert code(api("POST", "Restore", target(row_id))) == (400, "0x80040203")


@pytest.mark.parametrize(("days", "ready"), [(30, True), (0, False)])
def test_the_configuration_says_for_which_tables_rows_are_kept(sandbox, api, days, ready):
    sandbox.keep_deleted_days = days
    rows = api.get("recyclebinconfigs?$expand=extensionofrecordid($select=logicalname)")["value"]
    account = next(row for row in rows if row["extensionofrecordid"]["logicalname"] == "account")
    assert (account["cleanupintervalindays"], account["isreadyforrecyclebin"]) == (days, ready)
    assert account["statecode"] == (0 if ready else 1)
    sandbox.keep_deleted_days = 0


def test_a_row_leaves_the_bin_when_its_days_are_over(make_client):
    now = [datetime(2026, 1, 1, tzinfo=UTC)]
    settings = SandboxSettings(page_port=0, api_port=0, now=lambda: now[0])
    with Sandbox(settings) as sandbox:
        sandbox.keep_deleted_days = 7
        row_id = deleted(sandbox)
        for days, count in [(6, 1), (8, 0)]:
            now[0] = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=days)
            with make_client(sandbox) as api:
                assert len(fetch(api, row_id).json()["value"]) == count


@pytest.mark.parametrize("way", ["web api", "person"])
def test_a_row_comes_back_under_its_id_with_what_it_held(keeping, api, way):
    link = api("GET", "accounts?$select=name", **TRACK).json()["@odata.deltaLink"]
    row_id = deleted(keeping)
    version = keeping.organization.store.version
    if way == "web api":
        answer = api("POST", "Restore", target(row_id, fax="2"))
        assert (answer.status_code, answer.json()["id"]) == (200, row_id)
    else:
        keeping.restore("account", row_id, {"fax": "2"})
    row = keeping.row("account", row_id)
    assert (row["name"], row["telephone1"], row["fax"], row["ownerid"]) == ("Deleted", "1", "2", SALES_PERSON)
    assert row["versionnumber"] > version
    assert fetch(api, row_id).json()["value"] == []
    changed = api.get(link)["value"]
    assert [(one.get("accountid"), one.get("reason")) for one in changed] == [(row_id, None)]


def test_lookups_to_rows_that_are_gone_come_back_empty(keeping):
    contact = keeping.create("contact", {"lastname": "Gone"})
    row_id = deleted(keeping, primarycontactid=contact)
    keeping.delete("contact", contact)
    keeping.restore("account", row_id)
    assert keeping.row("account", row_id)["primarycontactid"] is None


def test_a_restore_tells_its_own_steps_alone(keeping, notifying, receiver, make_step):
    image = {"type": "post", "alias": "rcv_post", "attributes": ["name"]}
    notifying.step_set([make_step(message, image=image) for message in ("Restore", "Update", "Delete")])
    row_id = deleted(keeping)
    notifying.settle()
    receiver.forget()
    keeping.restore("account", row_id, {"fax": "2"})
    assert notifying.settle()
    (told,) = receiver.requests
    assert (told.body["MessageName"], told.body["PrimaryEntityId"]) == ("Restore", row_id)
    assert told.columns == {"fax": "2", "accountid": row_id}
    assert {"key": "id", "value": row_id} in told.body["OutputParameters"]
    images = {pair["key"]: pair["value"]["Attributes"] for pair in told.body["PostEntityImages"]}
    assert images["rcv_post"] == [{"key": "name", "value": "Deleted"}]


def test_a_taken_id_or_key_keeps_a_row_in_the_bin(keeping, api):
    row_id = deleted(keeping)
    keeping.create("account", {"name": "In its place"}, row_id=row_id)
    assert code(api("POST", "Restore", target(row_id))) == (400, "0x80049939")
    assert keeping.row("account", row_id)["name"] == "In its place"
    product = keeping.create("product", {"name": "P", "productnumber": "P-1"})
    keeping.delete("product", product)
    keeping.create("product", {"name": "Q", "productnumber": "p-1"})
    body = {"Target": {"@odata.type": "Microsoft.Dynamics.CRM.product", "productid": product}}
    assert code(api("POST", "Restore", body)) == (400, "0x80049929")


@pytest.mark.usefixtures("keeping")
def test_nobody_restores_what_was_not_deleted_or_what_was_not_kept(api):
    missing = "a0000000-0000-4000-8000-0000000fffff"
    assert code(api("POST", "Restore", target(missing))) == (404, "0x80040217")
    assert code(api("POST", "Restore", {"Target": {"@odata.type": "account"}})) == (400, "0x80040203")
    assert code(api("POST", "Restore", {})) == (400, "0x80041102")


def test_a_deletion_that_is_undone_leaves_nothing_in_the_bin(keeping, api):
    row_id = keeping.create("account", {"name": "Stays"})
    parts = "".join(
        f"--c\r\nContent-Type: application/http\r\nContent-ID: {number}\r\n\r\nDELETE accounts({one}) HTTP/1.1\r\n\r\n"
        for number, one in enumerate((row_id, "a0000000-0000-4000-8000-0000000fffff"), 1)
    )
    text = f"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n{parts}--c--\r\n--b--\r\n"
    assert api("POST", "$batch", text, Content_Type="multipart/mixed; boundary=b").status_code == 404
    assert keeping.row("account", row_id) is not None
    assert fetch(api, row_id).json()["value"] == []


def test_after_a_backup_is_restored_rows_and_versions_are_those_of_then_and_moments_later(tmp_path, make_client):
    now = [datetime(2026, 1, 1, tzinfo=UTC)]
    settings = SandboxSettings(folder=tmp_path, page_port=0, api_port=0, now=lambda: now[0])
    with Sandbox(settings) as sandbox, make_client(sandbox) as api:
        backup = sandbox.backup()
        kept = sandbox.row("account", FIRST_ACCOUNT)
        for number in range(5):
            sandbox.update("account", FIRST_ACCOUNT, {"fax": str(number)})
        lost = sandbox.create("account", {"name": "Lost"})
        version, link = sandbox.organization.store.version, api("GET", "accounts", **TRACK).json()["@odata.deltaLink"]
        sandbox.restore_backup(backup)
        assert sandbox.row("account", FIRST_ACCOUNT) == kept
        assert code(api("GET", f"accounts({lost})")) == (404, "0x80040217")
        assert code(api("GET", link)) == (400, "0x80040203")
        now[0] += timedelta(minutes=10)
        sandbox.update("account", FIRST_ACCOUNT, {"fax": "after"})
        row = sandbox.row("account", FIRST_ACCOUNT)
        assert kept["versionnumber"] < row["versionnumber"] < version
        assert row["modifiedon"] > kept["modifiedon"]
        fresh = api("GET", "accounts", **TRACK).json()["@odata.deltaLink"]
        assert api.get(fresh)["value"] == []
        rows = sandbox.rows("account")
    with Sandbox(settings) as again:
        assert again.rows("account") == rows


def test_old_tokens_may_be_answered_as_if_nothing_had_happened(make_client):
    with Sandbox(SandboxSettings(page_port=0, api_port=0)) as sandbox, make_client(sandbox) as api:
        backup = sandbox.backup()
        sandbox.update("account", FIRST_ACCOUNT, {"fax": "1"})
        sandbox.update("account", FIRST_ACCOUNT, {"fax": "2"})
        link = api("GET", "accounts?$select=fax", **TRACK).json()["@odata.deltaLink"]
        sandbox.restore_backup(backup, refuses_tokens=False)
        sandbox.update("account", FIRST_ACCOUNT, {"fax": "unseen"})
        assert api.get(link)["value"] == []


def test_a_restored_environment_sends_by_the_steps_of_then(notifying, receiver):
    backup = notifying.backup()
    notifying.step_set([])
    notifying.update("account", FIRST_ACCOUNT, {"fax": "silent"})
    notifying.restore_backup(backup)
    notifying.update("account", FIRST_ACCOUNT, {"fax": "told"})
    assert notifying.settle()
    assert [request.columns["fax"] for request in receiver.requests] == ["told"]


def test_a_copy_has_the_same_rows_and_sends_to_the_same_place_under_its_own_id(notifying, receiver, make_client):
    with notifying.copied_as(COPY) as copy, make_client(copy) as api:
        assert api.get("WhoAmI")["OrganizationId"] == COPY
        assert [row["organizationid"] for row in api.get("organizations")["value"]] == [COPY]
        assert copy.row("account", FIRST_ACCOUNT) == notifying.row("account", FIRST_ACCOUNT)
        copy.update("account", FIRST_ACCOUNT, {"fax": "of the copy"})
        assert copy.settle()
        assert [request.body["OrganizationId"] for request in receiver.requests] == [COPY]
    assert notifying.row("account", FIRST_ACCOUNT)["fax"] != "of the copy"
