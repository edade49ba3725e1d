"""Take one mend out at a time, and see whether the test named for it turns red.

Each patch beside this file makes one line as wrong as it once was, or could be. Its first line says what is wrong then,
its second which test must notice. Everything happens in copies of the tree; nothing here is touched.
"""

# ruff: noqa: T201  # it prints a table

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
LEFT_OUT = shutil.ignore_patterns(".git", ".venv*", "__pycache__", ".*_cache", "instance", "mutants")
RED, GREEN, SKIPPED, BROKEN = "red", "STAYS GREEN", "skipped", "BROKEN"
#: pytest's exit codes
PASSED, FAILED = 0, 1


@dataclass(frozen=True)
class Planted:
    """A patch: its file's name without the ending, what is wrong with it, and the test that must turn red."""

    name: str
    says: str
    test: str
    text: str

    @property
    def path(self) -> Path:
        return HERE / f"{self.name}.patch"

    @property
    def changed_lines(self) -> tuple[int, int]:
        """How many lines it takes away, and how many it adds."""
        lines = self.text.splitlines()
        gone, new = (
            sum(line.startswith(sign) and not line.startswith(sign * 3) for line in lines) for sign in ("-", "+")
        )
        return gone, new


def planted() -> list[Planted]:
    """All patches. Raises: ValueError for a file without its two first lines."""
    return [_read(path) for path in sorted(HERE.glob("*.patch"))]


def _read(path: Path) -> Planted:
    text = path.read_text()
    says, red, *_ = text.splitlines()
    if not red.startswith("Red: "):
        raise ValueError(f"{path.name}: its second line must name the test that turns red, as “Red: tests/…::test_…”.")
    return Planted(path.stem, says, red.removeprefix("Red: "), text)


def chosen_of(every: Sequence[Planted], words: Sequence[str], sample: int | None) -> list[Planted]:
    """Those with one of *words* in their names; a sample changes only with what a patch says."""
    named = [one for one in every if not words or any(word in one.name for word in words)]
    return sorted(named, key=lambda one: sha256(one.text.encode()).digest())[:sample]


def copy_of_tree(folder: str) -> Path:
    """A copy in an empty folder, with what lies beside the checkout."""
    tree = Path(folder) / "tree"
    shutil.copytree(ROOT, tree, ignore=LEFT_OUT)
    shared = ROOT.parent / "shared"
    if shared.exists():
        (Path(folder) / "shared").symlink_to(shared)
    return tree


def apply(one: Planted, tree: Path, *, tries: bool = False) -> str:
    """Make the tree wrong, or only try to; what stands in the way, empty where nothing does."""
    command = ["git", "apply", "--whitespace=nowarn", *(["--check"] if tries else []), str(one.path)]
    # a folder above may be a repository: then git would look for the files there
    outside = {**os.environ, "GIT_CEILING_DIRECTORIES": str(tree.parent)}
    return subprocess.run(command, cwd=tree, env=outside, check=False, capture_output=True, text=True).stderr


def run_tests(tests: Sequence[str], tree: Path) -> tuple[str, str]:
    """A verdict, and what pytest said."""
    command = [sys.executable, "-m", "pytest", "-x", "-p", "no:xdist", *tests]
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    done = subprocess.run(command, cwd=tree, env=environment, check=False, capture_output=True, text=True)
    if done.returncode == FAILED:
        return RED, done.stdout
    if done.returncode == PASSED:
        return (GREEN if "passed" in done.stdout else SKIPPED), done.stdout
    return BROKEN, done.stdout + done.stderr


def tried(one: Planted) -> tuple[Planted, str, str, float]:
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        tree = copy_of_tree(folder)
        refused = apply(one, tree)
        verdict, said = (BROKEN, refused) if refused else run_tests([one.test], tree)
    return one, verdict, said, time.monotonic() - began


def healthy(chosen: Sequence[Planted]) -> bool:
    """Whether the tests are green with every mend in its place: else their red would prove nothing."""
    tests = sorted({one.test for one in chosen})
    verdict, said = run_tests(tests, ROOT)
    if verdict not in {GREEN, SKIPPED}:
        print(said, "Without any patch these tests fail already.", sep="\n", file=sys.stderr)
        return False
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", help="patches with one of these words in their names; all where none is")
    parser.add_argument("--sample", type=int, help="so many of them, the same ones each time")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="how many at a time")
    asked = parser.parse_args()
    chosen = chosen_of(planted(), asked.words, asked.sample)
    if not chosen:
        raise SystemExit(f"No patch has a name with {' or '.join(asked.words)} in it.")
    if not healthy(chosen):
        return 1
    bad = 0
    with ThreadPoolExecutor(asked.jobs) as pool:
        for one, verdict, said, seconds in pool.map(tried, chosen):
            print(f"{verdict:12}{seconds:5.0f} s  {one.name}", flush=True)
            if verdict in {GREEN, BROKEN}:
                bad += 1
                print(f"  {one.says}", *said.splitlines()[-15:], sep="\n  ")
    print(f"{len(chosen)} patches, {bad} that no test noticed or that could not be tried")
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
