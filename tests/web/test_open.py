"""The button's link, and Microsoft's own: who may use it, when it creates, what it answers."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import quote

import pytest
from company import ADMIN_TOKEN, OPEN_TOKEN, Company
from flask.testing import FlaskClient
from inbox.sending import KEY, NO_ID, Door
from sqlalchemy import select
from werkzeug.test import TestResponse

from receiver.sandbox import Sandbox
from receiver.store.models import lane
from receiver.web.health import looked_at

ACCOUNT = "a0000000-0000-4000-8000-000000000001"
SECOND_ACCOUNT = "a0000000-0000-4000-8000-000000000002"
VENDOR_ACCOUNT = "a0000000-0000-4000-8000-000000000004"
INACTIVE_ACCOUNT = "a0000000-0000-4000-8000-000000000008"
CONTACT = "c0000000-0000-4000-8000-000000000001"
NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "cross-site"}
CSRF = re.compile(r'name="csrf_token" value="([^"]+)"')


def visitor(receiver: Company | Door, token: str = "") -> FlaskClient:
    """A browser; with *token* it signs in first."""
    client = receiver.app.test_client()
    if token:
        proof = CSRF.search(client.get("/sign-in").text)
        assert proof is not None
        answer = client.post("/sign-in", data={"token": token, "csrf_token": proof[1]})
        assert answer.status_code == 302, answer.text
    return client


def press(client: FlaskClient, path: str, **form: str) -> TestResponse:
    """Post the page's own button."""
    proof = CSRF.search(client.get(path).text)
    assert proof is not None
    return client.post(path, data={"csrf_token": proof[1], **form})


@pytest.fixture
def open_company(small_company: Company) -> Company:
    small_company.open_for_all("CUSTOMER", "VENDOR")
    return small_company


# -- who -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", [f"/open/account/{ACCOUNT}", f"/?page=5329&filter=CRMID:{{{ACCOUNT}}};CRMType:account"]
)
def test_a_stranger_is_asked_to_sign_in_and_nothing_is_created(open_company: Company, path: str) -> None:
    answer = visitor(open_company).get(path, headers=NAVIGATION)

    assert answer.status_code == 302
    assert answer.location.startswith("/sign-in?next=")
    assert open_company.locals("customer") == []


@pytest.mark.parametrize("token", [OPEN_TOKEN, ADMIN_TOKEN])
def test_who_may_open_gets_to_the_record(open_company: Company, token: str) -> None:
    answer = visitor(open_company, token).get(f"/open/account/{ACCOUNT}", headers=NAVIGATION)

    assert (answer.status_code, answer.location) == (302, "/records/CUSTOMER/C00010")


def test_after_signing_in_the_link_goes_on(open_company: Company) -> None:
    client = open_company.app.test_client()
    asked = client.get(f"/open/account/{ACCOUNT}", headers=NAVIGATION, follow_redirects=True)
    proof = CSRF.search(asked.text)
    following = re.search(r'name="next" value="([^"]*)"', asked.text)
    assert proof is not None
    assert following is not None

    answer = client.post("/sign-in", data={"token": OPEN_TOKEN, "csrf_token": proof[1], "next": following[1]})

    assert answer.status_code == 302
    assert answer.location.startswith(f"/open/account/{ACCOUNT}")


@pytest.mark.parametrize("token", ["", "wrong", OPEN_TOKEN + "x", OPEN_TOKEN[:-1], "sch\u00fcssel", "\U0001f680"])
def test_no_other_token_signs_in(small_company: Company, token: str) -> None:
    client = small_company.app.test_client()
    proof = CSRF.search(client.get("/sign-in").text)
    assert proof is not None

    assert client.post("/sign-in", data={"token": token, "csrf_token": proof[1]}).status_code == 403
    assert client.get(f"/open/account/{ACCOUNT}").status_code == 302


def test_who_may_only_open_sees_no_administration(small_company: Company) -> None:
    client = visitor(small_company, OPEN_TOKEN)
    for path in ("/admin/", "/admin/mappings", "/admin/notifications"):
        answer = client.get(path)
        assert (answer.status_code == 302 and "/sign-in" in answer.location) or answer.status_code in {308, 403}, path


def test_the_cookie_is_lax_and_closed_to_scripts(small_company: Company) -> None:
    client = small_company.app.test_client()
    proof = CSRF.search(client.get("/sign-in").text)
    assert proof is not None
    answer = client.post("/sign-in", data={"token": OPEN_TOKEN, "csrf_token": proof[1]})

    cookie = answer.headers["Set-Cookie"]
    assert "SameSite=Lax" in cookie
    assert "HttpOnly" in cookie


