"""What the door keeps, what it turns away, and what it answers."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
from inbox.sending import ACCOUNT, NO_ID, ORGANIZATION, Door, context, encoded, reference, target, without

from receiver.server.worker import run_ready

ANOTHER = "0d000000-0000-4000-8000-00000000dead"


def nested(depth: int) -> bytes:
    return b'{"MessageName":' + b"[" * depth + b"]" * depth + b"}"


def text_with(what: str) -> bytes:
    """A context whose message's name is written as *what* in JSON."""
    return encoded(context(MessageName="@@")).replace(b'"@@"', what.encode())


# -- kept ------------------------------------------------------------------------------------------------------


def test_a_notification_is_kept_raw_and_committed_before_the_answer(any_door: Door) -> None:
    body = encoded(context()) + b"\n \t"
    headers = {
        "x-ms-dynamics-organization": "org.crm.dynamics.com",
        "X-MS-Correlation-Request-Id": "abc",
        "X-Forwarded-For": "1.2.3.4",
        "Cookie": "receiver=secret",
    }

    before = any_door.now()
    answer = any_door.post(body, headers=headers, environ_base={"REMOTE_ADDR": "2001:db8::7"})

    assert answer.status_code == 202
    assert answer.mimetype == "application/json"
    (row,) = any_door.kept()
    assert answer.get_json() == {"notification": row["id"], "status": "waiting"}
    assert row["body"] == body
    assert row["size"] == len(body)
    assert row["headers"] == {
        "x-ms-dynamics-organization": "org.crm.dynamics.com",
        "x-ms-correlation-request-id": "abc",
    }
    assert row["remote_address"] == "2001:db8::7"
    assert before <= row["received_at"] <= any_door.now()
    assert (row["state"], row["message"], row["table_name"], row["row_id"]) == ("waiting", "Update", "account", ACCOUNT)


def test_that_it_waits_makes_its_lane_ready(any_door: Door) -> None:
    any_door.post()

    (lane,) = any_door.ready()
    assert (lane.key, lane.table, lane.id) == (f"account:{ACCOUNT}", "account", ACCOUNT)
    assert any_door.lanes() == []


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json; charset=utf-8", "Application/JSON", 'application/json;charset="UTF-8"'],
)
def test_json_is_taken_however_its_content_type_is_written(door: Door, content_type: str) -> None:
    assert door.post(content_type=content_type).status_code == 202


@pytest.mark.parametrize(
    "body",
    [
        encoded(context()).decode().encode("utf-8-sig"),
        encoded(context()).decode().encode("utf-16"),
        json.dumps(context(SharedVariables=[{"key": "é", "value": "🚀"}]), ensure_ascii=False).encode(),
        encoded(context(Newer={"Unknown": [1, None]})),
        encoded(context(PrimaryEntityId="{" + ACCOUNT.upper() + "}", OrganizationId="{" + ORGANIZATION.upper() + "}")),
        encoded(without(without(without(context(), "InputParameters"), "RequestId"), "ParentContext")),
        encoded(context(InputParameters=None, PreEntityImages=[], PostEntityImages=None, OwningExtension=None)),
        encoded(without(context(), "OperationId")),
    ],
    ids=[
        "byte-order mark",
        "UTF-16",
        "raw characters",
        "unknown members",
        "guids in braces",
        "members absent",
        "members null",
        "no OperationId",
    ],
)
def test_what_microsoft_may_vary_is_taken(any_door: Door, body: bytes) -> None:
    assert any_door.post(body).status_code == 202
    while run_ready(any_door.services):
        pass
    assert any_door.kept()[0]["body"] == body


# -- odd deeper: the worker's business ---------------------------------------------------------------------------

