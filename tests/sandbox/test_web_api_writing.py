"""Create, change and delete through the Web API: conditions, lookups, numbers, refusals."""

from __future__ import annotations

from decimal import Decimal

import pytest

from receiver.sandbox.seed import APPLICATION_USER, BASE_CURRENCY, FIRST_ACCOUNT, FIRST_CONTACT, POUND, SALES_PERSON

MISSING = "a0000000-0000-4000-8000-0000000fffff"
SECOND_CONTACT = "c0000000-0000-4000-8000-000000000002"


@pytest.fixture
def row_id(sandbox):
    return sandbox.create("account", {"name": "Of This Test", "telephone1": "1"})


def code(answer):
    return answer.status_code, answer.json()["error"]["code"] if answer.content else None


def test_a_create_answers_with_the_rows_address(sandbox, api):
    answer = api("POST", "accounts", {"name": "Made"})
    assert (answer.status_code, answer.content) == (204, b"")
    address = answer.headers["OData-EntityId"]
    assert address.startswith(f"{sandbox.api_url}/api/data/v9.2/accounts(")
    assert sandbox.row("account", address[-37:-1])["name"] == "Made"
    assert sandbox.row("account", address[-37:-1])["createdby"] == APPLICATION_USER


def test_a_create_answers_with_the_row_where_that_is_preferred(api):
    answer = api("POST", "accounts?$select=name", {"name": "Made"}, Prefer="return=representation")
    assert answer.status_code == 201
    assert answer.headers["Preference-Applied"] == "return=representation"
    assert set(answer.json()) == {"@odata.context", "@odata.etag", "name", "accountid"}


@pytest.mark.parametrize(
    ("condition", "exists", "expected"),
    [
        ({}, True, (204, None)),
        ({}, False, (204, None)),
        ({"If_Match": "*"}, True, (204, None)),
        ({"If_Match": "*"}, False, (404, "0x80040217")),
        ({"If_Match": 'W/"1"'}, True, (412, "0x80060882")),
        ({"If_Match": 'W/"1"'}, False, (404, "0x80040217")),
        ({"If_None_Match": "*"}, True, (412, "0x80040237")),
        ({"If_None_Match": "*"}, False, (204, None)),
    ],
)
def test_a_patch_keeps_to_its_condition(sandbox, api, row_id, condition, exists, expected):
    target = row_id if exists else sandbox.create("account", {"name": "x"})
    if not exists:
        sandbox.delete("account", target)
    answer = api("PATCH", f"accounts({target})", {"fax": "patched"}, **condition)
    assert code(answer) == expected
    row = sandbox.row("account", target)
    assert (row and row["fax"] == "patched") == (True if expected[0] == 204 else (False if exists else None))


def test_an_update_with_the_present_version_is_made_and_gives_a_higher_one(sandbox, api, row_id):
    etag = api.get(f"accounts({row_id})")["@odata.etag"]
    answer = api("PATCH", f"accounts({row_id})", {"fax": "2"}, If_Match=etag, Prefer="return=representation")
    assert answer.status_code == 200
    assert int(answer.json()["@odata.etag"][3:-1]) > int(etag[3:-1])
    assert code(api("PATCH", f"accounts({row_id})", {"fax": "3"}, If_Match=etag)) == (412, "0x80060882")
    assert code(api("DELETE", f"accounts({row_id})", If_Match=etag)) == (412, "0x80060882")
    assert sandbox.row("account", row_id)["fax"] == "2"


def test_a_read_with_the_known_version_answers_304(api, row_id):
    etag = api.get(f"accounts({row_id})")["@odata.etag"]
    assert api("GET", f"accounts({row_id})", If_None_Match=etag).status_code == 304
    assert api("GET", f"accounts({row_id})", If_None_Match="null").status_code == 200


