"""A visitor of the pages, and what there is for them to look at."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert
from werkzeug.test import TestResponse

from receiver import create_app
from receiver.services import Services
from receiver.store.models import inbox, passed_over
from receiver.store.schema import migrate

ADMIN_TOKEN, OPEN_TOKEN = "the-admin-token", "the-open-token"
ACCOUNT = "a0000000-0000-4000-8000-000000000001"
#: set up, and nobody answers: it is not known yet whether it works
CONNECTION = {
    "RECEIVER_DATAVERSE_URL": "https://localhost:1",
    "RECEIVER_AUTHORITY": "https://localhost:1/tenant",
    "RECEIVER_CLIENT_ID": "client",
    "RECEIVER_CLIENT_SECRET": "the-client-secret",
}
NOON = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)
_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


def app_with(folder: Path, **settings: str) -> Flask:
    app = create_app({"RECEIVER_DATABASE_URL": f"sqlite:///{folder}/r.sqlite", **settings})
    services: Services = app.extensions["receiver"]
    migrate(services.database, services.clock())
    return app


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
        self.get("/sign-in")
        return self


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
