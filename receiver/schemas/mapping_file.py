"""A mapping as a file: what may stand in it, and its JSON schema.

What has its default is left out. The keys are those of `receiver mappings show --json`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING
from dataclasses import fields as parts_of
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validate

from receiver.core.filters import EVERYTHING, Filter, FilterError, parse
from receiver.core.mapping import (
    Conversion,
    DeletionConflict,
    Direction,
    FieldMapping,
    MatchExists,
    TableMapping,
    UpdateConflict,
)
from receiver.core.values import Value, from_plain, to_plain
from receiver.schemas import words

_TAGS = ("$decimal", "$date", "$datetime", "$reference", "$choices", "$opaque")


class ValueField(fields.Field[Any]):
    """A constant: text, a whole number, true or false; a decimal; or a tagged one such as `{$date: 2026-11-22}`."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:  # noqa: ARG002  # marshmallow's
        return to_plain(value)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Value:  # noqa: ARG002  # marshmallow's
        if value is None or isinstance(value, str | bool | int | Decimal):
            return value
        if type(value) is date:
            return value
        if isinstance(value, dict) and len(value) == 1 and set(value) <= {*_TAGS}:
            try:
                return from_plain({name: _text_of_date(content) for name, content in value.items()})
            except (ValueError, TypeError, ArithmeticError, IndexError):
                pass
        raise ValidationError(f"A text, a number, true, false or one of {', '.join(_TAGS)} was expected.")


def _text_of_date(content: Any) -> Any:
    return content.isoformat() if isinstance(content, date) else content


def _text(said: str, **options: Any) -> fields.String:
    return fields.String(metadata={"description": said}, error_messages=words.TEXT, **options)


def _switch(said: str, **options: Any) -> fields.Boolean:
    return fields.Boolean(
        metadata={"description": said}, truthy={True}, falsy={False}, error_messages=words.SWITCH, **options
    )


def _choice(kind: type[StrEnum], said: str, **options: Any) -> fields.Enum[Any]:
    known = ", ".join(one.value or "(blank)" for one in kind)
    told = {**words.COMMON, "unknown": f"one of these was expected: {known}"}
    return fields.Enum(kind, by_value=True, metadata={"description": said}, error_messages=told, **options)


def _names(said: str) -> fields.List[Any]:
    return fields.List(
        fields.String(error_messages=words.TEXT), metadata={"description": said}, error_messages=words.LIST
    )


def _values(said: str, attribute: str) -> fields.Dict:
    return fields.Dict(
        keys=fields.String(), values=ValueField(allow_none=True), attribute=attribute, metadata={"description": said}
    )


_NAME = validate.Regexp(
    r"[A-Z0-9][A-Z0-9 _-]{0,19}\Z",
    error="at most 20 capital letters, digits, blanks, hyphens and underscores were expected, no other first",
)


class FieldMappingSchema(Schema):
    """An Integration Field Mapping."""

    error_messages = {"unknown": words.UNKNOWN}  # noqa: RUF012  # marshmallow declares it so

    number = fields.Integer(
        strict=True,
        required=True,
        validate=validate.Range(1, 2**31 - 1, error=f"a number from 1 to {2**31 - 1} was expected"),
        metadata={"description": "Gives the order."},
        error_messages=words.NUMBER,
    )
    local_column = _text("Column of the local table; without it the constant goes to Dataverse.", allow_none=True)
    dataverse_column = _text("Logical name; without it the constant goes to the local column.", allow_none=True)
    direction = _choice(Direction, "Which runs transfer the field.")
    enabled = _switch("Off: the field is not transferred.", attribute="is_enabled")
    constant = ValueField(allow_none=True, metadata={"description": "Used where the source has no column."})
    transformation_rule = _text("See docs/transformation-rules.md.")
    transformation_direction = _choice(Direction, "In which runs the rule works.")
    clear_value_on_failed_sync = _switch("A lookup that leads nowhere is left empty, and fails nothing.")
    not_null = _switch("An empty value is not written.")
    match_on_this_field = _switch("Records with equal values are offered for coupling.")
    match_priority = fields.Integer(
        strict=True,
        validate=validate.Range(0, 2**31 - 1, error=f"a number from 0 to {2**31 - 1} was expected"),
        metadata={"description": "0 is tried first."},
        error_messages=words.NUMBER,
    )
    case_sensitive_matching = _switch("Match-based coupling tells upper from lower case.")
    conversion = _choice(Conversion, "How a value means the same on the other side where it is not the same value.")
    related = _names("The mappings that a lookup's record may be coupled by.")

    @post_load
    def _made(self, data: dict[str, Any], **_: Any) -> FieldMapping:
        return FieldMapping(**{"local_column": None, "dataverse_column": None, **data, **_tuples(data)})


