from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from doors.sending import Door


@pytest.fixture
def door(sqlite_url: str) -> Iterator[Door]:
    """A receiver's doors on SQLite, where the database makes no difference."""
    with closing(Door(sqlite_url)) as made:
        yield made


@pytest.fixture
def any_door(database_url: str) -> Iterator[Door]:
    """The same on each database: what one of them refuses to store shows here."""
    with closing(Door(database_url)) as made:
        yield made
