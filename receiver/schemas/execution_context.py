"""A webhook's body to an `ExecutionContext`: the envelope at the door, the whole of it in the worker."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, pre_load, validate

from receiver.core.message import NO_ID, ExecutionContext, Parameter, Row
from receiver.core.values import guid
from receiver.schemas.attributes import Reader
from receiver.schemas.words import NUMBER, TEXT

LONGEST_EXPONENT = 3
OPTIONAL = frozenset({"OperationId", "Mode", "Stage", "Depth"})


class UnreadableError(ValueError):
    """A body that is no execution context; the text names the place."""

    def __init__(self, place: str, what: str) -> None:
        super().__init__(f"{place}: {what}")
        self.place = place
        self.what = what


class Guid(fields.Field[str]):
    """A guid in any case, with or without braces, as lower-case text with hyphens."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:  # noqa: ARG002  # marshmallow's
        found = guid(value)
        if found is None:
            raise ValidationError("a guid was expected")
        return found


def _is_printable(name: str) -> None:
    """A NUL or half a surrogate pair is text in JSON, and in no database."""
    if not name.isprintable():
        raise ValidationError("the name holds a character that cannot be printed")


class EnvelopeSchema(Schema):
    """What the door needs of a body. Unknown members are Microsoft's business."""

    class Meta(Schema.Meta):
        unknown = EXCLUDE

    @pre_load
    def _without_nulls(self, raw: Any, **_: Any) -> Any:
        """What is no more than useful may be null, as if it were not there: the row is looked at all the same."""
        return {name: value for name, value in raw.items() if value is not None or name not in OPTIONAL}

    _name = validate.And(
        validate.Length(min=1, error="it is empty"),
        validate.Length(max=128, error="it is longer than 128 characters"),
        _is_printable,
    )
    MessageName = fields.String(required=True, validate=_name, error_messages=TEXT)
    PrimaryEntityName = fields.String(required=True, validate=_name, error_messages=TEXT)
    PrimaryEntityId = Guid(required=True, error_messages=TEXT)
    OrganizationId = Guid(required=True, error_messages=TEXT)
    OperationId = Guid(load_default=NO_ID)
    Mode = fields.Integer(load_default=1, strict=True, error_messages=NUMBER)
    Stage = fields.Integer(load_default=40, strict=True, error_messages=NUMBER)
    Depth = fields.Integer(load_default=1, strict=True, error_messages=NUMBER)


_ENVELOPE = EnvelopeSchema()


@dataclass(frozen=True)
class Envelope:
    """A body's outermost facts; `body` is the parsed JSON object."""

    message: str
    table: str
    id: str
    organization_id: str
    operation_id: str
    mode: int
    stage: int
    depth: int
    body: Mapping[str, Any]

    @property
    def step_id(self) -> str:
        extension = self.body.get("OwningExtension")
        return (guid(extension.get("Id")) or NO_ID) if isinstance(extension, dict) else NO_ID


def parse_json(body: bytes) -> Any:
    """The body as JSON, every number with a point a Decimal.

    Raises: UnreadableError, also for nesting that no interpreter can follow.
    """
    try:
        return json.loads(body, parse_float=_number, parse_constant=_no_constant)
    except RecursionError:
        raise UnreadableError("/", "the JSON is nested too deeply") from None
    except UnicodeDecodeError as error:
        raise UnreadableError(f"byte {error.start}", "the body is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise UnreadableError(f"line {error.lineno}, column {error.colno}", f"not JSON: {error.msg}") from None
    except ValueError as error:
        raise UnreadableError("/", f"not JSON: {error}") from None


def _number(text: str) -> Decimal:
    """A Decimal may have an exponent that no memory can write out; Dataverse's numbers have 15 digits."""
    exponent = text.lower().partition("e")[2]
    if len(exponent.lstrip("+-0")) > LONGEST_EXPONENT:
        raise ValueError(f"the exponent of {text[:40]} is too large")
    return Decimal(text)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON value")


def read_envelope(body: bytes) -> Envelope:
    """The envelope of *body*; nothing deeper is looked at.

    Raises: UnreadableError naming the place.
    """
    raw = parse_json(body)
    if not isinstance(raw, dict):
        raise UnreadableError("/", "an execution context (a JSON object) was expected")
    try:
        found = _ENVELOPE.load(raw)
    except ValidationError as error:
        name, said = next(iter(error.messages_dict.items()))
        raise UnreadableError(f"/{name}", str(said[0] if isinstance(said, list) else said)) from None
    return Envelope(
        message=found["MessageName"],
        table=found["PrimaryEntityName"],
        id=found["PrimaryEntityId"],
        organization_id=found["OrganizationId"],
        operation_id=found["OperationId"],
        mode=found["Mode"],
        stage=found["Stage"],
        depth=found["Depth"],
        body=raw,
    )


def read_context(envelope: Envelope) -> ExecutionContext:
    """The whole context. Never raises: what is odd is among its defects, with its place."""
    raw, reader = envelope.body, Reader()
    return ExecutionContext(
        message=envelope.message,
        table=envelope.table,
        id=envelope.id,
        organization_id=envelope.organization_id,
        operation_id=envelope.operation_id,
        request_id=guid(raw.get("RequestId")),
        correlation_id=guid(raw.get("CorrelationId")) or NO_ID,
        initiating_user_id=guid(raw.get("InitiatingUserId")) or NO_ID,
        step_id=envelope.step_id,
        depth=envelope.depth,
        mode=envelope.mode,
        stage=envelope.stage,
        parameters=reader.bag(raw.get("InputParameters"), "/InputParameters"),
        outputs=reader.bag(raw.get("OutputParameters"), "/OutputParameters"),
        pre_images=_rows(reader.bag(raw.get("PreEntityImages"), "/PreEntityImages")),
        post_images=_rows(reader.bag(raw.get("PostEntityImages"), "/PostEntityImages")),
        shared_variables=reader.bag(raw.get("SharedVariables"), "/SharedVariables"),
        defects=tuple(reader.defects),
    )


def _rows(bag: Mapping[str, Parameter]) -> dict[str, Row]:
    return {alias: row for alias, row in bag.items() if isinstance(row, Row)}
