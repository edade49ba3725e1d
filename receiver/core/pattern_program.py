"""A regular expression read into a small program; `patterns.py` says what is known and carries it out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

LONGEST_PATTERN = 200
LONGEST_PROGRAM = 1000
DEEPEST = 20
LARGEST_COUNT = 100


class PatternError(ValueError):
    """A pattern that cannot be used; the text says why."""


@dataclass(frozen=True)
class Char:
    accepts: Callable[[str], bool]


@dataclass(frozen=True)
class Jump:
    to: int


@dataclass(frozen=True)
class Split:
    preferred: int
    other: int


@dataclass(frozen=True)
class Save:
    slot: int


@dataclass(frozen=True)
class At:
    place: str


@dataclass(frozen=True)
class Matched:
    pass


Instruction = Char | Jump | Split | Save | At | Matched


@dataclass(frozen=True)
class Pattern:
    program: tuple[Instruction, ...]
    groups: int


def is_word(char: str) -> bool:
    return char.isalnum() or char == "_"


_CLASSES: dict[str, Callable[[str], bool]] = {"d": str.isdecimal, "w": is_word, "s": str.isspace}
_BLANKS = {"t": "\t", "n": "\n", "r": "\r"}

#: puts its instructions at the end of a program
Emit = Callable[[list[Instruction]], None]


def program_of(text: str) -> Pattern:
    """Raises: PatternError."""
    if len(text) > LONGEST_PATTERN:
        raise PatternError(f"The pattern has more than {LONGEST_PATTERN} characters.")
    reader = _Reader(text)
    emit = reader.alternatives(0)
    if reader.here():
        raise PatternError(f"“)” closes no bracket in the pattern {text}")
    program: list[Instruction] = []
    for part in (_one(Save(0)), emit, _one(Save(1)), _one(Matched())):
        part(program)
    return Pattern(tuple(program), reader.groups)


def _put(program: list[Instruction], instruction: Instruction) -> None:
    if len(program) >= LONGEST_PROGRAM:
        raise PatternError("The pattern repeats too much.")
    program.append(instruction)


def _one(instruction: Instruction) -> Emit:
    return lambda program: _put(program, instruction)


def _sequence(*parts: Emit) -> Emit:
    def emit(program: list[Instruction]) -> None:
        for part in parts:
            part(program)

    return emit


def _either(one: Emit, other: Emit) -> Emit:
    def emit(program: list[Instruction]) -> None:
        split = len(program)
        _put(program, Matched())
        one(program)
        jump = len(program)
        _put(program, Matched())
        program[split] = Split(split + 1, len(program))
        other(program)
        program[jump] = Jump(len(program))

    return emit


def _maybe(one: Emit, *, is_greedy: bool) -> Emit:
    def emit(program: list[Instruction]) -> None:
        split = len(program)
        _put(program, Matched())
        one(program)
        ways = (split + 1, len(program))
        program[split] = Split(*(ways if is_greedy else ways[::-1]))

    return emit


def _any_number(one: Emit, *, is_greedy: bool) -> Emit:
    def emit(program: list[Instruction]) -> None:
        split = len(program)
        _put(program, Matched())
        one(program)
        _put(program, Jump(split))
        ways = (split + 1, len(program))
        program[split] = Split(*(ways if is_greedy else ways[::-1]))

    return emit


class _Reader:
    """Recursive descent over the pattern, one method a rule of its grammar."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self.groups = 0

    def here(self) -> str:
        return self._text[self._at : self._at + 1]

    def _next(self) -> str:
        char = self.here()
        if not char:
            raise PatternError(f"The pattern ends too early: {self._text}")
        self._at += 1
        return char

    def _took(self, words: str) -> bool:
        if not self._text.startswith(words, self._at):
            return False
        self._at += len(words)
        return True

    def alternatives(self, depth: int) -> Emit:
        if depth > DEEPEST:
            raise PatternError("The pattern has too many brackets within brackets.")
        found = self._in_a_row(depth)
        if self._took("|"):
            return _either(found, self.alternatives(depth + 1 if depth == DEEPEST else depth))
        return found

    def _in_a_row(self, depth: int) -> Emit:
        parts = []
        while self.here() and self.here() not in "|)":
            parts.append(self._repeated(self._atom(depth)))
        return _sequence(*parts)

    def _repeated(self, one: Emit) -> Emit:
        if self.here() not in {*"*+?{"}:
            return one
        least, most = self._counts()
        is_greedy = not self._took("?")
        if self.here() in {*"*+{"}:
            raise PatternError(f"“{self.here()}” repeats a repetition in the pattern {self._text}")
        rest = (
            [_any_number(one, is_greedy=is_greedy)]
            if most is None
            else [_optional(one, most - least, is_greedy=is_greedy)]
        )
        return _sequence(*[one] * least, *rest)

    def _counts(self) -> tuple[int, int | None]:
        sign = self._next()
        if sign != "{":
            return {"*": (0, None), "+": (1, None), "?": (0, 1)}[sign]
        inner, closing, rest = self._text[self._at :].partition("}")
        least, comma, most = inner.partition(",")
        counts = [int(one) for one in (least, most) if one.isdecimal() and one.isascii()]
        is_open = comma and not most
        if not closing or not least.isdecimal() or (most and len(counts) != len("mn")) or counts[-1] < counts[0]:
            raise PatternError(f"A count such as {{2}} or {{2,4}} was expected after “{{” in the pattern {self._text}")
        if counts[-1] > LARGEST_COUNT:
            raise PatternError(f"The pattern repeats more than {LARGEST_COUNT} times.")
        self._at = len(self._text) - len(rest)
        return counts[0], None if is_open else counts[-1]

    def _atom(self, depth: int) -> Emit:
        char = self._next()
        if char == "(":
            return self._group(depth)
        if char == "[":
            return _one(Char(self._set()))
        if char == ".":
            return _one(Char(lambda at: at != "\n"))
        if char in "^$":
            return _one(At(char))
        if char == "\\":
            return self._escaped()
        if char in "*+?{":
            raise PatternError(f"“{char}” repeats nothing in the pattern {self._text}")
        return _one(Char(char.__eq__))

    def _group(self, depth: int) -> Emit:
        is_kept = not self._took("?:")
        if is_kept and self.here() == "?":
            raise PatternError(
                f"“(?{self._text[self._at + 1 : self._at + 2]}” is not known in the pattern {self._text}"
            )
        self.groups += is_kept
        number = self.groups
        inner = self.alternatives(depth + 1)
        if not self._took(")"):
            raise PatternError(f"“)” was expected in the pattern {self._text}")
        return _sequence(_one(Save(2 * number)), inner, _one(Save(2 * number + 1))) if is_kept else inner

    def _escaped(self) -> Emit:
        char = self._next()
        if char == "b":
            return _one(At("b"))
        return _one(Char(self._class_of(char)))

    def _class_of(self, char: str) -> Callable[[str], bool]:
        known = _CLASSES.get(char.lower())
        if known is not None:
            return known if char.islower() else lambda at: not known(at)
        if char.isalnum() and char not in _BLANKS:
            raise PatternError(f"“\\{char}” is not known in the pattern {self._text}")
        return _BLANKS.get(char, char).__eq__

    def _set(self) -> Callable[[str], bool]:
        is_without = self._took("^")
        accepted: list[Callable[[str], bool]] = []
        while not accepted or self.here() != "]":
            accepted.append(self._set_member())
        self._at += 1
        return lambda at: any(one(at) for one in accepted) is not is_without

    def _set_member(self) -> Callable[[str], bool]:
        first = self._next()
        if first == "\\":
            return self._class_of(self._next())
        ahead = self._text[self._at : self._at + 2]
        if len(ahead) == len("-z") and ahead[0] == "-" and ahead[1] not in "]\\":
            self._at += 2
            if ahead[1] < first:
                raise PatternError(f"“{first}{ahead}” goes backwards in the pattern {self._text}")
            return lambda at: first <= at <= ahead[1]
        return first.__eq__


def _optional(one: Emit, count: int, *, is_greedy: bool) -> Emit:
    """At most *count* of it, each within the one before."""
    found = _sequence()
    for _ in range(count):
        found = _maybe(_sequence(one, found), is_greedy=is_greedy)
    return found
