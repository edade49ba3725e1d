"""docs/performance.md and its plot, written from what was measured; the words about it are written by hand."""

from __future__ import annotations

import os
import platform
import re
import sqlite3
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import create_engine, text

from benchmarks.bench import Sizes
from benchmarks.figures import HEADING, Figure
from benchmarks.plot import svg

DOCS = Path(__file__).parents[1] / "docs"


def write(figures: Sequence[Figure], sizes: Sizes, pattern: str) -> None:
    with_target = [figure for figure in figures if figure.target]
    met = sum(figure.verdict == "met" for figure in with_target)
    rows = "\n".join(figure.row() for figure in figures)
    (DOCS / "performance.svg").write_text(svg(figures))
    (DOCS / "performance.md").write_text(f"""\
# Performance

Written by `make bench` on {datetime.now(UTC):%Y-%m-%d}; what the figures mean, and what is slow and why, is in
[performance-notes.md](performance-notes.md).

* Machine: {_machine(pattern)}.
  Load, servers, databases and sandbox share it: compare ratios, not absolutes.
* Measured: {sizes.runs} runs, {sizes.seconds:g} s of load, {sizes.rows} rows waiting, {sizes.clicks} clicks,
  {sizes.flood} notifications until the last look at the memory, {sizes.records} records on each side; the last
  two in one run only.
* Targets are for the median of the runs: {met} of {len(with_target)} are met.

![Measured against the targets; the table says the same](performance.svg)

{HEADING}
{rows}
""")


def _machine(pattern: str) -> str:
    model = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    kibibytes = int(re.findall(r"^MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text(), re.MULTILINE)[0])
    engine = create_engine(pattern.format(name="postgres"))
    with engine.connect() as connection:
        postgresql = str(connection.execute(text("SHOW server_version")).scalar_one()).split()[0]
    engine.dispose()
    parts = (
        f"{len(os.sched_getaffinity(0))} cores ({model[1] if model else platform.machine()})",
        f"{kibibytes / 1024**2:.0f} GiB",
        f"{platform.system()} with databases on {_file_system(Path(tempfile.gettempdir()).resolve())}",
        f"Python {platform.python_version()}",
        f"SQLite {sqlite3.sqlite_version}",
        f"PostgreSQL {postgresql}",
    )
    return ", ".join(parts)


def _file_system(folder: Path) -> str:
    """The type of the nearest mount above the folder."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    above = [(len(point), kind) for point, kind in mounts if folder.is_relative_to(point)]
    return max(above)[1]
