"""The record page and the page behind the button: both sides, the coupling, refusals."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from admin.visitor import ACCOUNT, NOON, app_with
from flask import render_template

from receiver.commands.mappings.change_mapping import set_mapping
from receiver.commands.synchronizing.open_record import Busy, MayCreate, Offered, Refused
from receiver.core.coupling import Coupling, LastRun, Result
from receiver.core.mapping import Direction
from receiver.engine.wording import Settled
from receiver.engine.work import Offer
from receiver.store import couplings
from receiver.store.local_tables import LocalTable
from receiver.tables import BY_NAME
from receiver.web.open_link import OFFERING


def modify(services, key, **values):
    with services.database.writing() as connection:
        LocalTable(connection, BY_NAME["customer"]).modify(key, values)


def poll(visitor, page):
    return visitor.client.get(
        re.search(r'hx-get="([^"]+)"', page)[1].replace("&amp;", "&"), headers={"HX-Request": "true"}
    )


def test_it_shows_both_sides_the_coupling_and_the_last_results(salesperson, customer):
    page = salesperson.get(f"/records/CUSTOMER/{customer}").text
    assert re.search(r'id="local-name">Fourth Coffee<', page)
    assert page.count(">Graz<") == 2
    for said in (f"Customer {customer}", "Fourth Coffee", "Coupled", ACCOUNT, "Success", "Account Name", "Not mapped"):
        assert said in page


def test_while_nothing_changes_a_look_costs_no_page(salesperson, customer):
    page = salesperson.get(f"/records/CUSTOMER/{customer}").text
    assert poll(salesperson, page).status_code == 204


def test_a_change_is_sent_by_itself_and_announced(salesperson, services, customer):
    page = salesperson.get(f"/records/CUSTOMER/{customer}").text
    modify(services, customer, name="Fifth Coffee")
    part = poll(salesperson, page)
    assert part.status_code == 200
    assert re.search(r'id="local-name">Fifth Coffee<', part.text)
    assert "Changed here" in part.text
    assert 'id="announcer"' in part.text
    assert "<html" not in part.text
    assert poll(salesperson, part.text).status_code == 204


def test_a_result_of_a_run_is_a_change_too(salesperson, services, customer):
    page = salesperson.get(f"/records/CUSTOMER/{customer}").text
    with services.database.writing() as connection:
        known = couplings.find(connection, "CUSTOMER", Direction.TO, customer)
        failed = replace(known, is_skipped=True, last_from=LastRun(Result.FAILURE, 2, "Both sides <changed>."))
        couplings.save(connection, failed, NOON)
    part = poll(salesperson, page).text
    assert "Both sides &lt;changed&gt;." in part
    assert "Skipped" in part


def test_a_record_that_is_not_coupled_says_how_to_couple_it(salesperson, services):
    with services.database.writing() as connection:
        key = LocalTable(connection, BY_NAME["customer"]).insert({"name": "Alone"}).id
    page = salesperson.get(f"/records/CUSTOMER/{key}").text
    assert "Not coupled" in page
    assert "Differs" not in page
    assert "open-in-sales" not in page


def test_a_record_deleted_meanwhile_ends_the_page(salesperson, services, customer):
    page = salesperson.get(f"/records/CUSTOMER/{customer}").text
    with services.database.writing() as connection:
        connection.execute(BY_NAME["customer"].table.delete())
    gone = poll(salesperson, page)
    assert gone.status_code == 404
    assert gone.headers["HX-Refresh"] == "true"


@pytest.mark.parametrize(
    ("settings", "config", "address"),
    [
        (
            {"RECEIVER_DATAVERSE_URL": "https://contoso.crm4.dynamics.com/"},
            {},
            f"https://contoso.crm4.dynamics.com/main.aspx?pagetype=entityrecord&amp;etn=account&amp;id={ACCOUNT}",
        ),
        ({}, {"SALES_FORM_URL": "http://localhost:8001/{table}/{id}"}, f"http://localhost:8001/account/{ACCOUNT}"),
    ],
    ids=["an environment", "the tour"],
)
def test_it_links_to_the_row_in_sales(tmp_path, settings, config, address):
    app = app_with(tmp_path, RECEIVER_TOUR="on", **settings)
    app.config.update(config)
    services = app.extensions["receiver"]
    with services.database.writing() as connection:
        key = LocalTable(connection, BY_NAME["customer"]).insert({"name": "Fourth Coffee"}).id
        couplings.save(connection, Coupling("CUSTOMER", key, ACCOUNT), NOON)
    page = app.test_client().get(f"/records/CUSTOMER/{key}").text
    services.close()
    assert f'href="{address}"' in page


def refusal(mapping, sentence, remedy):
    return Settled(mapping, Direction.FROM, "Skip", "skipped", "ONLY_COUPLED", sentence, remedy)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (MayCreate(), ["Create a local record?", 'id="create"']),
        (
            Offered((Offer("CUSTOMER", "C00010", "<Fourth>", {"city": ["Graz", None], "name": ["a", "b"]}),)),
            ["<strong>C00010</strong>", "&lt;Fourth&gt;", 'name="couple_with"', "(empty)", 'name="create_new"'],
        ),
        (Busy(), ["Being synchronized", "Look again"]),
        (
            Refused((refusal("CUSTOMER", "It is not coupled.", "Couple the record."),)),
            ["Not opened", 'id="refusal"', "It is not coupled.", "What an administrator can do:", "Couple the record."],
        ),
        (Refused((), is_gone=True), ["Not opened", "does not exist in Dataverse any more"]),
        (Refused((), trouble="Dataverse cannot be reached."), ["Not opened", "Dataverse cannot be reached."]),
    ],
    ids=["may create", "offered", "busy", "refused", "gone", "trouble"],
)
def test_each_answer_of_the_button_says_what_is_the_case_and_what_to_do(app, answer, said):
    with app.test_request_context("/open"):
        told = {"answer": answer, "kind": type(answer).__name__, "table": "account", "row_id": ACCOUNT}
        page = render_template("open.html", **told, **OFFERING)
    for text in said:
        assert text in page
    assert f'"/open/account/{ACCOUNT}"' in page


def test_a_row_of_no_mapping_and_a_wrong_id_are_explained(salesperson):
    assert "No Integration Table Mapping reads the table" in salesperson.get(f"/open/lead/{ACCOUNT}").text
    assert "is not a row&#39;s id" in salesperson.get("/open/account/nonsense").text


def test_a_plain_link_asks_before_it_creates(salesperson, services):
    set_mapping(services, "CUSTOMER", "test", synch_only_coupled_records=False)
    page = salesperson.get(f"/open/account/{ACCOUNT}").text
    assert "Create and open" in page
    assert salesperson.post(f"/open/account/{ACCOUNT}").status_code in {409, 503}
