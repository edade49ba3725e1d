"""The pages on a SQLite database of their own, with records, couplings and notifications to look at."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from receiver import create_app
from receiver.core.coupling import Coupling, LastRun, Result
from receiver.services import Services
from receiver.store import couplings
from receiver.store.local_tables import LocalTable
from receiver.store.models import inbox, passed_over
from receiver.store.schema import migrate
from receiver.tables import BY_NAME
from sqlalchemy import insert
from werkzeug.test import TestResponse

ADMIN_TOKEN, OPEN_TOKEN = "the-admin-token", "the-open-token"
ACCOUNT = "a0000000-0000-4000-8000-000000000001"
NOON = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)
_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


def app_with(folder: Path, **settings: str) -> Flask:
    app = create_app({"RECEIVER_DATABASE_URL": f"sqlite:///{folder}/r.sqlite", **settings})
    services: Services = app.extensions["receiver"]
    migrate(services.database, services.clock())
    return app


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    made = app_with(tmp_path, RECEIVER_ADMIN_TOKEN=ADMIN_TOKEN, RECEIVER_OPEN_TOKEN=OPEN_TOKEN)
    yield made
    made.extensions["receiver"].close()


@pytest.fixture
def services(app: Flask) -> Services:
    return app.extensions["receiver"]


class Visitor:
    """A browser: it keeps its session and sends the CSRF token of the page it last saw."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.token = ""

    def get(self, path: str, **options: Any) -> TestResponse:
        response = self.client.get(path, **options)
        found = _TOKEN.search(response.text)
        self.token = found[1] if found else self.token
        return response

    def post(self, path: str, *, htmx: bool = False, **fields: str) -> TestResponse:
        headers = {"HX-Request": "true"} if htmx else {}
        return self.client.post(path, data={"csrf_token": self.token, **fields}, headers=headers)

    def change(self, path: str, **fields: str) -> str:
        """Change without JavaScript, and the page that follows."""
        response = self.post(path, **fields)
        assert response.status_code == 303, response.text
        return self.get(response.location).text

    def signed_in(self, token: str) -> Visitor:
        self.get("/sign-in")
        assert self.post("/sign-in", token=token).status_code == 302
        self.get("/admin/mappings")
        return self


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


def keep_notification(services: Services, **values: Any) -> int:
    row = {
        "received_at": NOON,
        "headers": {"x-ms-request-id": "r-1"},
        "body": b'{"MessageName": "Update"}',
        "size": 25,
        "message": "Update",
        "table_name": "account",
        "row_id": ACCOUNT,
        "lane": f"account:{ACCOUNT}",
        "state": "done",
        **values,
    }
    with services.database.writing() as connection:
        return int(connection.execute(insert(inbox).values(row).returning(inbox.c.id)).scalar_one())


def pass_over(services: Services, *row_ids: str) -> None:
    with services.database.writing() as connection:
        for row_id in row_ids:
            row = {"mapping": "CUSTOMER", "row_id": row_id, "reason": "ONLY_COUPLED", "since": NOON}
            connection.execute(insert(passed_over).values(row))
