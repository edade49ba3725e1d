"""What is wrong with a value, as a person says it; marshmallow's own words are a programmer's."""

from __future__ import annotations

from typing import Any

COMMON: dict[str, Any] = {"required": "it is missing", "null": "it is empty"}
TEXT: dict[str, Any] = {**COMMON, "invalid": "a text was expected", "invalid_utf8": "it is no readable text"}
NUMBER: dict[str, Any] = {
    **COMMON,
    "invalid": "a whole number was expected",
    "too_large": "the number is too large",
}
SWITCH: dict[str, Any] = {**COMMON, "invalid": "true or false was expected"}
LIST: dict[str, Any] = {**COMMON, "invalid": "a list was expected"}
UNKNOWN = "a mapping has nothing of that name"
