"""The bytes of a body are Dataverse's own: real captures come out as they came in."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.sandbox import context as made_of
from receiver.sandbox import exact_json, wire

PAYLOADS = Path(__file__).parents[2].parent / "shared" / "payloads"
DATE = re.compile(r"/Date\((-?\d+)([+-]\d{4})?\)/")
NAMED = {
    "Entity": made_of.Entity,
    "EntityReference": made_of.EntityReference,
    "EntityCollection": made_of.EntityCollection,
    "OptionSetValue": made_of.OptionSetValue,
    "Money": made_of.Money,
    "Relationship": made_of.Relationship,
    "KeyValuePairOfstringstring": made_of.KeyValuePair,
}
BAGS = {
    "Attributes",
    "FormattedValues",
    "KeyAttributes",
    "RelatedEntities",
    "InputParameters",
    "OutputParameters",
    "SharedVariables",
}
IMAGES = {"PreEntityImages", "PostEntityImages"}


def context(given):
    known = {one.name for one in fields(made_of.ExecutionContext)}
    assert set(given) <= known
    return made_of.ExecutionContext(**{name: member(name, value) for name, value in given.items()})


def member(name, value):
    if name == "ParentContext":
        return context(value) if value else None
    if name == "OwningExtension":
        return typed(made_of.EntityReference, value)
    if name in IMAGES:
        return tuple((pair["key"], typed(made_of.Entity, pair["value"])) for pair in value)
    if name in BAGS:
        return tuple((pair["key"], plain(pair["value"])) for pair in value)
    if name == "Entities":
        return tuple(typed(made_of.Entity, one) for one in value)
    return plain(value)


def typed(kind, given):
    return kind(**{name: member(name, value) for name, value in given.items() if name != "__type"})


def plain(value):
    if isinstance(value, dict):
        return typed(NAMED[value["__type"].partition(":")[0]], value)
    if isinstance(value, list):
        return tuple(plain(one) for one in value)
    found = DATE.fullmatch(value) if isinstance(value, str) else None
    return made_of.WireDate(int(found[1]), found[2] or "") if found else value


def payload(name):
    file = PAYLOADS / name
    if not file.exists():
        pytest.skip("the captured payloads are not beside the checkout")
    return file.read_bytes()


@pytest.mark.payloads
@pytest.mark.parametrize("name", ["08-Create-lead.json", "10-Delete-lead.json", "11-Assign-opportunity.json"])
def test_a_real_capture_comes_out_byte_for_byte(name):
    raw = payload(name)
    assert wire.body(context(exact_json.loads(raw))) == raw


@pytest.mark.payloads
@pytest.mark.parametrize(
    "name",
    [
        "associate",
        "create-sync",
        "createmultiple",
        "customapi-bound",
        "delete",
        "merge",
        "setstate",
        "size-exceeded-default",
        "update",
    ],
)
def test_what_microsofts_serializer_wrote_comes_out_byte_for_byte(name):
    raw = payload(f"sdk/{name}.json")
    assert wire.body(context(exact_json.loads(raw))) == raw


def empty(**members):
    nothing = made_of.NO_ID
    given = {
        "MessageName": "Update",
        "PrimaryEntityName": "account",
        "PrimaryEntityId": nothing,
        "Mode": 1,
        "Stage": 40,
        "OrganizationId": nothing,
        "OrganizationName": "unq",
        "BusinessUnitId": nothing,
        "UserId": nothing,
        "InitiatingUserId": nothing,
        "CorrelationId": nothing,
        "OperationId": nothing,
        "RequestId": None,
        "OperationCreatedOn": made_of.WireDate(0, "+0000"),
        "OwningExtension": made_of.EntityReference(nothing, "sdkmessageprocessingstep"),
    }
    return made_of.ExecutionContext(**given | members)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("a/b", r'"a\/b"'),
        ('"quoted" \\', r'"\"quoted\" \\"'),
        ("line\nnext\ttab\r", r'"line\u000anext\u0009tab\u000d"'),
        ("\x00\x1f", r'"\u0000\u001f"'),
        ("é € Ω 漢", '"é € Ω 漢"'),
        ("\U0001f680", r'"\ud83d\ude80"'),
        ("\u2028", r'"\u2028"'),
        (Decimal("10.0100"), "10.0100"),
        (Decimal("1.0000000000"), "1.0000000000"),
        (Decimal("1E+3"), "1000"),
        (9007199254740993, "9007199254740993"),
        (True, "true"),
        (None, "null"),
        (made_of.WireDate(-2209161600000), r'"\/Date(-2209161600000)\/"'),
        (made_of.WireDate(5, "+0000"), r'"\/Date(5+0000)\/"'),
        (
            made_of.Money(Decimal("2154.3200")),
            r'{"__type":"Money:http:\/\/schemas.microsoft.com\/xrm\/2011\/Contracts","Value":2154.3200}',
        ),
        (
            (made_of.OptionSetValue(1),),
            r'[{"__type":"OptionSetValue:http:\/\/schemas.microsoft.com\/xrm\/2011\/Contracts","Value":1}]',
        ),
    ],
)
def test_each_kind_of_value_is_written_as_dotnet_writes_it(value, written):
    body = wire.body(empty(SharedVariables=(("x", value),)))
    assert f'"SharedVariables":[{{"key":"x","value":{written}}}]'.encode() in body


def test_members_stand_in_alphabetical_order_and_absent_ones_are_left_out():
    names = list(json.loads(wire.body(empty())))
    assert names == sorted(names)
    assert "InitiatingUserAgent" not in names
    assert "InitiatingUserAgent" in json.loads(wire.body(empty(InitiatingUserAgent="")))


@given(st.text())
def test_every_text_reads_back_as_it_was(text):
    body = wire.body(empty(SharedVariables=(("x", text),)))
    assert json.loads(body)["SharedVariables"][0]["value"] == text
