"""Each value of an execution context becomes a core value, or a defect that says where it stands and loses nothing else."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from schemas.bodies import ID, OTHER_ID, bag, body, entity, read, read_attribute, reference, typed

from receiver.core.message import Defect, Relationship, Row
from receiver.core.values import Opaque, Reference, from_plain, to_plain
from receiver.schemas.attributes import Reader

REFERENCE = Reference("account", ID)

READ = [
    ("null", "null", None),
    ("text", '"Nordwind"', "Nordwind"),
    ("empty text", '""', ""),
    ("text that looks like a guid", f'"{ID}"', ID),
    ("text that looks like a number", '"3"', "3"),
    ("text that is nearly a date", r'"on \/Date(5)\/"', "on /Date(5)/"),
    ("yes", "true", True),
    ("no", "false", False),
    ("a whole number", "7", 7),
    ("a large whole number", "9007199254740993", 9007199254740993),
    ("a decimal", "10.5", Decimal("10.5")),
    ("a decimal's scale", "10.0100", Decimal("10.0100")),
    ("a decimal with an exponent", "1.5E-7", Decimal("1.5E-7")),
    ("a moment", r'"\/Date(1700000000000)\/"', datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
    ("a moment's offset says nothing", r'"\/Date(1700000000000+0530)\/"', datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
    ("a moment with milliseconds", r'"\/Date(1)\/"', datetime(1970, 1, 1, 0, 0, 0, 1000, tzinfo=UTC)),
    ("a moment before 1970", r'"\/Date(-2209161600000-0800)\/"', datetime(1899, 12, 30, tzinfo=UTC)),
    ("a choice", json.dumps(typed("OptionSetValue", Value=3)), 3),
    ("choices", json.dumps([typed("OptionSetValue", Value=3), typed("OptionSetValue", Value=4)]), (3, 4)),
    ("no choices", "[]", ()),
    ("money", '{"__type":"Money:x","Value":2154.3200}', Decimal("2154.3200")),
    ("whole money", '{"__type":"Money:x","Value":2154}', Decimal(2154)),
    ("a managed property", json.dumps(typed("BooleanManagedProperty", CanBeChanged=True, Value=True)), True),
    ("a lookup", json.dumps(reference()), REFERENCE),
    ("a lookup without its type", json.dumps({"Id": ID, "LogicalName": "account"}), REFERENCE),
    ("a lookup in capitals and braces", json.dumps(reference(id_=f"{{{ID.upper()}}}")), REFERENCE),
    ("an aliased value", json.dumps(typed("AliasedValue", EntityLogicalName="contact", Value=typed("OptionSetValue", Value=3))), 3),
    ("a type that nobody knows", '{"__type":"Novelty:x","Value":1.50}', Opaque('{"__type": "Novelty:x", "Value": "1.50"}')),
    ("an object without type", '{"key":1}', Opaque('{"key": 1}')),
    ("a type that is no text", '{"__type":5}', Opaque('{"__type": 5}')),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), [row[1:] for row in READ], ids=[row[0] for row in READ])
def test_each_kind_of_value_is_read(text, value):
    context = read_attribute(text)
    row = context.parameters["Target"]
    assert row.values["odd"] == value
    assert type(row.values["odd"]) is type(value)
    assert str(row.values["odd"]) == str(value)  # the scale of a Decimal
    assert not context.defects


PLACE = "/InputParameters/0/value/Attributes/3/value"
ODD = [
    ("a choice that is text", json.dumps(typed("OptionSetValue", Value="3")), "a whole number was expected, not text"),
    ("a choice that is true", json.dumps(typed("OptionSetValue", Value=True)), "a whole number was expected, not true or false"),
    ("a choice with a fraction", json.dumps(typed("OptionSetValue", Value=1.5)), "a whole number was expected, not a number"),
    ("a choice without value", json.dumps(typed("OptionSetValue")), "a whole number was expected, not null"),
    ("money that is text", json.dumps(typed("Money", Value="5.00")), "an amount was expected, not text"),
    ("money that is true", json.dumps(typed("Money", Value=True)), "an amount was expected, not true or false"),
    ("money without value", json.dumps(typed("Money", Value=None)), "an amount was expected, not null"),
    ("a managed property that is a number", json.dumps(typed("BooleanManagedProperty", Value=1)), "true or false was expected, not a number"),
    ("a lookup without table", json.dumps(typed("EntityReference", Id=ID)), "a LogicalName and a guid as Id were expected"),
    ("a lookup with a wrong guid", json.dumps(reference(id_="1)/x")), "a LogicalName and a guid as Id were expected"),
    ("a lookup to nothing", json.dumps(typed("EntityReference", Id=None, LogicalName="account")), "a LogicalName and a guid as Id were expected"),
    ("a row without id", json.dumps({"Attributes": [], "LogicalName": "account"}), "a LogicalName and a guid as Id were expected"),
    ("rows that are none", json.dumps(typed("EntityCollection", Entities=5)), "a list of rows was expected, not a number"),
    ("rows that are an object", json.dumps(typed("EntityCollection", Entities={"a": 1})), "a list of rows was expected, not an object"),
    ("a moment after the calendar's end", r'"\/Date(999999999999999999)\/"', "/Date(999999999999999999)/ lies outside the calendar"),
    ("a moment before its beginning", r'"\/Date(-99999999999999)\/"', "/Date(-99999999999999)/ lies outside the calendar"),
    ("one odd choice among several", json.dumps([3, typed("OptionSetValue", Value="4")]), "a whole number was expected, not text"),
    ("an odd value under an alias", json.dumps(typed("AliasedValue", Value=typed("Money", Value=[]))), "an amount was expected, not a list"),
    ("more nesting than anybody reads", "[" * 700 + "]" * 700, "the value is nested too deeply"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "what"), [row[1:] for row in ODD], ids=[row[0] for row in ODD])
def test_an_odd_value_is_a_defect_with_its_place_and_loses_nothing_else(text, what):
    context = read_attribute(text)
    assert context.defects == (Defect(PLACE, what),)
    assert context.parameters["Target"].values == {"one": 1, "two": 2, "before": "still here", "after": "still here"}


ODD_BAGS = [
    ("no list", {"name": "Nordwind"}, "/InputParameters", "a list of key and value was expected, not an object"),
    ("text", "Target", "/InputParameters", "a list of key and value was expected, not text"),
    ("true", True, "/InputParameters", "a list of key and value was expected, not true or false"),
    ("a number", 5, "/InputParameters", "a list of key and value was expected, not a number"),
    ("a pair that is text", ["Target"], "/InputParameters/0", "an object with key and value was expected"),
    ("a pair without key", [{"value": 1}], "/InputParameters/0", "an object with key and value was expected"),
    ("a pair whose key is a number", [{"key": 1, "value": 1}], "/InputParameters/0", "an object with key and value was expected"),
    ("a pair without value", [*bag(Target=None), {"key": "Id"}], "/InputParameters/1", "an object with key and value was expected"),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "place", "what"), [row[1:] for row in ODD_BAGS], ids=[row[0] for row in ODD_BAGS])
def test_an_odd_bag_is_a_defect_and_loses_no_other_bag(raw, place, what):
    context = read(body(InputParameters=raw, OutputParameters=bag(id=ID)))
    assert context.defects == (Defect(place, what),)
    assert context.outputs == {"id": ID}


@pytest.mark.parametrize("raw", [None, [], "absent"], ids=repr)
def test_null_absent_and_empty_are_all_an_empty_bag(raw):
    whole = body(InputParameters=raw, PostEntityImages=raw)
    if raw == "absent":
        del whole["InputParameters"], whole["PostEntityImages"]
    context = read(whole)
    assert (context.parameters, context.post_images, context.defects) == ({}, {}, ())


@pytest.mark.parametrize("attributes", [None, [], "absent"], ids=repr)
def test_a_row_may_come_without_attributes(attributes):
    row = {**entity(), "Attributes": attributes}
    if attributes == "absent":
        del row["Attributes"]
    context = read(body(InputParameters=bag(Target=row)))
    assert context.parameters == {"Target": Row("account", ID, {})}
    assert not context.defects


def test_an_image_needs_no_type():
    context = read(body(PostEntityImages=bag(rcv_post_1=entity(is_bare=True, name="Nordwind"))))
    assert context.post_images == {"rcv_post_1": Row("account", ID, {"name": "Nordwind"})}


def test_an_image_that_is_no_row_is_left_out():
    assert read(body(PreEntityImages=bag(rcv_pre_1=5))).pre_images == {}


def test_a_collection_keeps_its_good_rows_when_one_is_odd():
    rows = [entity(name="first"), {"LogicalName": "account"}, "text", entity(id_=OTHER_ID, name="last")]
    context = read(body(InputParameters=bag(Targets=typed("EntityCollection", Entities=rows))))
    first, last = context.parameters["Targets"]
    assert (first.values, last.values) == ({"name": "first"}, {"name": "last"})
    assert [defect.place for defect in context.defects] == [
        "/InputParameters/0/value/Entities/1",
        "/InputParameters/0/value/Entities/2",
    ]


def test_an_empty_collection_has_no_rows():
    collections = bag(one=typed("EntityCollection", Entities=None), two=typed("EntityCollection"))
    assert read(body(InputParameters=collections)).parameters == {"one": (), "two": ()}


def test_rows_within_rows_are_no_values():
    parties = typed("EntityCollection", Entities=[entity(table="activityparty")])
    row = entity(table="email", subject="Hello", to=parties, regarding=entity())
    context = read(body(InputParameters=bag(Target=row)))
    assert context.parameters["Target"].values == {"subject": "Hello"}
    assert not context.defects


def test_references_and_relationships_stand_in_parameters():
    given = bag(
        Relationship=typed("Relationship", PrimaryEntityRole=None, SchemaName="account_contacts"),
        RelatedEntities=[reference("contact", OTHER_ID)],
    )
    assert read(body(InputParameters=given)).parameters == {
        "Relationship": Relationship("account_contacts"),
        "RelatedEntities": (Reference("contact", OTHER_ID),),
    }


def test_a_lookup_has_the_name_that_came_along_and_is_the_same_without_it():
    lookups = {
        "currency": {"LogicalName": "transactioncurrency", "Id": ID, "Name": "Euro"},
        "owner": {"LogicalName": "systemuser", "Id": ID},
    }
    bag = [{"key": key, "value": value} for key, value in lookups.items()]
    raw = {
        "LogicalName": "account",
        "Id": ID,
        "Attributes": bag,
        "FormattedValues": [{"key": "owner", "value": "Jonas Weber"}, {"key": "currency", "value": "another"}, 5],
    }
    values = Reader().row(raw, "/").values

    assert (values["currency"].name, values["owner"].name) == ("Euro", "Jonas Weber")
    assert values["owner"] == Reference("systemuser", ID)
    assert from_plain(to_plain(values["owner"])).name == "Jonas Weber"
