"""`$filter` on metadata: comparisons of one property with a text, true or false, joined by and, or; no other form.

Source: DP/webapi/query-metadata-web-api.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from receiver.sandbox.errors import ApiError

_COMPARISON = re.compile(r"\(*(\w+) (eq|ne) (?:'((?:[^']|'')*)'|(true|false))\)*")


def metadata_filter(text: str) -> Callable[[dict[str, Any]], bool]:
    """Whether an entry is wanted. `and` binds closer than `or`; parentheses change nothing. Raises ApiError."""
    choices = [[_comparison(part.strip()) for part in choice.split(" and ")] for choice in text.split(" or ")]
    return lambda members: any(all(holds(members) for holds in choice) for choice in choices)


def _comparison(text: str) -> Callable[[dict[str, Any]], bool]:
    found = _COMPARISON.fullmatch(text)
    if found is None:
        raise ApiError(400, "0x80060888", f"The sandbox does not answer the metadata filter '{text}'.")
    name, comparison, literal, flag = found.groups()
    wanted = flag == "true" if flag else literal.replace("''", "'")
    return lambda members: (members.get(name) == wanted) is (comparison == "eq")
