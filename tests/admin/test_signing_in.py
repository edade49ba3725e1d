"""Who sees the pages, and what protects them."""

from __future__ import annotations

import gzip
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from admin.visitor import ADMIN_TOKEN, Visitor, app_with

import receiver.admin
from receiver.web.sign_in import make_one_time

TEMPLATES = Path(receiver.admin.__file__).parent / "templates"
PAGES = (
    "/admin/",
    "/admin/mappings",
    "/admin/mappings/CUSTOMER",
    "/admin/mappings/CUSTOMER/reset",
    "/admin/notifications",
    "/admin/notifications/1",
    "/admin/connection",
)
CHANGES = (
    "/admin/connection/test",
    "/admin/mappings/CUSTOMER",
    "/admin/mappings/CUSTOMER/bring-in",
    "/admin/mappings/CUSTOMER/reset",
    "/admin/mappings/CUSTOMER/fields/10",
    "/admin/notifications/process-failed",
    "/admin/notifications/1/process-again",
)


@pytest.mark.parametrize("path", PAGES)
def test_without_an_administrators_token_the_pages_answer_403_and_say_how_to_set_one(tmp_path, path):
    app = app_with(tmp_path)
    response = Visitor(app.test_client()).get(path)
    app.extensions["receiver"].close()
    assert response.status_code == 403
    assert "set RECEIVER_ADMIN_TOKEN" in response.text
    assert "<html" in response.text


@pytest.mark.parametrize("path", PAGES)
def test_a_stranger_is_led_to_the_sign_in_page_and_back(stranger, path):
    response = stranger.get(path)
    assert response.status_code == 302
    assert response.location.startswith("/sign-in?next=/admin/")


@pytest.mark.parametrize("path", CHANGES)
def test_people_who_may_only_open_records_change_nothing(salesperson, path):
    response = salesperson.post(path, is_enabled="off")
    assert response.status_code == 403
    assert "You are signed in as Salesperson, who may open records." in response.text


@pytest.mark.parametrize("path", PAGES)
def test_people_who_may_only_open_records_are_told_so_and_how_to_sign_in_anew(salesperson, path):
    response = salesperson.get(path)
    assert response.status_code == 403
    assert "You are signed in as Salesperson, who may open records." in response.text
    assert 'action="/sign-out"' in response.text


@pytest.mark.parametrize("path", CHANGES)
def test_a_change_without_the_csrf_token_is_refused(admin, path):
    response = admin.client.post(path, data={"is_enabled": "off"})
    assert response.status_code == 400
    assert "nothing was changed" in response.text


def test_under_htmx_a_lost_session_leads_the_whole_page_to_sign_in(stranger):
    stranger.get("/sign-in")
    response = stranger.post("/admin/mappings/CUSTOMER", htmx=True, is_enabled="off")
    assert response.headers["HX-Redirect"].startswith("/sign-in")


def test_the_session_cookie_is_out_of_reach_of_scripts_and_of_other_sites(stranger):
    cookie = stranger.get("/sign-in").headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_signing_out_ends_the_session(admin):
    admin.post("/sign-out")
    assert admin.get("/admin/mappings").status_code == 302


def test_a_copy_of_the_cookie_opens_nothing_once_its_owner_has_signed_out(admin, stranger):
    for cookie in admin.client._cookies.values():
        stranger.client.set_cookie(cookie.key, cookie.value)
    assert stranger.get("/admin/mappings").status_code == 200

    admin.post("/sign-out")

    assert stranger.get("/admin/mappings").status_code == 302
    stranger.get("/sign-in")
    stranger.post("/sign-in", token=ADMIN_TOKEN)
    assert stranger.get("/admin/mappings").status_code == 200


NO_PATHS_OF_OURS = {
    "a bracket that nobody closes": "//[",
    "a host that is none": "//a\u2100b/",
    "a path with such a bracket": "/\\[",
    "another host": "//elsewhere.example",
    "another host, as browsers read it": "/\\elsewhere.example",
    "an address": "https://elsewhere.example/",
    "a script": "javascript:alert(1)",
    "another header": "/admin/\r\nSet-Cookie: a=b",
    "an escape sequence": "/admin/\x1b[2J",
    "a text that runs the other way": "/admin/\u202egnp.exe",
    "a line separator": "/admin/\u2028",
}


@pytest.mark.parametrize("following", NO_PATHS_OF_OURS.values(), ids=NO_PATHS_OF_OURS)
def test_after_signing_in_only_a_path_of_our_own_is_followed(stranger, following):
    stranger.get("/sign-in")
    response = stranger.post("/sign-in", token=ADMIN_TOKEN, next=following)
    assert (response.status_code, response.location) == (302, "/admin/")


