"""Transformation rules with arguments: how they are written, what they do, and that no pattern can hang."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from core.situations import MAPPING, situation
from hypothesis import given
from hypothesis import strategies as st

from receiver.commands.mappings.transformation_rules import EXAMPLES, is_complete
from receiver.core.decision import Fail, Insert, Reason, decide
from receiver.core.mapping import Direction, FieldMapping
from receiver.core.merge import Sides, merge
from receiver.core.patterns import STEPS, StepsError, compiled, replaced
from receiver.core.rule_text import Argument, Rule, RuleError, parse_rule, written
from receiver.core.transformation import change_of, transformed


def numbered(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Plain names: a pattern's own characters are not all fit for the name of a test."""
    return [f"{number} {row[0].partition('(')[0]}".strip() for number, row in enumerate(rows, 1)]


DONE = [
    ("SUBSTRING(1, 3)", "abcdef", "abc"),
    ("SUBSTRING(5, 9)", "abcdef", "ef"),
    ("SUBSTRING(7, 1)", "abcdef", ""),
    ("SUBSTRING(2, 0)", "abcdef", ""),
    ("substring( 2 , 2 )", "abcdef", "bc"),
    ("trim", " a ", "a"),
    ("REPLACE('a''b', 'c')", "xa'by", "xcy"),
    ("REPLACE(., ',')", "1.5", "1,5"),
    ("REGEX_REPLACE('[^0-9]', '')", "+49 40", "4940"),
    ("REGEX_REPLACE('^0+', '')", "0070", "70"),
    ("REGEX_REPLACE('(\\d+)-(\\d+)', '$2/$1')", "12-34", "34/12"),
    ("REGEX_REPLACE('a(b)?', '[$1$0$$]')", "a ab", "[a$] [bab$]"),
    ("REGEX_REPLACE('x*', '-')", "ab", "-a-b-"),
    ("REGEX_REPLACE('\\bno\\b', 'yes')", "no nobody no", "yes nobody yes"),
    ("REGEX_REPLACE('[\\s-]{2,}|[.\\]]', ' ')", "a - b.c]", "a b c "),
    ("REGEX_REPLACE('a$', '$')", "aa", "a$"),
    ("DATE_FORMAT(dd.MM.yyyy, yyyy-MM-dd)", "24.12.2026", "2026-12-24"),
    ("DATE_FORMAT(d.M.yyyy, 'dd/MM/yyyy')", "4.2.2026", "04/02/2026"),
    ("DATE_FORMAT(yyyyMMddHHmmss, 'yyyy-MM-dd HH:mm')", "20261224183000", "2026-12-24 18:30"),
    ("DATE_FORMAT(dd.MM.yyyy, yyyy-MM-dd)", "31.02.2026", "31.02.2026"),
    ("DATE_FORMAT(dd.MM.yyyy, yyyy-MM-dd)", "soon", "soon"),
    ("LOOKUP(a=1, b=2)", "b", "2"),
    ("LOOKUP(a=1, b=2)", "c", "c"),
    ("LOOKUP(a=1, *='')", "c", ""),
    ("LOOKUP(1=2)", 1, 2),
    ("LOOKUP(1=2)", 3, 3),
    ("LOOKUP(1=2, *=0)", 3, 0),
    ("LOOKUP(1=a)", 1, 1),
    ("LOOKUP(1=2)", True, True),
    ("LOOKUP(1=2)", None, None),
    ("REPLACE(1, 2)", Decimal(1), Decimal(1)),
    ("DATE_FORMAT(dd.MM.yyyy, yyyy-MM-dd)", date(2026, 1, 1), date(2026, 1, 1)),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "before", "after"), DONE, ids=numbered(DONE))
def test_a_rule_does_what_its_arguments_say(rule, before, after):
    assert transformed(rule, before) == after


