"""What the application user may not see or do, asked of single requests and of each request inside a batch."""

from __future__ import annotations

import pytest

from receiver.sandbox import exact_json
from receiver.sandbox.seed import APPLICATION_USER, FIRST_ACCOUNT, FIRST_CONTACT, SALES_PERSON

OUT_OF_SIGHT = (403, "0x80048306")
NO_PRIVILEGE = (403, "0x80040220")
OTHER_ACCOUNT = "a0000000-0000-4000-8000-000000000002"


@pytest.fixture
def hidden(sandbox):
    row_id = sandbox.create("account", {"name": "Out of Sight", "telephone1": "1"})
    sandbox.hide("account", row_id)
    yield row_id
    sandbox.show("account", row_id)


@pytest.fixture
def withheld(sandbox):
    yield sandbox.organization.withheld
    sandbox.organization.withheld.clear()


def code(answer):
    return answer.status_code, answer.json()["error"]["code"] if answer.status_code >= 400 else None


def in_batch(api, method, path, body=None, **headers):
    """The same request as the only part of a batch: status and code of the part."""
    named = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    content = "" if body is None else f"Content-Type: application/json\r\n{named}\r\n{exact_json.dumps(body)}"
    part = f"{method} {path} HTTP/1.1\r\n{content or named}\r\n"
    text = f"--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n{part}\r\n--b--\r\n"
    answer = api("POST", "$batch", text, Content_Type="multipart/mixed; boundary=b").text
    status = int(answer.partition("HTTP/1.1 ")[2][:3])
    return status, answer.partition('{"error":{"code":"')[2][:10] if status >= 400 else None


def alone(api, *request, **headers):
    return code(api(*request, **headers))


WAYS = pytest.mark.parametrize("ask", [alone, in_batch])


def names(api, path):
    return [row["name"] for row in api.get(path)["value"]]


def test_a_row_out_of_sight_is_in_no_list_and_in_no_count(sandbox, api, hidden):
    assert names(api, f"accounts?$filter=accountid eq {hidden}") == []
    assert "Out of Sight" not in names(api, "accounts?$select=name")
    counted = api.get("accounts?$count=true&$filter=name eq 'Out of Sight'")
    assert counted["@odata.count"] == 0
    sandbox.show("account", hidden)
    assert names(api, f"accounts?$filter=accountid eq {hidden}") == ["Out of Sight"]


@WAYS
@pytest.mark.parametrize(
    ("method", "body", "headers", "expected"),
    [
        ("GET", None, {}, OUT_OF_SIGHT),
        ("PATCH", {"fax": "1"}, {}, OUT_OF_SIGHT),
        ("PATCH", {"fax": "1"}, {"If_Match": "*"}, OUT_OF_SIGHT),
        ("PATCH", {"name": "1"}, {"If_None_Match": "*"}, (412, "0x80040237")),
        ("DELETE", None, {}, OUT_OF_SIGHT),
    ],
)
def test_a_row_out_of_sight_is_refused_by_its_id_and_stays_as_it_is(
    sandbox, api, hidden, ask, method, body, headers, expected
):
    before = sandbox.row("account", hidden)
    assert ask(api, method, f"accounts({hidden})", body, **headers) == expected
    assert sandbox.row("account", hidden) == before


def test_the_refusal_names_the_right_the_row_and_the_table(api, hidden):
    said = api("DELETE", f"accounts({hidden})").json()["error"]["message"]
    assert f"does not have DeleteAccess right(s) for record with id {hidden} of entity account" in said


def test_a_row_out_of_sight_that_is_deleted_is_gone(sandbox, api, hidden):
    sandbox.delete("account", hidden)
    assert alone(api, "GET", f"accounts({hidden})") == (404, "0x80040217")


def test_a_taken_id_and_a_taken_key_are_told_though_their_row_is_out_of_sight(sandbox, api):
    product = next(row for row in sandbox.rows("product") if row["productnumber"] == "BENCH-180")
    sandbox.hide("product", product["productid"])
    common = {"name": "Twin", "productnumber": "BENCH-180"}
    assert alone(api, "POST", "products", common) == (412, "0x80060892")
    common |= {"productid": product["productid"], "productnumber": "T-1"}
    assert alone(api, "POST", "products", common) == (412, "0x80040237")
    assert alone(api, "GET", "products(productnumber='BENCH-180')") == OUT_OF_SIGHT
    assert alone(api, "PATCH", "products(productnumber='BENCH-180')", {"name": "x"}) == OUT_OF_SIGHT
    sandbox.show("product", product["productid"])


def test_what_leads_to_a_row_out_of_sight_shows_its_id_and_no_more(sandbox, api, hidden):
    contact = sandbox.create("contact", {"lastname": "Child", "parentcustomerid": ("account", hidden)})
    query = "$select=_parentcustomerid_value&$expand=parentcustomerid_account($select=name)"
    row = api.get(f"contacts({contact})?{query}")
    assert row["_parentcustomerid_value"] == hidden
    assert row["parentcustomerid_account"] is None
    behind = "contacts?$filter=parentcustomerid_account/name eq 'Out of Sight'"
    assert api.get(behind)["value"] == []
    bind = {"parentcustomerid_account@odata.bind": f"/accounts({hidden})"}
    assert alone(api, "PATCH", f"contacts({FIRST_CONTACT})", bind) == OUT_OF_SIGHT


