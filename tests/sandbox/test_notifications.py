"""What a notification carries, message by message, and how it proves where it comes from."""

from __future__ import annotations

from decimal import Decimal

import pytest

from receiver.sandbox import ServiceEndpoint
from receiver.sandbox.notifications import SYSTEM_USER
from receiver.sandbox.seed import APPLICATION_USER, BASE_CURRENCY, FIRST_ACCOUNT, FIRST_CONTACT, SALES_MANAGER


def images(request, kind):
    return {pair["key"]: pair["value"] for pair in request.body[kind]}


def pairs(bag):
    return {pair["key"]: pair["value"] for pair in bag}


def test_a_create_tells_what_was_submitted_and_what_the_platform_filled_in(notifying, receiver):
    row_id = notifying.create("account", {"name": "Tivoli", "creditlimit": "12.5", "description": ""})
    assert notifying.settle()
    (request,) = receiver.requests
    body, columns = request.body, request.columns
    assert (body["MessageName"], body["PrimaryEntityName"], body["PrimaryEntityId"]) == ("Create", "account", row_id)
    assert (body["Mode"], body["Stage"], body["Depth"], body["IsInTransaction"]) == (1, 40, 1, False)
    assert pairs(body["OutputParameters"]) == {"id": row_id}
    assert columns["name"] == "Tivoli"
    assert columns["creditlimit"]["Value"] == Decimal("12.5")
    assert columns["creditlimit_base"]["Value"] == Decimal("12.5")
    assert columns["description"] is None
    assert columns["statecode"]["Value"] == 0
    assert columns["transactioncurrencyid"]["Id"] == BASE_CURRENCY
    assert columns["ownerid"]["Name"] is None
    assert columns["modifiedonbehalfby"] is None
    assert columns["accountid"] == row_id
    assert "versionnumber" not in columns
    assert "telephone1" not in columns
    assert pairs(request.target["FormattedValues"])["statecode"] == "Active"
    assert pairs(request.target["FormattedValues"])["ownerid"] is None


def test_an_update_tells_only_what_was_submitted_and_the_modified_columns(notifying, receiver):
    notifying.update("account", FIRST_ACCOUNT, {"telephone1": "5", "fax": None})
    assert notifying.settle()
    (request,) = receiver.requests
    assert set(request.columns) == {"telephone1", "fax", "accountid", "modifiedon", "modifiedby", "modifiedonbehalfby"}
    assert request.columns["fax"] is None
    assert request.target["FormattedValues"] == []


def test_a_delete_names_the_row_and_brings_its_name_along(notifying, receiver):
    row_id = notifying.create("account", {"name": "Gone Soon"}, deliver=False)
    notifying.delete("account", row_id)
    assert notifying.settle()
    (request,) = receiver.requests
    assert request.target["__type"].startswith("EntityReference:")
    assert request.target["Id"] == row_id
    automatic = images(request, "PreEntityImages")["AsynchronousStepPrimaryName"]
    assert pairs(automatic["Attributes"]) == {"name": "Gone Soon", "accountid": row_id}
    assert request.body["UserId"] == SYSTEM_USER
    assert request.body["InitiatingUserId"] == SALES_MANAGER


def test_an_image_holds_the_registered_columns_that_have_a_value(notifying, receiver):
    notifying.update("account", FIRST_ACCOUNT, {"telephone1": None, "creditlimit": "99.90"})
    assert notifying.settle()
    image = images(receiver.requests[0], "PostEntityImages")["rcv_post"]
    columns = pairs(image["Attributes"])
    assert set(columns) == {"name", "creditlimit", "primarycontactid", "customertypecode", "versionnumber"}
    assert str(columns["creditlimit"]["Value"]) == "99.9000"
    assert columns["primarycontactid"]["Name"] == "Greta Hansen"
    assert columns["versionnumber"] == notifying.row("account", FIRST_ACCOUNT)["versionnumber"]
    assert pairs(image["FormattedValues"])["customertypecode"] == "Customer"
    assert "__type" not in image


def test_the_parent_context_is_the_main_operation_with_what_the_caller_sent(notifying, receiver):
    notifying.create("account", {"name": "Tivoli"})
    assert notifying.settle()
    body = receiver.requests[0].body
    parent = body["ParentContext"]
    assert (parent["Stage"], parent["MessageName"], parent["ParentContext"]) == (30, "Create", None)
    sent = pairs(parent["InputParameters"])
    assert set(pairs(sent["Target"]["Attributes"])) == {"name", "accountid"}
    assert parent["OutputParameters"] == []
    assert parent["OperationId"] == body["OperationId"]


def test_a_contacts_full_name_follows_its_first_name(notifying, receiver, make_step):
    notifying.step_set([make_step("Update", "contact")])
    notifying.update("contact", FIRST_CONTACT, {"firstname": "Gretchen"})
    assert notifying.settle()
    assert receiver.requests[0].columns["fullname"] == "Gretchen Hansen"


