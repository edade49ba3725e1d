"""The pages on a SQLite database of their own, with records, couplings and notifications to look at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from admin.visitor import ACCOUNT, ADMIN_TOKEN, CONNECTION, NOON, OPEN_TOKEN, Visitor, app_with
from flask import Flask

from receiver.core.coupling import Coupling, LastRun, Result
from receiver.services import Services
from receiver.store import couplings
from receiver.store.local_tables import LocalTable
from receiver.tables import BY_NAME


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    made = app_with(tmp_path, RECEIVER_ADMIN_TOKEN=ADMIN_TOKEN, RECEIVER_OPEN_TOKEN=OPEN_TOKEN, **CONNECTION)
    yield made
    made.extensions["receiver"].close()


@pytest.fixture
def services(app: Flask) -> Services:
    return app.extensions["receiver"]


@pytest.fixture
def stranger(app: Flask) -> Visitor:
    return Visitor(app.test_client())


@pytest.fixture
def admin(app: Flask) -> Visitor:
    return Visitor(app.test_client()).signed_in(ADMIN_TOKEN)


@pytest.fixture
def salesperson(app: Flask) -> Visitor:
    return Visitor(app.test_client()).signed_in(OPEN_TOKEN)


@pytest.fixture
def customer(services: Services) -> str:
    """A coupled customer; its number."""
    with services.database.writing() as connection:
        record = LocalTable(connection, BY_NAME["customer"]).insert({"name": "Fourth Coffee", "city": "Graz"})
        coupling = Coupling(
            "CUSTOMER",
            record.id,
            ACCOUNT,
            local_base={"name": "Fourth Coffee", "city": "Graz"},
            dataverse_base={"name": "Fourth Coffee", "address1_city": "Graz"},
            last_from=LastRun(Result.SUCCESS, 1),
        )
        couplings.save(connection, coupling, NOON)
    return record.id
