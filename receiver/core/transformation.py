"""Transformation rules: what may happen to a text on its way.

A rule is data (`rule_text.py`): one of the predefined, or a kind of rule with its arguments. To add one: a function
here and its line in `TRANSFORMATION_RULES`, or in `KINDS` if it takes arguments; docs/transformation-rules.md follows.
Source: BC table 1237 Transformation Rule; reference §1.2 field 13, §2.7.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from receiver.core.dates import DateFormatError, date_format
from receiver.core.pattern_program import PatternError
from receiver.core.patterns import StepsError, check_replacement, compiled, replaced
from receiver.core.rule_text import Argument, RuleError, parse_rule
from receiver.core.values import Value

__all__ = ["KINDS", "TRANSFORMATION_RULES", "Kind", "RuleError", "change_of", "transformed"]

Change = Callable[[Value], Value]
Arguments = tuple[Argument, ...]


def _of_text(change: Callable[[str], str]) -> Change:
    """The rule leaves everything but text as it is."""

    def changed(value: Value) -> Value:
        return change(value) if isinstance(value, str) else value

    return changed


TRANSFORMATION_RULES: Mapping[str, Change] = {
    "": lambda value: value,
    "UPPERCASE": _of_text(str.upper),
    "LOWERCASE": _of_text(str.lower),
    "TITLECASE": _of_text(str.title),
    "TRIM": _of_text(str.strip),
    "ALPHANUMERIC_ONLY": _of_text(lambda text: "".join(filter(str.isalnum, text))),
}


def _substring(arguments: Arguments) -> Change:
    start, length = (_whole(one.value, least) for one, least in zip(arguments, (1, 0), strict=True))
    return _of_text(lambda text: text[start - 1 : start - 1 + length])


def _whole(text: str, least: int) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) < least:
        raise RuleError(f"“{text}” is no whole number from {least} up.")
    return int(text)


def _replace(arguments: Arguments) -> Change:
    find, replacement = (one.value for one in arguments)
    if not find:
        raise RuleError("There is nothing to find.")
    return _of_text(lambda text: text.replace(find, replacement))


def _regex_replace(arguments: Arguments) -> Change:
    pattern, replacement = (one.value for one in arguments)
    try:
        read = compiled(pattern)
        check_replacement(read, replacement)
    except PatternError as error:
        raise RuleError(str(error)) from error

    def changed(text: str) -> str:
        try:
            return replaced(read, replacement, text)
        except StepsError:
            raise RuleError(f"A text of {len(text)} characters is too long for the pattern {pattern}.") from None

    return _of_text(changed)


def _date_format(arguments: Arguments) -> Change:
    try:
        before, after = (date_format(one.value) for one in arguments)
    except DateFormatError as error:
        raise RuleError(str(error)) from error
    if not after.parts <= before.parts:
        raise RuleError(f"“{arguments[1].value}” asks for parts that “{arguments[0].value}” does not have.")

    def changed(text: str) -> str:
        moment = before.read(text)
        return text if moment is None else after.write(moment)

    return _of_text(changed)


def _lookup(arguments: Arguments) -> Change:
    """Of whole numbers too, where the table has nothing else."""
    pairs = {one.key: one.value for one in arguments}
    if "" in pairs or len(pairs) != len(arguments):
        raise RuleError("Each value stands once, before its equals sign: a=1, b=2.")
    numbers = _numbers(pairs)

    def changed(value: Value) -> Value:
        if isinstance(value, str):
            return pairs.get(value, pairs.get("*", value))
        if isinstance(value, int) and not isinstance(value, bool) and numbers is not None:
            return numbers.get(str(value), numbers.get("*", value))
        return value

    return changed


def _numbers(pairs: Mapping[str, str]) -> dict[str, int] | None:
    try:
        return {key if key == "*" else str(int(key)): int(value) for key, value in pairs.items()}
    except ValueError:
        return None


@dataclass(frozen=True)
class Kind:
    """A kind of rule with arguments; `make` raises RuleError. `names` is empty where any number may stand."""

    names: tuple[str, ...]
    make: Callable[[Arguments], Change]


KINDS: Mapping[str, Kind] = {
    "SUBSTRING": Kind(("start", "length"), _substring),
    "REPLACE": Kind(("find", "replacement"), _replace),
    "REGEX_REPLACE": Kind(("pattern", "replacement"), _regex_replace),
    "DATE_FORMAT": Kind(("from", "to"), _date_format),
    "LOOKUP": Kind((), _lookup),
}


@lru_cache(maxsize=1024)
def change_of(rule: str) -> Change:
    """What *rule* does. Raises: RuleError, one sentence."""
    if rule in TRANSFORMATION_RULES:
        return TRANSFORMATION_RULES[rule]
    read = parse_rule(rule)
    if read.name in TRANSFORMATION_RULES and read.arguments is None:
        return TRANSFORMATION_RULES[read.name]
    kind = KINDS.get(read.name)
    if kind is None:
        takes_none = read.name in TRANSFORMATION_RULES
        raise RuleError(f"{read.name} takes no arguments." if takes_none else f"There is no rule {read.name}.")
    given = read.arguments or ()
    if kind.names and (len(given) != len(kind.names) or any(one.key for one in given)):
        raise RuleError(f"{read.name} takes {' and '.join(kind.names)}: {read.name}({', '.join(kind.names)}).")
    if not given:
        raise RuleError(f"{read.name} needs at least one value: {read.name}(a=1).")
    return kind.make(given)


def transformed(rule: str, value: Value) -> Value:
    """Raises: RuleError where the rule cannot be carried out on the value."""
    return change_of(rule)(value)
