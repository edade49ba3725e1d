"""A log line has time, level and subject, and nothing from outside can begin another."""

from __future__ import annotations

import json
import logging
import re

import pytest

from receiver.server.logs import CHATTER, LineFormatter, configure, formatter

HEAD = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}Z "


def logged(message: str, error: Exception | None = None) -> str:
    exception = (type(error), error, None) if error else None
    return LineFormatter().format(
        logging.LogRecord("receiver.engine", logging.WARNING, "", 0, "Lane %s", (message,), exception)
    )


def test_a_line_says_when_how_bad_and_of_what() -> None:
    assert re.fullmatch(HEAD + r"WARNING receiver\.engine: Lane 4711", logged("4711"))


@pytest.mark.parametrize("text", ["a\n2026-01-01 forged", "\x1b[2Jforged", "\u202eforged", "a\rforged"])
def test_what_is_told_stays_in_its_line_and_steers_nothing(text: str) -> None:
    line = logged(text)

    assert line.isprintable()
    assert "forged" in line


def test_no_line_of_an_errors_own_words_begins_like_a_line_of_ours() -> None:
    first, *others = logged("x", ValueError("a\n2026-01-01 00:00:00.000Z INFO forged\x1b[2J")).split("\n")

    assert re.match(HEAD, first)
    assert others
    assert all(line.startswith("    ") and line.isprintable() for line in others)


def test_as_json_a_line_is_an_object_with_the_same_facts() -> None:
    record = logging.LogRecord(
        "receiver.engine", logging.WARNING, "", 0, "Lane %s", ("a\n\x1b[2Jforged",), (ValueError, ValueError("x"), None)
    )
    line = formatter("json").format(record)
    found = json.loads(line)
    assert line.isprintable()
    assert (found["level"], found["subject"], found["message"]) == (
        "WARNING",
        "receiver.engine",
        "Lane a\n\x1b[2Jforged",
    )
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", found["time"])
    assert "ValueError: x" in found["exc_info"]


@pytest.mark.parametrize(("level", "expected"), [("debug", 10), ("error", 40), ("", 20), ("nonsense", 20)])
def test_the_level_is_a_setting(level: str, expected: int) -> None:
    root = logging.getLogger()
    before, handlers = root.level, list(root.handlers)
    chatter = {name: logging.getLogger(name).level for name in CHATTER}
    try:
        configure({"RECEIVER_LOG_LEVEL": level, "RECEIVER_LOG_FORMAT": "json"})
        assert root.level == expected
    finally:
        root.setLevel(before)
        root.handlers[:] = handlers
        for name, was in chatter.items():
            logging.getLogger(name).setLevel(was)
