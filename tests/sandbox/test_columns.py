"""Columns that are secured, masked, or the environment's own, and what the metadata say of all of them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from receiver.sandbox.column_security import PROFILE_ID
from receiver.sandbox.seed import APPLICATION_USER, FIRST_ACCOUNT, FIRST_CONTACT, SALES_MANAGER

ROW = f"accounts({FIRST_ACCOUNT})"
MASK = "***-**-5353"
ATTRIBUTES = "EntityDefinitions(LogicalName='account')/Attributes"
CAST = f"{ATTRIBUTES}/Microsoft.Dynamics.CRM."


def code(answer):
    return answer.status_code, answer.json()["error"]["code"] if answer.status_code >= 400 else None


@pytest.fixture
def secured(sandbox):
    sandbox.update("account", FIRST_ACCOUNT, {"fax": "555-12-5353", "revenue": "1500"})

    def secure(column="fax", **rights):
        sandbox.secure("account", column, **rights)

    yield secure
    for column in ("fax", "revenue"):
        sandbox.unsecure("account", column)


@pytest.mark.parametrize(
    ("rights", "asked", "shown"),
    [
        ({}, "", None),
        ({"create": True, "update": True}, "", None),
        ({"read": True}, "", "555-12-5353"),
        ({"masked": MASK}, "", MASK),
        ({"masked": MASK}, "UnMaskedData=true&", MASK),
        ({"masked": MASK, "unmasked": True}, "", MASK),
        ({"masked": MASK, "unmasked": True}, "UnMaskedData=true&", "555-12-5353"),
    ],
)
def test_a_secured_column_reads_as_its_rights_allow(api, secured, rights, asked, shown):
    secured(**rights)
    assert api.get(f"{ROW}?{asked}$select=fax")["fax"] == shown
    listed = api.get(f"accounts?{asked}$select=fax&$filter=accountid eq {FIRST_ACCOUNT}")["value"]
    assert [row["fax"] for row in listed] == [shown]
    behind = f"contacts({FIRST_CONTACT})?{asked}$expand=parentcustomerid_account($select=fax)"
    expanded = api.get(behind)["parentcustomerid_account"]["fax"]
    assert expanded == (MASK if "masked" in rights else shown)
    changed = api("GET", f"accounts?{asked}$select=fax", Prefer="odata.track-changes").json()["value"]
    assert next(row["fax"] for row in changed if row["accountid"] == FIRST_ACCOUNT) == shown


def test_an_empty_column_has_no_mask_and_an_amount_is_masked_as_a_text(sandbox, api, secured):
    secured("revenue", masked="##,###")
    annotated = {"Prefer": 'odata.include-annotations="*"'}
    row = api("GET", f"{ROW}?$select=revenue", **annotated).json()
    assert row["revenue"] == "##,###"
    assert "revenue@OData.Community.Display.V1.FormattedValue" not in row
    sandbox.update("account", FIRST_ACCOUNT, {"revenue": None})
    assert api.get(f"{ROW}?$select=revenue")["revenue"] is None


def test_no_condition_finds_what_may_not_be_read(api, secured):
    path = "accounts?$select=name&$filter=fax eq '555-12-5353'"
    assert len(api.get(path)["value"]) == 1
    secured()
    assert api.get(path)["value"] == []


@pytest.mark.parametrize(
    ("rights", "create", "update"),
    [
        ({"read": True}, (403, "0x8004f502"), (403, "0x8004f507")),
        ({"create": True}, (204, None), (403, "0x8004f507")),
        ({"update": True}, (403, "0x8004f502"), (204, None)),
        ({"masked": MASK, "update": True, "create": True}, (204, None), (204, None)),
    ],
)
@pytest.mark.parametrize("value", ["new", None])
def test_a_write_that_names_a_secured_column_needs_its_right(sandbox, api, secured, rights, create, update, value):
    secured(**rights)
    before = sandbox.row("account", FIRST_ACCOUNT)["fax"]
    assert code(api("POST", "accounts", {"name": "New", "fax": value})) == create
    assert code(api("PATCH", ROW, {"fax": value})) == update
    assert sandbox.row("account", FIRST_ACCOUNT)["fax"] == (value if update[0] == 204 else before)
    assert code(api("PATCH", ROW, {"telephone1": "1"})) == (204, None)


def test_a_representation_shows_null_for_what_was_written_but_may_not_be_read(sandbox, api, secured):
    secured(update=True)
    shown = api("PATCH", f"{ROW}?$select=fax", {"fax": "hidden"}, Prefer="return=representation").json()
    assert shown["fax"] is None
    assert sandbox.row("account", FIRST_ACCOUNT)["fax"] == "hidden"


@pytest.mark.parametrize(
    ("rights", "expected"),
    [
        ({}, None),
        ({"read": True}, (4, 0, 0, 0)),
        ({"create": True, "update": True}, (0, 4, 4, 0)),
        ({"masked": MASK}, (4, 0, 0, 0)),
        ({"masked": MASK, "unmasked": True}, (4, 0, 0, 3)),
    ],
)
def test_the_rights_can_be_read(api, secured, rights, expected):
    secured(**rights)
    profiles = api.get(f"systemusers({APPLICATION_USER})/systemuserprofiles_association?$select=name")["value"]
    assert [one["fieldsecurityprofileid"] for one in profiles] == [PROFILE_ID]
    found = api.get(f"fieldpermissions?$filter=_fieldsecurityprofileid_value eq {PROFILE_ID}")["value"]
    names = ("canread", "cancreate", "canupdate", "canreadunmasked")
    rights_found = [tuple(one[name] for name in names) for one in found if one["attributelogicalname"] == "fax"]
    assert rights_found == ([expected] if expected else [])
    assert {one["entityname"] for one in found} <= {"account"}
    rules = api.get("attributemaskingrules?$filter=entityname eq 'account'&$select=attributelogicalname")["value"]
    assert [one["attributelogicalname"] for one in rules] == (["fax"] if "masked" in rights else [])


def test_other_people_are_in_no_profile_and_nobody_is_in_a_team(api, secured):
    secured(read=True)
    assert api.get(f"systemusers({SALES_MANAGER})/systemuserprofiles_association")["value"] == []
    assert api.get(f"systemusers({APPLICATION_USER})/teammembership_association")["value"] == []


def test_a_column_that_is_no_longer_secured_is_like_any_other(sandbox, api, secured):
    secured(masked=MASK)
    sandbox.unsecure("account", "fax")
    assert api.get(f"{ROW}?$select=fax")["fax"] == "555-12-5353"
    assert api.get("fieldpermissions")["value"] == api.get("attributemaskingrules")["value"] == []


@pytest.mark.parametrize("column", ["accountid", "primarycontactid", "ownerid", "statecode", "modifiedon"])
def test_some_columns_cannot_be_secured(sandbox, column):
    with pytest.raises(ValueError, match="cannot be secured"):
        sandbox.secure("account", column)


def described(api, column, cast=""):
    path = f"{ATTRIBUTES}(LogicalName='{column}')" + (
        f"/Microsoft.Dynamics.CRM.{cast}AttributeMetadata" if cast else ""
    )
    return api.get(path)


def test_the_metadata_say_what_is_secured(api, secured):
    secured()
    secured_ones = api.get(f"{ATTRIBUTES}?$select=LogicalName,IsSecured&$filter=IsSecured eq true")["value"]
    assert [one["LogicalName"] for one in secured_ones] == ["fax"]
    assert [described(api, one)["CanBeSecuredForRead"] for one in ("fax", "ownerid")] == [True, False]


@pytest.mark.parametrize(
    ("column", "cast", "members"),
    [
        ("name", "String", {"MaxLength": 160, "SourceType": 0, "AttributeOf": None, "IsValidForRead": True}),
        ("description", "Memo", {"MaxLength": 2000}),
        ("creditlimit", "Money", {"Precision": 2, "PrecisionSource": 2, "CalculationOf": None}),
        ("creditlimit_base", "Money", {"CalculationOf": "creditlimit", "IsValidForUpdate": False}),
        ("exchangerate", "Decimal", {"Precision": 10, "IsValidForCreate": False}),
        ("ownerid", "Lookup", {"AttributeType": "Owner", "Targets": ["systemuser", "team"]}),
        ("primarycontactidname", "", {"AttributeOf": "primarycontactid", "AttributeType": "String"}),
        ("customertypecodename", "", {"AttributeOf": "customertypecode", "AttributeType": "Virtual"}),
    ],
)
def test_the_metadata_describe_a_column_by_its_type(api, column, cast, members):
    assert {name: described(api, column, cast)[name] for name in members} == members


def test_the_id_is_required_by_the_system(api):
    assert described(api, "accountid")["RequiredLevel"]["Value"] == "SystemRequired"
    assert described(api, "name")["RequiredLevel"]["Value"] == "None"


@pytest.mark.parametrize("name", ["MaxLength", "Precision", "Targets"])
def test_what_one_type_has_is_selected_of_that_type_alone(api, name):
    assert code(api("GET", f"{ATTRIBUTES}?$select=LogicalName,{name}")) == (400, "0x80060888")
    inner = f"EntityDefinitions(LogicalName='account')?$expand=Attributes($select=LogicalName,{name})"
    assert code(api("GET", inner)) == (400, "0x80060888")


def labels(api, column, cast):
    rows = api.get(f"{CAST}{cast}AttributeMetadata?$select=LogicalName&$expand=OptionSet")["value"]
    options = next(one["OptionSet"]["Options"] for one in rows if one["LogicalName"] == column)
    return {one["Value"]: one["Label"]["UserLocalizedLabel"]["Label"] for one in options}


def test_an_option_of_ones_own_is_accepted_shown_and_described(sandbox, api):
    body = {"paymenttermscode": 100_000_000}
    assert code(api("PATCH", ROW, body)) == (400, "0x8004431a")
    sandbox.add_option("account", "paymenttermscode", 100_000_000, "Net 90")
    sandbox.rename_option("account", "paymenttermscode", 1, "30 days")
    assert code(api("PATCH", ROW, body)) == (204, None)
    assert labels(api, "paymenttermscode", "Picklist")[100_000_000] == "Net 90"
    assert labels(api, "paymenttermscode", "Picklist")[1] == "30 days"
    row = api("GET", ROW, Prefer='odata.include-annotations="*"').json()
    assert row["paymenttermscode@OData.Community.Display.V1.FormattedValue"] == "Net 90"
    sandbox.remove_option("account", "paymenttermscode", 100_000_000)
    assert code(api("PATCH", ROW, body)) == (400, "0x8004431a")
    assert api.get(ROW)["paymenttermscode"] == 100_000_000
    with pytest.raises(KeyError):
        sandbox.rename_option("account", "paymenttermscode", 5, "None")


def test_a_status_reason_of_ones_own_belongs_to_its_state(sandbox, api):
    sandbox.add_option("account", "statuscode", 100_000_001, "Dormant", state=1)
    assert code(api("PATCH", ROW, {"statuscode": 100_000_001})) == (400, "0x80048408")
    assert code(api("PATCH", ROW, {"statecode": 1, "statuscode": 100_000_001})) == (204, None)
    rows = api.get(f"{CAST}StatusAttributeMetadata?$select=LogicalName&$expand=OptionSet")["value"]
    states = {one["Value"]: one["State"] for one in rows[0]["OptionSet"]["Options"]}
    assert states == {1: 0, 2: 1, 100_000_001: 1}
    assert labels(api, "statecode", "State") == {0: "Active", 1: "Inactive"}
    api("PATCH", ROW, {"statecode": 0})


@pytest.mark.parametrize(
    ("kind", "more", "sent", "kept"),
    [
        ("String", {"length": 5}, "12345", "12345"),
        ("Memo", {}, "a\nb", "a\nb"),
        ("Integer", {}, 5, 5),
        ("Decimal", {"scale": 3}, Decimal("1.2345"), Decimal("1.235")),
        ("Money", {"precision_source": 0, "precision": 1}, Decimal("9.99"), Decimal("10.0000")),
        ("Boolean", {"options": {0: "Off", 1: "On"}}, True, True),
        ("DateTime", {"date_only": True}, "2024-05-06", "2024-05-06"),
        ("Picklist", {"options": {7: "Seven"}}, 7, 7),
    ],
)
def test_a_column_of_ones_own_is_written_read_described_and_removed(sandbox, api, kind, more, sent, kept):
    sandbox.add_column("account", "new_own", kind, **more)
    assert code(api("PATCH", ROW, {"new_own": sent})) == (204, None)
    assert api.get(f"{ROW}?$select=new_own")["new_own"] == kept
    assert described(api, "new_own")["AttributeType"] == kind
    version = sandbox.row("account", FIRST_ACCOUNT)["versionnumber"]
    sandbox.remove_column("account", "new_own")
    assert sandbox.row("account", FIRST_ACCOUNT)["versionnumber"] == version
    assert code(api("GET", f"{ROW}?$select=new_own")) == (400, "0x80060888")
    assert code(api("PATCH", ROW, {"new_own": sent})) == (400, "0x80048d19")
    assert code(api("PATCH", ROW, {"telephone1": "2"})) == (204, None)


def test_a_lookup_of_ones_own_leads_where_it_was_told_to(sandbox, api):
    sandbox.add_column("account", "new_agentid", "Lookup", lookup_to="contact", navigation="new_AgentId")
    assert code(api("PATCH", ROW, {"new_AgentId@odata.bind": f"/contacts({FIRST_CONTACT})"})) == (204, None)
    row = api.get(f"{ROW}?$select=_new_agentid_value&$expand=new_AgentId($select=fullname)")
    assert row["new_AgentId"]["contactid"] == row["_new_agentid_value"] == FIRST_CONTACT
    sandbox.remove_column("account", "new_agentid")


def test_a_column_that_was_narrowed_refuses_longer_texts_and_says_so(sandbox, api):
    sandbox.change_column("account", "fax", length=3)
    assert code(api("PATCH", ROW, {"fax": "1234"})) == (400, "0x80044331")
    assert described(api, "fax")["MaxLength"] == 3
    sandbox.change_column("account", "fax", length=50, access="r")
    assert described(api, "fax")["IsValidForUpdate"] is False
    assert code(api("PATCH", ROW, {"fax": "passed over"})) == (204, None)
    assert sandbox.row("account", FIRST_ACCOUNT)["fax"] != "passed over"
    sandbox.change_column("account", "fax", access="cru")


def test_a_column_that_numbers_itself_says_how(sandbox, api):
    sandbox.autonumber("account", "accountnumber", "ACC-{:05d}")
    assert described(api, "accountnumber")["AutoNumberFormat"] == "ACC-{:05d}"
    sandbox.autonumber("account", "accountnumber", "")
    assert described(api, "accountnumber")["AutoNumberFormat"] is None
