"""A body becomes an execution context, or is refused with the place where it is wrong; nothing else ever happens."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from schemas.bodies import ID, OPERATION, ORGANIZATION, OTHER_ID, bag, body, entity, read, reference, typed

from receiver.core.message import NO_ID, POST_OPERATION, ExecutionContext
from receiver.schemas.execution_context import UnreadableError, read_context, read_envelope

REQUIRED = ("MessageName", "PrimaryEntityName", "PrimaryEntityId", "OrganizationId")


def text_of(**members: Any) -> bytes:
    return json.dumps(body(**members)).encode()


def without(name: str) -> bytes:
    return json.dumps({member: value for member, value in body().items() if member != name}).encode()


UNREADABLE = [
    ("nothing", b"", "line 1, column 1", "not JSON: Expecting value"),
    ("no JSON", b"<xml/>", "line 1, column 1", "not JSON: Expecting value"),
    ("JSON that ends early", b'{"MessageName": "Update",', "line 1, column 26", "not JSON: "),
    ("JSON on its second line", b'{\n"MessageName" "Update"}', "line 2, column 15", "not JSON: Expecting ':' delimiter"),
    ("no UTF-8", b'{"MessageName": "\xff"}', "byte 17", "the body is not UTF-8"),
    ("a list", b"[]", "/", "an execution context (a JSON object) was expected"),
    ("a number", b"5", "/", "an execution context (a JSON object) was expected"),
    ("null", b"null", "/", "an execution context (a JSON object) was expected"),
    ("not a number", b'{"Depth": NaN}', "/", "not JSON: NaN is not a JSON value"),
    ("infinity", b'{"Depth": -Infinity}', "/", "not JSON: -Infinity is not a JSON value"),
    ("a number of 5000 digits", b'{"Depth": ' + b"1" * 5000 + b"}", "/", "not JSON: "),
    ("a number that no memory can hold", b'{"a": 1e99999999999999999999}', "/", "not JSON: the exponent of 1e99999999999999999999 is too large"),
    ("100 000 brackets", b"[" * 100_000 + b"]" * 100_000, "/", "the JSON is nested too deeply"),
    ("100 000 objects", b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "/", "the JSON is nested too deeply"),
    *((f"no {name}", without(name), f"/{name}", "it is missing") for name in REQUIRED),
    *((f"{name} is null", text_of(**{name: None}), f"/{name}", "it is empty") for name in REQUIRED),
    ("a message without name", text_of(MessageName=""), "/MessageName", "it is empty"),
    ("a table's name without end", text_of(PrimaryEntityName="a" * 129), "/PrimaryEntityName", "it is longer than 128 characters"),
    ("a message that is a number", text_of(MessageName=5), "/MessageName", "a text was expected"),
    ("a NUL in a message", text_of(MessageName="Up\0date"), "/MessageName", "the name holds a character that cannot be printed"),
    ("a NUL in a table", text_of(PrimaryEntityName="acc\0ount"), "/PrimaryEntityName", "the name holds a character that cannot be printed"),
    ("half a surrogate pair", text_of(MessageName="\ud800"), "/MessageName", "the name holds a character that cannot be printed"),
    ("a wrong guid", text_of(PrimaryEntityId="1"), "/PrimaryEntityId", "a guid was expected"),
    ("a guid that is a number", text_of(OrganizationId=1), "/OrganizationId", "a guid was expected"),
    ("a wrong operation", text_of(OperationId="x"), "/OperationId", "a guid was expected"),
    ("a mode that is text", text_of(Mode="1"), "/Mode", "a whole number was expected"),
    ("a stage with a fraction", text_of(Stage=40.5), "/Stage", "a whole number was expected"),
    ("a depth that is true", text_of(Depth=True), "/Depth", "a whole number was expected"),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "place", "what"), [row[1:] for row in UNREADABLE], ids=[row[0] for row in UNREADABLE])
def test_an_unreadable_body_is_refused_with_the_place_where_it_is_wrong(raw, place, what):
    with pytest.raises(UnreadableError) as refused:
        read_envelope(raw)
    assert (refused.value.place, refused.value.what[: len(what)]) == (place, what)
    assert str(refused.value).startswith(f"{place}: {what}")


def test_a_whole_body_is_read():
    image = entity(is_bare=True, name="Nordwind")
    context = read(
        body(
            MessageName="Create",
            Depth=2,
            Mode=0,
            Stage=20,
            InputParameters=bag(Target=entity(name="Nordwind")),
            OutputParameters=bag(id=ID),
            PreEntityImages=bag(before=image),
            PostEntityImages=bag(after=image),
            SharedVariables=bag(tag="receiver"),
        )
    )
    assert (context.message, context.table, context.id) == ("Create", "account", ID)
    assert (context.depth, context.mode, context.stage, context.is_synchronous) == (2, 0, 20, True)
    assert (context.organization_id, context.operation_id, context.request_id) == (ORGANIZATION, OPERATION, OPERATION)
    assert (context.correlation_id, context.initiating_user_id, context.step_id) == (OTHER_ID, OTHER_ID, ID)
    assert context.parameters["Target"] == context.pre_images["before"] == context.post_images["after"]
    assert (context.outputs, context.shared_variables) == ({"id": ID}, {"tag": "receiver"})


def test_what_only_some_senders_send_may_be_missing():
    context = read({name: body()[name] for name in REQUIRED})
    assert context == ExecutionContext("Update", "account", ID, ORGANIZATION)
    assert (context.operation_id, context.step_id, context.stage) == (NO_ID, NO_ID, POST_OPERATION)


@pytest.mark.parametrize("name", ["OperationId", "Mode", "Stage", "Depth"])
def test_what_is_no_more_than_useful_may_be_null(name):
    assert read(body(**{name: None})) == read({key: value for key, value in body().items() if key != name})


def test_guids_have_one_spelling_whatever_the_sender_writes():
    assert read(body(PrimaryEntityId=f"{{{ID.upper()}}}", RequestId=ID.upper())).id == ID


@pytest.mark.parametrize("member", ["RequestId", "CorrelationId", "InitiatingUserId"])
@pytest.mark.parametrize("odd", [None, 5, "x", [], {}], ids=repr)
def test_ids_that_no_rule_needs_may_be_odd(member, odd):
    assert not read(body(**{member: odd})).defects


@pytest.mark.parametrize("odd", [None, "x", [], {}, {"Id": None}, {"Id": "\ud800"}, {"Id": {"a": 1}}], ids=repr)
def test_a_step_that_cannot_be_told_has_no_id(odd):
    assert read(body(OwningExtension=odd)).step_id == NO_ID


def test_members_that_microsoft_adds_are_its_own_business():
    assert not read(body(Novelty={"a": [1]}, ParentContext=body())).defects


def test_a_byte_order_mark_does_no_harm():
    assert read(b"\xef\xbb\xbf" + text_of()).id == ID


def test_the_envelope_alone_looks_at_nothing_deeper():
    envelope = read_envelope(text_of(InputParameters="odd", PostEntityImages=5))
    assert (envelope.message, envelope.id, envelope.step_id) == ("Update", ID, ID)
    assert len(read_context(envelope).defects) == 2


# -- a body with anything in it ----------------------------------------------------------------------------------

WHOLE = body(
    InputParameters=bag(
        Target=entity(
            name="Nordwind",
            type=typed("OptionSetValue", Value=3),
            limit=typed("Money", Value=5),
            parent=reference(),
            made="/Date(1700000000000+0000)/",
            choices=[typed("OptionSetValue", Value=1)],
        ),
        Targets=typed("EntityCollection", Entities=[entity(name="first")]),
        Relationship=typed("Relationship", SchemaName="a"),
        Flag=typed("BooleanManagedProperty", Value=True),
        Alias=typed("AliasedValue", Value=3),
    ),
    PostEntityImages=bag(rcv_post_1=entity(is_bare=True, name="Nordwind")),
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.sampled_from([ID, "/Date(5)/", "/Date(9999999999999999999)/", "Entity:x", "Money:x", "EntityCollection:x"]),
)
#: keys that mean something, so that an invented object is often nearly right
names = st.one_of(
    st.text(max_size=5),
    st.sampled_from(["__type", "Id", "LogicalName", "Attributes", "Entities", "Value", "key", "value"]),
)
anything = st.recursive(
    scalars, lambda parts: st.lists(parts, max_size=4) | st.dictionaries(names, parts, max_size=4), max_leaves=12
)


def places(raw: Any) -> list[tuple[Any, Any]]:
    """Every container and key within *raw* where a value stands."""
    found: list[tuple[Any, Any]] = []
    members = raw.items() if isinstance(raw, dict) else enumerate(raw) if isinstance(raw, list) else ()
    for key, value in members:
        found += [(raw, key), *places(value)]
    return found


@settings(max_examples=400)
@given(st.data())
def test_whatever_stands_in_a_body_it_is_read_or_refused(data):
    mutated = copy.deepcopy(WHOLE)
    for _ in range(data.draw(st.integers(1, 4))):
        container, key = data.draw(st.sampled_from(places(mutated)))
        if isinstance(container, dict) and data.draw(st.integers(0, 4)) == 0:
            del container[key]
        else:
            container[key] = data.draw(anything)
    try:
        defects = read(mutated).defects
    except UnreadableError:
        return
    assert all(defect.place.startswith("/") and defect.what for defect in defects)


@settings(max_examples=200)
@given(st.binary() | st.text().map(str.encode) | anything.map(lambda raw: json.dumps(raw).encode()))
def test_whatever_bytes_come_they_are_read_or_refused(raw):
    with pytest.raises(UnreadableError):
        read(raw)
