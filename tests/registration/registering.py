"""A company whose environment knows nothing of it yet, and whose requests to Dataverse are recorded."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from company import KEY, Company

from receiver.commands.connection.steps import steps_to_register
from receiver.commands.procedures import PROCEDURES
from receiver.dataverse.client import DataverseClient
from receiver.runs.tasks import carry_out_next
from receiver.sandbox import Sandbox, ServiceEndpoint, Step

STEP, IMAGE, ENDPOINT = "sdkmessageprocessingstep", "sdkmessageprocessingstepimage", "serviceendpoint"
_ENDPOINT_COLUMNS = ("name", "url", "contract", "authtype", "authvalue", "connectionmode", "messageformat",
                     "messagecharset", "userclaim")  # fmt: skip
_STEP_COLUMNS = ("name", "description", "mode", "stage", "rank", "supporteddeployment", "asyncautodelete",
                 "filteringattributes", "statecode")  # fmt: skip
_IMAGE_COLUMNS = ("name", "entityalias", "imagetype", "messagepropertyname", "attributes")


@dataclass(frozen=True)
class Sent:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None


class Recorder(DataverseClient):
    """Records what it sends, and ends the process before a write when told to."""

    sent: list[Sent]
    killed: type[BaseException]
    writes_left: int | None = None

    def call(self, method: str, path: str, **given: Any) -> Any:
        if method != "GET":
            if self.writes_left == 0:
                raise self.killed
            self.writes_left = None if self.writes_left is None else self.writes_left - 1
        self.sent.append(Sent(method, path, given.get("headers") or {}, given.get("body")))
        return super().call(method, path, **given)


class Registering(Company):
    """Nothing is registered before a test does it."""

    def __init__(
        self, database_url: str, sandbox: Sandbox, killed: type[BaseException] = KeyboardInterrupt, **settings: str
    ) -> None:
        super().__init__(database_url, sandbox, **settings)
        client = self.services.dataverse
        client.__class__ = Recorder
        assert isinstance(client, Recorder)
        client.sent, client.killed, self.client = [], killed, client
        if "RECEIVER_PUBLIC_URL" not in settings:
            options = replace(self.services.options, public_url=self.url)
            self.services = self.app.extensions["receiver"] = replace(self.services, options=options)

    def register_steps(self) -> None:
        """As real companies do: with the command."""

    def written(self) -> list[Sent]:
        return [one for one in self.client.sent if one.method != "GET"]

    def end_after(self, writes: int | None) -> None:
        """The process ends instead of sending another write."""
        self.client.writes_left = writes

    def register_by_hand(self) -> None:
        """As somebody did it with Microsoft's tool: other ids, other names."""
        steps = [Step.from_json(one) for one in steps_to_register(self.services)[:-1]]
        self.sandbox.step_set(steps, ServiceEndpoint(f"{self.url}/dataverse/notifications", value=KEY))

    def foreign_step(self) -> str:
        """Somebody else's step on our endpoint; its id."""
        rows = self.sandbox.rows(STEP)
        like = next(row for row in rows if row["filteringattributes"])
        message = next(one["sdkmessageid"] for one in self.sandbox.rows("sdkmessage") if one["name"] == "Assign")
        values = {"name": "by hand", "mode": 1, "stage": 40, "eventhandler": (ENDPOINT, like["eventhandler"]),
                  "sdkmessageid": ("sdkmessage", message)}  # fmt: skip
        return self.sandbox.create(STEP, values)

    def run_tasks(self) -> None:
        while carry_out_next(self.services, PROCEDURES, threading.Event()):
            pass


def registration_of(sandbox: Sandbox) -> dict[str, list[dict[str, Any]]]:
    """What is registered, without the marks of when and by whom."""
    messages = {one["sdkmessageid"]: one["name"] for one in sandbox.rows("sdkmessage")}
    filters = {one["sdkmessagefilterid"]: one["primaryobjecttypecode"] for one in sandbox.rows("sdkmessagefilter")}
    of_step: Callable[[str], list[dict[str, Any]]] = lambda id_: [  # noqa: E731  # it closes over the sandbox
        {"id": one[f"{IMAGE}id"], **{name: one[name] for name in _IMAGE_COLUMNS}}
        for one in sandbox.rows(IMAGE)
        if one[f"{STEP}id"] == id_
    ]
    steps = [
        {
            "id": one[f"{STEP}id"],
            "table": filters.get(one["sdkmessagefilterid"], "none"),
            "message": messages[one["sdkmessageid"]],
            "endpoint": one["eventhandler"],
            **{name: one[name] for name in _STEP_COLUMNS},
            "images": of_step(one[f"{STEP}id"]),
        }
        for one in sandbox.rows(STEP)
    ]
    endpoints = [
        {"id": one[f"{ENDPOINT}id"], **{name: one[name] for name in _ENDPOINT_COLUMNS}}
        for one in sandbox.rows(ENDPOINT)
    ]
    return {"endpoints": endpoints, "steps": steps}
