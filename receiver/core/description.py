"""What an environment has of a Dataverse table, and what the application user may do with each column of it.

`catalogue/described.py` makes it of what is stored; the engine and the pages ask it of a mapping (`mapping.described`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from receiver.core.values import Column


@dataclass(frozen=True)
class Description:
    """One table's columns by logical name. Before the first connection it is what a plain environment has."""

    #: those that are there, with the lengths, precisions and labels of today
    columns: Mapping[str, Column] = field(default_factory=dict)
    #: columns that a mapping may name and that are not there
    lacking: frozenset[str] = frozenset()
    #: their values come back as null, for everybody or for us: null is then no value
    unreadable: frozenset[str] = frozenset()
    #: their values come back masked: a plausible text that is not the value
    masked: frozenset[str] = frozenset()
    #: what is sent for them is refused, or left out without a word: when a row is created, and when it is changed
    not_created: frozenset[str] = frozenset()
    not_updated: frozenset[str] = frozenset()

    #: only who has the right for it may read, create or change their values
    secured: frozenset[str] = frozenset()
    #: calculated, rollup and formula columns: they change without a notification, and without a version
    quiet: frozenset[str] = frozenset()

    @property
    def unseen(self) -> frozenset[str]:
        """Columns of which nobody here knows what is in them."""
        return self.unreadable | self.masked


#: of a mapping that was not looked at in its environment: nothing is lacking, everything is allowed
NOTHING_DESCRIBED = Description()