def test_a_delete_leaves_nothing_and_clears_the_lookups_to_it(sandbox, api, row_id):
    contact = sandbox.create("contact", {"lastname": "Orphan", "parentcustomerid": ("account", row_id)})
    version = sandbox.row("contact", contact)["versionnumber"]
    assert api("DELETE", f"accounts({row_id})").status_code == 204
    assert code(api("GET", f"accounts({row_id})")) == (404, "0x80040217")
    assert code(api("DELETE", f"accounts({row_id})")) == (404, "0x80040217")
    orphan = sandbox.row("contact", contact)
    assert orphan["parentcustomerid"] is None
    assert orphan["accountid"] is None
    assert orphan["versionnumber"] > version


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("GET", f"accounts({MISSING})", None, (404, "0x80040217")),
        ("GET", "accounts(nonsense)", None, (400, "0x80040203")),
        ("GET", "unknowns", None, (404, "0x8006088a")),
        ("GET", "products(productnumber='none')", None, (404, "0x80060891")),
        ("GET", "accounts(accountnumber='none')", None, (400, "0x80060888")),
        ("GET", "accounts?$select=nothing", None, (400, "0x80060888")),
        ("GET", "accounts?$filter=nothing eq 1", None, (400, "0x80060888")),
        ("GET", "accounts?$filter=name eq", None, (400, "0x80060888")),
        ("GET", "accounts?$filter=name is 'x'", None, (400, "0x80060888")),
        ("GET", "accounts?$orderby=nothing", None, (400, "0x80060888")),
        ("POST", "accounts", {"nothing": 1}, (400, "0x80048d19")),
        ("POST", "accounts", "{", (400, "0x80048d19")),
        ("POST", "accounts", "[]", (400, "0x80048d19")),
        ("POST", "accounts", {"name": 5}, (400, "0x80048d19")),
        ("POST", "accounts", {"creditlimit": "5"}, (400, "0x80048d19")),
        ("POST", "accounts", {"creditonhold": 1}, (400, "0x80048d19")),
        ("POST", "accounts", {"customertypecode": True}, (400, "0x80048d19")),
        ("POST", "accounts", {"name": "x" * 161}, (400, "0x80044331")),
        ("POST", "accounts", {"customertypecode": 99}, (400, "0x8004431a")),
        ("POST", "accounts", {"creditlimit": 10**15}, (400, "0x80044330")),
        ("POST", "accounts", {"statecode": 1, "statuscode": 1}, (400, "0x80048408")),
        ("POST", "accounts", {"accountid": FIRST_ACCOUNT}, (412, "0x80040237")),
        ("POST", "accounts", {"_primarycontactid_value": FIRST_CONTACT}, (400, "0x80048d19")),
        ("POST", "accounts", {"primarycontactid": FIRST_CONTACT}, (400, "0x80048d19")),
        ("POST", "accounts", {"primarycontactid@odata.bind": f"/accounts({FIRST_ACCOUNT})"}, (400, "0x80048d19")),
        ("POST", "accounts", {"primarycontactid@odata.bind": f"/contacts({MISSING})"}, (404, "0x80040217")),
        ("POST", "accounts", {"PrimaryContactId@odata.bind": f"/contacts({FIRST_CONTACT})"}, (400, "0x80048d19")),
        ("POST", "accounts", {"bcbi_companyid@odata.bind": None}, (400, "0x80048d19")),
        ("POST", "products", {"name": "Twin", "productnumber": "BENCH-180"}, (412, "0x80060892")),
        ("POST", "NoSuchAction", {}, (404, "0x8006088a")),
        ("POST", f"accounts({FIRST_ACCOUNT})/Microsoft.Dynamics.CRM.NoSuch", {}, (404, "0x8006088a")),
        ("DELETE", f"transactioncurrencies({BASE_CURRENCY})", None, (400, "0x80040203")),
        ("DELETE", f"accounts({FIRST_ACCOUNT})/nothing/$ref", None, (400, "0x80060888")),
    ],
)
def test_each_refusal_has_its_status_and_code(api, method, path, body, expected):
    assert code(api(method, path, body)) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"parentcustomerid_account@odata.bind": f"/accounts({FIRST_ACCOUNT})"}, ("account", FIRST_ACCOUNT)),
        ({"parentcustomerid_contact@odata.bind": f"contacts({FIRST_CONTACT})"}, ("contact", FIRST_CONTACT)),
        ({"parentcustomerid_account": None}, (None, None)),
        ({"parentcustomerid_contact@odata.bind": None}, (None, None)),
    ],
)
def test_a_polymorphic_lookup_is_written_by_the_navigation_property_of_its_table(sandbox, api, body, expected):
    contact = sandbox.create("contact", {"lastname": "X", "parentcustomerid": ("contact", SECOND_CONTACT)})
    assert api("PATCH", f"contacts({contact})", body, If_Match="*").status_code == 204
    read = api.get(f"contacts({contact})?$select=_parentcustomerid_value", Prefer='odata.include-annotations="*"')
    kind = read.get("_parentcustomerid_value@Microsoft.Dynamics.CRM.lookuplogicalname")
    assert (kind, read["_parentcustomerid_value"]) == expected


