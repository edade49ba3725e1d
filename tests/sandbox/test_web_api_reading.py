"""Queries, pages, annotations, metadata, and change tracking."""

from __future__ import annotations

import datetime as dt
from urllib.parse import quote

import pytest

from receiver.sandbox import Sandbox, SandboxSettings
from receiver.sandbox.seed import FIRST_ACCOUNT, FIRST_CONTACT, SALES_MANAGER

BY_NUMBER = "contains(accountnumber,'NH-10')"


def names(answer):
    return [row["name"] for row in answer["value"]]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("name eq 'Nordwind Trading GmbH'", {"Nordwind Trading GmbH"}),
        ("name eq 'nordwind trading gmbh'", {"Nordwind Trading GmbH"}),
        ("customertypecode eq 11", {"Van der Linden Logistiek B.V.", "Officina Bellini S.r.l."}),
        ("customertypecode eq 3 and statecode eq 1", {"Atelier Moreau SARL"}),
        (
            "customertypecode eq 8 or customertypecode eq 11 and startswith(name,'van')",
            {"Kavárna Zlatý Kohout s.r.o.", "Van der Linden Logistiek B.V."},
        ),
        (
            "(customertypecode eq 8 or customertypecode eq 11) and startswith(name,'van')",
            {"Van der Linden Logistiek B.V."},
        ),
        ("not (customertypecode eq 3 or customertypecode eq 11)", {"Kavárna Zlatý Kohout s.r.o."}),
        ("creditlimit gt 100000", {"Fjellheim Bygg AS"}),
        ("creditlimit ge 42500.50 and creditlimit lt 42500.51", {"Harrow & Pike Ltd"}),
        ("creditlimit eq null and customertypecode ne 11", {"Kavárna Zlatý Kohout s.r.o."}),
        (f"_primarycontactid_value eq {FIRST_CONTACT}", {"Nordwind Trading GmbH"}),
        ("_primarycontactid_value eq null", {"Kavárna Zlatý Kohout s.r.o.", "Atelier Moreau SARL"}),
        (f"accountid eq {FIRST_ACCOUNT}", {"Nordwind Trading GmbH"}),
        ("contains(name,'d''Ouchy') or contains(address1_line1,'d''Ouchy')", {"Brasserie du Lac SA"}),
        ("endswith(name,'AS') and modifiedon ge 2001-01-01T00:00:00Z", {"Fjellheim Bygg AS"}),
        ("modifiedon lt 2001-01-01T00:00:00Z", set()),
        ("creditonhold eq true", set()),
        ("transactioncurrencyid/isocurrencycode eq 'GBP'", {"Harrow & Pike Ltd"}),
        (
            "Microsoft.Dynamics.CRM.In(PropertyName='customertypecode',PropertyValues=['8','11']) and creditonhold eq false",
            {"Kavárna Zlatý Kohout s.r.o.", "Van der Linden Logistiek B.V.", "Officina Bellini S.r.l."},
        ),
    ],
)
def test_a_filter_finds_what_it_says(api, condition, expected):
    answer = api.get(f"accounts?$select=name&$filter={quote(f'({condition}) and {BY_NUMBER}')}")
    assert set(names(answer)) == expected


def test_rows_come_in_the_order_asked_for_and_no_more_than_asked_for(api):
    answer = api.get(f"accounts?$select=name,creditlimit&$filter={BY_NUMBER}&$orderby=creditlimit desc,name&$top=2")
    assert names(answer) == ["Fjellheim Bygg AS", "Nordwind Trading GmbH"]
    empty_first = api.get(f"accounts?$select=name&$filter={BY_NUMBER}&$orderby=creditlimit,name&$top=1")
    assert names(empty_first) == ["Kavárna Zlatý Kohout s.r.o."]


def test_pages_follow_each_other_by_next_link_and_count_all(api):
    path, found, sizes = f"accounts?$select=name&$count=true&$filter={BY_NUMBER}", [], []
    first = answer = api.get(path, Prefer="odata.maxpagesize=3")
    while True:
        found += names(answer)
        sizes.append(len(answer["value"]))
        if "@odata.nextLink" not in answer:
            break
        answer = api.get(answer["@odata.nextLink"], Prefer="odata.maxpagesize=3")
    assert first["@odata.count"] == 8
    assert sizes == [3, 3, 2]
    assert len(set(found)) == 8


