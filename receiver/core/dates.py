"""Dates as text: `yyyy MM dd HH mm ss` and what stands between them, read and written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

#: picture: its part of a moment, the digits it is read from, the digits it is written with
_PICTURES = {
    "yyyy": ("year", r"\d{4}", 4),
    "MM": ("month", r"\d{2}", 2),
    "M": ("month", r"\d{1,2}", 1),
    "dd": ("day", r"\d{2}", 2),
    "d": ("day", r"\d{1,2}", 1),
    "HH": ("hour", r"\d{2}", 2),
    "mm": ("minute", r"\d{2}", 2),
    "ss": ("second", r"\d{2}", 2),
}
_PIECE = re.compile("|".join(sorted(_PICTURES, key=len, reverse=True)) + "|[^A-Za-z]")
DATE = frozenset({"year", "month", "day"})


class DateFormatError(ValueError):
    """A date format that cannot be used; the text says why."""


@dataclass(frozen=True)
class DateFormat:
    """A format taken apart."""

    pieces: tuple[str, ...]

    @property
    def parts(self) -> frozenset[str]:
        return frozenset(_PICTURES[piece][0] for piece in self.pieces if piece in _PICTURES)

    def read(self, text: str) -> datetime | None:
        """The moment that *text* says in this format; None if it says none."""
        pattern = "".join(_pattern(piece) for piece in self.pieces)
        match = re.fullmatch(pattern, text.strip(), re.ASCII)
        if match is None:
            return None
        said = {part: int(digits) for part, digits in match.groupdict().items()}
        hour, minute, second = (said.get(part, 0) for part in ("hour", "minute", "second"))
        try:
            return datetime(said["year"], said["month"], said["day"], hour, minute, second)  # noqa: DTZ001  # a text has no zone
        except ValueError:
            return None

    def write(self, moment: datetime) -> str:
        return "".join(_written(piece, moment) for piece in self.pieces)


def date_format(text: str) -> DateFormat:
    """Raises: DateFormatError."""
    pieces, at = [], 0
    while at < len(text):
        match = _PIECE.match(text, at)
        if match is None:
            raise DateFormatError(
                f"“{text[at:]}” is not understood in the date format “{text}”: {', '.join(_PICTURES)}."
            )
        pieces.append(match.group())
        at = match.end()
    found = DateFormat(tuple(pieces))
    pictures = [_PICTURES[piece][0] for piece in pieces if piece in _PICTURES]
    if len(pictures) != len(set(pictures)):
        raise DateFormatError(f"A part stands twice in the date format “{text}”.")
    if not found.parts >= DATE:
        raise DateFormatError(f"Year, month and day were expected in the date format “{text}”.")
    return found


def _pattern(piece: str) -> str:
    if piece not in _PICTURES:
        return re.escape(piece)
    part, digits, _ = _PICTURES[piece]
    return f"(?P<{part}>{digits})"


def _written(piece: str, moment: datetime) -> str:
    if piece not in _PICTURES:
        return piece
    part, _, width = _PICTURES[piece]
    return str(getattr(moment, part)).zfill(width)
