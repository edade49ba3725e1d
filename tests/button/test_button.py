"""The command *Business Central* in Dataverse: its rows, column by column; again, broken off, changed by others."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from company import Company

from receiver.button.script import NAME, script
from receiver.cli import receiver
from receiver.commands.connection.button import check, install, remove
from receiver.commands.connection.microsofts_button import NoIntegrationSolutionError, use_microsofts
from receiver.dataverse.web_api import OpenGate
from receiver.errors import RefusedError
from receiver.registration import rows
from receiver.sandbox import Sandbox, SandboxSettings

URL = "https://receiver.example/bc"
TABLES = ["account", "contact", "systemuser", "transactioncurrency"]
KEPT = ("publisher", "solution", "webresource", "appaction", "customapi", "customapirequestparameter")
PASSING = frozenset({"versionnumber", "createdon", "modifiedon"})


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "USUAL_PAUSE", 0.0)


@pytest.fixture
def company(small_company: Company) -> Company:
    """The database makes no difference but to which mappings there are: one test asks both."""
    return small_company


def run(company: Company, *words: str, **environment: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    result = company.app.test_cli_runner().invoke(receiver, list(words), env=environment)
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def public(sqlite_url: str, sandbox: Sandbox) -> Iterator[Company]:
    """A company whose receiver has a public address."""
    with closing(Company(sqlite_url, sandbox, RECEIVER_PUBLIC_URL=URL)) as made:
        yield made


def kept(sandbox: Sandbox) -> dict[str, list[dict[str, Any]]]:
    """Every row that the button could touch, without what passes."""
    return {
        table: [{name: value for name, value in row.items() if name not in PASSING} for row in sandbox.rows(table)]
        for table in KEPT
    }


def forget(sandbox: Sandbox) -> None:
    for table in reversed(KEPT):
        for row in sandbox.rows(table):
            sandbox.delete(table, row[f"{table}id"])


def the_command(sandbox: Sandbox, table: str) -> dict[str, Any]:
    return next(row for row in sandbox.rows("appaction") if row["contextvalue"] == table)


# -- what is there afterwards ----------------------------------------------------------------------------------


def test_every_table_with_an_enabled_mapping_gets_the_command_as_the_reference_says(
    database_url: str, sandbox: Sandbox
) -> None:
    with closing(Company(database_url, sandbox)) as company:
        install(company.services, URL)

    (resource,) = company.sandbox.rows("webresource")
    assert (resource["name"], resource["webresourcetype"]) == (NAME, 3)
    assert b64decode(resource["content"]).decode() == script(URL)
    assert f'"{URL}"' in script(URL)
    assert [row["contextvalue"] for row in by_table(company.sandbox)] == TABLES
    found = the_command(company.sandbox, "account")
    entity = next(row for row in company.sandbox.rows("entity") if row["logicalname"] == "account")
    expected = {
        "uniquename": "rcv_business_central_account",
        "type": 0,
        "location": 0,
        "context": 1,
        "contextvalue": "account",
        "contextentity": entity["entityid"],
        "buttonlabeltext": "Business Central",
        "buttontooltiptitle": "Business Central",
        "hidden": False,
        "isdisabled": False,
        "visibilitytype": 0,
        "onclickeventtype": 2,
        "onclickeventjavascriptwebresourceid": resource["webresourceid"],
        "onclickeventjavascriptfunctionname": "Rcv.open",
        "onclickeventjavascriptparameters": '[{"type":5}]',
        "origin": 0,
    }
    assert {name: found[name] for name in expected} == expected
    assert found["buttontooltipdescription"]
    assert found["fonticon"].startswith("$clientsvg:")


def by_table(sandbox: Sandbox) -> list[dict[str, Any]]:
    return sorted(sandbox.rows("appaction"), key=lambda row: row["contextvalue"])


def test_what_was_written_is_published(company: Company) -> None:
    install(company.services, URL)

    states = [row["componentstate"] for table in ("webresource", "appaction") for row in company.sandbox.rows(table)]
    assert states == [0] * (1 + len(TABLES))
    assert [one.path.rpartition("/")[2] for one in company.sandbox.requests if "Publish" in one.path] == ["PublishXml"]


def test_a_preview_says_the_same_and_writes_nothing(company: Company) -> None:
    foretold = install(company.services, URL, is_preview=True)

    assert company.sandbox.rows("appaction") == company.sandbox.rows("webresource") == []
    assert foretold.actions == install(company.services, URL).actions
    assert f"Create web resource {NAME}." in foretold.actions


def test_a_second_time_changes_no_row(company: Company) -> None:
    install(company.services, URL)
    before = {table: company.sandbox.rows(table) for table in KEPT}

    assert install(company.services, URL).actions == ()
    assert {table: company.sandbox.rows(table) for table in KEPT} == before
    assert check(company.services, URL) == []


def test_what_somebody_made_by_hand_is_taken_over(company: Company) -> None:
    made = company.sandbox.create("webresource", {"name": NAME, "webresourcetype": 3, "content": "Ly8="})
    command = company.sandbox.create("appaction", {"name": "x", "uniquename": "rcv_business_central_account"})
    company.sandbox.create("appaction", {"name": "old", "uniquename": "rcv_business_central_of_an_older_version"})
    install(company.services, URL)

    assert [row["contextvalue"] for row in by_table(company.sandbox)] == TABLES
    assert [row["webresourceid"] for row in company.sandbox.rows("webresource")] == [made]
    assert the_command(company.sandbox, "account")["appactionid"] == command
    assert {row["onclickeventjavascriptwebresourceid"] for row in company.sandbox.rows("appaction")} == {made}


def test_a_table_that_is_mapped_no_longer_loses_the_command(company: Company) -> None:
    install(company.services, URL)
    company.set("CURRENCY", is_enabled=False)

    assert [one.words for one in check(company.services, URL)] == [
        "The command on transactioncurrency is there, and no enabled mapping wants it."
    ]
    done = install(company.services, URL)

    assert done.actions == ("Delete command on transactioncurrency.",)
    assert [row["contextvalue"] for row in by_table(company.sandbox)] == TABLES[:-1]
    assert "transactioncurrency" in done.published


# -- drift -----------------------------------------------------------------------------------------------------


def _hide(sandbox: Sandbox) -> None:
    sandbox.update("appaction", the_command(sandbox, "contact")["appactionid"], {"hidden": True})


def _edit(sandbox: Sandbox) -> None:
    sandbox.update("webresource", sandbox.rows("webresource")[0]["webresourceid"], {"content": "Ly8="})


def _rename(sandbox: Sandbox) -> None:
    id_ = the_command(sandbox, "account")["appactionid"]
    sandbox.update("appaction", id_, {"onclickeventjavascriptfunctionname": "Erp.open"})


def _delete_command(sandbox: Sandbox) -> None:
    sandbox.delete("appaction", the_command(sandbox, "account")["appactionid"])


def _delete_script(sandbox: Sandbox) -> None:
    sandbox.delete("webresource", sandbox.rows("webresource")[0]["webresourceid"])


DRIFTS: list[tuple[Callable[[Sandbox], None], str]] = [
    (_hide, "Not as installed: command on contact: hidden True → False."),
    (_edit, f"Not as installed: web resource {NAME}: content another script or address → today's."),
    (
        _rename,
        "Not as installed: command on account: onclickeventjavascriptfunctionname Erp.open → Rcv.open.",
    ),
    (_delete_command, "The command on account is missing."),
    (_delete_script, f"The web resource {NAME} is missing."),
]


@pytest.mark.parametrize(("drift", "words"), DRIFTS, ids=[drift.__name__ for drift, _ in DRIFTS])
def test_each_drift_is_said_and_mended(company: Company, drift: Callable[[Sandbox], None], words: str) -> None:
    install(company.services, URL)
    before = kept(company.sandbox)
    drift(company.sandbox)

    assert words in [one.words for one in check(company.services, URL)]
    install(company.services, URL)
    assert kept(company.sandbox) == before


def test_another_address_is_drift_and_reaches_the_script(company: Company) -> None:
    install(company.services, URL)

    assert len(check(company.services, "https://new.example")) == 1
    install(company.services, "https://new.example/")
    assert '"https://new.example";' in b64decode(company.sandbox.rows("webresource")[0]["content"]).decode()


# -- broken off ------------------------------------------------------------------------------------------------


class BrokenOffError(Exception):
    pass


@contextmanager
def breaking(company: Company, before: int) -> Iterator[None]:
    """The program ends before its n-th request, which is never sent."""
    client = company.services.dataverse
    usual = client._gate
    client._gate = Breaking(before)
    try:
        yield
    finally:
        client._gate = usual


class Breaking(OpenGate):
    """A gate at which the program ends before its n-th request."""

    def __init__(self, before: int) -> None:
        self._left = before

    def enter(self, names: Collection[str]) -> str:
        self._left -= 1
        if self._left == 0:
            raise BrokenOffError
        return super().enter(names)


def broken_off_at_each_request(company: Company, command: Callable[[], object]) -> Iterator[int]:
    """Yields after each attempt that broke off; ends with one that did not."""
    for number in range(1, 200):
        with breaking(company, number):
            try:
                command()
            except BrokenOffError:
                broke = True
            else:
                broke = False
        yield number
        if not broke:
            return


def test_broken_off_at_any_request_and_started_again_it_leaves_the_same_rows(company: Company) -> None:
    sandbox = company.sandbox

    def everything() -> object:
        return install(company.services, URL, with_custom_api=True)

    everything()
    whole = kept(sandbox)
    forget(sandbox)
    attempts = 0
    for attempts in broken_off_at_each_request(company, everything):
        everything()
        assert kept(sandbox) == whole, attempts
        forget(sandbox)
    assert attempts > 20


def test_removing_broken_off_at_any_request_leaves_nothing_after_the_next(company: Company) -> None:
    sandbox = company.sandbox

    def away() -> object:
        return remove(company.services, with_custom_api=True)

    for _ in broken_off_at_each_request(company, away):
        away()
        left = kept(sandbox)
        assert [left[name] for name in KEPT[2:]] == [[], [], [], []]
        install(company.services, URL, with_custom_api=True)


@pytest.mark.parametrize("fault", ["lose_answer", "unavailable", "too_many_requests"])
def test_lost_answers_and_refusals_that_waiting_helps_leave_the_same_rows(company: Company, fault: str) -> None:
    sandbox = company.sandbox
    install(company.services, URL)
    whole = kept(sandbox)
    forget(sandbox)
    sandbox.faults.retry_after_seconds = 0
    with sandbox.faults.switched(**{fault: 3}):
        install(company.services, URL)

    assert kept(sandbox) == whole


# -- the Custom API --------------------------------------------------------------------------------------------


def test_the_custom_api_is_a_message_with_the_parameters_that_our_handler_reads(company: Company) -> None:
    install(company.services, URL, with_custom_api=True)

    (api,) = company.sandbox.rows("customapi")
    name = "rcv_OpenInBusinessCentral"
    assert (api["uniquename"], api["bindingtype"], api["isfunction"]) == (name, 0, False)
    assert api["allowedcustomprocessingsteptype"] == 1
    parameters = {row["uniquename"]: row for row in company.sandbox.rows("customapirequestparameter")}
    assert {row["customapiid"] for row in parameters.values()} == {api["customapiid"]}
    assert {name: row["type"] for name, row in parameters.items()} == {"Table": 10, "Id": 12}


def test_a_custom_api_that_no_step_may_hear_is_refused_before_anything_is_written(company: Company) -> None:
    values = {"uniquename": "rcv_OpenInBusinessCentral", "allowedcustomprocessingsteptype": 0}
    company.sandbox.create("customapi", values)

    with pytest.raises(RefusedError, match="no step may be registered"):
        install(company.services, URL, with_custom_api=True)
    assert company.sandbox.rows("appaction") == []


# -- Microsoft's button ----------------------------------------------------------------------------------------


def test_without_microsofts_solution_it_says_so(company: Company) -> None:
    with pytest.raises(NoIntegrationSolutionError):
        use_microsofts(company.services, URL)


@pytest.fixture
def with_microsofts(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Company]:
    """An environment with Business Central's own solution, and its connection."""
    with Sandbox(SandboxSettings(page_port=0, api_port=0, with_company_id=True)) as running:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(running.ca_file))
        monkeypatch.setenv("CURL_CA_BUNDLE", str(running.ca_file))
        running.create("nav_connection", {"nav_name": "CRONUS", "nav_dynamicsnavurl": "https://bc.example/?company=C"})
        with closing(Company(sqlite_url, running, RECEIVER_PUBLIC_URL=URL)) as made:
            yield made