ODD_DEEPER: dict[str, tuple[dict[str, Any], str]] = {
    "parameters are no list": ({"InputParameters": {"Target": 1}}, "/InputParameters: "),
    "a pair is no object": ({"InputParameters": ["Target"]}, "/InputParameters/0: "),
    "a pair lacks its value": ({"InputParameters": [{"key": "Target"}]}, "/InputParameters/0: "),
    "Key and Value": ({"InputParameters": [{"Key": "Target", "Value": 1}]}, "/InputParameters/0: "),
    "Target without an id": ({"InputParameters": [{"key": "Target", "value": {"__type": "Entity:x"}}]}, "/InputParameters/0/value: "),
    "a choice holds text": (
        {"InputParameters": [{"key": "Target", "value": target("account", ACCOUNT, {"a": 1, "b": 2, "c": 3, "customertypecode": {"__type": "OptionSetValue:x", "Value": "3"}})}]},
        "/InputParameters/0/value/Attributes/3/value: ",
    ),
    "money holds text": (
        {"InputParameters": [{"key": "Target", "value": target("account", ACCOUNT, {"creditlimit": {"__type": "Money:x", "Value": "1,00"}})}]},
        "/InputParameters/0/value/Attributes/0/value: ",
    ),
    "a date beyond the calendar": (
        {"InputParameters": [{"key": "Target", "value": target("account", ACCOUNT, {"modifiedon": "/Date(99999999999999999)/"})}]},
        "/InputParameters/0/value/Attributes/0/value: ",
    ),
    "a date of 5000 digits": (
        {"InputParameters": [{"key": "Target", "value": target("account", ACCOUNT, {"modifiedon": f"/Date({'9' * 5000})/"})}]},
        "/InputParameters/0/value/Attributes/0/value: ",
    ),
    "an image is a number": ({"PostEntityImages": [{"key": "rcv_post_00000000", "value": {"Attributes": 7, "Id": ACCOUNT, "LogicalName": "account"}}]}, "/PostEntityImages/0/value/Attributes: "),
    "a collection of numbers": ({"InputParameters": [{"key": "Targets", "value": {"__type": "EntityCollection:x", "Entities": [1]}}]}, "/InputParameters/0/value"),
    "entities are a number": ({"InputParameters": [{"key": "Targets", "value": {"__type": "EntityCollection:x", "Entities": 5}}]}, "/InputParameters/0/value: "),
}  # fmt: skip


@pytest.mark.parametrize(("members", "place"), ODD_DEEPER.values(), ids=ODD_DEEPER)
def test_what_is_odd_deeper_is_202_and_the_worker_notes_where(
    any_door: Door, members: dict[str, Any], place: str
) -> None:
    assert any_door.post(context(table="lead", **members)).status_code == 202

    assert run_ready(any_door.services)

    (row,) = any_door.kept()
    assert row["state"] == "ignored"
    assert place in row["note"] or row["note"].startswith("No Integration Table Mapping")


@pytest.mark.parametrize("depth", [50, 300, 700, 900])
@pytest.mark.parametrize("kind", ["list", "object"])
def test_a_parameter_nested_deeply_never_fails_its_notification(any_door: Door, kind: str, depth: int) -> None:
    opening, closing_ = ("[", "]") if kind == "list" else ('{"__type":"New:x","v":', "}")
    value = opening * depth + "1" + closing_ * depth
    body = encoded(context(table="lead", InputParameters=[{"key": "Odd", "value": "@@"}])).replace(
        b'"@@"', value.encode()
    )

    answer = any_door.post(body)

    if answer.status_code == 400:
        assert "nested" in answer.get_json()["detail"]
        return
    assert answer.status_code == 202
    assert run_ready(any_door.services)
    assert any_door.kept()[0]["state"] == "ignored"


# -- unreadable --------------------------------------------------------------------------------------------------

