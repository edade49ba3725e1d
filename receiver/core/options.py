"""A choice as codes: what a table of one's own says, else the choice's labels.

The table is a field mapping's transformation rule, `LOOKUP(code=number, …)`; it is read in both directions.
Source: BC codeunit 5364 and C5342.ConvertTableToOption, ConvertOptionToTable; reference §12.
"""

from __future__ import annotations

from collections.abc import Mapping

from receiver.core.rule_text import RuleError, parse_rule

#: a label's first characters are its code
CODE_LENGTH = 10


def codes_of(rule: str, labels: Mapping[int, str]) -> dict[str, int]:
    """The option that each code, in capitals, stands for. Raises: RuleError."""
    if not rule:
        return {label[:CODE_LENGTH].strip().upper(): number for number, label in labels.items()}
    read = parse_rule(rule)
    given = [(one.key.upper(), one.value) for one in read.arguments or ()]
    if read.name != "LOOKUP" or not given or not all(code and number.isdecimal() for code, number in given):
        raise RuleError("A choice needs a table of codes and numbers: LOOKUP(DHL=2, FEDEX=3).")
    found = {code: int(number) for code, number in given}
    if len(found) != len(given) or len(set(found.values())) != len(given):
        raise RuleError("Each code and each number stands once: it is read in both directions.")
    return found
