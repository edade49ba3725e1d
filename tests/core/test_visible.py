"""What comes from outside is shown in one line, and steers nobody's terminal, log or eye."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.core.visible import visible

SHOWN = [
    ("a plain name", "Nordwind Trading GmbH", "Nordwind Trading GmbH"),
    ("letters of any script", "Größe Übung 東京 שלום", "Größe Übung 東京 שלום"),
    ("an emoji of several parts", "\U0001f468\u200d\U0001f469", "\U0001f468\u200d\U0001f469"),
    ("a space that does not break", "a\u00a0b", "a\u00a0b"),
    ("line ends", "a\r\nb", "a\\r\\nb"),
    ("a terminal's code", "\x1b[2J", "\\x1b[2J"),
    ("one in a single character", "\x9b2J", "\\x9b2J"),
    ("a text that runs the other way", "\u202egpj", "\\u202egpj"),
    ("an isolate", "\u2066a\u2069", "\\u2066a\\u2069"),
    ("a line separator", "a\u2028b", "a\\u2028b"),
    ("half a character", "\ud800", "\\ud800"),
]


@pytest.mark.parametrize(("text", "shown"), [row[1:] for row in SHOWN], ids=[row[0] for row in SHOWN])
def test_what_steers_is_spelled_out(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text())
def test_it_is_one_line_and_shown_twice_is_shown_once(text: str) -> None:
    shown = visible(text)

    assert len(shown.splitlines()) <= 1
    assert visible(shown) == shown
