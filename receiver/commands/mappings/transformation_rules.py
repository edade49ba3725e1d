"""The transformation rules with examples, each computed by the rule itself. docs/transformation-rules.md is this."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from receiver.core.patterns import STEPS
from receiver.core.transformation import KINDS, TRANSFORMATION_RULES, transformed
from receiver.core.values import Value


@dataclass(frozen=True)
class RuleExample:
    """A rule as it is written in a field mapping, what it means, and what it makes of a value."""

    written: str
    meaning: str
    before: Value

    @property
    def after(self) -> Value:
        return transformed(self.written, self.before)

    @property
    def kind(self) -> str:
        return self.written.partition("(")[0]


EXAMPLES = (
    RuleExample("UPPERCASE", "capitals", "Größe"),
    RuleExample("LOWERCASE", "small letters", "NORDWIND"),
    RuleExample("TITLECASE", "a capital at the start of each word", "nord wind"),
    RuleExample("TRIM", "without blanks at either end", "  Nordwind "),
    RuleExample("ALPHANUMERIC_ONLY", "letters and digits alone", "Nord-wind 7"),
    RuleExample("SUBSTRING(4, 3)", "from the 4th character, 3 of them", "DE-040-17"),
    RuleExample("REPLACE('GmbH & Co. KG', 'KG')", "every occurrence of a text, by another", "Nordwind GmbH & Co. KG"),
    RuleExample("REGEX_REPLACE('[^0-9+]', '')", "every match of a pattern, by nothing", "+49 (40) 12-34"),
    RuleExample("REGEX_REPLACE('(\\w+), (\\w+)', '$2 $1')", "`$1` is what the first brackets matched", "Weber, Jonas"),
    RuleExample("DATE_FORMAT(dd.MM.yyyy, yyyy-MM-dd)", "a date written otherwise", "24.12.2026"),
    RuleExample("DATE_FORMAT(dd.MM.yyyy, yyyy-MM-dd)", "a text that is no such date stays", "soon"),
    RuleExample("LOOKUP(D=DE, CH=CH)", "a table; what is not in it stays", "D"),
    RuleExample("LOOKUP(1=10, 2=20, *=0)", "`*` is everything else; numbers too", 7),
)


def rules_page() -> str:
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Transformation rules"
    yield ""
    yield "Printed from the code by `receiver mappings rules`; a test keeps this page fresh."
    yield ""
    yield "A field mapping may have one rule, which works in one direction (*Transformation Direction*). The rule is"
    yield "written as below, in `transformation_rule` of a [mapping file](commands/mappings.md). It changes texts, and"
    yield "leaves other values as they are; `LOOKUP` changes whole numbers too where its table has nothing else."
    yield ""
    yield "| Rule | What it does | From | To |"
    yield "|---|---|---|---|"
    for one in EXAMPLES:
        yield f"| `{one.written}` | {one.meaning} | `{one.before}` | `{one.after}` |"
    yield ""
    yield "Arguments: text with blanks at its ends, quotes, commas, brackets or an equals sign stands in 'quotes', a"
    yield "quote in it is doubled. Dates: `yyyy MM M dd d HH mm ss`."
    yield "Patterns know literals, `. [a-z] [^a-z] \\d \\w \\s \\D \\W \\S \\b ^ $ ( ) (?: ) | * + ? {2,4}` and the"
    yield f"reluctant `*? +? ??`. No pattern can hang: a text takes {STEPS:,} steps at most, and one that needs more"
    yield "makes the record Failed with that reason. Back references and look-around are not known, and refused when"
    yield "the mapping is saved."
    yield ""
    yield "A field mapping whose conversion is `option` has a code here, a choice in Dataverse. Without a rule a code"
    yield "is the first ten characters of the choice's label, in capitals (`WILL CALL`); with one it is what the table"
    yield "says: `LOOKUP(OWN=1, DHL=2)`. That table is read in both directions, whatever the Transformation Direction."


def is_complete() -> bool:
    """Whether every rule has its example."""
    return {one.kind for one in EXAMPLES} == {*KINDS, *TRANSFORMATION_RULES} - {""}
