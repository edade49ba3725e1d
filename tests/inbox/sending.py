"""What a sender does: bodies like Dataverse's, a receiver with nothing but its doors, a look at what was kept."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping, select
from werkzeug.test import TestResponse

from receiver import create_app
from receiver.lanes.ready import Ready, ready
from receiver.services import Services
from receiver.store.models import inbox, lane

KEY, NEXT_KEY = "key-of-today-7f3a", "key-of-tomorrow-91c2"
METRICS_TOKEN = "the-metrics-token"
HEADER = "x-receiver-key"
ORGANIZATION = "0d000000-0000-4000-8000-000000000001"
ACCOUNT = "a0000000-0000-4000-8000-000000000001"
NO_ID = "00000000-0000-0000-0000-000000000000"
TYPE = "http://schemas.microsoft.com/xrm/2011/Contracts"
PATH = "/dataverse/notifications"


def attributes(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": name, "value": value} for name, value in values.items()]


def target(table: str, id_: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "__type": f"Entity:{TYPE}",
        "Attributes": attributes(values),
        "EntityState": None,
        "FormattedValues": [],
        "Id": id_,
        "KeyAttributes": [],
        "LogicalName": table,
        "RelatedEntities": [],
        "RowVersion": None,
    }


def reference(table: str, id_: str) -> dict[str, Any]:
    return {"__type": f"EntityReference:{TYPE}", "Id": id_, "KeyAttributes": [], "LogicalName": table, "Name": None}


def context(message: str = "Update", table: str = "account", id_: str = ACCOUNT, **members: Any) -> dict[str, Any]:
    """An asynchronous step's execution context; *members* replace or add."""
    body = {
        "BusinessUnitId": str(uuid.uuid4()),
        "CorrelationId": str(uuid.uuid4()),
        "Depth": 1,
        "InitiatingUserId": str(uuid.uuid4()),
        "InputParameters": attributes({"Target": target(table, id_, {"telephone1": "555"})}),
        "IsInTransaction": False,
        "MessageName": message,
        "Mode": 1,
        "OperationCreatedOn": "/Date(1758791058708+0000)/",
        "OperationId": str(uuid.uuid4()),
        "OrganizationId": ORGANIZATION,
        "OrganizationName": "unq0d",
        "OutputParameters": [],
        "OwningExtension": {"Id": str(uuid.uuid4()), "LogicalName": "sdkmessageprocessingstep", "Name": None},
        "ParentContext": None,
        "PostEntityImages": [],
        "PreEntityImages": [],
        "PrimaryEntityId": id_,
        "PrimaryEntityName": table,
        "RequestId": str(uuid.uuid4()),
        "SharedVariables": [],
        "Stage": 40,
    }
    return {**body, **members}


def without(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key != name}


def encoded(body: Any) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()


class Door:
    """A receiver without Dataverse: nothing but its doors and its database."""

    def __init__(self, database_url: str, **settings: str) -> None:
        self._ahead = timedelta()
        keys = {"RECEIVER_WEBHOOK_KEYS": f"{KEY}, {NEXT_KEY}", "RECEIVER_METRICS_TOKEN": METRICS_TOKEN}
        self.app = create_app({"RECEIVER_DATABASE_URL": database_url, **keys, **settings}, self.now)
        self.services: Services = self.app.extensions["receiver"]
        self.client = self.app.test_client()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def pass_time(self, seconds: float) -> None:
        self._ahead += timedelta(seconds=seconds)

    def close(self) -> None:
        self.services.close()

    def post(self, body: Any = None, path: str = PATH, **options: Any) -> TestResponse:
        """Post as Dataverse does: JSON, with today's key in the header."""
        headers = {HEADER: KEY, **options.pop("headers", {})}
        options.setdefault("content_type", "application/json")
        return self.client.post(path, data=encoded(context() if body is None else body), headers=headers, **options)

    def kept(self) -> list[RowMapping]:
        with self.services.database.reading() as connection:
            return list(connection.execute(select(inbox).order_by(inbox.c.id)).mappings())

    def ready(self) -> list[Ready]:
        """The lanes that are ready now, in the order in which they are taken."""
        with self.services.database.reading() as connection:
            return ready(connection, self.now(), 100)

    def lanes(self) -> list[RowMapping]:
        with self.services.database.reading() as connection:
            return list(connection.execute(select(lane).order_by(lane.c.key)).mappings())

    def health(self) -> dict[str, Any]:
        """What /health/ready tells those who may know it."""
        headers = {"Authorization": f"Bearer {METRICS_TOKEN}"}
        found: dict[str, Any] = self.client.get("/health/ready", headers=headers).get_json()
        return found

    def refusals(self) -> int:
        checks = self.health()["checks"]
        return int(checks["dataverse"].get("refused_keys", 0))