REFUSED = [
    ("REVERSE", "There is no rule REVERSE."),
    ("TRIM(1)", "TRIM takes no arguments."),
    ("SUBSTRING(1)", "SUBSTRING takes start and length: SUBSTRING(start, length)."),
    ("SUBSTRING(a=1, b=2)", "SUBSTRING takes start and length: SUBSTRING(start, length)."),
    ("SUBSTRING(0, 2)", "“0” is no whole number from 1 up."),
    ("SUBSTRING(1, -2)", "“-2” is no whole number from 0 up."),
    ("REPLACE('', x)", "There is nothing to find."),
    ("LOOKUP", "LOOKUP needs at least one value: LOOKUP(a=1)."),
    ("LOOKUP(a)", "Each value stands once, before its equals sign: a=1, b=2."),
    ("LOOKUP(a=1, a=2)", "Each value stands once, before its equals sign: a=1, b=2."),
    ("REGEX_REPLACE('(a)\\1', '')", "“\\1” is not known in the pattern (a)\\1"),
    ("REGEX_REPLACE('(?=a)', '')", "“(?=” is not known in the pattern (?=a)"),
    ("REGEX_REPLACE('(a', '')", "“)” was expected in the pattern (a"),
    ("REGEX_REPLACE('a)', '')", "“)” closes no bracket in the pattern a)"),
    ("REGEX_REPLACE('[a', '')", "The pattern ends too early: [a"),
    ("REGEX_REPLACE('[z-a]', '')", "“z-a” goes backwards in the pattern [z-a]"),
    ("REGEX_REPLACE('*', '')", "“*” repeats nothing in the pattern *"),
    ("REGEX_REPLACE('a**', '')", "“*” repeats a repetition in the pattern a**"),
    ("REGEX_REPLACE('a{2', '')", "A count such as {2} or {2,4} was expected after “{” in the pattern a{2"),
    ("REGEX_REPLACE('a{3,2}', '')", "A count such as {2} or {2,4} was expected after “{” in the pattern a{3,2}"),
    ("REGEX_REPLACE('a{999}', '')", "The pattern repeats more than 100 times."),
    ("REGEX_REPLACE('((a{99}){99}){99}', '')", "The pattern repeats too much."),
    (f"REGEX_REPLACE('{'a' * 201}', '')", "The pattern has more than 200 characters."),
    (f"REGEX_REPLACE('{'(' * 30}{')' * 30}', '')", "The pattern has too many brackets within brackets."),
    ("REGEX_REPLACE('(a)', '$2')", "The replacement names group $2, the pattern has 1."),
    ("DATE_FORMAT(dd.MM.yy, yyyy)", "“yy” is not understood in the date format “dd.MM.yy”: yyyy, MM, M, dd, d, HH, mm, ss."),
    ("DATE_FORMAT(dd.MM, yyyy)", "Year, month and day were expected in the date format “dd.MM”."),
    ("DATE_FORMAT(dd.dd.MM.yyyy, yyyy)", "A part stands twice in the date format “dd.dd.MM.yyyy”."),
    ("DATE_FORMAT(yyyy-MM-dd, yyyyMMddHH)", "“yyyyMMddHH” asks for parts that “yyyy-MM-dd” does not have."),
    ("(", "A rule's name was expected: ("),
    ("TRIM x", "“(” was expected after TRIM: TRIM x"),
    ("SUBSTRING(1, 2", "The rule ends where “,” or “)” was expected: SUBSTRING(1, 2"),
    ("SUBSTRING(1, 2) x", "The rule should end with one “)”: SUBSTRING(1, 2) x"),
    ("REPLACE(a(, b)", "“(” stands where “,” or “)” was expected; put the text in 'quotes': REPLACE(a(, b)"),
    (f"LOOKUP(a={'b' * 4000})", "The rule has more than 4000 characters."),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "said"), REFUSED, ids=numbered(REFUSED))
def test_a_rule_that_cannot_be_used_says_why(rule, said):
    with pytest.raises(RuleError) as refused:
        change_of(rule)
    assert str(refused.value) == said


names = st.from_regex(r"[A-Z_][A-Z0-9_]{0,9}", fullmatch=True)
arguments = st.lists(st.builds(Argument, st.text(max_size=5), st.text(max_size=9)), min_size=1, max_size=4).map(tuple)


@given(st.builds(Rule, names, st.none() | arguments))
def test_any_rule_comes_back_from_its_text(rule):
    assert parse_rule(written(rule)) == rule


def test_every_rule_has_its_example():
    assert is_complete()
    assert {one.kind for one in EXAMPLES if one.before == one.after} <= {"DATE_FORMAT"}


# -- patterns ------------------------------------------------------------------------------------------------------