def test_the_menu_is_hidden_from_people_who_may_only_open_records(salesperson, customer):
    page = salesperson.get(f"/records/CUSTOMER/{customer}").text
    assert "/admin/notifications" not in page
    assert "Salesperson" in page


@pytest.mark.parametrize("path", ["/sign-in", *PAGES[1:5]])
def test_the_content_security_policy_allows_nothing_inline(admin, path):
    response = admin.get(path)
    policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'self'; img-src 'self' data:")
    assert "unsafe" not in policy
    assert not re.search(r"<style|<script(?![^>]* src=)|\sstyle=|\son\w+=", response.text)
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", sorted(TEMPLATES.glob("*.html")), ids=lambda path: path.name)
def test_no_template_holds_inline_style_or_script(path):
    text = path.read_text()
    assert not re.search(r"<style|<script(?![^>]* src=)|\sstyle=|\son[a-z]+=|javascript:", text)
    assert "|safe" not in text


def test_every_form_that_changes_something_carries_a_csrf_token():
    for path in TEMPLATES.glob("*.html"):
        text = path.read_text()
        assert len(re.findall(r'method="post"', text)) == len(
            re.findall(r"name=\"csrf_token\"|\{\{ token\(\) \}\}", text)
        ) - (path.name == "_controls.html"), path.name


def test_static_files_are_kept_for_long_and_named_by_their_content(admin):
    page = admin.get("/admin/mappings").text
    address = re.search(r'href="(/static/vendor/tabler[^"]+)"', page)[1]
    assert "?v=" in address
    response = admin.client.get(address)
    assert "max-age=31536000" in response.headers["Cache-Control"]
    response.close()


@pytest.mark.parametrize(
    "path",
    [
        "/admin/nothing",
        "/admin/mappings/NOTHING",
        "/admin/notifications/77",
        "/records/CUSTOMER/NONE",
        "/records/NONE/1",
    ],
)
def test_what_does_not_exist_says_so_and_what_to_do_next(admin, path):
    response = admin.get(path)
    assert response.status_code == 404
    assert "Check the address" in response.text


@pytest.mark.parametrize("path", ["/dataverse/notifications", "/dataverse/nothing", "/health/nothing"])
def test_the_doors_for_machines_get_no_pages(stranger, path):
    response = stranger.get(path)
    assert response.status_code in {404, 405}
    assert "Integration Table Mappings" not in response.text


@pytest.mark.parametrize("path", ["/sign-out", "/open/account/a0000000-0000-4000-8000-000000000001"])
def test_while_the_database_is_away_nobody_is_taken_for_signed_in_or_out(admin, services, path):
    services.database.dispose()
    Path(services.database.engine.url.database).unlink()
    response = admin.post(path)
    assert response.status_code == 503
    assert "There is no database at" in response.text


def test_while_the_database_is_missing_the_page_says_so_and_where_it_should_be(admin, services):
    url = services.database.engine.url.database
    services.database.dispose()
    Path(url).unlink()
    response = admin.get("/admin/mappings")
    assert response.status_code == 503
    assert f"There is no database at {url}" in response.text


def test_while_the_database_is_away_the_page_says_so(admin, services):
    url = services.database.engine.url.database
    services.database.dispose()
    Path(url).rename(f"{url}.away")
    Path(url).mkdir()
    response = admin.get("/admin/mappings")
    assert response.status_code == 503
    assert "Try again in a moment" in response.text


def test_the_token_is_asked_for_and_a_wrong_one_is_refused(stranger):
    stranger.get("/sign-in")
    response = stranger.post("/sign-in", token="wrong")
    assert response.status_code == 403
    assert 'role="alert"' in response.text
    assert ADMIN_TOKEN not in response.text


def test_a_one_time_link_signs_in_once_also_when_it_is_opened_twice_at_the_same_moment(app, services):
    make_one_time(services, "once")
    clients = [app.test_client() for _ in range(8)]
    together = Barrier(len(clients))

    def open_it(client):
        together.wait()
        return client.get("/sign-in?token=once").status_code

    with ThreadPoolExecutor(len(clients)) as pool:
        statuses = sorted(pool.map(open_it, clients))

    assert statuses == [200] * 7 + [302]


@pytest.mark.parametrize("name", ["vendor/tabler.css", "receiver.css", "vendor/htmx.min.js", "receiver.js"])
def test_style_sheets_and_scripts_go_out_packed_to_whoever_can_unpack_them(stranger, name):
    packed = stranger.client.get(f"/static/{name}", headers={"Accept-Encoding": "br, gzip"})
    plain = stranger.client.get(f"/static/{name}", headers={"Accept-Encoding": "gzip;q=0"})

    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
    plain.close()


def test_pages_hold_a_secret_and_are_not_packed(stranger):
    assert "Content-Encoding" not in stranger.get("/sign-in", headers={"Accept-Encoding": "gzip"}).headers
