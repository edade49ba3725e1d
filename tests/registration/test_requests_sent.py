"""The requests that are sent, compared with what Dataverse's documentation wants, column by column.

Source: reference/dataverse.md §4.1 (service endpoint), §4.3 (step), §4.4 (image), §6.2 (headers).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from company import KEY
from registration.registering import Registering, Sent

from receiver.commands.connection.register_steps import register, remove
from receiver.sandbox import Sandbox

GUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
#: what Dataverse's tables call them; nothing else may be sent
ENDPOINT = {
    "serviceendpointid": GUID,
    "name": "receiver",
    "url": r"http://127\.0\.0\.1:\d+/dataverse/notifications",
    "contract": 8,
    "authtype": 5,
    "authvalue": f'<settings><setting name="x-receiver-key" value="{KEY}" /></settings>',
    "connectionmode": 1,
    "messageformat": 2,
    "messagecharset": 1,
    "userclaim": 1,
}
STEP = {
    "sdkmessageprocessingstepid": GUID,
    "name": r"receiver: (Create|Update|Delete|Restore) of \w+",
    "description": r".+",
    "mode": 1,
    "stage": 40,
    "rank": 1,
    "supporteddeployment": 0,
    "asyncautodelete": True,
    "sdkmessageid@odata.bind": rf"/sdkmessages\({GUID}\)",
    "sdkmessagefilterid@odata.bind": rf"/sdkmessagefilters\({GUID}\)",
    "eventhandler_serviceendpoint@odata.bind": rf"/serviceendpoints\({GUID}\)",
}
IMAGE = {
    "sdkmessageprocessingstepimageid": GUID,
    "name": r"rcv_(pre|post)_[0-9a-f]{8}",
    "entityalias": r"rcv_(pre|post)_[0-9a-f]{8}",
    "imagetype": r"[01]",
    "messagepropertyname": r"Id|Target",
    "attributes": r"[a-z0-9_]+(,[a-z0-9_]+)+",
    "sdkmessageprocessingstepid@odata.bind": rf"/sdkmessageprocessingsteps\({GUID}\)",
}
CREATED = {
    "serviceendpoints": ENDPOINT,
    "sdkmessageprocessingsteps": STEP,
    "sdkmessageprocessingstepimages": IMAGE,
}


@pytest.fixture
def company(sqlite_url: str, sandbox: Sandbox) -> Iterator[Registering]:
    with closing(Registering(sqlite_url, sandbox)) as made:
        register(made.services, "the test")
        yield made


def body(sent: Sent) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(sent.body or b"{}")
    return found


def fits(value: Any, wanted: Any) -> bool:
    if not isinstance(wanted, str):
        return type(value) is type(wanted) and value == wanted
    return re.fullmatch(wanted, str(value)) is not None or value == wanted


@pytest.mark.parametrize("entity_set", CREATED)
def test_each_column_of_a_create_is_as_documented(company: Registering, entity_set: str) -> None:
    wanted = CREATED[entity_set]
    creates = [one for one in company.written() if (one.method, one.path) == ("POST", entity_set)]
    assert creates
    for one in creates:
        given = body(one)
        optional = {"filteringattributes"} if wanted is STEP and "Update" in given["name"] else set()
        assert given.keys() == wanted.keys() | optional
        assert {name: given[name] for name in wanted if not fits(given[name], wanted[name])} == {}
        assert one.headers == {"MSCRM.SolutionUniqueName": "receiver"}


def test_an_image_on_create_is_of_the_id_and_one_on_delete_is_before_it(company: Registering) -> None:
    sent = [body(one) for one in company.written() if one.path == "sdkmessageprocessingstepimages"]
    kinds = {(one["imagetype"], one["messagepropertyname"], one["entityalias"][:8]) for one in sent}

    assert kinds == {(1, "Id", "rcv_post"), (1, "Target", "rcv_post"), (0, "Target", "rcv_pre_")}


def test_filtering_attributes_are_on_updates_alone_and_hold_no_column_that_every_write_changes(
    company: Registering,
) -> None:
    steps = [body(one) for one in company.written() if one.path == "sdkmessageprocessingsteps"]
    names = {one["name"]: one["filteringattributes"].split(",") for one in steps if "filteringattributes" in one}

    assert all("Update" in name for name in names)
    assert not {"modifiedon", "versionnumber"} & {column for columns in names.values() for column in columns}


def test_solution_and_publisher_come_first_and_in_no_solution(company: Registering) -> None:
    first, second = company.written()[:2]

    assert [first.path, second.path] == ["publishers", "solutions"]
    assert first.headers == second.headers == {}
    assert body(first)["customizationprefix"] == "rcv"
    assert re.fullmatch(rf"/publishers\({GUID}\)", body(second)["publisherid@odata.bind"])


def test_switching_off_and_on_sends_both_state_columns_and_never_makes_a_row(company: Registering) -> None:
    company.set_field("CONTACT", "pager", is_enabled=False)
    before = len(company.written())

    register(company.services, "the test")

    switches = [one for one in company.written()[before:] if body(one).keys() == {"statecode", "statuscode"}]
    assert [body(one) for one in switches] == [
        {"statecode": 1, "statuscode": 2}, {"statecode": 0, "statuscode": 1}
    ] * 3  # fmt: skip
    assert {one.headers["If-Match"] for one in company.written()[before:] if one.method == "PATCH"} == {"*"}


def test_what_is_removed_is_deleted_step_by_step_and_the_endpoint_last(company: Registering) -> None:
    before = len(company.written())

    remove(company.services, "the test")

    sent = company.written()[before:]
    assert {one.method for one in sent} == {"DELETE"}
    assert sent[-1].path.startswith("serviceendpoints(")
    assert all(one.path.startswith("sdkmessageprocessingsteps(") for one in sent[:-1])