atoms = st.sampled_from(
    [
        "a",
        "b",
        "1",
        " ",
        ".",
        "[ab]",
        "[^a]",
        r"\d",
        r"\w",
        r"\s",
        r"\b",
        "^",
        "[a-c1]",
        "(a|b)",
        "(ab|a)",
        "(?:b|1)",
        "(a)",
    ]
)
repeats = st.sampled_from(["", "", "*", "+", "?", "{2}", "{1,2}", "{1,}", "*?", "+?", "??"])
pieces = st.builds(lambda atom, repeat: atom if atom in {"^", r"\b"} else atom + repeat, atoms, repeats)
patterns = st.lists(st.lists(pieces, max_size=4).map("".join), min_size=1, max_size=3).map("|".join)


@given(patterns, st.text("ab1 .\n", max_size=12))
def test_a_pattern_finds_what_python_finds(pattern, text):
    first = re.search(pattern, text)
    expected = "nothing" if first is None else f"{text[: first.start()]}<{first[0]}>"
    got = replaced(compiled(pattern), "<$0>", text)
    assert got.startswith(expected) if first else got == text


HOPELESS = [
    ("(a+)+$", "a" * 30 + "!"),
    ("(a|a)*b", "a" * 2000),
    ("(.*)(.*)(.*)(.*)x", "a" * 1000),
    ("(x+x+)+y", "x" * 1000),
]


@pytest.mark.parametrize(("pattern", "text"), HOPELESS, ids=numbered(HOPELESS))
def test_a_pattern_that_backtracks_for_years_elsewhere_is_done_within_the_steps(pattern, text):
    assert replaced(compiled(pattern), "-", text) == text


def test_a_text_takes_only_so_many_steps():
    with pytest.raises(StepsError):
        replaced(compiled("a.*x|a"), "", "a" * STEPS)


# -- in a transfer ---------------------------------------------------------------------------------------------------

HEAVY = "REGEX_REPLACE('a.*x|a', '')"


@pytest.mark.parametrize("toward", [Direction.FROM, Direction.TO], ids=["from", "to"])
def test_a_rule_works_in_both_directions(toward):
    row = FieldMapping(1, "name", "title", transformation_rule="LOOKUP(a=b)", transformation_direction=toward)
    (one,) = replace(MAPPING, fields=(row,)).transfers(toward)
    assert merge(Sides((one,), toward, {"name": "a", "title": "a"}, None)).values == {one.destination: "b"}


@pytest.mark.parametrize("toward", [Direction.FROM, Direction.TO], ids=["from", "to"])
def test_a_rule_that_cannot_be_carried_out_fails_the_record_with_the_reason(toward):
    row = FieldMapping(1, "name", "title", transformation_rule=HEAVY, transformation_direction=toward)
    now = situation(toward, mapping=replace(MAPPING, fields=(row,)))
    column = row.dataverse_column if toward is Direction.FROM else row.local_column
    heavy = replace(now, source=replace(now.source, values={**now.source.values, column: "a" * 2000}))
    said = f"{column} cannot be transformed by {HEAVY}. A text of 2000 characters is too long for the pattern a.*x|a."
    assert decide(heavy) == Fail(Reason.NOT_TRANSFORMED, (said,))


CONSTANTS = [
    ("a constant where the source has no column", FieldMapping(1, "name", None, constant="Person"), {"name": "Person"}),
    ("no rule changes a constant", FieldMapping(1, "name", None, constant="a", transformation_rule="UPPERCASE", transformation_direction=Direction.FROM), {"name": "a"}),
    ("an empty value that must not be written", FieldMapping(1, "name", "fax", not_null=True), {}),
    ("a value that a rule makes empty and that must not be written", FieldMapping(1, "name", "title", not_null=True, transformation_rule="LOOKUP(*='')", transformation_direction=Direction.FROM), {}),
]  # fmt: skip


@pytest.mark.parametrize(("row", "expected"), [row[1:] for row in CONSTANTS], ids=[row[0] for row in CONSTANTS])
def test_constants_and_not_null(row, expected):
    transfers = replace(MAPPING, fields=(row,)).transfers(Direction.FROM)
    assert merge(Sides(transfers, Direction.FROM, {"title": "x"}, None)).values == expected


def test_a_constant_alone_makes_a_new_record():
    now = situation(Direction.FROM, coupling="none", destination="absent", lookups="found")
    mapping = replace(MAPPING, fields=(FieldMapping(1, "name", None, constant="x"),))
    assert (
        decide(replace(now, mapping=mapping)).values
        == Insert({"name": "x"}, merge(Sides(mapping.transfers(Direction.FROM), Direction.FROM, {}, None))).values
    )