def test_the_cookie_is_secure_where_the_receivers_address_is(sqlite_url: str) -> None:
    with closing(Door(sqlite_url, RECEIVER_OPEN_TOKEN="t", RECEIVER_PUBLIC_URL="https://receiver.example")) as door:
        answer = door.client.get("/sign-in", base_url="https://receiver.example")
        assert "Secure" in answer.headers["Set-Cookie"]


@pytest.mark.parametrize(
    "following",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "evil.example",
        "/\n/evil.example",
        "///evil.example",
        "",
    ],
)
def test_signing_in_never_leads_away_from_us(small_company: Company, following: str) -> None:
    client = small_company.app.test_client()
    proof = CSRF.search(client.get("/sign-in", query_string={"next": following}).text)
    assert proof is not None
    answer = client.post("/sign-in", data={"token": OPEN_TOKEN, "csrf_token": proof[1], "next": following})

    assert (answer.status_code, answer.location) == (302, "/admin/")


SETTINGS_OF_A_FORGER: dict[str, dict[str, str]] = {
    "no token set": {},
    "the open token known": {"RECEIVER_OPEN_TOKEN": OPEN_TOKEN},
}


@pytest.mark.parametrize("settings", SETTINGS_OF_A_FORGER.values(), ids=SETTINGS_OF_A_FORGER)
def test_who_knows_the_settings_but_no_admin_token_cannot_forge_an_administrators_session(
    sqlite_url: str, settings: dict[str, str]
) -> None:
    with closing(Door(sqlite_url, **settings)) as forger, closing(Door(sqlite_url, **settings)) as door:
        with forger.client.session_transaction() as session:
            session.update(name="Administrator", is_admin=True)
        forged = forger.client.get_cookie("receiver")
        assert forged is not None
        door.client.set_cookie("receiver", forged.value)

        assert door.client.get("/admin/mappings").status_code in {302, 403}
        if not settings:
            assert door.client.get(f"/open/account/{ACCOUNT}").status_code == 302


@pytest.mark.parametrize(("is_tour", "status"), [("on", 404), ("", 302)])
def test_in_the_tour_and_nowhere_else_a_stranger_is_the_salesperson(sqlite_url: str, is_tour: str, status: int) -> None:
    with closing(Door(sqlite_url, RECEIVER_TOUR=is_tour)) as door:
        assert door.client.get(f"/open/lead/{ACCOUNT}", headers=NAVIGATION).status_code == status
        assert door.client.get("/admin/mappings").status_code in {302, 403}


# -- when it creates ---------------------------------------------------------------------------------------------

