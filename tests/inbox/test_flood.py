"""A flood is refused with 503 and the reason, before nothing else goes on; what was acknowledged stays."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from types import SimpleNamespace

import pytest
from inbox.sending import Door, context

from receiver.inbox import room
from receiver.store import door_refusals


def test_with_too_many_waiting_the_next_is_refused_and_one_more_is_taken_once_they_are_fewer(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "LOOK_EACH_SECONDS", 0.0)
    with closing(Door(sqlite_url, RECEIVER_LARGEST_BACKLOG="3")) as door:
        assert [door.post(context()).status_code for _ in range(5)] == [202, 202, 202, 503, 503]
        answer = door.post(context())
        assert "RECEIVER_LARGEST_BACKLOG is 3" in answer.get_json()["detail"]
        assert answer.headers["Retry-After"] == "60"
        door.app.extensions["receiver_refusals"].write(door.services)
        with door.services.database.reading() as connection:
            assert door_refusals.listed(connection)["full"].count == 3
        with door.services.database.writing() as connection:
            connection.exec_driver_sql("UPDATE receiver_inbox SET state = 'done'")
        assert door.post(context()).status_code == 202


def test_below_a_limit_of_disk_space_nothing_more_is_taken(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "LOOK_EACH_SECONDS", 0.0)
    free: Callable[[object], object] = lambda _place: SimpleNamespace(f_bavail=10, f_frsize=1024**2)  # noqa: E731  # a stand-in for the disk
    monkeypatch.setattr(room.os, "statvfs", free)
    with closing(Door(sqlite_url)) as door:
        answer = door.post(context())
    assert answer.status_code == 503
    assert "The disk has 10 MB left" in answer.get_json()["detail"]