NO_CONTEXT: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "line 1, column 1"),
    "blanks": (b" \n ", "line 2, column 2"),
    "text": (b"hello", "line 1, column 1"),
    "a form": (b"MessageName=Update&PrimaryEntityName=account", "line 1, column 1"),
    "XML": (b"<?xml version='1.0'?><a/>", "line 1, column 1"),
    "half an object": (b'{"MessageName": "Upd', "line 1, column 17"),
    "two objects": (b"{}{}", "line 1, column 3"),
    "a trailing comma": (b'{"a":1,}', "line 1"),
    "not UTF-8": (b'{"MessageName":"\xff\xfe"}', "byte 16"),
    "NaN": (b'{"MessageName":NaN}', "/"),
    "Infinity": (b'{"Depth":-Infinity}', "/"),
    "a number of 5000 digits": (b'{"Depth":' + b"9" * 5000 + b"}", "/"),
    "an exponent beyond Decimal": (b'{"Depth":1e9999999999999999999}', "/"),
    "nested absurdly": (nested(100_000), "/"),
    "nested absurdly in objects": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "/"),
    "nested and never closed": (b"[" * 500_000, "/"),
    "null": (b"null", "/"),
    "a list": (b"[]", "/"),
    "a string": (b'"Update"', "/"),
    "a number": (b"1", "/"),
    "an empty object": (b"{}", "/"),
    "no message": (encoded(without(context(), "MessageName")), "/MessageName"),
    "message null": (encoded(context(MessageName=None)), "/MessageName"),
    "message a number": (encoded(context(MessageName=5)), "/MessageName"),
    "message empty": (encoded(context(MessageName="")), "/MessageName"),
    "message too long": (encoded(context(MessageName="x" * 129)), "/MessageName"),
    "table too long": (encoded(context(PrimaryEntityName="x" * 129)), "/PrimaryEntityName"),
    "message with NUL": (text_with(r'"Upd\u0000ate"'), "/"),
    "message with half a character": (text_with(r'"Upd\ud800ate"'), "/"),
    "no table": (encoded(without(context(), "PrimaryEntityName")), "/PrimaryEntityName"),
    "table a list": (encoded(context(PrimaryEntityName=[])), "/PrimaryEntityName"),
    "table with half a character": (encoded(context(PrimaryEntityName="a\udfff")), "/"),
    "no id": (encoded(without(context(), "PrimaryEntityId")), "/PrimaryEntityId"),
    "id no guid": (encoded(context(PrimaryEntityId="42")), "/PrimaryEntityId"),
    "id an object": (
        encoded(context(PrimaryEntityId={"__type": "Guid:#System", "__value": ACCOUNT})),
        "/PrimaryEntityId",
    ),
    "no organisation": (encoded(without(context(), "OrganizationId")), "/OrganizationId"),
    "organisation null": (encoded(context(OrganizationId=None)), "/OrganizationId"),
    "operation no guid": (encoded(context(OperationId="x")), "/OperationId"),
    "mode text": (encoded(context(Mode="sync")), "/Mode"),
    "mode true": (encoded(context(Mode=True)), "/Mode"),
    "stage a fraction": (encoded(context(Stage=40.5)), "/Stage"),
    "depth an object": (encoded(context(Depth={})), "/Depth"),
    "members spelled otherwise": (encoded({key.lower(): value for key, value in context().items()}), "/"),
}


@pytest.mark.parametrize(("body", "place"), NO_CONTEXT.values(), ids=NO_CONTEXT)
def test_what_is_no_execution_context_is_400_with_its_place_and_kept_as_unreadable(
    any_door: Door, body: bytes, place: str
) -> None:
    answer = any_door.post(body)

    assert answer.status_code == 400
    assert answer.mimetype == "application/problem+json"
    said = answer.get_json()
    assert said["status"] == 400
    assert {"type", "title", "detail"} <= set(said)
    assert said["place"].startswith(place)
    assert said["place"] in said["detail"]
    (row,) = any_door.kept()
    assert (row["id"], row["state"], row["note"]) == (said["notification"], "unreadable", said["detail"])
    assert row["body"] == body[: 64 * 1024]
    assert row["size"] == len(body)
    assert any_door.ready() == []


