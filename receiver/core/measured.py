"""What the receiver counts of its own work, handed to whoever keeps it: nobody, unless a program asked for it.

A name here is a metric's, without its prefix; labels are tables, mappings and outcomes, never a record.
"""

from __future__ import annotations

from typing import Protocol


class Sink(Protocol):
    """Keeps what is counted."""

    def count(self, name: str, labels: dict[str, str], amount: int) -> None: ...

    def took(self, name: str, labels: dict[str, str], seconds: float) -> None: ...


_sinks: list[Sink] = []


def keep_in(sink: Sink) -> None:
    """From now on *sink* alone hears of everything."""
    _sinks[:] = [sink]


def count(name: str, amount: int = 1, **labels: str) -> None:
    for sink in _sinks:
        sink.count(name, labels, amount)


def took(name: str, seconds: float, **labels: str) -> None:
    for sink in _sinks:
        sink.took(name, labels, seconds)
