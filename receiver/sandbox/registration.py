"""Steps and service endpoints as the platform keeps them: rows of its own tables, read back into steps."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from uuid import UUID, uuid5
from xml.etree import ElementTree as ET

from receiver.sandbox.delivery import Address
from receiver.sandbox.errors import ApiError, invalid_argument
from receiver.sandbox.schema import Schema
from receiver.sandbox.settings import ServiceEndpoint
from receiver.sandbox.steps import ASYNCHRONOUS, POST_OPERATION, Step, StepImage
from receiver.sandbox.storage import Row, Store, Transaction
from receiver.sandbox.values import Reference

ENDPOINT, STEP, IMAGE = "serviceendpoint", "sdkmessageprocessingstep", "sdkmessageprocessingstepimage"
MESSAGE, FILTER = "sdkmessage", "sdkmessagefilter"
CUSTOM_API = "customapi"
REGISTRATION_TABLES = frozenset({ENDPOINT, STEP, IMAGE, MESSAGE, FILTER})
ENDPOINT_ID = "5e9d0000-0000-4000-8000-000000000001"
WEBHOOK_CONTRACT = 8
OPEN_IN_BUSINESS_CENTRAL = "rcv_OpenInBusinessCentral"
_BOTH_KINDS = 2
_PREFIXED = frozenset({CUSTOM_API, "appaction"})
_PREFIX = re.compile(r"[A-Za-z][A-Za-z0-9]{1,7}_")
_MESSAGES = UUID("3e550000-0000-4000-8000-000000000001")
_TABLE_MESSAGES = ("Create", "Update", "Delete", "Merge", "Assign", "SetState", "SetStateDynamicEntity", "Restore")
_OTHER_MESSAGES = ("Associate", "Disassociate", OPEN_IN_BUSINESS_CENTRAL)
_KNOWN_IDS = {
    "Create": "9ebdbb1b-ea3e-db11-86a7-000a3a5473e8",
    "Update": "20bebb1b-ea3e-db11-86a7-000a3a5473e8",
}


def message_id(name: str) -> str:
    return _KNOWN_IDS.get(name) or str(uuid5(_MESSAGES, name))


def put_messages(schema: Schema, transaction: Transaction) -> None:
    """Every message of the platform, and for which tables it can be registered."""
    for name in (*_TABLE_MESSAGES, *_OTHER_MESSAGES):
        _put_message(transaction, name)
    for table in schema.tables.values():
        for name in _TABLE_MESSAGES if table.notifies else ():
            _put_filter(transaction, name, table.name)


def put_custom_api(transaction: Transaction, values: dict[str, object]) -> None:
    """A Custom API is a message from the moment its row exists."""
    name, table = str(values["uniquename"]), values.get("boundentitylogicalname")
    _put_message(transaction, name)
    if table:
        _put_filter(transaction, name, str(table))


def _put_message(transaction: Transaction, name: str) -> Reference:
    found = Reference(MESSAGE, message_id(name))
    if transaction.row(MESSAGE, found.id) is None:
        transaction.put(MESSAGE, found.id, {"sdkmessageid": found.id, "name": name, "isprivate": False})
    return found


def _put_filter(transaction: Transaction, message: str, table: str) -> Reference:
    found = Reference(FILTER, str(uuid5(_MESSAGES, f"{message}/{table}")))
    if transaction.row(FILTER, found.id) is None:
        values = {
            "sdkmessagefilterid": found.id,
            "primaryobjecttypecode": table,
            "secondaryobjecttypecode": "none",
            "iscustomprocessingstepallowed": True,
            "isvisible": True,
            "sdkmessageid": Reference(MESSAGE, message_id(message)),
        }
        transaction.put(FILTER, found.id, values)
    return found


def replace_steps(transaction: Transaction, endpoint: ServiceEndpoint | None, steps: Iterable[Step]) -> None:
    """Forgets every registration and makes these instead. Without an endpoint there is nothing to register."""
    for table in (ENDPOINT, STEP, IMAGE):
        for row in transaction.rows(table):
            transaction.remove(table, row.id)
    if endpoint is None:
        return
    _put_endpoint(transaction, endpoint)
    for step in steps:
        _put_step(transaction, step)


def remove_images(transaction: Transaction, step_id: str) -> None:
    """A step takes its images along."""
    for row in transaction.rows(IMAGE):
        if row.get("sdkmessageprocessingstepid") == Reference(STEP, step_id):
            transaction.remove(IMAGE, row.id)


def _put_endpoint(transaction: Transaction, endpoint: ServiceEndpoint) -> None:
    values = {
        "serviceendpointid": ENDPOINT_ID,
        "name": "receiver",
        "url": endpoint.url,
        "contract": WEBHOOK_CONTRACT,
        "authtype": endpoint.auth_type,
        "authvalue": endpoint.stored_value,
        "isauthvalueset": bool(endpoint.value),
        "connectionmode": 1,
        "messageformat": 2,
        "messagecharset": 1,
        "userclaim": 1,
    }
    transaction.put(ENDPOINT, ENDPOINT_ID, values)


def _put_step(transaction: Transaction, step: Step) -> None:
    of_table = "" if step.table == "none" else f" of {step.table}"
    filtered = None if step.table == "none" else _put_filter(transaction, step.message, step.table)
    values = {
        "sdkmessageprocessingstepid": step.derived_id,
        "name": step.name or f"receiver: {step.message}{of_table}",
        "mode": step.mode,
        "stage": step.stage,
        "rank": 1,
        "supporteddeployment": 0,
        "asyncautodelete": True,
        "filteringattributes": ",".join(step.filtering_attributes) or None,
        "sdkmessageid": _put_message(transaction, step.message),
        "sdkmessagefilterid": filtered,
        "eventhandler": Reference(ENDPOINT, ENDPOINT_ID),
        "statecode": 0,
        "statuscode": 1,
    }
    transaction.put(STEP, step.derived_id, values)
    for image in step.images:
        _put_image(transaction, step, image)


def _put_image(transaction: Transaction, step: Step, image: StepImage) -> None:
    image_id = str(uuid5(UUID(step.derived_id), image.alias))
    values = {
        "sdkmessageprocessingstepimageid": image_id,
        "name": image.alias,
        "entityalias": image.alias,
        "imagetype": image.image_type,
        "messagepropertyname": image.message_property_name,
        "attributes": ",".join(image.columns) or None,
        "sdkmessageprocessingstepid": Reference(STEP, step.derived_id),
    }
    check_registration(transaction, IMAGE, values)
    transaction.put(IMAGE, image_id, values)


def _check_custom_api(transaction: Transaction, values: dict[str, object]) -> None:
    """A step on a Custom API needs that API's consent: 1 for asynchronous steps, 2 for both kinds."""
    named = values.get("sdkmessageid")
    message = _name_of(transaction, named if isinstance(named, Reference) else None)
    for row in transaction.rows(CUSTOM_API):
        allowed = row.get("allowedcustomprocessingsteptype") or 0
        if row.get("uniquename") == message and allowed < (1 if values.get("mode") == ASYNCHRONOUS else _BOTH_KINDS):
            raise ApiError(400, "0x80040203", f"Custom processing steps of this kind are not allowed for {message}.")


