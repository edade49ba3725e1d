"""A table's description, made of the facts that are stored; pure.

What the metadata does not say (captions, which columns are derived) the shipped description supplies, and all of it
before the first connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from receiver.core.description import Description
from receiver.core.values import TEXTS, Column
from receiver.dataverse.columns import DERIVED_COLUMNS, OPTIONAL_COLUMNS, TABLES
from receiver.dataverse.metadata import Facts, TableFacts


def described(table: str, stored: TableFacts | None) -> Description:
    """The description of a table that mappings may name; *stored* is None until the environment was asked."""
    known = TABLES[table].columns
    if stored is None:
        plain = {name: column for name, column in known.items() if name not in OPTIONAL_COLUMNS}
        return Description(plain, lacking=OPTIONAL_COLUMNS)
    facts = {name: stored.get(DERIVED_COLUMNS.get(name, name)) for name in known}
    there = {name: one for name, one in facts.items() if one is not None}
    return Description(
        columns={name: _column(known[name], one) for name, one in there.items() if name not in DERIVED_COLUMNS}
        | {name: known[name] for name in there if name in DERIVED_COLUMNS},
        lacking=frozenset(facts.keys() - there.keys()),
        unreadable=frozenset(name for name, one in there.items() if not may(one, "r")),
        masked=frozenset(name for name, one in there.items() if may(one, "r") and one.get("masked")),
        not_created=frozenset(name for name, one in there.items() if not may(one, "c")),
        secured=frozenset(name for name, one in there.items() if one.get("secured")),
        not_updated=frozenset(name for name, one in there.items() if not may(one, "u")),
        quiet=frozenset(name for name, one in there.items() if one.get("source")),
    )


def _column(plain: Column, facts: Facts) -> Column:
    return replace(
        plain,
        max_length=facts.get("length", plain.max_length) if plain.type in TEXTS else plain.max_length,
        labels=_labels(facts.get("labels") or {}) or plain.labels,
        precision=facts.get("precision", plain.precision),
        precision_source=facts.get("precision_source", plain.precision_source),
    )


def _labels(stored: Mapping[str, Any]) -> dict[int, str]:
    return {int(number): str(label) for number, label in stored.items()}


def may(facts: Facts, what: str) -> bool:
    """Whether the column is valid for *what* (r, c or u); a secured one also wants the right, one that is in effect."""
    if what == "r" and "given_at" in facts:
        return False
    is_allowed = what in facts.get("rights", "") if facts.get("secured") else True
    return is_allowed and what in facts.get("valid", what)