# -- turned away by its form ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "application/xml",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "text/json",
        "application/json, text/plain",
    ],
)
def test_another_content_type_is_415(door: Door, content_type: str) -> None:
    answer = door.post(content_type=content_type)

    assert (answer.status_code, answer.mimetype) == (415, "application/problem+json")
    assert door.kept() == []


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate", "GZIP", "identity, gzip"])
def test_a_packed_body_is_415_with_a_sentence(door: Door, coding: str) -> None:
    answer = door.post(gzip.compress(encoded(context())), headers={"Content-Encoding": coding})

    assert answer.status_code == 415
    assert "Content-Encoding" in answer.get_json()["detail"]
    assert door.kept() == []


def test_a_body_that_says_it_is_not_packed_is_taken(door: Door) -> None:
    assert door.post(headers={"Content-Encoding": "identity"}).status_code == 202


@pytest.mark.parametrize(
    ("bytes_over", "status"),
    [(-1, 202), (0, 202), (1, 413), (5_000_000, 413)],
    ids=["below", "exactly 1 MiB", "one over", "far over"],
)
def test_more_than_one_mebibyte_is_413(door: Door, bytes_over: int, status: int) -> None:
    body = encoded(context())
    answer = door.post(body + b" " * (1024 * 1024 - len(body) + bytes_over))

    assert answer.status_code == status
    assert len(door.kept()) == (status == 202)
    if status == 413:
        assert answer.mimetype == "application/problem+json"


@pytest.mark.parametrize("method", ["get", "put", "delete", "patch"])
def test_only_post_is_answered(door: Door, method: str) -> None:
    assert getattr(door.client, method)("/dataverse/notifications").status_code == 405


# -- another organisation ------------------------------------------------------------------------------------------


@pytest.fixture(
    params=[ORGANIZATION, ORGANIZATION.upper(), "{" + ORGANIZATION + "}"], ids=["plain", "capitals", "braces"]
)
def serving_one(request: pytest.FixtureRequest, sqlite_url: str) -> Iterator[Door]:
    with closing(Door(sqlite_url, RECEIVER_ORGANIZATION_ID=request.param)) as made:
        yield made


def test_only_our_organisations_notifications_are_accepted(serving_one: Door) -> None:
    assert serving_one.post().status_code == 202
    assert serving_one.post(context(OrganizationId=ORGANIZATION.upper())).status_code == 202

    body = encoded(context(OrganizationId=ANOTHER))
    answer = serving_one.post(body, headers={"x-ms-dynamics-organization": "other.crm.dynamics.com"})

    assert (answer.status_code, answer.mimetype) == (403, "application/problem+json")
    row = serving_one.kept()[-1]
    assert (row["id"], row["state"], row["body"]) == (answer.get_json()["notification"], "refused", body)
    assert ANOTHER in row["note"]
    assert len(serving_one.ready()) == 1


def test_before_the_organisation_is_known_any_is_accepted(door: Door) -> None:
    assert door.post(context(OrganizationId=ANOTHER)).status_code == 202


def test_once_whoami_told_the_organisation_another_is_refused(small_company: Any) -> None:
    from company import KEY

    post = small_company.app.test_client().post
    theirs, ours = context(OrganizationId=ANOTHER), context(OrganizationId=small_company.sandbox.organization_id)
    answers = [post("/dataverse/notifications", json=body, headers={"x-receiver-key": KEY}) for body in (theirs, ours)]

    assert [answer.status_code for answer in answers] == [403, 202]


# -- the same delivery twice ---------------------------------------------------------------------------------------