NOT_MEANT: dict[str, dict[str, str]] = {
    "a client that says nothing": {},
    "an image": {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
    "a script": {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
    "a frame": {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
    "an object": {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "object"},
    "fetched ahead": {**NAVIGATION, "Sec-Purpose": "prefetch"},
    "drawn ahead": {**NAVIGATION, "Sec-Purpose": "prefetch;prerender"},
}


@pytest.mark.parametrize("headers", NOT_MEANT.values(), ids=NOT_MEANT)
def test_what_no_person_asked_for_creates_nothing_and_shows_a_button_that_posts(
    open_company: Company, headers: dict[str, str]
) -> None:
    client, path = visitor(open_company, OPEN_TOKEN), f"/open/account/{ACCOUNT}"

    answer = client.get(path, headers=headers)

    assert answer.status_code == 200
    assert open_company.locals("customer") == []
    assert press(client, path).location == "/records/CUSTOMER/C00010"


def test_looking_at_the_headers_alone_creates_nothing(open_company: Company) -> None:
    visitor(open_company, OPEN_TOKEN).head(f"/open/account/{ACCOUNT}", headers=NAVIGATION)

    assert open_company.locals("customer") == []


def test_a_post_from_elsewhere_creates_nothing(open_company: Company) -> None:
    client = visitor(open_company, OPEN_TOKEN)
    for form in ({}, {"csrf_token": "guessed"}):
        assert client.post(f"/open/account/{ACCOUNT}", data=form, headers=NAVIGATION).status_code == 400

    assert open_company.locals("customer") == []


# -- the link's forms ----------------------------------------------------------------------------------------------

LINKS = {
    "plain": f"/open/account/{ACCOUNT}",
    "capitals": f"/open/account/{ACCOUNT.upper()}",
    "braces": f"/open/account/{{{ACCOUNT}}}",
    "braces, encoded, capitals": f"/open/account/%7B{ACCOUNT.upper()}%7D",
    "table in capitals": f"/open/Account/{ACCOUNT}",
    "page 5329": "/?company=CRONUS&page=5329&filter="
    + quote(f"'CRM Redirect'.Filter IS 'CRMID:{{{ACCOUNT}}};CRMType:account'"),
    "page 5329, nothing encoded": f"/?page=5329&filter='CRM Redirect'.Filter IS 'CRMID:{{{ACCOUNT}}};CRMType:account'",
    "page 5329, blanks as plus": f"/?page=5329&filter=%27CRM+Redirect%27.Filter+IS+%27CRMID%3A%7B{ACCOUNT}%7D%3BCRMType%3Aaccount%27",
    "page 5329, capitals": f"/?PAGE=5329&FILTER=crmid:{{{ACCOUNT.upper()}}};crmtype:Account",
    "page 5329, no braces": f"/?filter=CRMID:{ACCOUNT};CRMType:account",
    "anywhere in the query": f"/?a=b&bookmark=x&CRMID%3A%7B{ACCOUNT}%7D%3B+CRMType%3Aaccount",
}


@pytest.mark.parametrize("link", LINKS.values(), ids=LINKS)
def test_every_way_to_write_the_link_opens_the_record(open_company: Company, link: str) -> None:
    answer = visitor(open_company, OPEN_TOKEN).get(link, headers=NAVIGATION)

    assert (answer.status_code, answer.location) == (302, "/records/CUSTOMER/C00010")


@pytest.mark.parametrize(
    "link", ["/", "/?page=22", "/?filter=CRMID:{};CRMType:account", f"/?filter=CRMID:{{{ACCOUNT}}}"]
)
def test_without_the_filter_the_front_door_leads_to_the_pages(small_company: Company, link: str) -> None:
    answer = visitor(small_company, OPEN_TOKEN).get(link)

    assert answer.status_code == 302
    assert "/open/" not in answer.location


# -- what it answers -------------------------------------------------------------------------------------------------


def test_a_coupled_row_is_brought_up_to_date_and_opened_by_a_mere_get(open_company: Company) -> None:
    key = open_company.couple_by_click("account", ACCOUNT)
    open_company.sandbox.update("account", ACCOUNT, {"name": "Nordwind AG"}, deliver=False)

    answer = visitor(open_company, OPEN_TOKEN).get(f"/open/account/{ACCOUNT}")

    assert (answer.status_code, answer.location) == (302, f"/records/CUSTOMER/{key}")
    assert open_company.coupled_record("CUSTOMER", ACCOUNT)["name"] == "Nordwind AG"


def test_a_record_may_open_elsewhere(sqlite_url: str, sandbox: Sandbox) -> None:
    template = "https://erp.example/{mapping}/{table}?no={key}"
    with closing(Company(sqlite_url, sandbox, RECEIVER_OPEN_URL=template)) as company:
        company.open_for_all("CUSTOMER")
        answer = visitor(company, OPEN_TOKEN).get(f"/open/account/{ACCOUNT}", headers=NAVIGATION)

    assert answer.location == "https://erp.example/CUSTOMER/customer?no=C00010"


UNKNOWN = "a0000000-0000-4000-8000-00000000dead"
REFUSALS: dict[str, tuple[dict[str, Any], str, int, tuple[str, ...]]] = {
    "only coupled": ({}, f"account/{ACCOUNT}", 409, ("CUSTOMER", "Synch. Only Coupled Records")),
    "direction": ({"CUSTOMER": {"synch_only_coupled_records": False, "direction": "ToIntegrationTable"}}, f"account/{ACCOUNT}", 409, ("direction",)),
    "outside the filter": ({"CUSTOMER": {"synch_only_coupled_records": False}}, f"account/{INACTIVE_ACCOUNT}", 409, ("outside the filter",)),
    "no mapping": ({}, f"lead/{ACCOUNT}", 404, ("lead", "No Integration Table Mapping")),
    "row not found, may create": ({"CUSTOMER": {"synch_only_coupled_records": False}}, f"account/{UNKNOWN}", 404, (UNKNOWN,)),
    "row not found, only coupled": ({}, f"account/{UNKNOWN}", 404, (UNKNOWN,)),
    "no guid": ({}, "account/42", 404, ("42",)),
    "all zeros": ({}, f"account/{NO_ID}", 404, (NO_ID,)),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "path", "status", "words"), REFUSALS.values(), ids=REFUSALS)
def test_what_cannot_be_opened_is_a_page_that_says_why(
    small_company: Company, changes: dict[str, Any], path: str, status: int, words: tuple[str, ...]
) -> None:
    from receiver.core.mapping import Direction

    for mapping, values in changes.items():
        read = {name: Direction(value) if name == "direction" else value for name, value in values.items()}
        small_company.set(mapping, **read)

    answer = visitor(small_company, OPEN_TOKEN).get(f"/open/{path}", headers=NAVIGATION)

    assert answer.status_code == status
    for word in words:
        assert word in answer.text
    assert small_company.locals("customer") == []


def test_a_row_that_is_not_found_is_404_though_another_mapping_is_off(small_company: Company) -> None:
    small_company.set("VENDOR", is_enabled=False)

    answer = visitor(small_company, OPEN_TOKEN).get(f"/open/account/{UNKNOWN}", headers=NAVIGATION)

    assert answer.status_code == 404


def test_a_failure_is_named_with_its_error(small_company: Company) -> None:
    small_company.open_for_all("CONTACT")

    answer = visitor(small_company, OPEN_TOKEN).get(f"/open/contact/{CONTACT}", headers=NAVIGATION)

    assert answer.status_code == 409
    assert "CONTACT" in answer.text


@pytest.mark.parametrize(
    ("fault", "count", "why"),
    [
        ("too_many_requests", -1, "Dataverse answered 429"),
        ("unavailable", -1, "Dataverse answered 503"),
        ("stall", 1, "Dataverse takes long to answer; it is brought up to date meanwhile."),
    ],
)
def test_coupled_always_opens_and_a_banner_says_why_it_is_not_up_to_date(
    open_company: Company, fault: str, count: int, why: str
) -> None:
    key = open_company.couple_by_click("account", ACCOUNT)
    open_company.sandbox.faults.stall_seconds = 3600  # far beyond our patience
    setattr(open_company.sandbox.faults, fault, count)
    client = visitor(open_company, OPEN_TOKEN)

    answer = client.get(f"/open/account/{ACCOUNT}")

    assert (answer.status_code, answer.location) == (302, f"/records/CUSTOMER/{key}")
    with client.session_transaction() as session:
        ((kind, banner),) = session["_flashes"]
    assert kind == "warning"
    assert "up to date" in banner
    assert why in banner
    open_company.sandbox.organization.stopping.set()  # what stalls goes on, and ends
    while is_held(open_company):
        time.sleep(0.02)


def is_held(company: Company) -> bool:
    """Whether somebody works on a row."""
    with company.services.database.reading() as connection:
        return connection.execute(select(lane.c.key).where(lane.c.owner.is_not(None))).first() is not None


def test_equal_local_records_are_offered_before_a_new_one_is_made(open_company: Company) -> None:
    open_company.set_field("CUSTOMER", "name", match_on_this_field=True)
    key = open_company.insert_local("customer", name="Nordwind Trading GmbH", phone_no="1")
    client, path = visitor(open_company, OPEN_TOKEN), f"/open/account/{ACCOUNT}"

    offered = client.get(path, headers=NAVIGATION)
    assert offered.status_code == 200
    assert re.findall(r"<strong>(.*?)</strong>", offered.text) == [key]
    assert re.search(r"<td[^>]*>1</td><td[^>]*>\+49 40 5550 1420</td>", offered.text), "what is overwritten is shown"
    assert press(client, path, couple_with=choice(offered)).location == f"/records/CUSTOMER/{key}"

    assert len(open_company.locals("customer")) == 1
    assert open_company.coupled_record("CUSTOMER", ACCOUNT)["phone_no"] == "+49 40 5550 1420"


def choice(page: TestResponse) -> str:
    """What the page's first button to couple sends."""
    found = re.search(r'name="couple_with" value="([^"]+)"', page.text)
    assert found is not None, page.text
    return found[1]


@pytest.fixture
def offering(open_company: Company) -> Company:
    """A customer that looks like two accounts."""
    open_company.set_field("CUSTOMER", "name", match_on_this_field=True)
    open_company.insert_local("customer", name="Nordwind Trading GmbH", phone_no="1")
    open_company.sandbox.update("account", SECOND_ACCOUNT, {"name": "Nordwind Trading GmbH"})
    return open_company


CHOICES_NOT_OFFERED = {
    "by its name": lambda _mine: "CUSTOMER:C00010",
    "nothing of ours": lambda _mine: "x.y",
    "altered": lambda mine: mine[:-3] + ("abc" if mine[-3:] != "abc" else "abd"),
    "for another row": lambda mine: mine,
    "to somebody else": lambda mine: mine,
}


@pytest.mark.parametrize("how", CHOICES_NOT_OFFERED)
def test_only_what_was_offered_to_this_person_for_this_row_is_coupled(offering: Company, how: str) -> None:
    client = visitor(offering, OPEN_TOKEN)
    row = SECOND_ACCOUNT if how == "for another row" else ACCOUNT
    mine = choice(client.get(f"/open/account/{ACCOUNT}", headers=NAVIGATION))
    if how == "to somebody else":
        client = visitor(offering, OPEN_TOKEN)
    before = offering.locals("customer")

    answer = press(client, f"/open/account/{row}", couple_with=CHOICES_NOT_OFFERED[how](mine))

    assert answer.status_code == 400
    assert "was not offered to you for this row" in answer.text
    assert offering.locals("customer") == before
    assert offering.coupling("CUSTOMER", row) is None


def test_while_dataverse_is_away_the_choice_is_kept_on_the_page(offering: Company) -> None:
    client, path = visitor(offering, OPEN_TOKEN), f"/open/account/{ACCOUNT}"
    mine = choice(client.get(path, headers=NAVIGATION))
    offering.sandbox.faults.unavailable = -1

    page = press(client, path, couple_with=mine)

    assert page.status_code == 409
    assert "Nothing was coupled. Dataverse" in page.text
    assert choice(page) == mine


def test_a_click_waits_for_nobody_for_ever(open_company: Company) -> None:
    from receiver.commands.synchronizing import open_record
    from receiver.lanes import lane as lanes

    with open_company.services.database.writing() as connection:
        lanes.lease_named(connection, "another", open_company.now(), 120, [("account", ACCOUNT)])
    patience, open_record.PATIENCE_SECONDS = open_record.PATIENCE_SECONDS, 0.2
    try:
        answer = visitor(open_company, OPEN_TOKEN).get(f"/open/account/{ACCOUNT}", headers=NAVIGATION)
    finally:
        open_record.PATIENCE_SECONDS = patience

    assert answer.status_code in {200, 409, 503}
    assert "being synchronized" in answer.text.lower()


def test_a_salesperson_reads_of_the_mapping_that_could_apply_and_finds_back_to_sales(small_company: Company) -> None:
    path = f"/open/account/{ACCOUNT}"
    sales = visitor(small_company, OPEN_TOKEN).get(path, headers=NAVIGATION)
    admin = visitor(small_company, ADMIN_TOKEN).get(path, headers=NAVIGATION)

    assert sales.status_code == admin.status_code == 409
    assert re.findall(r"<h2>(\w+)</h2>", sales.text) == ["CUSTOMER"]
    assert "Tell your administrator what stands here." in sales.text
    assert f"etn=account&amp;id={ACCOUNT}" in sales.text
    assert "VENDOR" in admin.text


# -- health ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def idle(sqlite_url: str) -> Iterator[Door]:
    with closing(Door(sqlite_url)) as made:
        yield made


def test_alive_says_so(idle: Door) -> None:
    assert idle.client.get("/health/live").status_code == 200


def test_ready_names_each_check_that_fails(idle: Door) -> None:
    answer = idle.client.get("/health/ready")

    assert answer.status_code == 503
    assert answer.get_json() == {"status": "not ready"}
    checks = idle.health()["checks"]
    assert {name: check["ok"] for name, check in checks.items()} == {
        "database": True,
        "worker": False,
        "dataverse": False,
    }
    assert all(check["said"] for check in checks.values())


@pytest.mark.parametrize(
    ("seconds", "worker", "dataverse"),
    [(0, True, True), (59, True, True), (61, False, True), (299, False, True), (301, False, False)],
)
def test_ready_wants_a_worker_of_the_last_minute_and_a_test_of_the_last_five(
    small_company: Company, seconds: float, worker: bool, dataverse: bool
) -> None:
    from receiver.commands.connection.test_connection import test_connection as check_connection
    from receiver.server.worker import Worker

    check_connection(small_company.services)
    Worker(small_company.services, 1)._record_heartbeat(small_company.now())
    small_company.pass_time(seconds)

    answer = small_company.app.test_client().get("/health/ready")

    _, told = looked_at(small_company.services)
    found = told["checks"]
    assert (found["database"]["ok"], found["worker"]["ok"], found["dataverse"]["ok"]) == (True, worker, dataverse)
    assert answer.status_code == (200 if worker and dataverse else 503)


def test_ready_says_that_the_schema_is_old(tmp_path: Any) -> None:
    with closing(Door(f"sqlite:///{tmp_path}/empty.sqlite")) as door:
        answer = door.client.get("/health/ready")
        said = door.health()["checks"]["database"]["said"]

    assert answer.status_code == 503
    assert "receiver migrate" in said


def test_health_says_no_key(idle: Door) -> None:
    assert KEY not in idle.client.get("/health/ready", query_string={"code": KEY}).text
