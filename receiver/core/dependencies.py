"""In which order mappings are run in full, so that what a lookup names is coupled before the lookup is asked for.

Source: BC codeunit 5373, full synchronization by dependency; reference §15.5.
"""

from __future__ import annotations

from collections.abc import Mapping

from receiver.core.mapping import TableMapping


class CycleError(ValueError):
    """Mappings that wait for one another; `names` goes round once, from the first to its repetition."""

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__(
            f"The mappings wait for one another: {' → '.join(names)}. Set Clear Value on Failed Sync on one of the "
            "lookups between them, or disable it."
        )
        self.names = names


def ordered(mappings: Mapping[str, TableMapping]) -> list[str]:
    """Every mapping's name, each after those it needs; otherwise as they stand.

    Raises: CycleError naming the mappings that wait for one another.
    """
    found: list[str] = []
    for name in mappings:
        _place(name, mappings, found, ())
    return found


def needs(mapping: TableMapping) -> tuple[str, ...]:
    """The mappings that must have run before: of *Depends on* and of every enabled lookup, sorted.

    A lookup with Clear Value on Failed Sync needs nothing: it stays empty until its record is coupled. One that looks
    into its own table (a parent account, say) cannot be helped by an order.
    """
    lookups = {
        name for row in mapping.fields if row.is_enabled and not row.clear_value_on_failed_sync for name in row.related
    }
    return tuple(sorted({*mapping.depends_on, *lookups} - {mapping.name}))


def _place(name: str, mappings: Mapping[str, TableMapping], found: list[str], within: tuple[str, ...]) -> None:
    if name in within:
        raise CycleError((*within[within.index(name) :], name))
    if name in found or name not in mappings:
        return
    for needed in needs(mappings[name]):
        _place(needed, mappings, found, (*within, name))
    found.append(name)