TWICE = context()
SYNCHRONOUS = context(Mode=0)
CHANGES: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "byte for byte": (TWICE, TWICE, True),
    "asynchronous: the job's id tells, not the body": (TWICE, {**TWICE, "OperationCreatedOn": "/Date(1)/"}, True),
    "another job": (TWICE, {**TWICE, "OperationId": NO_ID.replace("0", "1")}, False),
    "another step": (TWICE, {**TWICE, "OwningExtension": {"Id": ACCOUNT}}, False),
    "another message": (TWICE, {**TWICE, "MessageName": "Assign"}, False),
    "another row": (TWICE, {**TWICE, "PrimaryEntityId": ORGANIZATION}, False),
    "another depth": (TWICE, {**TWICE, "Depth": 2}, False),
    "synchronous, byte for byte": (SYNCHRONOUS, SYNCHRONOUS, True),
    "synchronous: one request's id is shared, so the body tells": (SYNCHRONOUS, {**SYNCHRONOUS, "SharedVariables": [1]}, False),
    "no operation: the body tells": (without(TWICE, "OperationId"), {**without(TWICE, "OperationId"), "SharedVariables": [1]}, False),
    "no operation, byte for byte": (without(TWICE, "OperationId"), without(TWICE, "OperationId"), True),
    "a step's id that is no text": ({**TWICE, "OwningExtension": {"Id": "\ud800"}}, {**TWICE, "OwningExtension": {"Id": "\ud800"}}, True),
}  # fmt: skip


@pytest.mark.parametrize(("first", "second", "is_same"), CHANGES.values(), ids=CHANGES)
def test_the_same_delivery_twice_is_stored_once(
    any_door: Door, first: dict[str, Any], second: dict[str, Any], is_same: bool
) -> None:
    answers = [any_door.post(first), any_door.post(second)]

    assert [answer.status_code for answer in answers] == [202, 202]
    numbers = {answer.get_json()["notification"] for answer in answers}
    assert len(numbers) == len(any_door.kept()) == (1 if is_same else 2)


def test_a_delivery_that_comes_again_after_its_work_is_done_wakes_nothing(any_door: Door) -> None:
    body = context(table="lead")
    first = any_door.post(body).get_json()["notification"]
    assert run_ready(any_door.services)

    assert any_door.post(body).get_json()["notification"] == first
    assert not run_ready(any_door.services)


def test_only_accepted_deliveries_count_as_the_same(sqlite_url: str) -> None:
    body = context(OrganizationId=ANOTHER)
    with closing(Door(sqlite_url, RECEIVER_ORGANIZATION_ID=ORGANIZATION)) as strict:
        assert [strict.post(body).status_code for _ in range(2)] == [403, 403]
        assert [strict.post(b"{}").status_code for _ in range(2)] == [400, 400]
        assert len(strict.kept()) == 4
    with closing(Door(sqlite_url)) as lenient:
        assert lenient.post(body).status_code == 202


def test_the_same_delivery_from_many_threads_at_once_is_stored_once(any_door: Door) -> None:
    body, together = encoded(context()), threading.Barrier(8)

    def send(_: int) -> int:
        together.wait()
        with any_door.app.test_client() as client:
            any_door_client = client.post(
                "/dataverse/notifications",
                data=body,
                headers={"x-receiver-key": "key-of-today-7f3a"},
                content_type="application/json",
            )
        assert any_door_client.status_code == 202
        return int(any_door_client.get_json()["notification"])

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(send, range(8)))) == 1
    assert len(any_door.kept()) == 1


# -- the ribbon's message ------------------------------------------------------------------------------------------

RIBBON = "rcv_OpenInBusinessCentral"
UNBOUND = {"table": "none", "id_": NO_ID}


def parameters(**values: Any) -> list[dict[str, Any]]:
    return [{"key": name, "value": value} for name, value in values.items()]


CLICKS: dict[str, dict[str, Any]] = {
    "unbound": context(RIBBON, **UNBOUND, InputParameters=parameters(Table="account", Id=ACCOUNT)),
    "unbound, as a form writes ids": context(RIBBON, **UNBOUND, InputParameters=parameters(Table="Account", Id="{" + ACCOUNT.upper() + "}")),
    "bound": context(RIBBON, InputParameters=parameters(Target=reference("account", ACCOUNT))),
    "unbound and synchronous": context(RIBBON, **UNBOUND, Mode=0, InputParameters=parameters(Table="account", Id=ACCOUNT)),
    "bound and synchronous": context(RIBBON, Mode=0, Stage=20, InputParameters=parameters(Target=reference("account", ACCOUNT))),
}  # fmt: skip