def test_a_forged_paging_cookie_is_refused(api):
    assert api("GET", "accounts?$skiptoken=forged").status_code == 400


def test_a_row_shows_nulls_and_without_a_select_everything_readable(api):
    row = api.get(f"accounts({FIRST_ACCOUNT})")
    assert row["_parentaccountid_value"] is None
    assert row["@odata.etag"] == f'W/"{row["versionnumber"]}"'
    assert row["createdon"].endswith("Z")
    assert len(row["createdon"]) == 20
    assert not [name for name in row if "@OData.Community" in name]


def test_annotations_bring_labels_names_and_lookup_tables(api):
    row = api.get(
        f"accounts({FIRST_ACCOUNT})?$select=customertypecode,_primarycontactid_value,statecode,creditlimit",
        Prefer='odata.include-annotations="*"',
    )
    label = "@OData.Community.Display.V1.FormattedValue"
    assert row[f"customertypecode{label}"] == "Customer"
    assert row[f"statecode{label}"] == "Active"
    assert row[f"creditlimit{label}"] == "€75,000.00"
    assert row[f"_primarycontactid_value{label}"] == "Greta Hansen"
    assert row["_primarycontactid_value@Microsoft.Dynamics.CRM.lookuplogicalname"] == "contact"
    assert row["_primarycontactid_value@Microsoft.Dynamics.CRM.associatednavigationproperty"] == "primarycontactid"


def test_the_believable_company_is_there(sandbox):
    assert len([row for row in sandbox.rows("account") if (row["accountnumber"] or "").startswith("NH-")]) == 8
    assert {row["isocurrencycode"] for row in sandbox.rows("transactioncurrency")} == {"EUR", "USD", "GBP"}
    users = sandbox.rows("systemuser")
    assert len(users) == 4
    assert sum(row["isdisabled"] for row in users) == 1
    assert sum(row["isintegrationuser"] for row in users) == 1
    assert sandbox.row("systemuser", SALES_MANAGER)["fullname"] == "Anna Lindqvist"
    assert any(row["parentcustomerid"] is None for row in sandbox.rows("contact"))


TRACKED = {"Prefer": "odata.track-changes"}


def start_tracking(api, path="contacts?$select=fullname"):
    answer = api.get(path, Prefer="odata.track-changes")
    while "@odata.nextLink" in answer:
        answer = api.get(answer["@odata.nextLink"], Prefer="odata.track-changes")
    return answer["@odata.deltaLink"]


def test_change_tracking_tells_changed_rows_and_then_deletions(sandbox, api):
    gone = sandbox.create("contact", {"lastname": "Gone"})
    link = start_tracking(api)
    new = sandbox.create("contact", {"lastname": "New"})
    sandbox.update("contact", FIRST_CONTACT, {"jobtitle": "Chief"})
    sandbox.delete("contact", gone)
    answer = api.get(link)
    rows = [row for row in answer["value"] if "@odata.etag" in row]
    deletions = [row for row in answer["value"] if "reason" in row]
    assert {row["contactid"] for row in rows} == {new, FIRST_CONTACT}
    assert {frozenset(row) for row in rows} == {frozenset({"@odata.etag", "fullname", "contactid"})}
    assert [(row["id"], row["reason"]) for row in deletions] == [(gone, "deleted")]
    assert deletions[0]["@odata.context"].endswith("#contacts/$deletedEntity")
    assert api.get(answer["@odata.deltaLink"])["value"] == []


def test_a_row_made_again_with_its_old_id_is_no_deletion(sandbox, api):
    row_id = sandbox.create("contact", {"lastname": "Back"})
    link = start_tracking(api)
    sandbox.delete("contact", row_id)
    sandbox.create("contact", {"lastname": "Back"}, row_id)
    assert [row.get("reason") for row in api.get(link)["value"]] == [None]


def test_the_delta_link_stands_on_the_last_page_only(sandbox, api):
    first = api.get("contacts?$select=fullname", Prefer="odata.track-changes,odata.maxpagesize=4")
    assert "@odata.deltaLink" not in first
    sandbox.create("contact", {"lastname": "Between Pages"})
    answer = first
    while "@odata.nextLink" in answer:
        answer = api.get(answer["@odata.nextLink"], Prefer="odata.maxpagesize=4")
    changed = api.get(answer["@odata.deltaLink"])
    assert [row["fullname"] for row in changed["value"]] == ["Between Pages"]


