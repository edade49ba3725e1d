"""Each difference between what is registered and what is wanted is found and said in its words; registering mends it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from registration.registering import ENDPOINT, IMAGE, STEP, Registering, registration_of

from receiver.commands.connection.check_steps import check, hint
from receiver.commands.connection.register_steps import register
from receiver.registration.drift import REGISTER
from receiver.sandbox import Sandbox

ALL = ["SALESPEOPLE", "CURRENCY", "CUSTOMER", "VENDOR", "CONTACT"]


@pytest.fixture(scope="module")
def _sandbox() -> Iterator[Sandbox]:
    from receiver.sandbox import SandboxSettings

    with Sandbox(SandboxSettings(page_port=0, api_port=0)) as running:
        yield running


@pytest.fixture
def company(sqlite_url: str, _sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registering]:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(_sandbox.ca_file))
    monkeypatch.setenv("CURL_CA_BUNDLE", str(_sandbox.ca_file))
    _sandbox.faults.clear()
    with closing(Registering(sqlite_url, _sandbox)) as made:
        register(made.services, "the test", takes_over=True)
        yield made


def put(company: Registering, table: str, row_id: str, **values: Any) -> None:
    company.sandbox.put_row(table, row_id, values)


def step(company: Registering, message: str = "Update", table: str = "account") -> dict[str, Any]:
    steps = registration_of(company.sandbox)["steps"]
    return next(one for one in steps if (one["table"], one["message"]) == (table, message))


def endpoint(company: Registering) -> str:
    found: str = company.sandbox.rows(ENDPOINT)[0]["serviceendpointid"]
    return found


def filtered(company: Registering, change: Callable[[set[str]], set[str]]) -> None:
    one = step(company)
    names = change(set(one["filteringattributes"].split(",")))
    put(company, STEP, one["id"], filteringattributes=",".join(sorted(names)) or None)


def picture(company: Registering, message: str = "Update", **values: Any) -> None:
    put(company, IMAGE, step(company, message)["images"][0]["id"], **values)


def without_phone(company: Registering, **values: Any) -> None:
    columns = set(step(company)["images"][0]["attributes"].split(","))
    picture(company, attributes=",".join(sorted(columns - {"telephone1"})), **values)


def removed(company: Registering) -> None:
    for one in registration_of(company.sandbox)["steps"]:
        company.sandbox.delete(STEP, one["id"])
    company.sandbox.delete(ENDPOINT, endpoint(company))


def moved(company: Registering) -> None:
    options = replace(company.services.options, public_url="https://receiver.example")
    company.services = replace(company.services, options=options)


ACCOUNT = ["CUSTOMER", "VENDOR"]
CASES: list[tuple[str, Callable[[Registering], Any], str, list[str]]] = [
    ("endpoint missing", removed, r"The service endpoint receiver is missing: nothing is notified\.", ALL),
    ("url", moved, r"The service endpoint sends to http://.*, and this receiver is at https://receiver\.example/dat", ALL),
    ("contract", lambda c: put(c, ENDPOINT, endpoint(c), userclaim=2), r"has userclaim 2 instead of 1\.", ALL),
    ("no key", lambda c: put(c, ENDPOINT, endpoint(c), authvalue=None), r"has no key: every notification is ref", ALL),
    ("step missing", lambda c: c.sandbox.delete(STEP, step(c)["id"]), r"The step for account/Update is missing\.",
     ACCOUNT),
    ("step off", lambda c: put(c, STEP, step(c)["id"], statecode=1, statuscode=2),
     r"The step for account/Update is switched off, since \d+ \w+ 20\d\d, \d\d:\d\d UTC or before\.", ACCOUNT),
    ("filter lacks", lambda c: filtered(c, lambda names: names - {"telephone1"}),
     r"The filtering attributes of account/Update lack telephone1: nobody is told when it changes\.", ACCOUNT),
    ("filter has more", lambda c: filtered(c, lambda names: names | {"description"}),
     r"The filtering attributes of account/Update have description, which no mapping reads\.", ACCOUNT),
    ("no filter", lambda c: filtered(c, lambda _: set()),
     r"account/Update has no filtering attributes: every change is sent\.", ACCOUNT),
    ("filter on create", lambda c: put(c, STEP, step(c, "Create")["id"], filteringattributes="name"),
     r"account/Create has needless filtering attributes\.", ACCOUNT),
    ("image missing", lambda c: c.sandbox.delete(IMAGE, step(c)["images"][0]["id"]),
     r"The image of account/Update is missing: rows are read until you register\.", ACCOUNT),
    ("image lacks", lambda c: without_phone(c, entityalias="rcv_post_00000000"),
     r"The image of account/Update lacks telephone1: rows are read until you register\.", ACCOUNT),
    ("image has more", lambda c: picture(c, entityalias="rcv_post_00000000",
                                         attributes=step(c)["images"][0]["attributes"] + ",description"),
     r"The image of account/Update has description, which no mapping reads: rows are read until", ACCOUNT),
    ("image lies", without_phone, r"lacks telephone1, and its alias says that it has it: it is taken for empty", ACCOUNT),
    ("image property", lambda c: picture(c, messagepropertyname="Id"),
     r"The image of account/Update has messagepropertyname Id instead of Target\.", ACCOUNT),
    ("mode", lambda c: put(c, STEP, step(c)["id"], mode=0),
     r"The step for account/Update has mode synchronous instead of asynchronous\.", ACCOUNT),
    ("stage", lambda c: put(c, STEP, step(c)["id"], mode=0, stage=20),
     r"The step for account/Update has stage PreOperation instead of PostOperation\.", ACCOUNT),
    ("by hand", lambda c: put(c, STEP, step(c)["id"], description="mine"),
     r"account/Update was made by hand: it works, and registering takes it over\.", ACCOUNT),
    ("not mapped", lambda c: c.set("CURRENCY", is_enabled=False),
     r"There is a step for transactioncurrency/Create, which no mapping that is switched on reads\.", []),
]  # fmt: skip


@pytest.mark.parametrize(("make", "words", "mappings"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_difference_is_found_in_its_words_and_mended_by_registering(
    company: Registering, make: Callable[[Registering], Any], words: str, mappings: list[str]
) -> None:
    assert check(company.services) == []
    make(company)

    found = check(company.services)

    assert [one for one in found if re.search(words, one.words)], [one.words for one in found]
    assert (found[0].remedy, list(found[0].mappings)) == (REGISTER, mappings)
    more = f" And {len(found) - 1} more." if len(found) > 1 else ""
    first = found[0].words.rstrip(".")
    assert hint(company.services).endswith(f"UTC: {first}.{more} All of it: receiver steps check")
    register(company.services, "the test")
    assert check(company.services) == []
    assert hint(company.services) == ""
    if not company.services.options.public_url.startswith("http://127"):
        assert company.sandbox.rows(ENDPOINT)[0]["url"] == "https://receiver.example/dataverse/notifications"


def test_a_foreign_step_on_our_endpoint_is_told_and_left_alone(company: Registering) -> None:
    foreign = company.foreign_step()

    (found,) = check(company.services)

    assert found.words == "There is a step on our service endpoint that is not ours: by hand (none/Assign)."
    assert found.remedy != REGISTER
    register(company.services, "the test")
    assert company.sandbox.row(STEP, foreign) is not None
    company.sandbox.delete(STEP, foreign)


def test_a_step_that_somebody_moved_to_another_endpoint_is_brought_back(company: Registering) -> None:
    before = registration_of(company.sandbox)
    other = company.sandbox.create(ENDPOINT, {"name": "another", "url": "http://127.0.0.1:9", "contract": 8})
    put(company, STEP, step(company)["id"], eventhandler=(ENDPOINT, other))
    assert [one.words for one in check(company.services)] == ["The step for account/Update is missing."]

    register(company.services, "the test")

    company.sandbox.delete(ENDPOINT, other)
    assert registration_of(company.sandbox) == before
