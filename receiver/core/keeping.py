"""What a column keeps of a value: its length in its own units, its precision, the characters that it takes.

Two values are *equal as a column keeps them* if it would hold the same for both: a rounded amount, a text that was cut
or lost its trailing blanks is no other value. `fitted` is what is written; `values.same` compares one side with itself.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime
from decimal import Decimal

from receiver.core.values import Column, Value, same

#: what stands where half of a surrogate pair or a NUL came in
REPLACED = "\N{REPLACEMENT CHARACTER}"
_NOT_KEPT_ANYWHERE = re.compile("[\0\ud800-\udfff]")
#: Dataverse refuses a row for them; tab and line ends it takes
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_JOINER = "\N{ZERO WIDTH JOINER}"
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_TAGS = range(0xE0020, 0xE0080)
_REGIONAL_INDICATORS = range(0x1F1E6, 0x1F200)
_LAST_OF_ONE_UNIT = 0xFFFF


def legible(text: str) -> str:
    """The text with U+FFFD for what no database and no page can hold: half of a surrogate pair, NUL."""
    return _NOT_KEPT_ANYWHERE.sub(REPLACED, text)


def fitted(column: Column | None, value: Value) -> Value:
    """The value as it is written to the column: without characters that it refuses, and no longer than it holds."""
    if column is None or not isinstance(value, str):
        return value
    text = value if column.takes_controls else _CONTROLS.sub("", value)
    return text if column.max_length is None else cut(text, column.max_length, counts_utf16=column.counts_utf16)


def cut(text: str, longest: int, *, counts_utf16: bool = False) -> str:
    """The longest beginning that fits; never a part of what people see as one character.

    *longest* is in UTF-16 units or in characters (code points).
    """
    if len(text) * (2 if counts_utf16 else 1) <= longest:
        return text  # whatever stands in it
    end = _fitting(text, longest) if counts_utf16 else min(longest, len(text))
    while 0 < end < len(text) and _belong_together(text, end):
        end -= 1
    return text[:end]


def _fitting(text: str, units: int) -> int:
    """How many code points fit into so many UTF-16 units."""
    for index, character in enumerate(text):
        units -= 1 if ord(character) <= _LAST_OF_ONE_UNIT else 2
        if units < 0:
            return index
    return len(text)


def _belong_together(text: str, at: int) -> bool:
    """Whether the character at *at* continues what stands before it: a mark, a skin tone, a joined emoji, a flag."""
    before, here = text[at - 1], text[at]
    if _JOINER in (before, here) or unicodedata.category(here).startswith("M"):
        return True
    if ord(here) in _SKIN_TONES or ord(here) in _TAGS:
        return True
    return ord(here) in _REGIONAL_INDICATORS and _regional_indicators_before(text, at) % 2 == 1


def _regional_indicators_before(text: str, at: int) -> int:
    start = at
    while start > 0 and ord(text[start - 1]) in _REGIONAL_INDICATORS:
        start -= 1
    return at - start


def equal_as_kept(column: Column | None, one: Value, other: Value) -> bool:
    """Whether the column would hold the same for both values."""
    if same(one, other):
        return True
    if column is None:
        return False
    if isinstance(one, str | None) and isinstance(other, str | None):
        return _compared(column, one or "") == _compared(column, other or "")
    if isinstance(one, int | Decimal) and isinstance(other, int | Decimal):
        return column.precision is not None and _is_rounded(one, other, column.precision)
    if isinstance(one, datetime) and isinstance(other, datetime):
        return column.has_whole_seconds and one.replace(microsecond=0) == other.replace(microsecond=0)
    return False


def _compared(column: Column, text: str) -> str:
    """Line ends and trailing blanks make no difference: one side or the other keeps them in its own way."""
    return str(fitted(column, text)).replace("\r\n", "\n").replace("\r", "\n").rstrip(" ")


def _is_rounded(one: int | Decimal, other: int | Decimal, places: int) -> bool:
    """Up or down, to even or away from zero: which way a half goes is each side's own."""
    return abs(Decimal(one) - Decimal(other)) * 2 <= Decimal(1).scaleb(-places)


def lost(column: Column | None, value: Value) -> str:
    """What the column does not keep of a text, in words for a person; empty if it keeps all of it."""
    if column is None or not isinstance(value, str):
        return ""
    kept = fitted(column, value)
    if kept == value and REPLACED not in value:
        return ""
    text = value if column.takes_controls else _CONTROLS.sub("", value)
    said = [] if text == value else [f"{column.name} takes no control characters"]
    if kept != text:
        unit = "UTF-16 units" if column.counts_utf16 else "characters"
        said.append(f"the text was cut: {column.name} holds {column.max_length} {unit}")
    if REPLACED in text:
        said.append("a character that cannot be kept stands as U+FFFD")
    return "; ".join(said)
