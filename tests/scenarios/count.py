"""Which of Business Central's own cases are tests here, which are decided otherwise, and which are missing.

`make scenarios` prints it. A row is a test when a test's name begins with it (`test_e9_…`), or carries it among others
(`test_g1_and_g2_…`); it is explained when a table of docs/differences.md or docs/scope.md names it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXPLAINED_IN = ("docs/differences.md", "docs/scope.md")
ROWS: Mapping[str, str] = {
    "A": "1 2 3 5 6 7 9 10 11 13 14 15 17 18 19 21 22 23 25 26 27 29 30 31 33 34 35 37 38 39 41 42 43",
    "B": "1 2 3 5 6 7 9 10 11 13 14 15",
    "C": "1 2 3 5 6 7 9 10 11 13",
    "D": "1 2 3 5 6 7 9 10 11 13 14 15 17",
    "E": "1 2 3 5 6 7 9 10 11 13 14 15 17 18 19 21 22 23 25 26 27 29 30 31 33 34 35 37 38 39 41 42 43 45 46 47",
    "F": "1 2 3 5 6 7 9 10 11 13 14 15 17 18 19 21 22 23 25 26 27",
    "G": "1 2 3 5 6 7 9 10 11 13 14 15 17 18 19 21 22 23 25 26 27 29 30 31 33 34 35 37 38 39 41 42 43 45 46 47 49 50 51 53 54 55 57 58 58a 58b 58c 58d 59 61 62 63 65 66 67 69 70 71 73 74 75",
    "H": "1 2 3 5 6 7 9 10 11 13 14 15 17 18 19 21 22 23",
    "I": "1 2 3 5 6 7",
    "J": "1 2 3 5 6 7 9 10 11 13 14 15 17 18 19 21 22 23 25 26 27 29 30 31 33 34 35",
    "K": "1 2 3 5 6 7 9 10 11 31 33 34 35 37 38 39 41 42 43 45 63 65 66 67 69 70",
    "L": "1 2 3 5 6 7 9 10 11 13 14 15 17 18 19 21 22 23 25 26 27 29 30 31 33 34 35 37 38 39",
    "M": "1 2 3 5 6 7 9 10 11 13 14 15 17 18 19 21 22 23 25 26 27 29 30 31 33 34 35",
    "P": "9 10 14",
    "Q": "1 2 3 5 6 7 9 10 11 13 14 15 17",
    "R": "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26",
    "T": "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21",
}  # fmt: skip


def main() -> int:
    tested, explained = tested_rows(), explained_rows()
    missing: list[str] = []
    print("group  rows  tests  explained  missing")
    for group, numbers in ROWS.items():
        rows = [f"{group}{number}" for number in numbers.split()]
        as_test = [row for row in rows if row in tested]
        told = [row for row in rows if row not in tested and row in explained]
        missing += [row for row in rows if row not in tested and row not in explained]
        print(f"{group:5}  {len(rows):4}  {len(as_test):5}  {len(told):9}  {len(rows) - len(as_test) - len(told):7}")
    print(f"missing: {len(missing)}" + (f" ({', '.join(missing)})" if missing else ""))
    return 1 if missing else 0


def tested_rows() -> set[str]:
    """Of every test's name, the rows that it begins with."""
    texts = (path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    names = (name for text in texts for name in re.findall(r"def test_(\w+)\(", text))
    return {row.upper() for name in names for row in _leading_rows(name.split("_"))}


def _leading_rows(words: Iterable[str]) -> list[str]:
    rows: list[str] = []
    for word in words:
        if re.fullmatch(r"[a-t]\d+[a-z]?", word):
            rows.append(word)
        elif word != "and":
            break
    return rows


def explained_rows() -> set[str]:
    """What the first cells of the documents' tables name: `A10, A14`, or a span such as `A10–A14`."""
    found: set[str] = set()
    for name in EXPLAINED_IN:
        page = ROOT / name
        cells = re.findall(r"^\|([^|]*)\|", page.read_text(), re.MULTILINE) if page.exists() else []
        for cell in cells:
            found |= set(re.findall(r"\b[A-T]\d+[a-z]?\b", cell))
            for group, first, last in re.findall(r"\b([A-T])(\d+)–[A-T]?(\d+)\b", cell):
                found |= {f"{group}{number}" for number in range(int(first), int(last) + 1)}
    return found


if __name__ == "__main__":
    sys.exit(main())
