"""Who may post: the key, in the three ways in which Dataverse can send it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from inbox.sending import HEADER, KEY, NEXT_KEY, PATH, Door, context
from werkzeug.test import EnvironBuilder, run_wsgi_app

WITH_A_KEY: dict[str, dict[str, Any]] = {
    "header, as authtype 5 sends it": {"headers": {HEADER: KEY}},
    "header in other letters": {"headers": {"X-Receiver-KEY": KEY}},
    "code, as authtype 4 sends it": {"query_string": {"code": KEY}},
    "query parameter named as the header, as authtype 6 sends it": {"query_string": {HEADER: KEY}},
    "the key that comes next": {"headers": {HEADER: NEXT_KEY}},
    "the next key as code": {"query_string": {"code": NEXT_KEY}},
    "a wrong header beside a right code": {"headers": {HEADER: "old"}, "query_string": {"code": KEY}},
    "appended to an address that has a code already": {"query_string": f"code=somebody&code={KEY}"},
}

WITHOUT: dict[str, dict[str, Any]] = {
    "nothing": {},
    "empty header": {"headers": {HEADER: ""}},
    "empty code": {"query_string": {"code": ""}},
    "wrong key": {"headers": {HEADER: "wrong"}},
    "beginning of the key": {"headers": {HEADER: KEY[:-1]}},
    "key and more": {"headers": {HEADER: KEY + "x"}},
    "key in capitals": {"headers": {HEADER: KEY.upper()}},
    "the whole list": {"headers": {HEADER: f"{KEY}, {NEXT_KEY}"}},
    "both keys, joined": {"headers": {HEADER: KEY + NEXT_KEY}},
    "key under another name": {"headers": {"Authorization": KEY}},
    "key as bearer": {"headers": {"Authorization": f"Bearer {KEY}"}},
    "key as a cookie": {"headers": {"Cookie": f"{HEADER}={KEY}"}},
    "key in the path's parameter": {"path": f"{PATH};code={KEY}"},
    "not ASCII": {"headers": {HEADER: "schl\u00fcssel"}},
    "not UTF-8": {"query_string": "code=%ff%fe"},
}


def send(door: Door, how: dict[str, Any]) -> Any:
    path = how.get("path", PATH)
    options = {name: value for name, value in how.items() if name != "path"}
    return door.client.post(path, json=context(), **options)


@pytest.mark.parametrize("how", WITH_A_KEY.values(), ids=WITH_A_KEY)
def test_a_valid_key_opens(door: Door, how: dict[str, Any]) -> None:
    answer = send(door, how)

    assert answer.status_code == 202
    assert answer.get_json() == {"notification": 1, "status": "waiting"}


@pytest.mark.parametrize("how", WITHOUT.values(), ids=WITHOUT)
def test_no_valid_key_is_401_with_an_empty_hint_and_nothing_is_kept(door: Door, how: dict[str, Any]) -> None:
    answer = send(door, how)

    assert (answer.status_code, answer.data) in {(401, b""), (404, answer.data)}
    assert door.kept() == []


def test_each_refusal_for_a_key_is_counted(door: Door) -> None:
    for _ in range(5):
        door.post(headers={HEADER: "wrong"})

    assert door.refusals() == 5
    door.post(headers={HEADER: "wrong"})
    assert door.refusals() == 6


def test_refusals_while_the_database_is_away_are_counted_afterwards(door: Door) -> None:
    url = door.services.database.engine.url
    door.app.extensions["receiver_refusals"].every_seconds = 0.0
    door.services.database.engine.dispose()
    from sqlalchemy import create_engine

    whole = door.services.database.engine
    door.services.database.engine = create_engine("sqlite:////nowhere/at/all.sqlite")
    assert door.post(headers={HEADER: "wrong"}).status_code == 401
    door.services.database.engine.dispose()
    door.services.database.engine = whole

    assert whole.url == url
    assert door.refusals() == 1


@pytest.fixture
def renamed(sqlite_url: str) -> Iterator[Door]:
    with closing(Door(sqlite_url, RECEIVER_WEBHOOK_KEY_HEADER="x-our-proof")) as made:
        yield made


@pytest.mark.parametrize(
    ("how", "status"),
    [
        ({"headers": {"x-our-proof": KEY}}, 202),
        ({"query_string": {"x-our-proof": KEY}}, 202),
        ({"query_string": {"code": KEY}}, 202),
        ({"headers": {HEADER: KEY}}, 401),
        ({"query_string": {HEADER: KEY}}, 401),
    ],
)
def test_the_header_has_the_name_that_was_set(renamed: Door, how: dict[str, Any], status: int) -> None:
    assert send(renamed, how).status_code == status


def test_without_any_key_set_nobody_gets_in(sqlite_url: str) -> None:
    with closing(Door(sqlite_url, RECEIVER_WEBHOOK_KEYS=" , ")) as door:
        assert [
            send(door, how).status_code for how in ({}, {"headers": {HEADER: ""}}, {"query_string": {"code": ""}})
        ] == [401] * 3


class Unread(io.RawIOBase):
    """A body that must not be read."""

    def readinto(self, _: Any) -> int:
        raise AssertionError("the body was read")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({HEADER: KEY, "Content-Type": "text/plain"}, 415),
        ({HEADER: KEY, "Content-Encoding": "gzip"}, 415),
        ({HEADER: KEY, "Content-Length": "1048577"}, 413),
    ],
)
def test_what_the_headers_already_refuse_is_refused_before_the_body_is_read(
    door: Door, headers: dict[str, str], status: int
) -> None:
    made = EnvironBuilder(PATH, method="POST", headers={"Content-Type": "application/json", **headers}).get_environ()
    environ = {**made, "wsgi.input": Unread(), "CONTENT_LENGTH": headers.get("Content-Length", "1000")}

    _, said, _ = run_wsgi_app(door.app, environ)

    assert said.startswith(str(status))


@pytest.mark.parametrize(
    "headers",
    [
        {HEADER: KEY},
        {"X-RECEIVER-KEY": KEY},
        {HEADER: NEXT_KEY, "x-ms-original-url": f"https://r.example{PATH}?code={KEY}"},
        {"x-ms-dynamics-odd": f"a {NEXT_KEY} b"},
        {"x-ms-original-url": "https://r.example/?code=key%2Dof%2Dtoday%2D7f3a"},
    ],
)
def test_the_key_is_never_kept(door: Door, headers: dict[str, str]) -> None:
    plain = {"x-ms-dynamics-organization": "nordhaven.crm4.dynamics.com"}
    door.post(query_string={"code": KEY, HEADER: NEXT_KEY}, headers={**headers, **plain})
    door.post(b"no JSON", query_string={"code": KEY}, headers={**headers, **plain})

    for row in door.kept():
        assert row["headers"] == plain
        assert not [value for value in row.values() if KEY in str(value) or NEXT_KEY in str(value)]


def test_a_header_with_the_key_is_not_kept_under_a_name_of_microsofts_either(sqlite_url: str) -> None:
    with closing(Door(sqlite_url, RECEIVER_WEBHOOK_KEY_HEADER="X-MS-Our-Key")) as door:
        door.post(headers={"X-MS-Our-Key": KEY, "X-MS-Correlation-Request-Id": "c"})
        assert door.kept()[0]["headers"] == {"x-ms-correlation-request-id": "c"}


def test_keys_are_never_logged_by_the_application(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    for body in (context(), b"no JSON", context(OrganizationId="x")):
        door.post(body, query_string={"code": KEY})
    door.post(headers={HEADER: KEY + "?"}, query_string={"code": NEXT_KEY + "?"})
    with door.services.database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE receiver_inbox RENAME TO away")
    assert door.post(query_string={"code": KEY}).status_code == 503

    assert KEY not in caplog.text
    assert NEXT_KEY not in caplog.text