def test_a_lookup_takes_a_whole_address_and_an_alternate_key(sandbox, api, row_id):
    address = f"{sandbox.api_url}/api/data/v9.2/systemusers({SALES_PERSON})"
    body = {
        "ownerid@odata.bind": address,
        "transactioncurrencyid@odata.bind": "/transactioncurrencies(isocurrencycode='GBP')",
    }
    assert api("PATCH", f"accounts({row_id})", body).status_code == 204
    row = sandbox.row("account", row_id)
    assert (row["ownerid"], row["owninguser"], row["transactioncurrencyid"]) == (SALES_PERSON, SALES_PERSON, POUND)


def test_a_reference_is_set_and_removed_by_ref(sandbox, api, row_id):
    path = f"accounts({row_id})/primarycontactid/$ref"
    assert api("PUT", path, {"@odata.id": f"/contacts({FIRST_CONTACT})"}).status_code == 204
    assert sandbox.row("account", row_id)["primarycontactid"] == FIRST_CONTACT
    assert api("DELETE", path).status_code == 204
    assert sandbox.row("account", row_id)["primarycontactid"] is None


def test_money_keeps_its_digits_and_is_converted_to_the_base_currency(sandbox, api, row_id):
    body = f'{{"creditlimit":1234.505,"transactioncurrencyid@odata.bind":"/transactioncurrencies({POUND})"}}'
    answer = api("PATCH", f"accounts({row_id})", body, Prefer="return=representation")
    assert b'"creditlimit":1234.5100,' in answer.content
    assert b'"exchangerate":0.8561000000,' in answer.content
    row = sandbox.row("account", row_id)
    assert row["creditlimit_base"] == (Decimal("1234.51") / Decimal("0.8561")).quantize(Decimal("0.0001"))


def test_columns_that_only_the_platform_writes_are_ignored_without_a_word(sandbox, api, row_id):
    body = {"createdon": "2001-01-01T00:00:00Z", "creditlimit_base": 5, "merged": True}
    assert api("PATCH", f"accounts({row_id})", body).status_code == 204
    assert sandbox.row("account", row_id)["creditlimit_base"] is None
    assert sandbox.row("account", row_id)["merged"] is False


def test_an_empty_text_is_kept_as_null(sandbox, api, row_id):
    api("PATCH", f"accounts({row_id})", {"telephone1": ""})
    assert sandbox.row("account", row_id)["telephone1"] is None


def test_a_state_without_status_reason_gets_its_first_one(sandbox, api, row_id):
    api("PATCH", f"accounts({row_id})", {"statecode": 1})
    row = sandbox.row("account", row_id)
    assert (row["statecode"], row["statuscode"]) == (1, 2)


def test_an_alternate_key_reads_updates_and_creates(sandbox, api):
    assert api.get("products(productnumber='BENCH-180')?$select=name")["name"] == "Oak bench 180 cm"
    assert api("PATCH", "products(productnumber='NEW-1')", {"name": "New"}).status_code == 204
    assert api("PATCH", "products(productnumber='NEW-1')", {"name": "Newer"}).status_code == 204
    assert [row["name"] for row in sandbox.rows("product") if row["productnumber"] == "NEW-1"] == ["Newer"]


