"""A notification's body as people read it: JSON indented without touching a value, anything else as text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

LONGEST_SHOWN = 200_000
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},:]|[^\s\[\]{},:"]+')
_DEEPEST_INDENT = 40


@dataclass(frozen=True)
class Body:
    """`text` to show; `kind` is what it was found to be; `is_cut` when the whole is longer."""

    text: str
    kind: str
    is_cut: bool


def readable_body(raw: bytes) -> Body:
    text = raw.decode("utf-8", "replace")
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return Body(text[:LONGEST_SHOWN], "text", len(text) > LONGEST_SHOWN)
    shown, is_cut = _cut(_indented(text))
    return Body(shown, "JSON", is_cut)


def _cut(parts: Iterator[str]) -> tuple[str, bool]:
    kept: list[str] = []
    length = 0
    for part in parts:
        if length + len(part) > LONGEST_SHOWN:
            return "".join([*kept, part[: LONGEST_SHOWN - length]]), True
        kept.append(part)
        length += len(part)
    return "".join(kept), False


def _indented(text: str) -> Iterator[str]:
    """Token by token, so that a number keeps every digit it came with."""
    depth, last = 0, ""
    for match in _TOKEN.finditer(text):
        part = match.group()
        if part in {"]", "}"}:
            depth -= 1
            yield part if last in {"[", "{"} else _line(depth) + part
        else:
            yield (_line(depth) if last in {"[", "{", ","} else "") + part
        if part in {"[", "{"}:
            depth += 1
        if part == ":":
            yield " "
        last = part


def _line(depth: int) -> str:
    return "\n" + "  " * min(depth, _DEEPEST_INDENT)