@pytest.mark.parametrize(
    ("submitted", "expected"),
    [({"telephone1": "1"}, 1), ({"fax": "1"}, 0), ({"fax": "1", "name": "Nordwind Trading GmbH"}, 1)],
)
def test_an_update_step_runs_only_for_its_filtering_columns(notifying, receiver, make_step, submitted, expected):
    notifying.step_set([make_step("Update", filtering_attributes=["name", "telephone1"])])
    notifying.update("account", FIRST_ACCOUNT, submitted)
    assert notifying.settle()
    assert len(receiver.requests) == expected


def test_a_state_change_mixed_with_other_columns_is_told_twice(notifying, receiver):
    row_id = notifying.create("account", {"name": "Two Parts"}, deliver=False)
    notifying.update("account", row_id, {"telephone1": "5", "statecode": 1, "statuscode": 2})
    assert notifying.settle()
    told = sorted(set(request.columns) & {"telephone1", "statecode"} for request in receiver.requests)
    assert sorted(map(sorted, told)) == [["statecode"], ["telephone1"]]
    assert len({request.body["RequestId"] for request in receiver.requests}) == 1
    assert len({request.body["OperationId"] for request in receiver.requests}) == 2


def test_bulk_creates_run_the_steps_of_create_once_for_each_row(notifying, receiver, api):
    targets = [{"@odata.type": "Microsoft.Dynamics.CRM.account", "name": name} for name in "AB"]
    answer = api("POST", "accounts/Microsoft.Dynamics.CRM.CreateMultiple", {"Targets": targets})
    assert notifying.settle()
    assert receiver.messages() == ["Create", "Create"]
    assert {request.body["PrimaryEntityId"] for request in receiver.requests} == set(answer.json()["Ids"])


@pytest.mark.parametrize("is_bound", [False, True])
def test_a_custom_api_tells_its_parameters(notifying, receiver, api, is_bound):
    name = "rcv_OpenInBusinessCentral"
    if is_bound:
        answer = api("POST", f"accounts({FIRST_ACCOUNT})/Microsoft.Dynamics.CRM.{name}")
    else:
        answer = api("POST", name, {"Table": "account", "Id": FIRST_ACCOUNT})
    assert answer.status_code == 204
    assert notifying.settle()
    (request,) = receiver.requests
    body, inputs = request.body, pairs(request.body["InputParameters"])
    if is_bound:
        assert (body["PrimaryEntityName"], body["PrimaryEntityId"]) == ("account", FIRST_ACCOUNT)
        assert inputs["Target"]["Id"] == FIRST_ACCOUNT
    else:
        assert (body["PrimaryEntityName"], body["PrimaryEntityId"]) == ("none", "00000000-0000-0000-0000-000000000000")
        assert inputs == {"Table": "account", "Id": FIRST_ACCOUNT}
    assert request.headers["x-ms-dynamics-entity-name"] == body["PrimaryEntityName"]


def test_the_programmatic_call_can_run_a_custom_api_synchronously(notifying, receiver):
    notifying.call_custom_api(table="account", row_id=FIRST_ACCOUNT, synchronous=True)
    assert receiver.requests[0].body["Mode"] == 0


def test_a_merge_tells_survivor_and_loser_and_moves_the_children(notifying, receiver, make_step):
    target = notifying.create("account", {"name": "Survivor"}, deliver=False)
    loser = notifying.create("account", {"name": "Loser"}, deliver=False)
    child = notifying.create("contact", {"lastname": "Child", "parentcustomerid": ("account", loser)}, deliver=False)
    notifying.step_set([make_step("Merge"), make_step("Update", "contact")])
    notifying.merge("account", target, loser, {"telephone1": "555"})
    assert notifying.settle()
    by_message = {request.body["MessageName"]: request for request in receiver.requests}
    assert set(by_message) == {"Merge", "Update"}
    inputs = pairs(by_message["Merge"].body["InputParameters"])
    assert (inputs["Target"]["Id"], inputs["SubordinateId"]) == (target, loser)
    assert by_message["Update"].columns["parentcustomerid"]["Id"] == target
    assert notifying.row("contact", child)["parentcustomerid"] == target
    assert notifying.row("account", loser)["statecode"] == 1
    assert notifying.row("account", loser)["masterid"] == target
    assert notifying.row("account", target)["telephone1"] == "555"


def test_the_headers_are_lower_case_and_name_host_table_message_and_correlation(notifying, receiver):
    notifying.update("account", FIRST_ACCOUNT, {"fax": "1"})
    assert notifying.settle()
    headers, body = receiver.requests[0].headers, receiver.requests[0].body
    assert headers["x-ms-dynamics-organization"] == "localhost"
    assert headers["x-ms-dynamics-entity-name"] == "account"
    assert headers["x-ms-dynamics-request-name"] == "Update"
    assert headers["x-ms-correlation-request-id"] == body["CorrelationId"]
    assert headers["content-type"] == "application/json"
    assert "x-ms-dynamics-msg-size-exceeded" not in headers
    assert headers["x-receiver-key"] == "swordfish"


