"""Steps registered through the Web API are rows of platform tables, and they run."""

from __future__ import annotations

import pytest

from receiver.sandbox.seed import FIRST_ACCOUNT

SETTINGS = '<settings><setting name="x-key" value="k1"/></settings>'


def row_id_of(answer):
    assert answer.status_code == 204, answer.text
    return answer.headers["OData-EntityId"][-37:-1]


def look_up(api, message):
    found = api.get(f"sdkmessages?$filter=name eq '{message}'&$select=sdkmessageid")["value"][0]["sdkmessageid"]
    condition = f"primaryobjecttypecode eq 'account' and sdkmessageid/name eq '{message}'"
    listed = api.get(f"sdkmessagefilters?$filter={condition}&$select=sdkmessagefilterid")["value"]
    return found, listed[0]["sdkmessagefilterid"]


@pytest.fixture
def registered(sandbox, receiver, api):
    """An endpoint, a step on Update of account, and a function that adds an image to it."""
    sandbox.step_set([])
    body = {"name": "by hand", "url": f"{receiver.url}/hand", "contract": 8, "authtype": 5, "authvalue": SETTINGS}
    endpoint = row_id_of(api("POST", "serviceendpoints", body))
    step = row_id_of(api("POST", "sdkmessageprocessingsteps", step_body(api, endpoint, "Update")))
    yield endpoint, step
    sandbox.settle()
    sandbox.step_set([])


def step_body(api, endpoint, message, **more):
    message_id, filter_id = look_up(api, message)
    return {
        "name": f"by hand: {message} of account",
        "mode": 1,
        "stage": 40,
        "rank": 1,
        "supporteddeployment": 0,
        "asyncautodelete": True,
        "sdkmessageid@odata.bind": f"/sdkmessages({message_id})",
        "sdkmessagefilterid@odata.bind": f"/sdkmessagefilters({filter_id})",
        "eventhandler_serviceendpoint@odata.bind": f"/serviceendpoints({endpoint})",
    } | more


def image_body(step, **more):
    return {
        "name": "post",
        "entityalias": "post",
        "imagetype": 1,
        "messagepropertyname": "Target",
        "attributes": "name,fax",
        "sdkmessageprocessingstepid@odata.bind": f"/sdkmessageprocessingsteps({step})",
    } | more


def test_a_registered_step_runs_with_its_image_and_its_key(sandbox, receiver, api, registered):
    _, step = registered
    row_id_of(api("POST", "sdkmessageprocessingstepimages", image_body(step)))
    sandbox.update("account", FIRST_ACCOUNT, {"fax": "1"})
    assert sandbox.settle()
    (request,) = receiver.requests
    assert (request.path, request.headers["x-key"]) == ("/hand", "k1")
    assert request.body["OwningExtension"]["Id"] == step
    assert {pair["key"] for pair in request.body["PostEntityImages"]} == {"post", "AsynchronousStepPrimaryName"}


def test_a_disabled_step_is_silent(sandbox, receiver, api, registered):
    _, step = registered
    api("PATCH", f"sdkmessageprocessingsteps({step})", {"statecode": 1, "statuscode": 2})
    sandbox.update("account", FIRST_ACCOUNT, {"fax": "2"})
    assert sandbox.settle()
    assert receiver.requests == []


def test_the_key_can_be_rotated_and_never_read(sandbox, receiver, api, registered):
    endpoint, _ = registered
    row = api.get(f"serviceendpoints({endpoint})")
    assert row["isauthvalueset"] is True
    assert "authvalue" not in row
    assert api("GET", f"serviceendpoints({endpoint})?$select=authvalue").status_code == 400
    api("PATCH", f"serviceendpoints({endpoint})", {"authvalue": SETTINGS.replace("k1", "k2")})
    sandbox.update("account", FIRST_ACCOUNT, {"fax": "3"})
    assert sandbox.settle()
    assert receiver.requests[0].headers["x-key"] == "k2"


def test_an_image_on_create_must_name_the_id(api, registered):
    endpoint, _ = registered
    step = row_id_of(api("POST", "sdkmessageprocessingsteps", step_body(api, endpoint, "Create")))
    refused = api("POST", "sdkmessageprocessingstepimages", image_body(step))
    assert refused.json()["error"]["code"] == "0x8004416b"
    row_id_of(api("POST", "sdkmessageprocessingstepimages", image_body(step, messagepropertyname="Id")))


