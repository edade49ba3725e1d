"""Text from outside as it is shown in a line: what would steer a terminal, a log or a reader's eye is spelled out.

A name may hold line ends, a terminal's codes, or marks that turn the reading direction round.
"""

from __future__ import annotations

import unicodedata

#: other control, format, surrogate, private-use and unassigned characters; line and paragraph separators
STEERS = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
#: what holds the parts of emoji and of Indic and Persian words together
JOINERS = frozenset("\u200c\u200d")


def visible(text: str) -> str:
    r"""*text* in one line: a line end is shown as `\n`, an escape as `\x1b`."""
    if text.isprintable():
        return text
    return "".join(_shown(one) for one in text)


def _shown(one: str) -> str:
    if one.isprintable() or one in JOINERS or unicodedata.category(one) not in STEERS:
        return one
    return ascii(one)[1:-1]
