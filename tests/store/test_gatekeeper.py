"""A gate that may be open again is looked behind by one; everybody else waits for what that one finds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from receiver.errors import GateClosedError, SetUpError
from receiver.store import gates
from receiver.store.database import Database
from receiver.store.gatekeeper import EVERYTHING, Gatekeeper

CLOSED = SetUpError(401, "", "The secret has expired.", "Make a new one.", EVERYTHING)


def test_one_looks_behind_a_gate_and_the_others_wait(database_url: str) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    database = Database(database_url)
    one, other = (Gatekeeper(database, lambda: now, 900.0) for _ in range(2))
    one.refused(CLOSED)
    now += timedelta(seconds=20)
    with database.reading() as both_saw_it, database.writing() as connection:
        assert gates.found(both_saw_it)[0].until <= now
        assert [gates.may_look(connection, EVERYTHING, now) for _ in range(2)] == [True, False]
        gates.let_look(connection, EVERYTHING, now)

    assert one.enter([EVERYTHING]) == EVERYTHING
    with pytest.raises(GateClosedError):
        other.enter([EVERYTHING])

    one.passed(EVERYTHING)
    assert other.enter([EVERYTHING]) == ""
    database.dispose()


def test_each_look_in_vain_doubles_the_pause(database_url: str) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    database = Database(database_url)
    keeper = Gatekeeper(database, lambda: now, 900.0)
    pauses = []
    for _ in range(4):
        keeper.refused(CLOSED)
        with pytest.raises(GateClosedError) as closed:
            keeper.enter([EVERYTHING])
        pauses.append((closed.value.until - now).total_seconds())
        now = closed.value.until
        keeper.enter([EVERYTHING])
    database.dispose()

    assert pauses == [15, 30, 60, 120]