def test_an_asynchronous_step_before_stage_40_is_refused(api, registered):
    endpoint, _ = registered
    answer = api("POST", "sdkmessageprocessingsteps", step_body(api, endpoint, "Update", stage=20))
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([(40, 3), (40, 2), (40, 1)], id="rank within a stage"),
        pytest.param([(40, 1), (20, 9), (10, 99)], id="stage before rank"),
        pytest.param([(40, 10), (40, 9)], id="ranks are numbers"),
    ],
)
def test_steps_run_in_the_order_of_stage_then_rank(sandbox, receiver, api, registered, steps):
    endpoint, asynchronous = registered
    api("DELETE", f"sdkmessageprocessingsteps({asynchronous})")
    place_of = {}
    for stage, rank in steps:
        body = step_body(api, endpoint, "Update", stage=stage, rank=rank, mode=0, asyncautodelete=False)
        place_of[row_id_of(api("POST", "sdkmessageprocessingsteps", body))] = (stage, rank)
    sandbox.update("account", FIRST_ACCOUNT, {"fax": "1"})
    ran = [place_of[request.body["OwningExtension"]["Id"]] for request in receiver.requests]
    assert ran == sorted(steps)


def test_the_same_registration_has_the_same_id_every_time(sandbox, make_step):
    sandbox.step_set([make_step("Update")])
    first = sandbox.rows("sdkmessageprocessingstep")[0]["sdkmessageprocessingstepid"]
    sandbox.step_set([])
    sandbox.step_set([make_step("Update")])
    assert sandbox.rows("sdkmessageprocessingstep")[0]["sdkmessageprocessingstepid"] == first
    sandbox.step_set([])


@pytest.mark.parametrize(
    "body",
    [
        {"name": "no url", "contract": 8, "authtype": 4, "authvalue": "k"},
        {"name": "no settings", "url": "http://127.0.0.1:9", "contract": 8, "authtype": 5, "authvalue": "k"},
    ],
)
def test_an_endpoint_that_could_not_be_used_is_refused(api, body):
    assert api("POST", "serviceendpoints", body).status_code == 400


def test_a_custom_api_is_a_message_that_steps_need_its_consent_for(api):
    body = {"uniquename": "rcv_Ask", "name": "Ask", "allowedcustomprocessingsteptype": 1}
    assert api("POST", "customapis", body).status_code == 204
    (message,) = api.get("sdkmessages?$filter=name eq 'rcv_Ask'&$select=sdkmessageid")["value"]
    step = {"name": "ask", "stage": 40, "sdkmessageid@odata.bind": f"/sdkmessages({message['sdkmessageid']})"}
    assert api("POST", "sdkmessageprocessingsteps", {**step, "mode": 0}).status_code == 400
    assert api("POST", "sdkmessageprocessingsteps", {**step, "mode": 1}).status_code == 204
    assert api("POST", "rcv_Ask", {"Table": "account"}).status_code == 204


def test_a_button_is_registered_with_its_script_and_its_table(api):
    script = {"name": "rcv_/open.js", "displayname": "Open", "webresourcetype": 3, "content": "Ly8="}
    resource = api("POST", "webresourceset", script).headers["OData-EntityId"]
    table = api.get("EntityDefinitions(LogicalName='account')?$select=MetadataId")["MetadataId"]
    button = {
        "name": "Open in Business Central",
        "uniquename": "rcv_open_account",
        "type": 0,
        "location": 0,
        "context": 1,
        "contextvalue": "account",
        "ContextEntity@odata.bind": f"/entities({table})",
        "onclickeventtype": 2,
        "OnClickEventJavaScriptWebResourceId@odata.bind": resource,
        "onclickeventjavascriptfunctionname": "Rcv.open",
        "onclickeventjavascriptparameters": '[{"type":5}]',
    }
    assert api("POST", "appactions", button).status_code == 204
    refused = api("POST", "appactions", {**button, "uniquename": "open"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "0x800608ad")


def test_what_is_created_with_the_header_is_in_the_solution_it_names(sandbox, api):
    publisher = {"uniquename": "sales", "friendlyname": "Sales", "customizationprefix": "sls"}
    owner = api("POST", "publishers", publisher | {"customizationoptionvalueprefix": 20000}).headers["OData-EntityId"]
    solution = {"uniquename": "sales_steps", "version": "1.0.0.0", "publisherid@odata.bind": owner}
    solution_id = row_id_of(api("POST", "solutions", solution))
    body = {"name": "in a solution", "url": "http://127.0.0.1:9", "contract": 8, "authtype": 4, "authvalue": "k"}
    endpoint = row_id_of(api("POST", "serviceendpoints", body, **{"MSCRM.SolutionUniqueName": "sales_steps"}))
    (component,) = api.get(f"solutioncomponents?$filter=_solutionid_value eq {solution_id}")["value"]
    assert (component["objectid"], component["componenttype"]) == (endpoint, 95)
    refused = api("POST", "serviceendpoints", body | {"name": "nowhere"}, **{"MSCRM.SolutionUniqueName": "nowhere"})
    assert refused.status_code == 400
    assert "nowhere" not in {row["name"] for row in sandbox.rows("serviceendpoint")}
    api("DELETE", f"serviceendpoints({endpoint})")


def test_a_step_takes_its_images_along(sandbox, api, registered):
    _, step = registered
    image = row_id_of(api("POST", "sdkmessageprocessingstepimages", image_body(step)))
    api("DELETE", f"sdkmessageprocessingsteps({step})")
    assert sandbox.row("sdkmessageprocessingstepimage", image) is None