@pytest.mark.parametrize("option", ["$filter=statecode eq 0", "$orderby=fullname", "$top=5"])
def test_change_tracking_takes_no_filter_order_or_top(api, option):
    assert api("GET", f"contacts?{option}", Prefer="odata.track-changes").status_code == 400


def test_a_platform_table_is_not_tracked(api):
    assert api("GET", "serviceendpoints", Prefer="odata.track-changes").status_code == 400


def test_a_bad_token_and_an_expired_one_are_refused(api):
    assert api("GET", "contacts?$deltatoken=nonsense").json()["error"]["code"] == "0x80040203"
    clock = [dt.datetime(2026, 5, 1, tzinfo=dt.UTC)]
    with Sandbox(SandboxSettings(page_port=0, api_port=0, now=lambda: clock[0])) as sandbox:
        other = type(api)(sandbox)
        link = start_tracking(other)
        clock[0] += dt.timedelta(days=7, seconds=1)
        other.sign_in()
        answer = other("GET", link)
        other.session.close()
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "0x80044352")


def test_metadata_tells_tables_columns_and_lengths(api):
    table = api.get(
        "EntityDefinitions(LogicalName='account')?$select=EntitySetName,PrimaryIdAttribute,ChangeTrackingEnabled&$expand=Attributes($select=LogicalName,AttributeType,IsValidForUpdate)"
    )
    assert (table["EntitySetName"], table["PrimaryIdAttribute"], table["ChangeTrackingEnabled"]) == (
        "accounts",
        "accountid",
        True,
    )
    columns = {column["LogicalName"]: column for column in table["Attributes"]}
    assert columns["creditlimit"]["AttributeType"] == "Money"
    assert columns["creditlimit_base"]["IsValidForUpdate"] is False
    assert "bcbi_companyid" not in columns
    lengths = api.get(
        "EntityDefinitions(LogicalName='account')/Attributes/Microsoft.Dynamics.CRM.StringAttributeMetadata?$select=LogicalName,MaxLength"
    )
    assert {"LogicalName": "name", "MaxLength": 160}.items() <= next(
        one for one in lengths["value"] if one["LogicalName"] == "name"
    ).items()
    assert all(one["@odata.type"].endswith("StringAttributeMetadata") for one in lengths["value"])


def test_metadata_tells_one_column_choices_relationships_and_keys(api):
    name = api.get("EntityDefinitions(LogicalName='contact')/Attributes(LogicalName='fullname')")
    assert (name["MaxLength"], name["IsValidForCreate"]) == (160, False)
    choices = api.get(
        "EntityDefinitions(LogicalName='account')/Attributes/Microsoft.Dynamics.CRM.PicklistAttributeMetadata?$filter=LogicalName eq 'customertypecode'&$expand=OptionSet($select=Options)"
    )
    assert [one["Value"] for one in choices["value"][0]["OptionSet"]["Options"]] == list(range(1, 13))
    relationships = api.get(
        "EntityDefinitions(LogicalName='contact')/ManyToOneRelationships?$select=ReferencingAttribute,ReferencingEntityNavigationPropertyName,ReferencedEntity"
    )
    assert {
        "ReferencingAttribute": "parentcustomerid",
        "ReferencingEntityNavigationPropertyName": "parentcustomerid_contact",
        "ReferencedEntity": "contact",
    } in relationships["value"]
    keys = api.get("EntityDefinitions(LogicalName='product')/Keys")
    assert keys["value"][0]["KeyAttributes"] == ["productnumber"]


def test_metadata_is_found_by_filter_and_unknown_tables_are_not(api):
    found = api.get("EntityDefinitions?$filter=LogicalName eq 'account'&$select=LogicalName")
    assert [table["LogicalName"] for table in found["value"]] == ["account"]
    assert api("GET", "EntityDefinitions(LogicalName='nothing')").status_code == 404


def test_the_company_column_is_there_when_asked_for():
    with Sandbox(SandboxSettings(page_port=0, api_port=0, with_company_id=True)) as sandbox:
        company = sandbox.create("bcbi_company", {"name": "CRONUS"})
        row_id = sandbox.create("account", {"name": "Of Cronus", "bcbi_companyid": company})
        assert sandbox.row("account", row_id)["bcbi_companyid"] == company
