"""The Sales form, without a browser: what a page shows and what its forms do."""

from __future__ import annotations

import re
from base64 import b64encode
from decimal import Decimal

import pytest
import requests

from receiver.sandbox import Answer
from receiver.sandbox.seed import FIRST_ACCOUNT, FIRST_CONTACT, SALES_PERSON

ACCOUNT = f"/account/{FIRST_ACCOUNT}"


@pytest.fixture
def browse(sandbox):
    with requests.Session() as session:
        session.trust_env = False

        def ask(path, data=None, **options):
            method = "GET" if data is None else "POST"
            return session.request(method, sandbox.page_url + path, data=data, **options)

        yield ask


def form_of(page):
    """Name -> value of every input and chosen option of the row's form."""
    form = page.text.partition('id="row-form"')[2].partition("</form>")[0]
    values = dict(re.findall(r'<input[^>]*? name="([\w-]+)" value="([^"]*)"', form))
    for name, options in re.findall(r'<select[^>]*? name="(\w+)"[^>]*>(.*?)</select>', form, re.DOTALL):
        chosen = re.findall(r'<option value="([^"]*)" selected>', options)
        values[name] = chosen[0] if chosen else ""
    for name, text in re.findall(r'<textarea[^>]*? name="(\w+)"[^>]*>\n(.*?)</textarea>', form, re.DOTALL):
        values[name] = text.replace("\n", "\r\n")
    return {name: value.replace("&#34;", '"').replace("&amp;", "&") for name, value in values.items()}


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/", "Nordwind Trading GmbH"),
        ("/account", "Kavárna Zlatý Kohout"),
        ("/account?search=rotter", "Van der Linden Logistiek"),
        ("/contact", "Greta Hansen"),
        ("/systemuser", "Margit Holm"),
        ("/transactioncurrency", "Pound Sterling"),
        (ACCOUNT, "<h1>Nordwind Trading GmbH</h1>"),
        (f"/contact/{FIRST_CONTACT}", "Head of Purchasing"),
        (f"/systemuser/{SALES_PERSON}", "<h1>Jonas Weber</h1>"),
        ("/account/new", "<h1>New account</h1>"),
        ("/faults", "Answer the next n requests with 429"),
    ],
)
def test_each_page_shows_what_it_is_for(browse, path, shown):
    answer = browse(path)
    assert answer.status_code == 200
    assert shown in answer.text
    assert "What the receiver saw" in answer.text
    assert "script-src" not in answer.headers["Content-Security-Policy"]
    assert not re.search(r"<script>|<style|style=|onclick=", answer.text)


def test_every_input_has_a_label_and_every_id_is_used_once(browse):
    page = browse(ACCOUNT).text
    ids = re.findall(r' id="([\w-]+)"', page)
    assert len(ids) == len(set(ids))
    labelled = set(re.findall(r'<label[^>]* for="([\w-]+)"', page))
    assert {one for one in ids if one.startswith("field-")} <= labelled
    for one in ("no-command", "business-central-menu", "open-through-custom-api", "save", "delete", "new"):
        assert one in ids


def test_a_form_shows_the_published_commands_of_its_table_and_loads_their_scripts(browse, api):
    table = api.get("EntityDefinitions(LogicalName='account')?$select=MetadataId")["MetadataId"]
    script = {"name": "rcv_/open.js", "webresourcetype": 3, "content": b64encode(b"var Rcv = {};").decode()}
    command = {
        "name": "Open",
        "uniquename": "rcv_open",
        "location": 0,
        "context": 1,
        "contextvalue": "account",
        "ContextEntity@odata.bind": f"/entities({table})",
        "buttonlabeltext": "Business Central",
        "onclickeventtype": 2,
        "onclickeventjavascriptfunctionname": "Rcv.open",
        "onclickeventjavascriptparameters": '[{"type":5}]',
    }
    resource = api("POST", "webresourceset", script).headers["OData-EntityId"]
    bind = {"OnClickEventJavaScriptWebResourceId@odata.bind": resource}
    made = api("POST", "appactions", command | bind).headers["OData-EntityId"]
    published = "<importexportxml><entities><entity>account</entity></entities></importexportxml>"
    assert 'id="no-command"' in browse(ACCOUNT).text
    assert api("POST", "PublishXml", {"ParameterXml": published}).status_code == 204
    assert 'id="no-command"' in browse(ACCOUNT).text  # its script is not published yet
    assert browse("/WebResources/rcv_/open.js").status_code == 404
    assert api("POST", "PublishAllXml").status_code == 204

    page = browse(ACCOUNT).text
    button = re.search(r'<button [^>]*id="business-central"[^>]*>', page)[0]
    assert 'data-function="Rcv.open"' in button
    assert '<script src="/WebResources/rcv_/open.js" defer>' in page
    assert 'id="no-command"' in browse(f"/contact/{FIRST_CONTACT}").text
    loaded = browse("/WebResources/rcv_/open.js")
    assert (loaded.text, loaded.headers["Content-Type"]) == ("var Rcv = {};", "text/javascript; charset=utf-8")
    for address in (made, resource):
        assert api("DELETE", address.partition("/v9.2/")[2]).status_code == 204


