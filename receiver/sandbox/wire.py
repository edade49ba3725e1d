"""Writes an execution context as Dataverse does: the bytes of .NET's DataContractJsonSerializer.

Source: dataverse captures 08, 10, 11, which these functions reproduce byte for byte.
"""

from __future__ import annotations

import re
from dataclasses import fields
from decimal import Decimal
from typing import Any

from receiver.sandbox.context import (
    AliasedValue,
    BooleanManagedProperty,
    Entity,
    EntityCollection,
    EntityReference,
    ExecutionContext,
    KeyValuePair,
    Money,
    OptionSetValue,
    Relationship,
    WireDate,
)

_CONTRACTS = "http://schemas.microsoft.com/xrm/2011/Contracts"
_TYPES: dict[type, str] = {
    Entity: f"Entity:{_CONTRACTS}",
    EntityReference: f"EntityReference:{_CONTRACTS}",
    EntityCollection: f"EntityCollection:{_CONTRACTS}",
    OptionSetValue: f"OptionSetValue:{_CONTRACTS}",
    Money: f"Money:{_CONTRACTS}",
    BooleanManagedProperty: f"BooleanManagedProperty:{_CONTRACTS}",
    AliasedValue: f"AliasedValue:{_CONTRACTS}",
    Relationship: f"Relationship:{_CONTRACTS}",
    KeyValuePair: "KeyValuePairOfstringstring:#System.Collections.Generic",
}
_OPTIONAL = frozenset(
    {
        "InitiatingUserAgent",
        "InitiatingUserAzureActiveDirectoryObjectId",
        "UserAzureActiveDirectoryObjectId",
    }
)
_BAGS = frozenset({"Attributes", "FormattedValues", "KeyAttributes", "RelatedEntities"})
_IMAGES = frozenset({"PreEntityImages", "PostEntityImages"})
_PARAMETERS = frozenset({"InputParameters", "OutputParameters", "SharedVariables"})
# .NET escapes the slash, control characters, each half of a surrogate pair, and what JavaScript once took
# for a line end; every other character is written raw.
_ESCAPED = re.compile('[\x00-\x1f"\\\\/\x85\u2028\u2029\ud800-\udfff\ufffe\uffff\U00010000-\U0010ffff]')
_SHORT = {'"': '\\"', "\\": "\\\\", "/": "\\/"}


def body(context: ExecutionContext) -> bytes:
    """The body of one request: compact UTF-8 without a byte-order mark."""
    return _context(context).encode()


def _context(context: ExecutionContext) -> str:
    members = []
    for name in _member_names(ExecutionContext):
        value = getattr(context, name)
        if value is None and name in _OPTIONAL:
            continue
        members.append((name, _context_member(name, value)))
    return _object(members)


def _context_member(name: str, value: Any) -> str:
    if isinstance(value, ExecutionContext):
        return _context(value)
    if name == "OwningExtension":
        return _bare(value)
    if name in _IMAGES:
        # An image's declared type is Entity, so the serializer has no need to name it.
        return _list(_object([("key", _text(key)), ("value", _bare(image))]) for key, image in value)
    return _bag(value) if name in _PARAMETERS else _value(value)


def _bag(pairs: Any) -> str:
    return _list(_object([("key", _text(key)), ("value", _value(value))]) for key, value in pairs)


def _bare(value: Any) -> str:
    """An object without `__type`: where the declared type says it already."""
    return _object(_members(value))


def _members(value: Any) -> list[tuple[str, str]]:
    return [(name, _member(name, getattr(value, name))) for name in _member_names(type(value))]


def _member(name: str, value: Any) -> str:
    if name in _BAGS:
        return _bag(value)
    if name == "Entities":
        return _list(_bare(entity) for entity in value)
    return _value(value)


def _value(value: Any) -> str:
    named = _TYPES.get(type(value))
    if named is not None:
        return _object([("__type", _text(named)), *_members(value)])
    if isinstance(value, tuple):
        return _list(map(_value, value))
    return _scalar(value)


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, WireDate):
        return f'"\\/Date({value.milliseconds}{value.offset})\\/"'
    if isinstance(value, Decimal):
        return format(value, "f")
    return _text(value) if isinstance(value, str) else str(value)


def _text(text: str) -> str:
    return '"' + _ESCAPED.sub(_escape, text) + '"'


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    if character in _SHORT:
        return _SHORT[character]
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def _object(members: list[tuple[str, str]]) -> str:
    return "{" + ",".join(f'"{name}":{text}' for name, text in members) + "}"


def _list(items: Any) -> str:
    return "[" + ",".join(items) + "]"


_names: dict[type, tuple[str, ...]] = {}


def _member_names(kind: type) -> tuple[str, ...]:
    """Alphabetical, as the serializer orders them."""
    if kind not in _names:
        _names[kind] = tuple(sorted(field.name for field in fields(kind)))
    return _names[kind]
