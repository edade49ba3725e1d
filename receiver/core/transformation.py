"""Transformation rules: what may happen to a text on its way.

To add one: a function here and its line in `TRANSFORMATION_RULES`. Source: BC table 1237 Transformation Rule.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from receiver.core.values import Value


def _of_text(change: Callable[[str], str]) -> Callable[[Value], Value]:
    """The rule leaves everything but text as it is."""

    def changed(value: Value) -> Value:
        return change(value) if isinstance(value, str) else value

    return changed


TRANSFORMATION_RULES: Mapping[str, Callable[[Value], Value]] = {
    "": lambda value: value,
    "UPPERCASE": _of_text(str.upper),
    "LOWERCASE": _of_text(str.lower),
    "TITLECASE": _of_text(str.title),
    "TRIM": _of_text(str.strip),
    "ALPHANUMERIC_ONLY": _of_text(lambda text: "".join(filter(str.isalnum, text))),
}


def transformed(rule: str, value: Value) -> Value:
    return TRANSFORMATION_RULES[rule](value)