@pytest.mark.parametrize(
    "parameter",
    [
        "<importexportxml>",
        "<other/>",
        "<importexportxml><entities><entity>nosuch</entity></entities></importexportxml>",
        f"<importexportxml><webresources><webresource>{{{FIRST_ACCOUNT}}}</webresource></webresources></importexportxml>",
    ],
)
def test_what_cannot_be_published_is_refused(api, parameter):
    assert api("POST", "PublishXml", {"ParameterXml": parameter}).status_code == 400


@pytest.mark.parametrize(
    "path", ["/nothing", "/account/nonsense", "/account/a0000000-0000-4000-8000-0000000fffff", "/systemuser/new"]
)
def test_what_is_not_there_is_not_found(browse, path):
    assert browse(path).status_code in (400, 404)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("evil.example", 403),
        ("evil.example:8001", 403),
        ("localhost", 200),
        ("127.0.0.1:8001", 200),
        ("[::1]:8001", 200),
    ],
)
def test_only_this_machines_own_names_are_answered(browse, host, status):
    assert browse("/account", headers={"Host": host}).status_code == status


def test_saving_submits_the_changed_columns_only(browse, notifying, receiver):
    values = form_of(browse(ACCOUNT)) | {"telephone1": "+49 40 1", "creditlimit": "1250,75"}
    answer = browse(ACCOUNT, values)
    assert "Saved." in answer.text
    assert notifying.settle()
    assert notifying.row("account", FIRST_ACCOUNT)["creditlimit"] == Decimal("1250.75")
    submitted = {"telephone1", "creditlimit", "creditlimit_base"}
    marks = {"accountid", "modifiedon", "modifiedby", "modifiedonbehalfby"}
    assert set(receiver.requests[0].columns) <= submitted | marks
    assert {"telephone1", "creditlimit"} <= set(receiver.requests[0].columns)


def test_saving_an_untouched_form_changes_nothing(browse, notifying, receiver):
    before = notifying.row("account", FIRST_ACCOUNT)
    assert "Nothing was changed." in browse(ACCOUNT, form_of(browse(ACCOUNT))).text
    assert notifying.row("account", FIRST_ACCOUNT) == before
    assert receiver.requests == []


def test_a_contact_is_made_changed_and_deleted_on_its_form(browse, sandbox):
    values = form_of(browse("/contact/new")) | {
        "firstname": "Nina",
        "lastname": "Berg",
        "parentcustomerid": f"account:{FIRST_ACCOUNT}",
    }
    made = browse("/contact/new", values)
    path = made.url.removeprefix(sandbox.page_url).partition("?")[0]
    row_id = path.rpartition("/")[2]
    assert "<h1>Nina Berg</h1>" in made.text
    assert sandbox.row("contact", row_id)["parentcustomerid"] == FIRST_ACCOUNT
    changed = browse(path, form_of(made) | {"lastname": "Bergman", "parentcustomerid": "", "statecode": "1"})
    assert "<h1>Nina Bergman</h1>" in changed.text
    row = sandbox.row("contact", row_id)
    assert (row["parentcustomerid"], row["statecode"], row["statuscode"]) == (None, 1, 2)
    assert "Deleted." in browse(f"{path}/delete", {}).text
    assert sandbox.row("contact", row_id) is None


def test_a_refusal_is_told_and_what_was_typed_is_kept(browse):
    values = form_of(browse(ACCOUNT)) | {"creditlimit": "a lot", "fax": "77"}
    answer = browse(ACCOUNT, values)
    assert answer.status_code == 400
    assert "is no value for creditlimit" in answer.text
    assert 'value="a lot"' in answer.text
    assert form_of(answer)["was-creditlimit"] != "a lot"


def test_a_failing_synchronous_step_shows_that_the_endpoint_is_unavailable(browse, notifying, receiver, make_step):
    notifying.step_set([make_step("Update", mode=0)])
    receiver.answers = [500]
    answer = browse(ACCOUNT, form_of(browse(ACCOUNT)) | {"telephone1": "rolled back"})
    assert "Endpoint unavailable" in answer.text
    assert notifying.row("account", FIRST_ACCOUNT)["telephone1"] != "rolled back"


