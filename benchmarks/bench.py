"""What a benchmark works with: how much is measured, on which database, beside which sandbox."""

from __future__ import annotations

import os
from dataclasses import dataclass

from receiver.sandbox import Sandbox


@dataclass(frozen=True)
class Sizes:
    """How much is measured; each is the environment variable BENCH_<NAME>."""

    runs: int = 5
    #: of load, on the door and on the way to the record
    seconds: float = 5.0
    #: waiting when the worker starts
    rows: int = 10_000
    #: on each side of a full synchronization, of matching and of verifying; a tenth as many change and go out
    records: int = 100_000
    #: of the button
    clicks: int = 200
    #: notifications until the last look at the memory
    flood: int = 100_000


SHORT = Sizes(runs=1, seconds=0.5, rows=20, records=60, clicks=10, flood=200)


def from_environment() -> Sizes:
    usual = vars(Sizes())
    return Sizes(**{name: type(value)(os.environ.get(f"BENCH_{name.upper()}", value)) for name, value in usual.items()})


@dataclass(frozen=True)
class Bench:
    #: `sqlite` or `postgresql`
    kind: str
    #: of our own PostgreSQL: a URL with `{name}`
    pattern: str
    sandbox: Sandbox
    sizes: Sizes
