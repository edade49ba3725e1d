"""What a column keeps: lengths in its own units, never half of what people see, amounts to its precision."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.core.keeping import REPLACED, cut, equal_as_kept, fitted, legible, lost
from receiver.core.values import Column, ColumnType, Value

SMILE, THUMB, MEDIUM, JOINER, FAMILY = "😀", "👍", "🏽", "\u200d", "👨\u200d👩\u200d👧"
ACUTE, VARIATION, GERMANY, AUSTRIA = "\u0301", "\ufe0f", "🇩🇪", "🇦🇹"
ENGLAND = "🏴" + "".join(chr(0xE0000 + ord(letter)) for letter in "gbeng") + "\U000e007f"


def units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


CUTS = [
    # what is the case                               the text                 UTF-16 units  what is left
    ("it fits", "Nordwind", 8, "Nordwind"),
    ("one too many", "Nordwind", 7, "Nordwin"),
    ("nothing fits", "Nordwind", 0, ""),
    ("an emoji is two units", "N" * 159 + SMILE, 160, "N" * 159),
    ("and fits where two are left", "N" * 158 + SMILE, 160, "N" * 158 + SMILE),
    ("many of them", SMILE * 100, 160, SMILE * 80),
    ("no half of a pair", SMILE * 2, 3, SMILE),
    ("a letter and its accent", "e" + ACUTE, 1, ""),
    ("an accent that fits", "e" + ACUTE + "x", 2, "e" + ACUTE),
    ("several marks", "ae" + ACUTE * 3, 4, "a"),
    ("a variation selector", "a❤" + VARIATION, 2, "a"),
    ("a skin tone", "a" + THUMB + MEDIUM, 4, "a"),
    ("the first and the last skin tone", "a" + THUMB + "\U0001f3fb" + THUMB + "\U0001f3ff", 8, "a" + THUMB + "\U0001f3fb"),
    ("what stands beside the skin tones is its own", "\U0001f3fa\U0001f400", 2, "\U0001f3fa"),
    ("a family, cut after a joiner", "a" + FAMILY, 4, "a"),
    ("a family, cut before a joiner", "a" + FAMILY, 3, "a"),
    ("a family that fits", "a" + FAMILY + "b", 9, "a" + FAMILY),
    ("half a flag", "a" + GERMANY, 3, "a"),
    ("a flag that fits", GERMANY + AUSTRIA, 4, GERMANY),
    ("half a second flag", GERMANY + AUSTRIA, 6, GERMANY),
    ("the last flag's letters", "🇿🇿🇿", 4, "🇿🇿"),
    ("a flag made of tags", "a" + ENGLAND, 6, "a"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "longest", "left"), [row[1:] for row in CUTS], ids=[row[0] for row in CUTS])
def test_a_text_is_cut_to_its_units_and_never_inside_what_people_see_as_one(text, longest, left):
    assert cut(text, longest, counts_utf16=True) == left


def test_where_characters_count_an_emoji_is_one():
    assert cut(SMILE * 3, 2) == SMILE * 2
    assert cut("e" + ACUTE + "x", 1) == ""
    assert cut("abc", 5) == "abc"


odd_texts = st.text(st.sampled_from(["a", "é", ACUTE, VARIATION, SMILE, THUMB, MEDIUM, JOINER, "🇩", "🇪", "\U000e0067"]))


@given(odd_texts, st.integers(0, 12), st.booleans())
def test_what_is_left_is_a_beginning_that_fits_and_the_longest_that_ends_well(text, longest, counts_utf16):
    left = cut(text, longest, counts_utf16=counts_utf16)
    length = units if counts_utf16 else len
    assert text.startswith(left)
    assert length(left) <= longest
    rest = text[len(left) :]
    if not rest:
        return
    if left:
        assert not unicodedata.category(rest[0]).startswith("M")
        assert rest[0] not in (JOINER, MEDIUM, "\U000e0067")
        assert not left.endswith(JOINER)
    assert cut(left, longest, counts_utf16=counts_utf16) == left


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        pytest.param("Nord\ud83d", f"Nord{REPLACED}", id="the first half of a pair"),
        pytest.param("\ude00wind", f"{REPLACED}wind", id="the second half"),
        pytest.param("a\0b", f"a{REPLACED}b", id="NUL"),
        pytest.param(f"{SMILE}\ud83d", f"{SMILE}{REPLACED}", id="a whole pair stays"),
        pytest.param("Größe\t\n\x01", "Größe\t\n\x01", id="anything else stays"),
    ],
)
def test_what_no_database_can_hold_is_replaced_and_seen(text, kept):
    assert legible(text) == kept
    kept.encode()


STRICT = Column("name", max_length=4, counts_utf16=True, takes_controls=False)
PATIENT = Column("name", max_length=4)


@pytest.mark.parametrize(
    ("column", "value", "written"),
    [
        pytest.param(STRICT, "a\x00\x01b\x1f", "ab", id="control characters are left out"),
        pytest.param(STRICT, "a\t\r\n", "a\t\r\n", id="but not tab and line ends"),
        pytest.param(STRICT, "\x08\x0b\x0c\x0e", "", id="though their neighbours are"),
        pytest.param(STRICT, "\x7f ", "\x7f ", id="nor what comes after them"),
        pytest.param(STRICT, "a\x01b\x01cde", "abcd", id="before it is cut"),
        pytest.param(STRICT, f"ab{SMILE}", f"ab{SMILE}", id="in UTF-16 units"),
        pytest.param(STRICT, f"abc{SMILE}", "abc", id="one unit too long"),
        pytest.param(PATIENT, f"a\x01b{SMILE}c", f"a\x01b{SMILE}", id="or in characters"),
        pytest.param(Column("memo"), "a" * 5000, "a" * 5000, id="no limit"),
        pytest.param(None, "a\x01", "a\x01", id="nothing known of the column"),
        pytest.param(STRICT, Decimal("1.23456"), Decimal("1.23456"), id="a number is sent as it is"),
        pytest.param(STRICT, None, None, id="nothing"),
    ],
)
def test_what_is_written_is_what_the_column_takes(column, value, written):
    assert fitted(column, value) == written


MONEY, YEN, DOUBLE = (Column("limit", ColumnType.MONEY, precision=places) for places in (2, 0, None))
WHOLE = Column("at", ColumnType.DATETIME, has_whole_seconds=True)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SAME: list[tuple[str, Column | None, Value, Value]] = [
    ("rounded", MONEY, Decimal("1234.56789"), Decimal("1234.57")),
    ("a half, up", MONEY, Decimal("0.125"), Decimal("0.13")),
    ("a half, down", MONEY, Decimal("0.125"), Decimal("0.12")),
    ("trailing zeros", MONEY, Decimal("5.00"), Decimal(5)),
    ("no decimal places", YEN, Decimal("1234.4"), Decimal(1234)),
    ("whole numbers", MONEY, 5, Decimal("5.004")),
    ("cut", PATIENT, "Nordwind", "Nord"),
    ("without control characters", STRICT, "a\x01b", "ab"),
    ("trailing blanks", PATIENT, "a  ", "a"),
    ("only blanks", PATIENT, "  ", None),
    ("empty text and nothing", PATIENT, "", None),
    ("nothing and empty text", PATIENT, None, ""),
    ("line ends", Column("memo"), "a\r\nb\rc", "a\nb\nc"),
    ("whole seconds", WHOLE, NOON.replace(microsecond=7), NOON),
    ("the same, nothing known", None, "a", "a"),
]
OTHER: list[tuple[str, Column | None, Value, Value]] = [
    ("another amount", MONEY, Decimal("1234.56789"), Decimal("1234.56")),
    ("more than half a unit", MONEY, Decimal("0.1251"), Decimal("0.12")),
    ("an amount of unknown precision", DOUBLE, Decimal("1.001"), Decimal("1.00")),
    ("an amount and nothing", MONEY, Decimal(0), None),
    ("a text of another case", PATIENT, "nord", "NORD"),
    ("leading blanks", PATIENT, " a", "a"),
    ("cut, and something else", PATIENT, "Nordwind", "Nora"),
    ("cut shorter than the column", PATIENT, "Nordwind", "Nor"),
    ("control characters that it takes", PATIENT, "a\x01", "a"),
    ("nothing known of the column", None, "a ", "a"),
    ("another second", WHOLE, NOON.replace(second=1), NOON),
    ("a part of a second that it keeps", Column("at", ColumnType.DATETIME), NOON.replace(microsecond=7), NOON),
    ("a text and a number", MONEY, "5", Decimal(5)),
]


@pytest.mark.parametrize(("column", "one", "other"), [row[1:] for row in SAME], ids=[row[0] for row in SAME])
def test_what_a_column_makes_of_a_value_is_no_other_value(column, one, other):
    assert equal_as_kept(column, one, other)
    assert equal_as_kept(column, other, one)


@pytest.mark.parametrize(("column", "one", "other"), [row[1:] for row in OTHER], ids=[row[0] for row in OTHER])
def test_anything_else_is(column, one, other):
    assert not equal_as_kept(column, one, other)
    assert not equal_as_kept(column, other, one)


@given(odd_texts, st.integers(1, 6), st.booleans())
def test_a_text_equals_what_is_written_of_it(text, longest, is_strict):
    column = Column("name", max_length=longest, counts_utf16=is_strict, takes_controls=not is_strict)
    assert equal_as_kept(column, text, fitted(column, text))
    assert fitted(column, fitted(column, text)) == fitted(column, text)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        pytest.param(PATIENT, "Nord", "", id="nothing"),
        pytest.param(PATIENT, "Nordwind", "the text was cut: name holds 4 characters", id="cut"),
        pytest.param(STRICT, "Nordwind", "the text was cut: name holds 4 UTF-16 units", id="cut, in units"),
        pytest.param(STRICT, "a\x01", "name takes no control characters", id="control characters"),
        pytest.param(PATIENT, "a\x01", "", id="control characters that it takes"),
        pytest.param(PATIENT, f"a{REPLACED}", "a character that cannot be kept stands as U+FFFD", id="replaced"),
        pytest.param(STRICT, "a\x01bcde", "name takes no control characters; the text was cut: name holds 4 UTF-16 units", id="both"),
        pytest.param(None, "Nordwind", "", id="nothing known of the column"),
        pytest.param(PATIENT, Decimal(5), "", id="a number"),
    ],
)  # fmt: skip
def test_what_is_lost_of_a_text_is_told(column, value, said):
    assert lost(column, value) == said
