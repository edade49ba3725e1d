"""Regular expressions that cannot hang: each is carried out in steps, of which there are only so many.

All alternatives are followed side by side (Thompson, Pike), so no pattern backtracks; what `re` would work on for
hours is done at once. What a pattern may be made of stands in docs/transformation-rules.md; back references,
look-around and flags are not known, and said so.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from receiver.core.pattern_program import (
    At,
    Char,
    Jump,
    Matched,
    Pattern,
    PatternError,
    Save,
    Split,
    is_word,
    program_of,
)

#: of one text; a step takes well under a microsecond, a phone number some hundred steps
STEPS = 200_000

Groups = tuple[int | None, ...]


class StepsError(ValueError):
    """The text is too long for the pattern."""


@dataclass
class _Left:
    steps: int

    def take(self) -> None:
        self.steps -= 1
        if self.steps < 0:
            raise StepsError


@lru_cache(maxsize=256)
def compiled(pattern: str) -> Pattern:
    """Raises: PatternError, a sentence."""
    return program_of(pattern)


def replaced(pattern: Pattern, replacement: str, text: str) -> str:
    """Every match replaced from the left; `$1` is what the first group matched, `$0` the match, `$$` a dollar.

    Raises: StepsError when the text takes more than `STEPS`.
    """
    parts, left, at = list[str](), _Left(STEPS), 0
    while at <= len(text):
        found = _found(pattern, text, at, left)
        if found is None:
            break
        start, end = found[0] or 0, found[1] or 0
        parts += [text[at:start], _filled(replacement, text, found)]
        if end == start:
            parts.append(text[end : end + 1])
            end += 1
        at = end
    return "".join([*parts, text[at:]])


def check_replacement(pattern: Pattern, replacement: str) -> None:
    """Raises: PatternError when it names a group that the pattern does not have."""
    for piece in _pieces(replacement):
        if isinstance(piece, int) and piece > pattern.groups:
            raise PatternError(f"The replacement names group ${piece}, the pattern has {pattern.groups}.")


def _pieces(replacement: str) -> list[str | int]:
    pieces, at = list[str | int](), 0
    while at < len(replacement):
        following = replacement[at + 1 : at + 2]
        if replacement[at] == "$" and following in {*"0123456789$"}:
            pieces.append(following if following == "$" else int(following))
            at += 2
        else:
            pieces.append(replacement[at])
            at += 1
    return pieces


def _filled(replacement: str, text: str, found: Groups) -> str:
    return "".join(piece if isinstance(piece, str) else _group(piece, text, found) for piece in _pieces(replacement))


def _group(number: int, text: str, found: Groups) -> str:
    start, end = found[2 * number], found[2 * number + 1]
    return "" if start is None or end is None else text[start:end]


def _found(pattern: Pattern, text: str, start: int, left: _Left) -> Groups | None:
    """Start and end of the leftmost match at or after *start*, and of each group in it."""
    threads: list[tuple[int, Groups]] = []
    best: Groups | None = None
    nothing: Groups = (None,) * (2 * pattern.groups + 2)
    for at in range(start, len(text) + 1):
        if best is None:
            threads += _reached(pattern, text, at, (0, nothing), {pc for pc, _ in threads}, left)
        if not threads and best is not None:
            break
        threads, ended = _stepped(pattern, text, at, threads, left)
        best = ended if ended is not None else best
    return best


def _stepped(
    pattern: Pattern, text: str, at: int, threads: list[tuple[int, Groups]], left: _Left
) -> tuple[list[tuple[int, Groups]], Groups | None]:
    """Every thread one character on, in their order; those behind one that has matched are given up."""
    following: list[tuple[int, Groups]] = []
    seen: set[int] = set()
    for pc, groups in threads:
        left.take()
        match pattern.program[pc]:
            case Matched():
                return following, groups
            case Char(accepts) if at < len(text) and accepts(text[at]):
                following += _reached(pattern, text, at + 1, (pc + 1, groups), seen, left)
            case _:
                pass
    return following, None


def _reached(
    pattern: Pattern, text: str, at: int, first: tuple[int, Groups], seen: set[int], left: _Left
) -> list[tuple[int, Groups]]:
    """Where a thread stands once it has gone as far as it can without taking a character."""
    stack, stands = [first], list[tuple[int, Groups]]()
    while stack:
        pc, groups = stack.pop()
        left.take()
        if pc in seen:
            continue
        seen.add(pc)
        match pattern.program[pc]:
            case Jump(to):
                stack.append((to, groups))
            case Split(preferred, other):
                stack += [(other, groups), (preferred, groups)]
            case Save(slot):
                stack.append((pc + 1, (*groups[:slot], at, *groups[slot + 1 :])))
            case At(place):
                if _is_at(place, text, at):
                    stack.append((pc + 1, groups))
            case _:
                stands.append((pc, groups))
    return stands


def _is_at(place: str, text: str, at: int) -> bool:
    if place == "^":
        return at == 0
    if place == "$":
        return at == len(text)
    before, after = at > 0 and is_word(text[at - 1]), at < len(text) and is_word(text[at])
    return before != after
