"""How the environment's database compares texts: never by case, mostly not by accent, never by blanks at the end.

The base language decides, once and for all. Source: PP/language-collations; DP/wildcard-characters.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Any

ENGLISH = 1033
#: base languages whose collation tells e from é; all others do not
_SENSITIVE = frozenset({1035, 1048, 1050, 1051, 1053, 1054, 1057, 1058, 1060, 1061})
_ANY = {"%": ".*", "_": "."}
_CLASS = re.compile(r"\[(\^?)([^\]]+)\]")


class Collation:
    """The comparisons of one environment. Width counts for nothing either: the collations' names carry no `_WS`."""

    def __init__(self, language: int = ENGLISH) -> None:
        self._keeps_accents = language in _SENSITIVE
        self._folded = lru_cache(maxsize=10_000)(self._fold)

    def key(self, text: str) -> str:
        """Equal for texts that are equal to `=`, to sorting and to a unique index."""
        return self.shown(text).rstrip(" ")

    def of(self, value: Any) -> Any:
        """The key of a text, any other value as it is."""
        return self.key(value) if isinstance(value, str) else value

    def shown(self, text: str) -> str:
        """The same with its blanks at the end: `like` sees them."""
        return text.casefold() if text.isascii() else self._folded(text)

    def pattern(self, part: str, *, before: bool, after: bool) -> re.Pattern[str]:
        """Matches `shown` texts that are like the part: `%`, `_` and `[...]` in it stand for others.

        *before*, *after*: whether anything may stand there.
        """
        inside = _like(self.shown(part))
        return re.compile(f"{'.*' if before else ''}{inside}{'.*' if after else ''}", re.DOTALL)

    def _fold(self, text: str) -> str:
        if self._keeps_accents:
            return unicodedata.normalize("NFKC", text).casefold()
        apart = unicodedata.normalize("NFKD", text)
        return "".join(one for one in apart if not unicodedata.combining(one)).casefold()


def _like(part: str) -> str:
    """SQL Server's `like` as a regular expression."""
    found, at = [], 0
    while at < len(part):
        inside = _CLASS.match(part, at)
        if inside is not None:
            found.append(f"[{inside[1]}{_escaped_class(inside[2])}]")
            at = inside.end()
            continue
        found.append(_ANY.get(part[at]) or re.escape(part[at]))
        at += 1
    return "".join(found)


def _escaped_class(members: str) -> str:
    """All but the hyphen between two members stands for itself."""
    return re.sub(r"[\\\[\]^&~|]", r"\\\g<0>", members)