def check_registration(transaction: Transaction, table: str, values: dict[str, object]) -> None:
    """Refuses what Dataverse refuses. Raises ApiError."""
    if table == STEP and values.get("mode") == ASYNCHRONOUS and values.get("stage") != POST_OPERATION:
        raise ApiError(400, "0x80044184", "Only stage 40 is supported for asynchronous steps.")
    if table == ENDPOINT:
        _check_endpoint(values)
    if table == STEP:
        _check_custom_api(transaction, values)
    if table in _PREFIXED and not _PREFIX.match(str(values.get("uniquename") or "")):
        raise ApiError(400, "0x800608ad", "The unique name must start with a publisher's prefix and an underscore.")
    if table != IMAGE:
        return
    owner = values.get("sdkmessageprocessingstepid")
    step = transaction.row(STEP, owner.id) if isinstance(owner, Reference) else None
    message = _name_of(transaction, step.get("sdkmessageid")) if step else None
    if message == "Create" and values.get("messagepropertyname") != "Id":
        # The documentation says Target; environments refuse it.
        raise ApiError(400, "0x8004416b", "Message property name 'Target' is not valid on message Create.")


def _check_endpoint(values: dict[str, object]) -> None:
    """Here, and not when a notification is sent: nobody would read the error there. Raises ApiError."""
    if not values.get("url"):
        raise invalid_argument("A service endpoint needs a url.")
    try:
        Address.of(values)
    except ET.ParseError:
        raise invalid_argument("The authvalue of this authtype must be XML settings.") from None


def _name_of(rows: Transaction | Store, reference: Reference | None) -> str | None:
    row = rows.row(reference.table, reference.id) if reference else None
    return row.get("name") if row else None


class Registry:
    """The enabled steps in the order in which they run, read from their rows once and again after each change."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._steps: list[Step] | None = None

    def forget(self) -> None:
        with self._lock:
            self._steps = None

    def steps(self) -> list[Step]:
        with self._lock:
            if self._steps is None:
                rows = self._store.rows(STEP)
                # Dataverse leaves open which of equal rank runs first; here it is that of the smaller id.
                rows.sort(key=lambda row: (row.get("stage") or POST_OPERATION, row.get("rank") or 1, row.id))
                self._steps = [step for row in rows if (step := self._step(row)) is not None]
            return self._steps

    def _step(self, row: Row) -> Step | None:
        endpoint, message = row.get("eventhandler"), _name_of(self._store, row.get("sdkmessageid"))
        if row.get("statecode") or endpoint is None or message is None:
            return None
        filtered = row.get("sdkmessagefilterid")
        found = self._store.row(FILTER, filtered.id) if filtered else None
        return Step(
            table=found.get("primaryobjecttypecode") if found else "none",
            message=message,
            stage=row.get("stage") or POST_OPERATION,
            mode=row.get("mode") or 0,
            filtering_attributes=_names(row.get("filteringattributes")),
            images=tuple(self._images(row.id)),
            id=row.id,
            name=row.get("name") or "",
            endpoint_id=endpoint.id,
        )

    def _images(self, step_id: str) -> Iterable[StepImage]:
        for row in self._store.rows(IMAGE):
            if row.get("sdkmessageprocessingstepid") == Reference(STEP, step_id):
                yield StepImage(
                    image_type=row.get("imagetype") or 0,
                    alias=row.get("entityalias") or row.get("name") or "",
                    message_property_name=row.get("messagepropertyname") or "Target",
                    columns=_names(row.get("attributes")),
                )


def _names(joined: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in (joined or "").split(",") if name.strip())
