"""Microsoft's own Python client signs in through MSAL, over HTTPS, and works with the sandbox as with Dataverse."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

pytest.importorskip("PowerPlatform.Dataverse", reason="Microsoft's client is not installed here: make fidelity")
pytest.importorskip("azure.identity", reason="azure-identity is not installed here: make fidelity")

import pandas as pd
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientSecretCredential
from PowerPlatform.Dataverse.client import DataverseClient
from PowerPlatform.Dataverse.core.config import DataverseConfig
from PowerPlatform.Dataverse.core.errors import HttpError, MetadataError
from PowerPlatform.Dataverse.models import col
from PowerPlatform.Dataverse.models.query_builder import ExpandOption
from PowerPlatform.Dataverse.models.upsert import UpsertItem

from receiver.sandbox import ALWAYS
from receiver.sandbox.seed import FIRST_ACCOUNT, FIRST_CONTACT, POUND

MISSING = "00000000-0000-4000-8000-0000000000ff"


def credential(sandbox, secret=None):
    return ClientSecretCredential(
        sandbox.tenant_id,
        sandbox.client_id,
        secret or sandbox.client_secret,
        authority=sandbox.api_url,
        disable_instance_discovery=True,  # a local authority is on no list of Microsoft's
    )


@pytest.fixture
def client(sandbox):
    with credential(sandbox) as signed_in, DataverseClient(sandbox.api_url, signed_in) as made:
        yield made


@pytest.fixture
def account(client):
    return client.records.create("account", {"name": "Fidelity", "telephone1": "1"})


def names(result):
    return [record["name"] for record in result]


def test_msal_signs_it_in_at_the_token_endpoint_once_for_many_requests(sandbox, client):
    for _ in range(3):
        client.records.list("account", select=["name"], top=1)
    assert {made.status for made in sandbox.requests} == {200}
    assert all(made.path.startswith("/api/data/v9.2/") for made in sandbox.requests)


def test_a_wrong_secret_gets_no_token(sandbox):
    with credential(sandbox, "wrong") as signed_in, DataverseClient(sandbox.api_url, signed_in) as client:  # noqa: SIM117  # two promises
        with pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
            client.records.retrieve("account", FIRST_ACCOUNT)


def test_it_creates_and_retrieves(sandbox, client, account):
    assert sandbox.row("account", account)["name"] == "Fidelity"
    record = client.records.retrieve("account", account, select=["name", "telephone1", "statecode", "fax"])
    assert (record["name"], record["telephone1"], record["statecode"], record["fax"]) == ("Fidelity", "1", 0, None)
    assert record.etag == f'W/"{sandbox.row("account", account)["versionnumber"]}"'


def test_it_writes_a_lookup_and_a_choice_by_its_label(sandbox, client):
    body = {
        "Name": "By label",
        "customertypecode": "Vendor",
        "primarycontactid@odata.bind": f"/contacts({FIRST_CONTACT})",
        "transactioncurrencyid@odata.bind": "/transactioncurrencies(isocurrencycode='GBP')",
        "creditlimit": 12.5,
    }
    row = sandbox.row("account", client.records.create("account", body))
    assert (row["customertypecode"], row["primarycontactid"], row["transactioncurrencyid"]) == (
        11,
        FIRST_CONTACT,
        POUND,
    )


@pytest.mark.parametrize("table", ["account", "contact", "systemuser", "transactioncurrency", "product", "opportunity"])
def test_it_reads_every_table_that_business_central_maps(client, table):
    records = client.records.list(table)
    assert len(records) > 0 or table == "opportunity"


def test_it_updates_one_row_and_deletes_it(sandbox, client, account):
    client.records.update("account", account, {"telephone1": "2", "fax": None})
    assert sandbox.row("account", account)["telephone1"] == "2"
    client.records.delete("account", account)
    assert sandbox.row("account", account) is None
    assert client.records.retrieve("account", account) is None


def test_its_update_never_makes_a_row(sandbox, client):
    with pytest.raises(HttpError) as refused:
        client.records.update("account", MISSING, {"name": "Never"})
    assert (refused.value.status_code, refused.value.details["service_error_code"]) == (404, "0x80040217")
    assert sandbox.row("account", MISSING) is None


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"name": "x" * 161}, 400, "0x80044331"),
        ({"nonsense": 1}, 400, "0x80048d19"),
        ({"accountid": FIRST_ACCOUNT}, 412, "0x80040237"),
        ({"primarycontactid@odata.bind": f"/contacts({MISSING})"}, 404, "0x80040217"),
    ],
)
def test_it_understands_what_is_refused(client, body, status, code):
    with pytest.raises(HttpError) as refused:
        client.records.create("account", body)
    assert (refused.value.status_code, refused.value.details["service_error_code"]) == (status, code)
    assert refused.value.details["service_request_id"]


def test_it_knows_that_a_table_does_not_exist(client):
    with pytest.raises(MetadataError):
        client.records.create("nosuchtable", {"name": "x"})


@pytest.fixture
def five(client):
    rows = [{"name": f"Query {n}", "numberofemployees": n, "fax": "odd" if n % 2 else None} for n in range(1, 6)]
    client.records.create("account", rows)
    return client.query.builder("account").select("name").where(col("name").startswith("Query")).order_by("name")


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        (lambda: col("numberofemployees") >= 4, "45"),
        (lambda: col("numberofemployees").between(2, 3), "23"),
        (lambda: (col("numberofemployees") == 1) | (col("numberofemployees") == 5), "15"),
        (lambda: ~(col("fax") == "odd"), "24"),
        (lambda: col("fax").is_null(), "24"),
        (lambda: col("fax").is_not_null(), "135"),
        (lambda: col("name").in_(["Query 1", "Query 4"]), "14"),
        (lambda: col("name").not_in(["Query 1", "Query 4"]), "235"),
        (lambda: col("name").contains("ery 3"), "3"),
        (lambda: col("name").like("%2"), "2"),
        (lambda: col("createdon") > datetime.now(UTC) - timedelta(hours=1), "12345"),
        (lambda: col("statecode") != 0, ""),
    ],
)
def test_its_filters_find_what_they_say(five, condition, found):
    assert names(five.where(condition()).execute()) == [f"Query {n}" for n in found]


def test_its_pages_follow_each_other(five):
    assert [names(page) for page in five.page_size(2).execute_pages()] == [
        ["Query 1", "Query 2"],
        ["Query 3", "Query 4"],
        ["Query 5"],
    ]


def test_it_takes_the_first_rows_of_an_order(client, five):
    del five
    ordered = client.query.builder("account").select("name").order_by("name", descending=True)
    assert names(ordered.where(col("name").startswith("Query")).top(2).execute()) == ["Query 5", "Query 4"]


def test_it_reads_labels_and_the_row_behind_a_lookup(client):
    expand = ExpandOption("primarycontactid").select("fullname")
    query = client.query.builder("account").select("name", "customertypecode").expand(expand)
    record = query.where(col("accountid") == FIRST_ACCOUNT).include_formatted_values().execute().first()
    assert record["customertypecode@OData.Community.Display.V1.FormattedValue"] == "Customer"
    assert record["primarycontactid"]["fullname"] == "Greta Hansen"
    behind = client.records.retrieve("account", FIRST_ACCOUNT, select=["name"], expand=["primarycontactid"])
    assert behind["primarycontactid"]["contactid"] == FIRST_CONTACT


def test_it_finds_tables_columns_and_lookups_in_the_metadata(client):
    table = client.tables.get("Account")
    assert (table.logical_name, table.entity_set_name, table.primary_id_attribute) == (
        "account",
        "accounts",
        "accountid",
    )
    assert "contact" in [one["LogicalName"] for one in client.tables.list(select=["LogicalName"])]
    assert [one["LogicalName"] for one in client.tables.list(filter="LogicalName eq 'contact'")] == ["contact"]
    columns = client.query.sql_columns("account")
    assert (columns[0]["name"], columns[0]["is_pk"], columns[1]["name"]) == ("accountid", True, "name")
    assert client.tables.get_column("account", "nosuch") is None
    expands = {one["nav_property"]: one["target_entity_set"] for one in client.query.odata_expands("contact")}
    assert expands["parentcustomerid_account"] == "accounts"
    assert client.tables.get_alternate_keys("product")[0].key_attributes == ["productnumber"]


def test_it_writes_many_rows_in_one_request(sandbox, client):
    ids = client.records.create("account", [{"name": "One"}, {"name": "Two"}, {"name": "Three"}])
    client.records.update("account", ids, {"fax": "same"})
    client.records.update("account", ids[:2], [{"fax": "a"}, {"fax": "b"}])
    assert [sandbox.row("account", one)["fax"] for one in ids] == ["a", "b", "same"]
    assert client.records.delete("account", ids)
    assert [sandbox.row("account", one) for one in ids] == [None, None, None]


def test_many_rows_are_written_all_or_not_at_all(sandbox, client):
    before = len(sandbox.rows("account"))
    with pytest.raises(HttpError):
        client.records.create("account", [{"name": "Fine"}, {"name": "x" * 161}])
    assert len(sandbox.rows("account")) == before


def test_it_upserts_by_an_alternate_key(sandbox, client):
    for name in ("Made", "Changed"):
        client.records.upsert("product", [UpsertItem({"productnumber": "F-1"}, {"name": name})])
        many = [UpsertItem({"productnumber": f"F-{n}"}, {"name": f"{name} {n}"}) for n in (2, 3)]
        client.records.upsert("product", many)
    found = {row["productnumber"]: row["name"] for row in sandbox.rows("product")}
    assert [found[f"F-{n}"] for n in (1, 2, 3)] == ["Changed", "Changed 2", "Changed 3"]


def test_a_batch_does_its_requests_in_their_order(sandbox, client, account):
    batch = client.batch.new()
    batch.records.create("account", {"name": "In a batch / 50 % é"})
    batch.records.update("account", account, {"fax": "batched"})
    batch.records.retrieve("account", account, select=["fax"])
    batch.records.create("contact", [{"lastname": "A"}, {"lastname": "B"}])
    batch.records.list("account", filter="name eq 'Fidelity'", select=["name"], top=5)
    batch.records.upsert("product", [UpsertItem({"productnumber": "F-9"}, {"name": "Nine"})])
    batch.records.delete("account", account)
    result = batch.execute()
    assert [item.status_code for item in result.responses] == [204, 204, 200, 200, 200, 204, 204]
    assert result.responses[2].data["fax"] == "batched"
    assert sandbox.row("account", result.responses[0].entity_id)["name"] == "In a batch / 50 % é"
    assert [row["name"] for row in result.responses[4].data["value"]] == ["Fidelity"]
    assert sandbox.row("account", account) is None


def test_a_batch_goes_on_after_a_failure_when_told_so(client, account):
    def batch():
        made = client.batch.new()
        made.records.update("account", account, {"name": "x" * 161})
        made.records.update("account", account, {"fax": "after"})
        return made

    stopped = batch().execute()
    assert [item.status_code for item in stopped.responses] == [400]
    gone_on = batch().execute(continue_on_error=True)
    assert [item.status_code for item in gone_on.responses] == [400, 204]
    assert gone_on.failed[0].error_code == "0x80044331"


def test_a_change_set_names_its_own_new_row(sandbox, client):
    batch = client.batch.new()
    with batch.changeset() as together:
        contact = together.records.create("contact", {"lastname": "Fresh"})
        account = together.records.create("account", {"name": "Whole", "primarycontactid@odata.bind": contact})
        together.records.update("account", account, {"fax": "same set"})
    result = batch.execute()
    assert [(item.status_code, item.content_id) for item in result.responses] == [(204, "1"), (204, "2"), (204, "3")]
    row = sandbox.row("account", result.responses[1].entity_id)
    assert (row["primarycontactid"], row["fax"]) == (result.responses[0].entity_id, "same set")


def test_a_change_set_is_done_whole_or_not_at_all(sandbox, client, account):
    before = len(sandbox.rows("account"))
    batch = client.batch.new()
    with batch.changeset() as together:
        together.records.create("account", {"name": "Half"})
        together.records.update("account", account, {"fax": "half"})
        together.records.delete("account", MISSING)
    batch.records.update("account", account, {"telephone1": "after the set"})
    result = batch.execute(continue_on_error=True)
    assert [item.status_code for item in result.responses] == [404, 204]
    assert (len(sandbox.rows("account")), sandbox.row("account", account)["fax"]) == (before, None)
    assert sandbox.row("account", account)["telephone1"] == "after the set"


def test_its_data_frames_go_in_and_come_out(sandbox, client):
    ids = client.dataframe.create("account", pd.DataFrame([{"name": "Frame 1"}, {"name": "Frame 2"}]))
    client.dataframe.update("account", pd.DataFrame({"accountid": ids, "fax": ["1", "2"]}), id_column="accountid")
    assert [sandbox.row("account", one)["fax"] for one in ids] == ["1", "2"]
    query = client.query.builder("account").select("name").where(col("name").startswith("Frame"))
    assert sorted(query.execute().to_dataframe()["name"]) == ["Frame 1", "Frame 2"]


@pytest.mark.parametrize(
    ("fault", "status", "is_transient", "retry_after"),
    [
        ({"too_many_requests": 1, "retry_after_seconds": 7}, 429, True, 7),
        ({"unavailable": 1}, 503, True, None),
        ({"expired_token": 1}, 401, False, None),
    ],
)
def test_it_tells_each_fault_apart(sandbox, client, account, fault, status, is_transient, retry_after):
    with sandbox.faults.switched(**fault), pytest.raises(HttpError) as refused:
        client.records.retrieve("account", account)
    details = refused.value.details
    assert (refused.value.status_code, refused.value.is_transient, details.get("retry_after")) == (
        status,
        is_transient,
        retry_after,
    )


def test_it_waits_no_longer_than_it_was_told(sandbox):
    config = DataverseConfig(http_timeout=0.2, http_retries=1)
    with credential(sandbox) as signed_in, DataverseClient(sandbox.api_url, signed_in, config=config) as client:
        client.records.list("account", top=1)
        with (
            sandbox.faults.switched(stall=ALWAYS, stall_seconds=0.6),
            pytest.raises(OSError, match="timed out"),
        ):
            client.records.list("account", top=1)


@pytest.mark.parametrize(
    "query",
    [
        lambda query: query.sql("SELECT name FROM account"),
        lambda query: query.fetchxml('<fetch><entity name="account"/></fetch>').execute(),
    ],
)
def test_a_query_language_that_the_sandbox_lacks_is_refused_and_never_half_answered(client, query):
    with pytest.raises(HttpError) as refused:
        query(client.query)
    assert (refused.value.status_code, refused.value.details["service_error_code"]) == (400, "0x80040203")


def test_it_reads_the_rows_that_our_own_registration_writes(sandbox, client, sqlite_url):
    from contextlib import closing

    from registration.registering import Registering

    from receiver.commands.connection.register_steps import register

    with closing(Registering(sqlite_url, sandbox)) as company:
        register(company.services, "the test")
    (endpoint,) = client.records.list("serviceendpoint", select=["name", "contract", "authtype", "isauthvalueset"])
    assert (endpoint["name"], endpoint["contract"], endpoint["authtype"]) == ("receiver", 8, 5)
    assert endpoint["isauthvalueset"] is True
    steps = list(
        client.records.list("sdkmessageprocessingstep", select=["name", "mode", "stage", "filteringattributes"])
    )
    assert {(step["mode"], step["stage"]) for step in steps} == {(1, 40)}
    assert "receiver: Update of account" in {step["name"] for step in steps}
    images = list(client.records.list("sdkmessageprocessingstepimage", select=["entityalias", "messagepropertyname"]))
    assert len(images) == len([step for step in steps if "Restore" not in step["name"]])
    assert {image["messagepropertyname"] for image in images} == {"Id", "Target"}
    (solution,) = client.records.list("solution", select=["uniquename", "version"])
    assert solution["uniquename"] == "receiver"
