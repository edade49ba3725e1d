"""What each message of Dataverse's means: which rows are looked at, and what is known of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from receiver.core.message import NO_ID, Defect, ExecutionContext, Image, Parameter, Row, SynchRequest
from receiver.core.values import Reference
from receiver.handlers import HANDLERS, handler_of

RIBBON = "rcv_OpenInBusinessCentral"
ID, OTHER, THIRD = (f"a0000000-0000-4000-8000-00000000000{number}" for number in (1, 2, 3))
NAME = {"name": "Nordwind"}
ROW = Row("account", ID, NAME)
IMAGE = {"rcv_post_12345678": ROW}
HINT, DELETED = SynchRequest("account", ID), SynchRequest("account", ID, is_deletion=True)
CLICK = SynchRequest("account", ID, is_click=True)
KNOWN = SynchRequest("account", ID, Image("rcv_post_12345678", NAME))


def context(message: str, table: str = "account", id_: str = ID, **more: object) -> ExecutionContext:
    return ExecutionContext(message, table, id_, **more)


def nameless(message: str, **parameters: Parameter) -> ExecutionContext:
    """A message that names no primary row."""
    return context(message, "none", NO_ID, parameters=parameters)


def requests(given: ExecutionContext) -> list[SynchRequest]:
    handler = handler_of(given.message, RIBBON)
    assert handler is not None
    return handler(given)


CHANGES = ("Create", "Update", "Upsert", "Assign", "Restore")
MULTIPLE = ("CreateMultiple", "UpdateMultiple", "UpsertMultiple")
STATES = ("SetState", "SetStateDynamicEntity")
RELATED = ("Associate", "Disassociate")

TABLE = [
    *(row for message in CHANGES for row in (
        (message, "a bare row", context(message, parameters={"Target": ROW}), [HINT]),
        (message, "our image", context(message, post_images=IMAGE), [KNOWN]),
        (message, "our image among others", context(message, post_images={"AsynchronousStepPrimaryName": ROW, **IMAGE}), [KNOWN]),
        (message, "a stranger's image", context(message, post_images={"PostImage": ROW}), [HINT]),
        (message, "an image of another row", context(message, post_images={"rcv_post_12345678": Row("account", OTHER, NAME)}), [HINT]),
        (message, "an image of before", context(message, pre_images=IMAGE), [HINT]),
        (message, "stripped for its size", context(message), [HINT]),
        (message, "a row in its Target alone", nameless(message, Target=ROW), [HINT]),
        (message, "a lookup in its Target alone", nameless(message, Target=Reference("account", ID)), [HINT]),
        (message, "no row at all", nameless(message), []),
        (message, "no id", context(message, id_=NO_ID), []),
    )),
    *(row for message in STATES for row in (
        (message, "a primary row", context(message), [HINT]),
        (message, "our image is not asked for", context(message, post_images=IMAGE), [HINT]),
        (message, "a moniker alone", nameless(message, EntityMoniker=Reference("account", ID)), [HINT]),
        (message, "no row at all", nameless(message), []),
    )),
    *(row for message in MULTIPLE for row in (
        (message, "rows", context(message, id_=NO_ID, parameters={"Targets": (Row("account", OTHER, {}), ROW)}), [HINT, SynchRequest("account", OTHER)]),
        (message, "rows named by the answer", context(message, id_=NO_ID, parameters={"Targets": (Row("account", NO_ID, {}),)}, outputs={"Ids": (ID, "odd", None)}), [HINT]),
        (message, "a row named twice", context(message, id_=NO_ID, parameters={"Targets": (ROW,)}, outputs={"Ids": (ID,)}), [HINT]),
        (message, "something that is no row", context(message, id_=NO_ID, parameters={"Targets": (ROW, 5)}), [HINT]),
        (message, "stripped for its size", context(message, id_=NO_ID), []),
    )),
    *(row for message in RELATED for row in (
        (message, "both ends", nameless(message, Target=Reference("account", ID), RelatedEntities=(Reference("contact", OTHER), Reference("contact", THIRD))), [HINT, SynchRequest("contact", OTHER), SynchRequest("contact", THIRD)]),
        (message, "one end", nameless(message, Target=Reference("account", ID)), [HINT]),
        (message, "no end", nameless(message, RelatedEntities=5), []),
    )),
    ("Delete", "a row", context("Delete", parameters={"Target": Reference("account", ID)}), [DELETED]),
    ("Delete", "its image of before says nothing", context("Delete", pre_images=IMAGE), [DELETED]),
    ("Delete", "a row in its Target alone", nameless("Delete", Target=Reference("account", ID)), [DELETED]),
    ("Delete", "no row at all", nameless("Delete"), []),
    ("Merge", "both rows", context("Merge", parameters={"Target": Reference("account", ID), "SubordinateId": OTHER.upper()}), [HINT, SynchRequest("account", OTHER)]),
    ("Merge", "no loser", context("Merge", parameters={"Target": Reference("account", ID)}), [HINT]),
    ("Merge", "stripped for its size", context("Merge"), []),
    (RIBBON, "bound", context(RIBBON, parameters={"Target": Reference("account", ID)}), [CLICK]),
    (RIBBON, "unbound", nameless(RIBBON, Table="Account", Id=f"{{{ID.upper()}}}"), [CLICK]),
    (RIBBON, "no id", nameless(RIBBON, Table="account"), []),
    (RIBBON, "a wrong id", nameless(RIBBON, Table="account", Id="1"), []),
    (RIBBON, "no table", nameless(RIBBON, Id=ID), []),
    (RIBBON, "an empty table", nameless(RIBBON, Table="", Id=ID), []),
    (RIBBON, "a table that is a number", nameless(RIBBON, Table=5, Id=ID), []),
    (RIBBON, "a table that no database can name", nameless(RIBBON, Table="acc\0ount", Id=ID), []),
    (RIBBON, "a bound table that no database can name", nameless(RIBBON, Target=Reference("a" * 129, ID)), []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "expected"), [row[2:] for row in TABLE], ids=[f"{message}: {what}" for message, what, *_ in TABLE]
)
def test_a_message_names_the_rows_to_look_at(given, expected):
    assert requests(given) == expected


def test_every_message_that_is_answered_is_in_the_table():
    assert {message for message, *_ in TABLE} == {*HANDLERS, RIBBON}


@pytest.mark.parametrize("message", ["Retrieve", "RetrieveMultiple", "create", "rcv_Other", ""])
def test_other_messages_are_nobodys_business(message):
    assert handler_of(message, RIBBON) is None


def test_the_buttons_message_is_a_setting():
    assert handler_of("my_Open", "my_Open") is handler_of(RIBBON, RIBBON)
    assert handler_of(RIBBON, "my_Open") is None


@pytest.mark.parametrize("message", CHANGES)
@pytest.mark.parametrize(("mode", "stage"), [(0, 40), (1, 20), (0, 10)])
def test_an_image_from_inside_the_users_transaction_is_not_believed(message, mode, stage):
    assert requests(context(message, post_images=IMAGE, mode=mode, stage=stage)) == [HINT]


@pytest.mark.parametrize("message", CHANGES)
def test_an_image_of_a_body_with_defects_is_not_believed(message):
    odd = replace(context(message, post_images=IMAGE), defects=(Defect("/PostEntityImages/0", "odd"),))
    assert requests(odd) == [HINT]


@pytest.mark.parametrize("message", sorted(HANDLERS))
def test_no_message_of_dataverses_own_is_a_click(message):
    whole = context(message, parameters={"Target": Reference("account", ID)})
    assert not any(request.is_click for request in requests(whole))
