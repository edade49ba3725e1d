"""Codes of a choice: what a rule's table says, else what the labels say."""

from __future__ import annotations

import pytest

from receiver.core.options import codes_of
from receiver.core.rule_text import RuleError

LABELS = {1: "Airborne", 5: "Postal Mail", 7: "Will Call"}

FINE = [
    # what is the case                       the rule                                the codes
    ("by the labels' first ten characters", "", {"AIRBORNE": 1, "POSTAL MAI": 5, "WILL CALL": 7}),
    ("by a table", "LOOKUP(DHL=2, 'by hand'=7)", {"DHL": 2, "BY HAND": 7}),
    ("by one line, whatever its case", "lookup(dhl=0)", {"DHL": 0}),
]
WRONG = [
    ("another rule", "UPPERCASE", "A choice needs a table"),
    ("another rule with arguments", "SUBSTRING(a=1, b=2)", "A choice needs a table"),
    ("an empty table", "LOOKUP", "A choice needs a table"),
    ("no code", "LOOKUP(=1)", "A choice needs a table"),
    ("no number", "LOOKUP(A=one)", "A choice needs a table"),
    ("a code twice", "LOOKUP(A=1, a=2)", "stands once"),
    ("a number twice", "LOOKUP(A=1, B=1)", "stands once"),
    ("no rule at all", "LOOKUP(A=1", "expected"),
]


@pytest.mark.parametrize(("rule", "codes"), [row[1:] for row in FINE], ids=[row[0] for row in FINE])
def test_a_code_stands_for_an_option(rule, codes):
    assert codes_of(rule, LABELS) == codes


@pytest.mark.parametrize(("rule", "said"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_what_is_no_table_is_refused_with_a_sentence(rule, said):
    with pytest.raises(RuleError, match=said):
        codes_of(rule, LABELS)