class MappingSchema(Schema):
    """An Integration Table Mapping."""

    error_messages = {"unknown": words.UNKNOWN}  # noqa: RUF012  # marshmallow declares it so

    name = _text("In capitals.", required=True, validate=[validate.Length(min=1, error="it is empty"), _NAME])
    version = fields.Integer(
        strict=True, validate=validate.Range(0, 2**63 - 1), error_messages=words.NUMBER,
        metadata={
            "description": "The stored one when this was written: what was changed since is not overwritten; without "
            "it nothing is compared.",
            "is_always_written": True,
        },
    )  # fmt: skip
    table = _text("The local table.", required=True, attribute="local_table")
    integration_table = _text("Logical name of the Dataverse table.", required=True, attribute="dataverse_table")
    direction = _choice(Direction, "Which runs there are.", required=True)
    enabled = _switch("Off: nothing of this mapping is synchronized.", attribute="is_enabled")
    synch_only_coupled_records = _switch("Off: records are created by themselves.")
    table_filter = _text("Which local records; see docs/filters.md.", attribute="local_filter_text")
    integration_table_filter = _text("Which Dataverse rows; see docs/filters.md.", attribute="dataverse_filter_text")
    resolve_deletion_conflicts = _choice(DeletionConflict, "What becomes of a pair when one side was deleted.")
    resolve_update_conflicts = _choice(UpdateConflict, "Which side wins when both changed a field.")
    depends_on = _names("Mappings that are run before this one.")
    local_template = _values("Values that a new local record gets on top.", "local_template")
    integration_template = _values("Values that a new Dataverse row gets on top.", "dataverse_template")
    synch_after_bulk_coupling = _switch("After match-based coupling, synchronize what was coupled.")
    create_new_in_case_of_no_match = _switch("After match-based coupling, create what found no match.")
    when_a_match_exists = _choice(MatchExists, "Instead of creating beside an uncoupled record that is equal.")
    fields_ = fields.List(
        fields.Nested(FieldMappingSchema), required=True, data_key="fields", attribute="fields",
        error_messages=words.LIST,
        metadata={"description": "The Integration Field Mappings."},
    )  # fmt: skip

    @post_load
    def _made(self, data: dict[str, Any], **_: Any) -> TableMapping:
        filters = {name: _parsed(data.get(f"{name}_text", "")) for name in ("local_filter", "dataverse_filter")}
        return TableMapping(**{**data, **filters, **_tuples(data)})


def _tuples(data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) for name, value in data.items() if isinstance(value, list)}


def _parsed(text: str) -> Filter:
    """What cannot be read is told by `mapping_problems`, with all else."""
    try:
        return parse(text)
    except FilterError:
        return EVERYTHING


def key_of(part: str, *, in_field: bool) -> str:
    """What an attribute of a mapping, or of a field mapping, is called in the file."""
    found = (FieldMappingSchema() if in_field else MappingSchema()).fields.items()
    return next(one.data_key or name for name, one in found if (one.attribute or name) == part)


def plain_of(mapping: TableMapping) -> dict[str, Any]:
    """What stands in the file: only what is not as it is by default, in the order of the schema."""
    plain = _set_only(MappingSchema(), mapping)
    plain["fields"] = [
        _set_only(FieldMappingSchema(), row) for row in sorted(mapping.fields, key=lambda row: row.number)
    ]
    return plain


def _set_only(schema: Schema, value: Any) -> dict[str, Any]:
    defaults = {part.name: part.default for part in parts_of(value) if part.default is not MISSING}
    dumped, found = schema.dump(value), dict[str, Any]()
    for name, one in schema.fields.items():
        held = getattr(value, one.attribute or name)
        is_wanted = one.required or one.metadata.get("is_always_written", False)
        if is_wanted or held not in (None, {}, defaults.get(one.attribute or name, MISSING)):
            found[one.data_key or name] = dumped[one.data_key or name]
    return found


def json_schema() -> dict[str, Any]:
    """JSON Schema 2020-12 of a mapping's file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Integration Table Mapping",
        **_object(MappingSchema()),
    }


def _object(schema: Schema) -> dict[str, Any]:
    named = {one.data_key or name: one for name, one in schema.fields.items()}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [name for name, one in named.items() if one.required],
        "properties": {name: _described(one) for name, one in named.items()},
    }


def _described(one: fields.Field[Any]) -> dict[str, Any]:
    said = {"description": one.metadata["description"]} if "description" in one.metadata else {}
    pattern = [str(check.regex.pattern) for check in one.validators if isinstance(check, validate.Regexp)]
    least = [check.min for check in one.validators if isinstance(check, validate.Range)]
    more = {"pattern": f"^{pattern[0]}".replace(r"\Z", "$")} if pattern else {"minimum": least[0]} if least else {}
    return {**said, **_type_of(one), **more}


def _type_of(one: fields.Field[Any]) -> dict[str, Any]:
    match one:
        case fields.Nested():
            return _object(one.schema)
        case fields.List():
            return {"type": "array", "items": _described(one.inner)}
        case fields.Dict():
            return {"type": "object", "additionalProperties": _type_of(ValueField())}
        case fields.Enum():
            return {"enum": [choice.value for choice in one.enum]}
        case fields.Boolean():
            return {"type": "boolean"}
        case fields.Integer():
            return {"type": "integer"}
        case ValueField():
            return {"type": ["string", "number", "boolean", "object", "null"]}
    return {"type": ["string", "null"] if one.allow_none else "string"}