@pytest.mark.parametrize(
    ("path", "auth_type", "expected"),
    [
        ("/n", 4, "/n?code=sword+fish"),
        ("/n?a=b", 4, "/n?a=b&code=sword+fish"),
        ("/n", 6, "/n?key=sword+fish"),
        ("/n", 5, "/n"),
    ],
)
def test_each_kind_of_authentication_puts_the_key_where_it_belongs(
    notifying, receiver, make_step, path, auth_type, expected
):
    notifying.step_set([make_step("Update")], ServiceEndpoint(receiver.url + path, auth_type, "key", "sword fish"))
    notifying.update("account", FIRST_ACCOUNT, {"fax": "1"})
    assert notifying.settle()
    assert receiver.requests[0].path == expected
    assert receiver.requests[0].headers.get("key") == ("sword fish" if auth_type == 5 else None)


def test_a_tag_travels_in_the_shared_variables(notifying, receiver, api):
    api("PATCH", f"accounts({FIRST_ACCOUNT})?tag=receiver-7", {"fax": "2"})
    assert notifying.settle()
    body = receiver.requests[0].body
    assert pairs(body["SharedVariables"])["tag"] == "receiver-7"
    assert body["InitiatingUserId"] == APPLICATION_USER


def test_the_bypass_header_keeps_the_steps_from_running(notifying, receiver, api):
    api.session.headers["MSCRM.BypassBusinessLogicExecution"] = "CustomSync,CustomAsync"
    api("PATCH", f"accounts({FIRST_ACCOUNT})", {"fax": "3"})
    assert notifying.settle()
    assert receiver.requests == []


def test_writes_without_delivery_and_put_rows_tell_nobody(notifying, receiver):
    notifying.update("account", FIRST_ACCOUNT, {"fax": "4"}, deliver=False)
    notifying.put_row("account", FIRST_ACCOUNT, {"fax": "5"})
    notifying.put_row("account", "a0000000-0000-4000-8000-00000000ffff", {"name": "New and quiet"})
    assert notifying.settle()
    assert receiver.requests == []
    assert notifying.row("account", FIRST_ACCOUNT)["fax"] == "5"


def test_single_steps_can_be_bypassed_by_their_ids(notifying, receiver, api, make_step):
    notifying.step_set([make_step("Update"), make_step("Update", mode=0)])
    steps = {row["mode"]: row["sdkmessageprocessingstepid"] for row in notifying.rows("sdkmessageprocessingstep")}
    named = {"MSCRM.BypassBusinessLogicExecutionStepIds": steps[1]}
    assert api("PATCH", f"accounts({FIRST_ACCOUNT})", {"fax": "by id"}, **named).status_code == 204
    assert notifying.settle()
    assert [request.body["Mode"] for request in receiver.requests] == [0]
    too_many = {"MSCRM.BypassBusinessLogicExecutionStepIds": ",".join([*steps.values(), SALES_MANAGER, FIRST_CONTACT])}
    assert api("PATCH", f"accounts({FIRST_ACCOUNT})", {"fax": "x"}, **too_many).status_code == 400


def test_the_older_bypass_keeps_synchronous_steps_alone_from_running(notifying, receiver, api, make_step):
    notifying.step_set([make_step("Update"), make_step("Update", mode=0)])
    api("PATCH", f"accounts({FIRST_ACCOUNT})", {"fax": "older"}, **{"MSCRM.BypassCustomPluginExecution": "true"})
    assert notifying.settle()
    assert [request.body["Mode"] for request in receiver.requests] == [1]


def test_an_impersonated_user_is_the_initiating_one_and_a_stranger_is_refused(notifying, receiver, api):
    named = {"MSCRMCallerID": SALES_MANAGER}
    assert api("PATCH", f"accounts({FIRST_ACCOUNT})", {"fax": "as Anna"}, **named).status_code == 204
    assert notifying.settle()
    assert receiver.requests[0].body["InitiatingUserId"] == SALES_MANAGER
    answer = api("GET", "WhoAmI", CallerObjectId=FIRST_ACCOUNT)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "0x80072560")


def test_a_body_that_is_really_over_256_kilobytes_is_stripped(notifying, receiver, api):
    assert api("POST", "rcv_OpenInBusinessCentral", {"Table": "x" * 140_000}).status_code == 204
    assert api("POST", "rcv_OpenInBusinessCentral", {"Table": "x" * 100_000}).status_code == 204
    assert notifying.settle()
    marks = {
        len(request.raw) > 10_000: "x-ms-dynamics-msg-size-exceeded" in request.headers for request in receiver.requests
    }
    assert marks == {False: True, True: False}
