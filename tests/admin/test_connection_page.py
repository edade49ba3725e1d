"""Dataverse Connection Setup: what is set, whether it works, and what cannot be done while it does not."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import pytest
from admin.visitor import ADMIN_TOKEN, CONNECTION, Visitor, app_with, pass_over
from company import Company
from sqlalchemy import insert

from receiver.store.models import connection as state
from receiver.store.models import lane

PAGE = "/admin/connection"


@pytest.fixture
def of_company(small_company: Company) -> Visitor:
    return Visitor(small_company.app.test_client()).signed_in(ADMIN_TOKEN)


def failed_test(services) -> None:
    row = {"id": 1, "tested_at": services.clock(), "is_good": False, "said": "Sign-in: refused."}
    with services.database.writing() as connection:
        connection.execute(insert(state).values(row))


def test_settings_are_shown_and_of_secrets_only_that_they_are_set(admin):
    page = admin.get(PAGE).text

    assert "https://localhost:1" in page
    assert "••• set" in page
    assert "not set" in page
    for secret in (CONNECTION["RECEIVER_CLIENT_SECRET"], ADMIN_TOKEN):
        assert secret not in page


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:hunter2@db/company", "postgresql://me:***@db/company"),
        ("postgresql:///company?host=db&amp;user=me&amp;password=hunter2", "postgresql:///company?host=db"),
        ("postgresql://db/company?sslpassword=hunter2&amp;sslmode=require", "sslmode=require"),
    ],
)
def test_the_databases_password_is_no_part_of_its_address(app, admin, url: str, shown: str):
    said = app.extensions["receiver_settings"]
    app.extensions["receiver_settings"] = replace(said, database_url=url.replace("&amp;", "&"))
    page = admin.get(PAGE).text

    assert shown in page
    assert "hunter2" not in page


def test_t9_test_connection_tells_every_step_and_keeps_the_result(of_company):
    of_company.get(PAGE)
    page = of_company.post(f"{PAGE}/test").text

    for name in ("Address", "TLS", "Clock", "Sign-in", "Application user", "Privileges", "Change tracking", "Columns"):
        assert f'data-label="Step">{name}<' in page
    assert "Connected to" in of_company.get(PAGE).text


def test_what_fails_is_told_with_its_remedy(of_company, small_company):
    small_company.sandbox.organization.withheld.add("prvReadAccount")
    of_company.get(PAGE)
    page = of_company.post(f"{PAGE}/test").text

    assert "prvReadAccount is missing" in page
    assert "security role" in page
    assert '<span class="state failed">Failure</span>' in page


def test_without_settings_the_page_says_which_are_missing(tmp_path):
    app = app_with(tmp_path, RECEIVER_ADMIN_TOKEN=ADMIN_TOKEN)
    with closing(app.extensions["receiver"]):
        admin = Visitor(app.test_client()).signed_in(ADMIN_TOKEN)
        page = admin.get(PAGE).text
        tested = admin.post(f"{PAGE}/test").text
    assert "RECEIVER_TENANT_ID</code>, " in page
    assert "receiver connect" in page
    assert "No connection to Dataverse is set up." in tested


def test_while_no_connection_works_nothing_is_brought_in_and_the_page_says_why(admin, services):
    failed_test(services)
    pass_over(services, "c1")
    page = admin.change("/admin/mappings/CUSTOMER", synch_only_coupled_records="off")

    assert "bring-in-CUSTOMER" not in page
    assert "The connection to Dataverse does not work. Sign-in: refused." in page
    assert "Nothing was brought in" in admin.change("/admin/mappings/CUSTOMER/bring-in")
    with services.database.reading() as connection:
        assert connection.execute(lane.select()).first() is None
