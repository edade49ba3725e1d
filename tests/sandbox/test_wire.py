"""Each kind of value is written as .NET writes it; whole bodies are compared in tests/fidelity."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.sandbox import context as made_of
from receiver.sandbox import wire


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
