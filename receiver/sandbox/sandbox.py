"""The sandbox itself: starts and stops its servers, and offers tests the same operations in-process."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from receiver.sandbox.administering import Administering
from receiver.sandbox.certificates import server_context
from receiver.sandbox.context import Bag
from receiver.sandbox.delivery import Delivery
from receiver.sandbox.events import Call
from receiver.sandbox.faults import Faults
from receiver.sandbox.organization import Organization, RequestMade, make_organization
from receiver.sandbox.pages import make_pages
from receiver.sandbox.registration import OPEN_IN_BUSINESS_CENTRAL, replace_steps
from receiver.sandbox.seed import SALES_MANAGER
from receiver.sandbox.settings import SandboxSettings, ServiceEndpoint
from receiver.sandbox.steps import ASYNCHRONOUS, SYNCHRONOUS, Step
from receiver.sandbox.storage import Row
from receiver.sandbox.table import Table
from receiver.sandbox.values import Reference, guid_of
from receiver.sandbox.web_api import make_web_api
from receiver.sandbox.web_server import WebServer, open_server

_BOTH_MODES = frozenset({SYNCHRONOUS, ASYNCHRONOUS})


class Sandbox(Administering):
    """A Dataverse environment on this machine. Use it as a context manager, or call `start` and `stop`."""

    def __init__(self, settings: SandboxSettings | None = None) -> None:
        self.settings = settings or SandboxSettings()
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._servers: list[WebServer] = []
        self._organization: Organization | None = None
        self._ca_file: Path | None = None
        self.organization_id = self.settings.organization_id
        self.tenant_id = self.settings.tenant_id
        self.client_id = self.settings.client_id
        self.client_secret = self.settings.client_secret

    def start(self) -> Self:
        """Raises PortTakenError."""
        folder = self._open_folder()
        try:
            self._organization = make_organization(self.settings, self.settings.folder and folder)
            context, self._ca_file = server_context(folder)
            settings = self.settings
            api = make_web_api(self._organization)
            self._serve(open_server(settings.host, settings.api_port, "SANDBOX_API_PORT", api, lambda: context))
            pages = make_pages(self._organization)
            self._serve(open_server(settings.host, settings.page_port, "SANDBOX_PORT", pages))
            self._organization.pipeline.queue.start()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Ends every thread and connection; what was not sent yet is forgotten."""
        if self._organization is not None:
            self._organization.stopping.set()
        for server in self._servers:
            server.stop()
        self._servers.clear()
        if self._organization is not None:
            self._organization.pipeline.queue.stop()
            self._organization.store.close()
            self._organization = None
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = None

    def __enter__(self) -> Self:
        return self.start()

    @contextmanager
    def copied_as(self, organization_id: str) -> Iterator[Sandbox]:
        """A running copy of this environment: the same rows and ids, steps that send to the same place, another name.

        Its ports are free ones, and it keeps nothing.
        """
        settings = replace(self.settings, organization_id=organization_id, folder=None, page_port=0, api_port=0)
        with Sandbox(settings) as copy:
            copy.restore_backup(self.backup())
            yield copy

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def api_url(self) -> str:
        return f"https://localhost:{self._servers[0].server_port}"

    @property
    def page_url(self) -> str:
        return f"http://localhost:{self._servers[1].server_port}"

    @property
    def authority(self) -> str:
        return f"{self.api_url}/{self.tenant_id}"

    @property
    def ca_file(self) -> Path:
        """The authority's certificate (PEM), for REQUESTS_CA_BUNDLE."""
        assert self._ca_file is not None
        return self._ca_file

    @property
    def organization(self) -> Organization:
        if self._organization is None:
            raise RuntimeError("The sandbox is not started.")
        return self._organization

    @property
    def faults(self) -> Faults:
        return self.organization.faults

    @property
    def deliveries(self) -> list[Delivery]:
        """What was sent, in the order in which it ended."""
        return list(self.organization.pipeline.deliveries)

    @property
    def requests(self) -> list[RequestMade]:
        """The Web API's log."""
        return list(self.organization.requests)

    def settle(self, timeout: float = 60.0) -> bool:
        """Waits until no delivery is waiting or being sent; False when time ran out."""
        return self.organization.pipeline.queue.settle(timeout)

    def create(
        self,
        table: str,
        values: dict[str, Any],
        row_id: str | None = None,
        *,
        deliver: bool = True,
        tag: str | None = None,
        user_id: str = SALES_MANAGER,
    ) -> str:
        """The new row's id. Lookups are References, (table, id) pairs, or an id. Raises ApiError."""
        found, submitted = self._submitted(table, values)
        wanted = guid_of(row_id) if row_id else None
        return self.organization.rows.create(found, submitted, _call(user_id, tag, deliver=deliver), wanted).id

    def update(
        self,
        table: str,
        row_id: str,
        values: dict[str, Any],
        *,
        deliver: bool = True,
        tag: str | None = None,
        user_id: str = SALES_MANAGER,
    ) -> None:
        """Raises ApiError."""
        found, submitted = self._submitted(table, values)
        call = _call(user_id, tag, deliver=deliver)
        self.organization.rows.update(found, guid_of(row_id), submitted, call)

    def delete(
        self,
        table: str,
        row_id: str,
        *,
        deliver: bool = True,
        tag: str | None = None,
        user_id: str = SALES_MANAGER,
    ) -> None:
        """Raises ApiError."""
        found = self.organization.schema.table(table)
        self.organization.rows.delete(found, guid_of(row_id), _call(user_id, tag, deliver=deliver))

    def merge(self, table: str, target_id: str, loser_id: str, values: dict[str, Any] | None = None) -> None:
        """Raises ApiError."""
        found, content = self._submitted(table, values or {})
        call = _call(SALES_MANAGER, None, deliver=True)
        self.organization.rows.merge(found, guid_of(target_id), guid_of(loser_id), content, call)

    def put_row(self, table: str, row_id: str, values: dict[str, Any]) -> None:
        """Writes the row without any notification, new or not."""
        found, submitted = self._submitted(table, values)
        self.organization.rows.put(found, guid_of(row_id), submitted, Call(SALES_MANAGER))

    def row(self, table: str, row_id: str) -> dict[str, Any] | None:
        """Every column by its logical name; lookups as guids; None for an empty column."""
        found = self.organization.schema.table(table)
        row = self.organization.store.row(table, guid_of(row_id))
        return None if row is None else _plain(found, row)

    def rows(self, table: str) -> list[dict[str, Any]]:
        found = self.organization.schema.table(table)
        return [_plain(found, row) for row in self.organization.store.rows(table)]

    def call_custom_api(
        self,
        message: str = OPEN_IN_BUSINESS_CENTRAL,
        table: str = "account",
        row_id: str = "",
        *,
        bound: bool = False,
        synchronous: bool = False,
        user_id: str = SALES_MANAGER,
    ) -> None:
        """Bound: the row is the message's Target. Unbound: its table and id are the parameters Table and Id.

        `synchronous` runs the message's steps inside the call, however they are registered.
        Raises ApiError when the row is missing, or when a synchronous step fails.
        """
        found = self.organization.schema.table(table)
        parameters: Bag = () if bound else (("Table", table), ("Id", row_id))
        target = found if bound else None
        call = Call(user_id, is_synchronous=synchronous)
        self.organization.rows.call_custom_api(message, target, row_id, parameters, call)

    def step_set(self, steps: Iterable[Step], endpoint: ServiceEndpoint | None = None) -> None:
        """Replaces every registration. Raises RuntimeError when nobody said where to send."""
        target = endpoint or self.settings.service_endpoint
        if target is None:
            raise RuntimeError("Steps need a service endpoint: give one here or in the settings.")
        with self.organization.rows.transaction() as transaction:
            replace_steps(transaction, target, steps)

    def expire_tokens(self) -> None:
        """Every token given out so far is refused from now on."""
        self.organization.tokens.expire_all()

    def _submitted(self, table: str, values: dict[str, Any]) -> tuple[Table, dict[str, Any]]:
        found = self.organization.schema.table(table)
        return found, self.organization.logical(found, values)

    def _serve(self, server: WebServer) -> None:
        self._servers.append(server)
        server.seconds_ahead = lambda: self.faults.clock_ahead_seconds
        server.start()

    def _open_folder(self) -> Path:
        if self.settings.folder is not None:
            self.settings.folder.mkdir(parents=True, exist_ok=True)
            return self.settings.folder
        self._temporary = tempfile.TemporaryDirectory(prefix="sandbox-")
        return Path(self._temporary.name)


def _call(user_id: str, tag: str | None, *, deliver: bool) -> Call:
    return Call(user_id, tag, frozenset() if deliver else _BOTH_MODES)


def _plain(table: Table, row: Row) -> dict[str, Any]:
    values = {name: row.get(name) for name in table.by_name}
    return {name: value.id if isinstance(value, Reference) else value for name, value in values.items()}
