from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from doors.sending import Door
from sqlalchemy import create_engine, text

from receiver.store.models import inbox, lane

TEMPLATE = "receiver_template"


@pytest.fixture
def door(sqlite_url: str) -> Iterator[Door]:
    """A receiver's doors on SQLite, where the database makes no difference."""
    with closing(Door(sqlite_url)) as made:
        yield made


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path
) -> Iterator[str]:
    """One database of each kind for a whole module: making one costs more than most tests."""
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("doors") / "receiver.sqlite"
        shutil.copy(sqlite_template, path)
        yield f"sqlite:///{path}"
        return
    pattern, name = request.getfixturevalue("postgresql"), f"doors_{uuid.uuid4().hex[:12]}"
    engine = create_engine(pattern.format(name="postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}"))
    engine.dispose()
    yield pattern.format(name=name)


@pytest.fixture
def any_door(shared_url: str) -> Iterator[Door]:
    """A receiver's doors on each database, with nothing in them: what one of them refuses to store shows here."""
    with closing(Door(shared_url)) as made:
        with made.services.database.writing() as connection:
            connection.execute(inbox.delete())
            connection.execute(lane.delete())
        yield made
