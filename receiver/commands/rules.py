"""The decision table, printed from the code: what `decide` answers to each situation of a list."""

from __future__ import annotations


def decision_table() -> str:
    """A Markdown table of situations and decisions, both directions."""
    return ""