def test_microsofts_button_gets_a_connection_beside_those_of_a_business_central(with_microsofts: Company) -> None:
    company = with_microsofts
    done = use_microsofts(company.services, URL)

    assert len(done.actions) == 1
    assert use_microsofts(company.services, URL).actions == ()
    found = {row["nav_name"]: row["nav_dynamicsnavurl"] for row in company.sandbox.rows("nav_connection")}
    assert found == {"CRONUS": "https://bc.example/?company=C", "Receiver": f"{URL}/?company=Receiver"}
    use_microsofts(company.services, URL, is_undone=True)
    assert [row["nav_name"] for row in company.sandbox.rows("nav_connection")] == ["CRONUS"]


@pytest.mark.parametrize("mark", ["&", "?"])
def test_the_address_with_what_microsofts_button_adds_is_understood(public: Company, mark: str) -> None:
    row = "a0000000-0000-4000-8000-000000000001"
    added = f"{mark}page=5329&filter='CRM Redirect'.Filter IS 'CRMID:{{{row.upper()}}};CRMType:account'"
    answer = public.app.test_client().get(f"/?company=Receiver{added}")

    assert answer.status_code == 302
    assert answer.location.startswith("/sign-in?next=")


# -- the address -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address", ["", "receiver.example", "http://receiver.example", "https://", "https://a.example/?b=c", "ftp://a"]
)
def test_an_address_that_no_browser_would_reach_from_sales_is_refused(company: Company, address: str) -> None:
    with pytest.raises(RefusedError, match="RECEIVER_PUBLIC_URL"):
        install(company.services, address)
    assert company.sandbox.rows("webresource") == []


