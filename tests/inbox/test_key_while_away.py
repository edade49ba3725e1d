"""Keys while the database is away, and under a flood: nobody is refused for what cannot be told, nothing is asked often."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from inbox.sending import HEADER, KEY, Door
from sqlalchemy import create_engine, event

from receiver.inbox import webhook_keys
from receiver.store import webhook_keys as stored

MADE_HERE = "made-here-while-one-server-could-not-read"


@contextmanager
def away(door: Door) -> Iterator[None]:
    database = door.services.database
    whole = (database.engine, database._reader)
    nowhere = create_engine("sqlite:////nowhere/at/all.sqlite")
    database.engine = database._reader = nowhere
    yield
    nowhere.dispose()
    database.engine, database._reader = whole


def status(door: Door, key: str) -> int:
    return door.post(headers={HEADER: key}).status_code


def test_a_key_that_may_have_been_made_meanwhile_is_not_refused(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer 401 is final for Dataverse; a server that has lost the database cannot know the newest keys."""
    monkeypatch.setattr(webhook_keys, "READ_EVERY_SECONDS", 0.0)
    assert (status(door, KEY), status(door, MADE_HERE)) == (202, 401)
    with door.services.database.writing() as connection:
        stored.add(connection, webhook_keys.fingerprint(MADE_HERE), door.services.clock())

    with away(door):
        assert status(door, MADE_HERE) == 503

    assert status(door, MADE_HERE) == 202
    assert status(door, "wrong") == 401


def test_a_key_that_has_ended_opens_nothing_also_when_it_was_good_before(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_keys, "READ_EVERY_SECONDS", 0.0)
    assert status(door, KEY) == 202
    now = door.services.clock()
    with door.services.database.writing() as connection:
        stored.end(connection, [webhook_keys.fingerprint(KEY)], now, now)

    assert status(door, KEY) == 401


def test_a_flood_of_wrong_keys_asks_the_database_next_to_nothing(door: Door) -> None:
    asked: list[str] = []
    event.listen(door.services.database.engine, "before_cursor_execute", lambda *told: asked.append(told[2]))

    assert {status(door, f"wrong {number}") for number in range(200)} == {401}

    assert len(asked) <= 5  # one of them has catch-up look