def test_bulk_writes_are_all_or_nothing(sandbox, api, row_id):
    count = len(sandbox.rows("account"))
    body = {"Targets": [{"name": "Fine"}, {"name": "x" * 200}]}
    assert api("POST", "accounts/Microsoft.Dynamics.CRM.CreateMultiple", body).status_code == 400
    assert len(sandbox.rows("account")) == count
    body = {"Targets": [{"accountid": row_id, "fax": "9"}, {"accountid": FIRST_ACCOUNT, "fax": "9"}]}
    assert api("POST", "accounts/Microsoft.Dynamics.CRM.UpdateMultiple", body).status_code == 204
    assert sandbox.row("account", row_id)["fax"] == sandbox.row("account", FIRST_ACCOUNT)["fax"] == "9"


def test_merge_is_an_action(sandbox, api, row_id):
    loser = sandbox.create("account", {"name": "Loser"})
    body = {
        "Target": {"@odata.type": "Microsoft.Dynamics.CRM.account", "accountid": row_id},
        "Subordinate": {"@odata.type": "Microsoft.Dynamics.CRM.account", "accountid": loser},
        "UpdateContent": {"@odata.type": "Microsoft.Dynamics.CRM.account", "fax": "kept"},
        "PerformParentingChecks": False,
    }
    assert api("POST", "Merge", body).status_code == 204
    assert sandbox.row("account", row_id)["fax"] == "kept"
    assert sandbox.row("account", loser)["merged"] is True


def test_a_batch_carries_out_its_requests_one_after_the_other(sandbox, api):
    lines = [
        "--batch_1",
        "Content-Type: application/http",
        "Content-Transfer-Encoding: binary",
        "",
        "GET accounts?$select=name&$top=1 HTTP/1.1",
        "Accept: application/json",
        "",
        "",
        "--batch_1",
        "Content-Type: multipart/mixed; boundary=set_1",
        "",
        "--set_1",
        "Content-Type: application/http",
        "Content-Transfer-Encoding: binary",
        "Content-ID: 1",
        "",
        "POST accounts HTTP/1.1",
        "Content-Type: application/json",
        "",
        '{"name":"By batch"}',
        "--set_1--",
        "",
        "--batch_1--",
        "",
    ]
    answer = api("POST", "$batch", "\r\n".join(lines), Content_Type="multipart/mixed; boundary=batch_1")
    assert answer.status_code == 200
    assert answer.text.count("HTTP/1.1 2") == 2
    assert any(row["name"] == "By batch" for row in sandbox.rows("account"))


def test_a_batch_stops_at_the_first_failure_unless_told_to_go_on(api):
    part = "--b\r\nContent-Type: application/http\r\n\r\nGET {} HTTP/1.1\r\n\r\n"
    body = part.format("unknowns") + part.format("WhoAmI") + "--b--"
    stopped = api("POST", "$batch", body, Content_Type="multipart/mixed; boundary=b")
    gone_on = api("POST", "$batch", body, Content_Type="multipart/mixed; boundary=b", Prefer="odata.continue-on-error")
    assert (stopped.status_code, stopped.text.count("HTTP/1.1 ")) == (404, 1)
    assert (gone_on.status_code, gone_on.text.count("HTTP/1.1 ")) == (200, 2)


def test_every_request_is_logged(sandbox, api):
    api("GET", "accounts?$top=1")
    last = sandbox.requests[-1]
    assert (last.method, last.status) == ("GET", 200)
    assert last.path.startswith("/api/data/v9.2/accounts?")


def test_a_get_in_a_change_set_and_more_than_1000_requests_are_refused(api):
    part = "--b\r\nContent-Type: application/http\r\n\r\nGET WhoAmI HTTP/1.1\r\n\r\n"
    inner = "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n" + part.replace("--b", "--c") + "--c--\r\n"
    kind = {"Content-Type": "multipart/mixed; boundary=b"}
    assert api("POST", "$batch", inner + "--b--", **kind).status_code == 400
    assert api("POST", "$batch", part * 1001 + "--b--", **kind).status_code == 400
    assert api("POST", "$batch", part * 3 + "--b--", **kind).status_code == 200