def test_the_menu_executes_the_custom_api_for_the_row(browse, notifying, receiver):
    assert "was executed for this row" in browse(f"{ACCOUNT}/open-through-custom-api", {}).text
    assert notifying.settle()
    inputs = {pair["key"]: pair["value"] for pair in receiver.requests[0].body["InputParameters"]}
    assert inputs == {"Table": "account", "Id": FIRST_ACCOUNT}


def test_the_panel_shows_the_last_deliveries_newest_first(browse, notifying, receiver):
    receiver.answers = [200, 500]
    for number in ("1", "2"):
        notifying.update("account", FIRST_ACCOUNT, {"fax": number})
        assert notifying.settle()
    panel = browse("/panel").text
    assert panel.index("is-bad") < panel.index("is-good")
    assert ">500<" in panel
    assert "Nordwind Trading GmbH" in panel
    assert "&#34;MessageName&#34;: &#34;Update&#34;" in panel
    assert "<html" not in panel


def test_the_faults_page_sets_clears_and_expires(browse, sandbox):
    answer = browse("/faults", {"command": "apply", "drop": "3", "delay_seconds": "0.5", "chance": "x"})
    assert "The faults are set." in answer.text
    assert (sandbox.faults.drop, sandbox.faults.delay_seconds, sandbox.faults.chance) == (3, 0.5, 1.0)
    browse("/faults", {"command": "clear"})
    assert (sandbox.faults.drop, sandbox.faults.delay_seconds) == (0, 0.0)
    token = sandbox.organization.tokens.issue()
    browse("/faults", {"command": "expire-tokens"})
    assert not sandbox.organization.tokens.accepts(token)


def test_the_faults_page_sets_a_text_and_leaves_alone_what_only_tests_can_script(browse, sandbox):
    answer = Answer(502, path="nowhere")
    with sandbox.faults.switched(answers=[answer]):
        assert 'type="text"' in browse("/faults").text
        browse("/faults", {"command": "apply", "other_host": " org.api.crm4.dynamics.com "})
        assert sandbox.faults.other_host == "org.api.crm4.dynamics.com"
        assert 'value="org.api.crm4.dynamics.com"' in browse("/faults").text
        assert sandbox.faults.answers == [answer]
        browse("/faults", {"command": "clear"})
        assert (sandbox.faults.other_host, sandbox.faults.answers) == ("", [])


def test_a_page_shows_a_row_that_holds_half_an_emoji(browse, sandbox):
    sandbox.update("account", FIRST_ACCOUNT, {"telephone1": "cut \ud83d"})
    assert "cut ?" in browse(ACCOUNT).text
    sandbox.update("account", FIRST_ACCOUNT, {"telephone1": None})


def test_the_faults_page_lists_the_last_answers_of_the_web_api_newest_first(browse, sandbox, api):
    path = f"accounts({FIRST_ACCOUNT})?$select=name"
    with sandbox.faults.switched(unavailable=1):
        refused = api("GET", path)
    answered = api("GET", path)

    for page in (browse("/faults"), browse("/faults/answers")):
        newer, older = re.findall(r"<tr class=.*?</tr>", page.text, re.DOTALL)[:2]
        for line, status in ((newer, answered.status_code), (older, refused.status_code)):
            shown = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", line)).strip()
            assert re.fullmatch(rf"\d\d:\d\d:\d\d GET /api/data/v9.2/{re.escape(path)} {status} \d+", shown)
    assert (refused.status_code, answered.status_code) == (503, 200)
    assert "is-bad" in older
    assert "is-good" in newer


def test_the_list_of_answers_holds_fifty_and_says_how_long_each_took(browse, sandbox, api):
    with sandbox.faults.switched(stall=1, stall_seconds=0.3):
        api("GET", "WhoAmI")
    assert int(re.search(r'<td class="number">(\d+)</td>', browse("/faults/answers").text)[1]) >= 300
    for _ in range(60):
        api("GET", "WhoAmI")
    assert browse("/faults/answers").text.count("/WhoAmI") == 50


@pytest.mark.parametrize("parameter", ["code", "$deltatoken", "$skiptoken", "client_secret", "x-receiver-key"])
def test_the_list_of_answers_shows_nothing_that_grants_something(browse, api, parameter):
    api("GET", f"accounts?$select=name&{parameter}=swordfish&x=1")
    shown = browse("/faults/answers").text
    assert "swordfish" not in shown
    assert f"{parameter}=…&amp;x=1" in shown
