"""Every captured body, read: what it says, which parameters of which types, and that nothing in it is odd."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from flows.captures import IS_THERE, WHY_NOT, body, names

from receiver.core.message import NO_ID, ExecutionContext, Relationship, Row
from receiver.core.values import Opaque, Reference
from receiver.handlers import handler_of
from receiver.schemas.execution_context import read_context, read_envelope

pytestmark = [pytest.mark.payloads, pytest.mark.skipif(not IS_THERE, reason=WHY_NOT)]

RIBBON = "bcs_OpenInBC"
A, B = "10000000-0000-4000-8000-000000000001", "10000000-0000-4000-8000-000000000002"
C = "20000000-0000-4000-8000-000000000001"

#: file: message, table, id, synchronous, parameters with their types, images, rows that the handler asks for
Meaning = tuple[str, str, str, bool, dict[str, str], tuple[str, ...], list[tuple[str, str]] | None]
AUTOMATIC = ("AsynchronousStepPrimaryName",)
MEANINGS: dict[str, Meaning] = {
    "01-Update-contact.json": ("Update", "contact", "6d81597f-0f9f-e711-8122-000d3aa2331c", False, {"Target": "Row"}, AUTOMATIC, [("contact", "6d81597f-0f9f-e711-8122-000d3aa2331c")]),
    "02-Update-account.json": ("Update", "account", "ec4e2f7d-9d60-e811-a95a-000d3af24950", True, {"Target": "Row", "TargetReference": "Reference"}, (), [("account", "ec4e2f7d-9d60-e811-a95a-000d3af24950")]),
    "03-Create-albxrm_alltypes.json": ("Create", "albxrm_alltypes", "44bfc2a7-903e-eb11-a813-000d3ad9c2e1", False, {"Target": "Row"}, AUTOMATIC, [("albxrm_alltypes", "44bfc2a7-903e-eb11-a813-000d3ad9c2e1")]),
    "04-Create-shko_allfields.json": ("Create", "shko_allfields", "6420f0cc-916b-ee11-9ae6-000d3a688809", True, {"Target": "Row"}, (), [("shko_allfields", "6420f0cc-916b-ee11-9ae6-000d3a688809")]),
    "05-Create-sharepointdocumentlocation.json": ("Create", "sharepointdocumentlocation", "1e3839b3-08d4-ef11-aeb0-00155d000101", False, {"Target": "Row"}, ("PostImage", *AUTOMATIC), [("sharepointdocumentlocation", "1e3839b3-08d4-ef11-aeb0-00155d000101")]),
    "08-Create-lead.json": ("Create", "lead", "e837c9ec-8151-e811-a950-000d3a391928", True, {"Target": "Row"}, (), [("lead", "e837c9ec-8151-e811-a950-000d3a391928")]),
    "10-Delete-lead.json": ("Delete", "lead", "b9581547-2a60-e811-a952-000d3a391928", False, {"Target": "Reference"}, AUTOMATIC, [("lead", "b9581547-2a60-e811-a952-000d3a391928")]),
    "11-Assign-opportunity.json": ("Assign", "opportunity", "b77cca08-7450-e911-a95c-000d3a454977", False, {"Target": "Reference", "Assignee": "Reference"}, AUTOMATIC, [("opportunity", "b77cca08-7450-e911-a95c-000d3a454977")]),
    "15-devkit_DebugCustomAction-none.json": ("devkit_DebugCustomAction", "none", NO_ID, False, {"InputBoolean": "bool", "InputDateTime": "str", "InputDecimal": "Decimal", "InputEntity": "Row", "InputEntityCollection": "rows", "InputEntityReference": "Reference", "InputFloat": "Decimal", "InputInteger": "int", "InputMoney": "Decimal", "InputPickList": "int", "InputString": "str"}, (), None),
    "16-devkit_DebugCustomApi-none.json": ("devkit_DebugCustomApi", "none", NO_ID, False, {"devkit_InputBoolean": "bool", "devkit_InputDateTime": "str", "devkit_InputDecimal": "Decimal", "devkit_InputEntity": "Row", "devkit_InputEntityCollection": "rows", "devkit_InputEntityReference": "Reference", "devkit_InputFloat": "Decimal", "devkit_InputInteger": "int", "devkit_InputMoney": "Decimal", "devkit_InputPicklist": "int", "devkit_InputString": "str", "devkit_InputStringArray": "texts", "devkit_InputGuid": "str"}, (), None),
    "17-Update-account.json": ("Update", "account", "ec4e2f7d-9d60-e811-a95a-000d3af24950", True, {"Target": "Row"}, (), [("account", "ec4e2f7d-9d60-e811-a95a-000d3af24950")]),
    "19-Create-account.json": ("Create", "account", "acf5b83d-06a1-4ef3-b78f-c2eca283e6ad", True, {"Target": "Row", "x-ms-app-name": "str", "SuppressDuplicateDetection": "bool"}, (), [("account", "acf5b83d-06a1-4ef3-b78f-c2eca283e6ad")]),
    "20-Create-contact.json": ("Create", "contact", "223f05ea-7593-f011-b4cc-000d3aa25840", True, {"Target": "Row"}, (), [("contact", "223f05ea-7593-f011-b4cc-000d3aa25840")]),
    "sdk/associate.json": ("Associate", "none", NO_ID, False, {"Target": "Reference", "Relationship": "Relationship", "RelatedEntities": "references"}, (), [("account", A), ("contact", C), ("contact", B)]),
    "sdk/create-sync.json": ("Create", "account", A, True, {"Target": "Row"}, (), [("account", A)]),
    "sdk/create-types.json": ("Create", "account", A, False, {"Target": "Row", "SuppressDuplicateDetection": "bool"}, (), [("account", A)]),
    "sdk/createmultiple.json": ("CreateMultiple", "account", NO_ID, False, {"Targets": "rows"}, (), [("account", A), ("account", B)]),
    "sdk/customapi-bound.json": (RIBBON, "account", A, True, {"Target": "Reference", "Company": "str"}, (), [("account", A)]),
    "sdk/delete.json": ("Delete", "account", A, False, {"Target": "Reference"}, AUTOMATIC, [("account", A)]),
    "sdk/merge.json": ("Merge", "account", A, False, {"Target": "Reference", "SubordinateId": "str", "UpdateContent": "Row", "PerformParentingChecks": "bool"}, (), [("account", A), ("account", B)]),
    "sdk/setstate.json": ("SetState", "account", A, False, {"EntityMoniker": "Reference", "State": "int", "Status": "int"}, (), [("account", A)]),
    "sdk/size-exceeded-default.json": ("Update", "account", A, False, {}, (), [("account", A)]),
    "sdk/update.json": ("Update", "account", A, False, {"Target": "Row"}, ("pre", "post"), [("account", A)]),
}  # fmt: skip

_KINDS: dict[type, str] = {Row: "rows", Reference: "references", str: "texts"}


def kind(value: Any) -> str:
    if isinstance(value, tuple):
        return _KINDS[type(value[0])]
    assert isinstance(value, Row | Reference | Relationship | Decimal | bool | int | str | Opaque)
    return type(value).__name__


def context_of(file: str) -> ExecutionContext:
    return read_context(read_envelope(body(file)))


def test_the_table_names_every_capture() -> None:
    assert set(MEANINGS) == names()


@pytest.mark.parametrize(("file", "meaning"), MEANINGS.items(), ids=MEANINGS)
def test_every_capture_is_read_as_it_was_meant(file: str, meaning: Meaning) -> None:
    message, table, id_, is_synchronous, parameters, images, rows = meaning
    found = context_of(file)

    assert (found.message, found.table, found.id, found.is_synchronous) == (message, table, id_, is_synchronous)
    assert {name: kind(value) for name, value in found.parameters.items()} == parameters
    assert {*found.pre_images, *found.post_images} == set(images)
    handler = handler_of(message, RIBBON)
    assert (handler and [(one.table, one.id) for one in handler(found)]) == rows


@pytest.mark.parametrize("file", sorted(set(MEANINGS) - {"17-Update-account.json"}))
def test_nothing_that_dataverse_sends_is_odd(file: str) -> None:
    assert context_of(file).defects == ()


def test_what_a_publisher_changed_is_noted_with_its_place_and_read_as_a_hint() -> None:
    found = context_of("17-Update-account.json")
    handler = handler_of("Update", RIBBON)
    assert handler is not None

    assert all(one.place.startswith("/InputParameters/0/value") for one in found.defects)
    assert [one.image for one in handler(found)] == [None]


@pytest.mark.parametrize(
    ("file", "column", "value"),
    [
        ("01-Update-contact.json", "firstname", "James"),
        ("01-Update-contact.json", "modifiedonbehalfby", None),
        ("02-Update-account.json", "telephone1", "1111"),
        ("03-Create-albxrm_alltypes.json", "albxrm_twooptions", True),
        ("03-Create-albxrm_alltypes.json", "albxrm_decimal", Decimal("10.0100")),
        ("03-Create-albxrm_alltypes.json", "albxrm_float", Decimal("2365.12")),
        ("03-Create-albxrm_alltypes.json", "exchangerate", Decimal(1)),
        ("08-Create-lead.json", "description", None),
        ("sdk/create-types.json", "a_string", 'x / "q" \\ \n\t é € \U0001f680 </script>'),
        ("sdk/create-types.json", "a_int", 5),
        ("sdk/create-types.json", "a_long", 9007199254740993),
        ("sdk/create-types.json", "a_decimal", Decimal("10.0100")),
        ("sdk/create-types.json", "a_double_whole", 100),
        ("sdk/create-types.json", "a_bool", True),
        ("sdk/create-types.json", "a_guid", B),
        ("sdk/create-types.json", "a_date_utc", datetime(2025, 1, 2, 3, 4, 5, 678000, UTC)),
        ("sdk/create-types.json", "a_date_local", datetime(2025, 1, 2, 11, 4, 5, tzinfo=UTC)),
        ("sdk/create-types.json", "a_date_old", datetime(1899, 12, 30, tzinfo=UTC)),
        ("sdk/create-types.json", "a_null", None),
        ("sdk/create-types.json", "a_lookup", Reference("contact", C)),
        ("sdk/create-types.json", "a_option", 3),
        ("sdk/create-types.json", "a_money", Decimal("2154.3200")),
        ("sdk/create-types.json", "a_multiselect", (1,)),
        ("sdk/create-types.json", "a_boolmanaged", True),
        ("sdk/create-types.json", "a_aliased", "Max"),
        ("sdk/create-types.json", "a_lookup_bykey", Reference("account", A)),
    ],
)
def test_a_targets_value_is_read_by_its_type(file: str, column: str, value: object) -> None:
    target = context_of(file).parameters["Target"]

    assert isinstance(target, Row)
    assert target.values[column] == value
    assert type(target.values[column]) is type(value)


def test_a_party_list_is_no_value_that_a_mapping_could_read() -> None:
    target = context_of("sdk/create-types.json").parameters["Target"]

    assert isinstance(target, Row)
    assert "a_party" not in target.values


def test_the_envelope_stays_when_the_body_was_too_large() -> None:
    found = context_of("sdk/size-exceeded-default.json")

    assert (found.parameters, found.pre_images, found.post_images) == ({}, {}, {})
    assert found.organization_id == "ae89a861-0000-4000-8000-00000000000a"
