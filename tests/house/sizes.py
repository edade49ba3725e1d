"""Print how large the project's files and functions are: what docs/architecture.md says of its size.

Run: .venv/bin/python tests/house/sizes.py
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median, quantiles

ROOT = Path(__file__).parents[2]
Function = ast.FunctionDef | ast.AsyncFunctionDef


def files(folder: str) -> Iterator[Path]:
    yield from (path for path in sorted((ROOT / folder).rglob("*.py")) if path.read_text().strip())


def functions(path: Path) -> Iterator[Function]:
    tree = ast.parse(path.read_text())
    yield from (node for node in ast.walk(tree) if isinstance(node, Function))


def told(what: str, sizes: Sequence[tuple[int, str]]) -> str:
    lines = [size for size, _ in sizes]
    longest, where = max(sizes)
    nine_in_ten = round(quantiles(lines, n=10)[-1])
    return (
        f"{len(lines)} {what}: {median(lines):g} lines at the median, nine in ten at most {nine_in_ten}, "
        f"the longest {longest} ({where})"
    )


def replaces_an_attribute(function: Function) -> bool:
    return any(isinstance(node, ast.Attribute) and node.attr == "setattr" for node in ast.walk(function))


def main() -> None:
    for folder in ("receiver", "tests"):
        paths = list(files(folder))
        print(told(f"files in {folder}/", [(len(path.read_text().splitlines()), path.name) for path in paths]))
        own = [
            (one.end_lineno - one.lineno + 1, one.name) for path in paths for one in functions(path) if one.end_lineno
        ]
        print(told(f"functions in {folder}/", own))
    tests = [one for path in files("tests") for one in functions(path) if one.name.startswith("test_")]
    print(f"{sum(map(replaces_an_attribute, tests))} of {len(tests)} tests replace an attribute")


if __name__ == "__main__":
    main()