def test_changes_are_tracked_for_nobody_who_may_not_read_the_whole_table(sandbox, api, hidden):
    track = {"Prefer": "odata.track-changes"}
    assert alone(api, "GET", "accounts?$select=name", **track) == NO_PRIVILEGE
    sandbox.show("account", hidden)
    link = api.get("accounts?$select=name", **track)["@odata.deltaLink"]
    sandbox.hide("account", hidden)
    assert alone(api, "GET", link) == NO_PRIVILEGE
    assert alone(api, "GET", "contacts?$select=fullname", **track) == (200, None)


@pytest.mark.usefixtures("hidden")
def test_the_privilege_to_read_a_table_with_rows_out_of_sight_is_no_longer_global(api):
    path = f"systemusers({APPLICATION_USER})/Microsoft.Dynamics.CRM.RetrieveUserPrivileges"
    depths = {one["PrivilegeName"]: one["Depth"] for one in api.get(path)["RolePrivileges"]}
    assert (depths["prvReadAccount"], depths["prvReadContact"]) == ("Local", "Global")


def test_many_at_once_are_refused_for_one_that_is_out_of_sight(sandbox, api, hidden):
    targets = [{"accountid": FIRST_ACCOUNT, "fax": "many"}, {"accountid": hidden, "fax": "many"}]
    path = "accounts/Microsoft.Dynamics.CRM.UpdateMultiple"
    assert alone(api, "POST", path, {"Targets": targets}) == OUT_OF_SIGHT
    assert sandbox.row("account", FIRST_ACCOUNT)["fax"] != "many"


def test_people_and_notifications_see_every_row(notifying, receiver, hidden):
    notifying.settle()
    receiver.forget()
    notifying.update("account", hidden, {"fax": "seen"})
    assert notifying.settle()
    assert [request.columns["fax"] for request in receiver.requests] == ["seen"]


NEW = "a0000000-0000-4000-8000-0000000030af"
BIND = {"primarycontactid@odata.bind": f"/contacts({FIRST_CONTACT})"}
OWNER = {"ownerid@odata.bind": f"/systemusers({SALES_PERSON})"}


@WAYS
@pytest.mark.parametrize(
    ("privilege", "request_", "headers"),
    [
        ("prvReadAccount", ("GET", "accounts"), {}),
        ("prvReadAccount", ("GET", f"accounts({FIRST_ACCOUNT})"), {}),
        ("prvReadContact", ("GET", "accounts?$expand=primarycontactid($select=fullname)"), {}),
        ("prvCreateAccount", ("POST", "accounts", {"name": "x"}), {}),
        ("prvCreateAccount", ("PATCH", f"accounts({NEW})", {"name": "x"}), {"If_None_Match": "*"}),
        ("prvCreateAccount", ("PATCH", f"accounts({NEW})", {"name": "x"}), {}),
        ("prvWriteAccount", ("PATCH", f"accounts({FIRST_ACCOUNT})", {"fax": "x"}), {}),
        ("prvWriteAccount", ("PATCH", f"accounts({FIRST_ACCOUNT})", {"fax": "x"}), {"If_Match": "*"}),
        ("prvWriteAccount", ("DELETE", f"accounts({FIRST_ACCOUNT})/primarycontactid/$ref"), {}),
        ("prvDeleteAccount", ("DELETE", f"accounts({OTHER_ACCOUNT})"), {}),
        ("prvAppendAccount", ("PATCH", f"accounts({FIRST_ACCOUNT})", BIND), {}),
        ("prvAppendToContact", ("PATCH", f"accounts({FIRST_ACCOUNT})", BIND), {}),
        ("prvAssignAccount", ("PATCH", f"accounts({FIRST_ACCOUNT})", OWNER), {}),
    ],
)
def test_a_request_without_its_privilege_is_refused(sandbox, api, withheld, ask, privilege, request_, headers):
    withheld.add(privilege)
    before = sandbox.rows("account")
    assert ask(api, *request_, **headers) == NO_PRIVILEGE
    assert sandbox.rows("account") == before
    withheld.clear()


def test_the_refusal_names_the_privilege(api, withheld):
    withheld.add("prvAppendToContact")
    assert "prvAppendToContact" in api("PATCH", f"accounts({FIRST_ACCOUNT})", BIND).json()["error"]["message"]


@pytest.mark.parametrize(
    "privilege", ["prvAppendAccount", "prvAppendToContact", "prvAssignAccount", "prvCreateAccount"]
)
def test_a_write_needs_no_privilege_that_it_does_not_use(api, withheld, privilege):
    withheld.add(privilege)
    assert alone(api, "PATCH", f"accounts({FIRST_ACCOUNT})", {"fax": "x"}) == (204, None)
