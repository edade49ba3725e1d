"""JSON in which a decimal keeps every digit: 10.0100 is written as 10.0100, never as 10.01."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

_HALF_PAIR = re.compile("[\ud800-\udfff]")


def loads(text: str | bytes) -> Any:
    """Fractions become Decimal. Raises ValueError."""
    return json.loads(text, parse_float=Decimal)


def dumps(value: Any) -> str:
    """Compact. The standard library's encoder can only write a Decimal as a float, which loses digits."""
    if isinstance(value, Mapping):
        members = (f"{_text(str(key))}:{dumps(member)}" for key, member in value.items())
        return "{" + ",".join(members) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(dumps, value)) + "]"
    if isinstance(value, Decimal):
        return format(value, "f")
    return _text(value)


def _text(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    # Half a surrogate pair has no UTF-8; a row that holds one is sent all the same, as in .NET.
    return text if text.isascii() else _HALF_PAIR.sub(lambda half: f"\\u{ord(half[0]):04x}", text)


def pretty(value: Any, indent: str = "") -> str:
    """For people: one member a line."""
    if not value or not isinstance(value, (dict, list)):
        return dumps(value)
    deeper = indent + "  "
    if isinstance(value, dict):
        lines = [f"{_text(str(key))}: {pretty(member, deeper)}" for key, member in value.items()]
    else:
        lines = [pretty(member, deeper) for member in value]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    inside = f",\n{deeper}".join(lines)
    return f"{opening}\n{deeper}{inside}\n{indent}{closing}"