@pytest.mark.parametrize("body", CLICKS.values(), ids=CLICKS)
def test_a_click_is_answered_at_once_and_stands_first_in_its_rows_lane(any_door: Door, body: dict[str, Any]) -> None:
    any_door.post(context(id_=ORGANIZATION))
    answer = any_door.post(body)

    assert answer.status_code == 202
    row = any_door.kept()[-1]
    assert (row["is_click"], row["table_name"], row["row_id"], row["lane"]) == (
        True,
        "account",
        ACCOUNT,
        f"account:{ACCOUNT}",
    )
    assert [one.key for one in any_door.ready()] == [f"account:{ACCOUNT}", f"account:{ORGANIZATION}"]


ODD_CLICKS: dict[str, dict[str, Any]] = {
    "no parameters": context(RIBBON, **UNBOUND, InputParameters=[]),
    "no id": context(RIBBON, **UNBOUND, InputParameters=parameters(Table="account")),
    "an id that is none": context(RIBBON, **UNBOUND, InputParameters=parameters(Table="account", Id="42")),
    "a table that is none": context(RIBBON, **UNBOUND, InputParameters=parameters(Table="no such table", Id=ACCOUNT)),
    "a table with NUL": context(RIBBON, **UNBOUND, InputParameters=parameters(Table="a\x00b", Id=ACCOUNT)),
    "a table with half a character": context(RIBBON, **UNBOUND, InputParameters=parameters(Table="a\ud800", Id=ACCOUNT)),
    "a table's name of 300 characters": context(RIBBON, **UNBOUND, InputParameters=parameters(Table="a" * 300, Id=ACCOUNT)),
    "a Target's name of 300 characters": context(RIBBON, InputParameters=parameters(Target=reference("a" * 300, ACCOUNT))),
    "a Target without an id": context(RIBBON, **UNBOUND, InputParameters=parameters(Target=reference("account", "x"))),
    "parameters that are none": context(RIBBON, **UNBOUND, InputParameters=7),
}  # fmt: skip


@pytest.mark.parametrize("body", ODD_CLICKS.values(), ids=ODD_CLICKS)
def test_an_odd_click_is_stored_and_ends_without_harm(any_door: Door, body: dict[str, Any]) -> None:
    assert any_door.post(body).status_code == 202

    while run_ready(any_door.services):
        pass
    assert any_door.kept()[0]["state"] == "ignored"


@pytest.mark.parametrize("length", [1, 64, 128])
def test_a_tables_name_of_any_length_that_the_envelope_allows_is_stored(any_door: Door, length: int) -> None:
    assert any_door.post(context(table="t" * length)).status_code == 202

    assert run_ready(any_door.services)
    assert any_door.kept()[0]["state"] == "ignored"


def test_the_messages_name_is_a_setting(sqlite_url: str) -> None:
    with closing(Door(sqlite_url, RECEIVER_RIBBON_MESSAGE="bcs_OpenInBC")) as door:
        door.post({**CLICKS["bound"], "MessageName": "bcs_OpenInBC"})
        door.post(CLICKS["bound"])
        assert [row["is_click"] for row in door.kept()] == [True, False]


# -- when the store is away ------------------------------------------------------------------------------------------


def test_anything_unforeseen_before_it_is_stored_is_503_and_never_500(any_door: Door) -> None:
    with any_door.services.database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE receiver_inbox RENAME TO away")

    for body in (context(), b"no JSON"):
        answer = any_door.post(body)
        assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")

    with any_door.services.database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE away RENAME TO receiver_inbox")
    assert any_door.post().status_code == 202


def test_it_is_stored_though_no_lane_can_be_touched(any_door: Door) -> None:
    with any_door.services.database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE receiver_lane RENAME TO away")

    assert any_door.post().status_code == 202
    assert len(any_door.kept()) == 1

    with any_door.services.database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE away RENAME TO receiver_lane")


def test_once_it_is_stored_the_answer_is_202_though_nobody_can_be_rung(door: Door) -> None:
    door.services.waker.close()

    assert door.post().status_code == 202
    assert len(door.kept()) == 1
