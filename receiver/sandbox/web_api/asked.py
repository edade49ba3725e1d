"""One request of the Web API: its preferences, conditions and body, and the ways to answer it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from flask import Request, Response

from receiver.sandbox import exact_json
from receiver.sandbox.errors import ApiError, invalid_argument, malformed
from receiver.sandbox.events import Call
from receiver.sandbox.organization import Organization
from receiver.sandbox.seed import APPLICATION_USER
from receiver.sandbox.steps import ASYNCHRONOUS, SYNCHRONOUS
from receiver.sandbox.storage import Row
from receiver.sandbox.table import Table
from receiver.sandbox.values import guid_of

_ETAG = re.compile(r'W/"(\d+)"')
_BYPASS = "MSCRM.BypassBusinessLogicExecution"
_MOST_BYPASSED_STEPS = 3
_MODES = {"CustomSync": SYNCHRONOUS, "CustomAsync": ASYNCHRONOUS}
CONTENT_TYPE = "application/json; odata.metadata=minimal"


@dataclass(frozen=True)
class Asked:
    """A request and the environment that answers it."""

    organization: Organization
    request: Request
    base: str

    @property
    def method(self) -> str:
        return self.request.method

    def option(self, name: str) -> str | None:
        """A query option such as `$select`; None when absent or empty."""
        return self.request.args.get(name) or None

    def preference(self, name: str) -> str | None:
        """The value of a Prefer entry; "" when it has none, None when it is absent."""
        for entry in _entries(self.request.headers.getlist("Prefer")):
            key, _, value = entry.partition("=")
            if key.strip().lower() == name:
                return value.strip().strip('"')
        return None

    def wants_annotation(self, name: str) -> bool:
        """Whether `odata.include-annotations` lists it, by itself or by a pattern: `*`, `Microsoft.Dynamics.CRM.*`."""
        asked_for = _listed(self.preference("odata.include-annotations") or "")
        return any(one == name or (one.endswith("*") and name.startswith(one[:-1])) for one in asked_for)

    @property
    def wants_annotations(self) -> bool:
        return bool(self.preference("odata.include-annotations"))

    @property
    def wants_unmasked_data(self) -> bool:
        return (self.option("UnMaskedData") or "").lower() == "true"

    @property
    def wants_representation(self) -> bool:
        return self.preference("return") == "representation"

    @property
    def must_exist(self) -> bool:
        return self.request.headers.get("If-Match") is not None

    @property
    def must_be_new(self) -> bool:
        return self.request.headers.get("If-None-Match") == "*"

    @property
    def expected_version(self) -> int | None:
        """From `If-Match: W/"n"`."""
        found = _ETAG.search(self.request.headers.get("If-Match", ""))
        return int(found[1]) if found else None

    @property
    def known_version(self) -> int | None:
        """From `If-None-Match: W/"n"`."""
        found = _ETAG.search(self.request.headers.get("If-None-Match", ""))
        return int(found[1]) if found else None

    @property
    def call(self) -> Call:
        """Who asks: the application user, or whom it impersonates. Raises ApiError."""
        headers = self.request.headers
        bypassed = {_MODES[mode] for mode in _listed(headers.get(_BYPASS, "")) if mode in _MODES}
        if headers.get("MSCRM.BypassCustomPluginExecution", "").lower() == "true":
            bypassed.add(SYNCHRONOUS)
        step_ids = frozenset(guid_of(step_id) for step_id in _listed(headers.get(f"{_BYPASS}StepIds", "")))
        if len(step_ids) > _MOST_BYPASSED_STEPS:
            raise invalid_argument(f"No more than {_MOST_BYPASSED_STEPS} steps can be bypassed.")
        version = self.expected_version
        return Call(
            user_id=self._caller(),
            tag=self.option("tag"),
            skipped_modes=frozenset(bypassed),
            skipped_steps=step_ids,
            runs_plug_ins=SYNCHRONOUS not in bypassed,
            row_version=None if version is None else str(version),
        )

    def _caller(self) -> str:
        """Impersonation names a user by his id or by his id in Entra ID. Raises ApiError for a stranger."""
        by_id, by_object_id = self.request.headers.get("MSCRMCallerID"), self.request.headers.get("CallerObjectId")
        if by_id is None and by_object_id is None:
            return APPLICATION_USER
        column = "systemuserid" if by_id else "azureactivedirectoryobjectid"
        wanted = guid_of(by_id or by_object_id)
        for user in self.organization.store.rows("systemuser"):
            if user.get(column) == wanted:
                return user.id
        raise ApiError(403, "0x80072560", "The user is not a member of the organization.")

    def body(self) -> dict[str, Any]:
        """Raises ApiError."""
        try:
            found = exact_json.loads(self.request.get_data())
        except ValueError as problem:
            raise malformed(f"The body is no JSON: {problem}") from None
        if not isinstance(found, dict):
            raise malformed("The body must be an object.")
        return found

    def address_of(self, table: Table, row: Row) -> str:
        return f"{self.base}/{table.set_name}({row.id})"

    def answer(self, body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
        return Response(exact_json.dumps(body), status, headers, content_type=CONTENT_TYPE)

    def answer_nothing(self, headers: dict[str, str] | None = None) -> Response:
        answer = Response(status=204, headers=headers)
        del answer.headers["Content-Type"]
        return answer


def _entries(headers: list[str]) -> list[str]:
    """The comma-joined entries of all Prefer headers; a comma inside quotes joins nothing."""
    return [entry for header in headers for entry in re.findall(r'(?:[^,"]|"[^"]*")+', header)]


def _listed(joined: str) -> list[str]:
    return [part.strip() for part in joined.split(",") if part.strip()]
