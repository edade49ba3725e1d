"""How a transformation rule is written: a name, and for some its arguments in brackets.

rule     = name [ "(" argument ("," argument)* ")" ]
argument = [ word "=" ] word
word     = 'text' (a quote is doubled) | anything without quotes, commas, brackets and equals signs
"""

from __future__ import annotations

import re
from dataclasses import dataclass

LONGEST_RULE = 4000

_NAME = re.compile(r"\s*([A-Za-z_]\w*)\s*")
_WORD = re.compile(r"\s*(?:'((?:[^']|'')*)'|([^',()=]*))\s*")


class RuleError(ValueError):
    """A rule that cannot be read, or a value that it cannot be carried out on; the text says why."""


@dataclass(frozen=True)
class Argument:
    """One argument; `key` is empty where none was written."""

    key: str
    value: str


@dataclass(frozen=True)
class Rule:
    """A rule as data: its name in capitals and its arguments; None: it was written without brackets."""

    name: str
    arguments: tuple[Argument, ...] | None = None


def parse_rule(text: str) -> Rule:
    """Raises: RuleError."""
    if len(text) > LONGEST_RULE:
        raise RuleError(f"The rule has more than {LONGEST_RULE} characters.")
    match = _NAME.match(text)
    if match is None:
        raise RuleError(f"A rule's name was expected: {text}")
    name, at = match[1].upper(), match.end()
    if at == len(text):
        return Rule(name)
    if text[at] != "(":
        raise RuleError(f"“(” was expected after {name}: {text}")
    arguments: list[Argument] = []
    while not arguments or text[at] == ",":
        argument, at = _argument(text, at + 1)
        arguments.append(argument)
    if text[at] != ")" or text[at + 1 :].strip():
        raise RuleError(f"The rule should end with one “)”: {text}")
    return Rule(name, tuple(arguments))


def _argument(text: str, at: int) -> tuple[Argument, int]:
    first, at = _word(text, at)
    if text[at] != "=":
        return Argument("", first), at
    second, at = _word(text, at + 1)
    return Argument(first, second), at


def _word(text: str, at: int) -> tuple[str, int]:
    match = _WORD.match(text, at)
    if match is None or match.end() == len(text):
        raise RuleError(f"The rule ends where “,” or “)” was expected: {text}")
    if text[match.end()] not in ",)=":
        raise RuleError(f"“{text[match.end()]}” stands where “,” or “)” was expected; put the text in 'quotes': {text}")
    quoted, plain = match[1], match[2]
    return (plain.strip() if quoted is None else quoted.replace("''", "'")), match.end()


def written(rule: Rule) -> str:
    """The rule as text, every argument in quotes; `parse_rule` reads the equal rule."""
    if rule.arguments is None:
        return rule.name
    return f"{rule.name}({', '.join(map(_written, rule.arguments))})"


def _written(argument: Argument) -> str:
    value = _quoted(argument.value)
    return f"{_quoted(argument.key)}={value}" if argument.key else value


def _quoted(text: str) -> str:
    doubled = text.replace("'", "''")
    return f"'{doubled}'"