# -- the terminal ----------------------------------------------------------------------------------------------


def test_the_terminal_installs_checks_and_removes(public: Company) -> None:
    code, said, _ = run(public, "button", "check")
    assert (code, said.splitlines()[-1]) == (1, "Run: receiver button install")
    code, said, _ = run(public, "button", "install", "--preview", "--json")
    assert (code, json.loads(said)["is_preview"]) == (0, True)
    assert public.sandbox.rows("appaction") == []
    code, said, _ = run(public, "button", "install", "--with-custom-api")
    assert code == 0
    assert "Create command on account." in said
    assert said.splitlines()[-1] == f"Published: {', '.join(TABLES)}."
    assert run(public, "button", "check") == (0, "The button is installed as it should be.\n", "")
    assert json.loads(run(public, "button", "check", "--json")[1]) == []
    assert run(public, "button", "remove")[0] == 1  # nobody said yes
    assert len(public.sandbox.rows("appaction")) == len(TABLES)
    code, said, _ = run(public, "button", "remove", "--yes", "--with-custom-api")
    assert code == 0
    assert "Delete command on account." in said
    assert public.sandbox.rows("appaction") == public.sandbox.rows("webresource") == []
    assert public.sandbox.rows("customapi") == []


def test_the_terminal_says_what_is_missing_in_one_sentence(company: Company, public: Company) -> None:
    code, _, said = run(company, "button", "install")
    assert (code, said.count("\n")) == (1, 1)
    assert "RECEIVER_PUBLIC_URL" in said
    code, _, said = run(public, "button", "use-microsofts")
    assert (code, said.count("\n")) == (2, 1)
    assert "nav_connection" in said


def test_the_terminal_writes_a_solution(public: Company, tmp_path: Path) -> None:
    output = tmp_path / "made.zip"
    code, said, _ = run(public, "solution", "build", "--output", str(output))
    assert code == 0
    assert "account, contact" in said
    assert output.read_bytes()[:2] == b"PK"
    code, _, said = run(public, "solution", "build", "--output", str(tmp_path / "no" / "made.zip"))
    assert code == 2
    assert "cannot be written" in said
